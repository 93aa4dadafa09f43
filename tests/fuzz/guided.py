"""One property under atheris, whose inputs are led by the code that they reach.

    python -m tests.fuzz.guided core_properties.the_gate_follows_the_semantics -runs=10000

Everything after the property is for libFuzzer; a file that an earlier run left is run once again.
"""

import importlib
import sys

import atheris

# The package, and what its answers are compared with: the model, and how others read URLs.
EXPLORED = ["passthrough_auth", "tests.fuzz", "httpx", "httpx2", "requests", "urllib3", "yarl"]


def main() -> None:
    """Run until an input fails or the runs are over. Does not return."""
    module, _, name = sys.argv.pop(1).rpartition(".")
    with atheris.instrument_imports(include=EXPLORED):
        holds = getattr(importlib.import_module(f"tests.fuzz.{module}"), name)
    from tests.fuzz.choices import Bytes

    atheris.Setup(sys.argv, lambda data: holds(Bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
