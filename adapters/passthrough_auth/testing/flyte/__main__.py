"""The child process of a :class:`FlyteEndpoint` with `process=True`."""

import signal
import sys

from passthrough_auth.testing.flyte.process import serve

if __name__ == "__main__":
    # Ctrl-C reaches every process of the terminal; the parent decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.stdin, sys.stdout)
