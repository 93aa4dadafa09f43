"""One property under atheris, which chooses inputs by the code that they reach.

    python -m tests.fuzz.guided core_properties.the_gate_follows_the_semantics -runs=10000

The arguments after the property are for libFuzzer. Pass the file of a failed input to run it again.
"""

import importlib
import sys

import atheris

# The package, the model, and the libraries of which the URL parsers are compared.
EXPLORED = ["passthrough_auth", "tests.fuzz", "httpx", "httpx2", "requests", "urllib3", "yarl"]


def main() -> None:
    """Run until an input fails or all runs are done. Does not return."""
    module, _, name = sys.argv.pop(1).rpartition(".")
    with atheris.instrument_imports(include=EXPLORED):
        holds = getattr(importlib.import_module(f"tests.fuzz.{module}"), name)
    from tests.fuzz.choices import Bytes

    atheris.Setup(sys.argv, lambda data: holds(Bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
