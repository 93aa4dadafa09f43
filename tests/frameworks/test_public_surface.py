"""The public names of the adapters. Importing one adapter doesn't import another framework."""

import importlib
import inspect
import subprocess
import sys
import textwrap

import pytest

ADAPTERS = {
    "asgi": "starlette",
    "fastapi": "fastapi",
    "flask": "flask",
    "django": "django",
}
FOREIGN = {
    "asgi": {"fastapi", "starlette", "flask", "werkzeug", "django"},
    "fastapi": {"flask", "werkzeug", "django"},
    "flask": {"fastapi", "starlette", "django"},
    "django": {"fastapi", "starlette", "flask", "werkzeug"},
}
each_adapter = pytest.mark.parametrize("adapter", ADAPTERS)


def python(code, *arguments):
    """The output of this code in a new interpreter."""
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@each_adapter
def test_an_adapter_lists_the_public_names_that_it_defines(adapter):
    module = importlib.import_module(f"passthrough_auth.frameworks.{adapter}")
    defined = {
        name
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(thing) or inspect.isfunction(thing))
        and thing.__module__.startswith(module.__name__)
    }

    assert defined <= set(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    assert list(module.__all__) == sorted(set(module.__all__))
    assert all(inspect.getdoc(getattr(module, name)) for name in defined)


@each_adapter
def test_importing_an_adapter_imports_no_other_framework_and_no_client(adapter):
    brought = python(
        """
        import importlib, sys
        importlib.import_module(f"passthrough_auth.frameworks.{sys.argv[1]}")
        print(*{name.partition(".")[0] for name in sys.modules})
        """,
        adapter,
    ).split()

    assert not (FOREIGN[adapter] | {"flyte", "grpc", "aiohttp", "requests"}) & set(brought)
    assert "passthrough_auth" in brought


BLOCK = """
    import importlib, sys

    class Absent:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == sys.argv[2]:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

    sys.meta_path.insert(0, Absent())
    try:
        importlib.import_module(f"passthrough_auth.frameworks.{sys.argv[1]}")
    except ImportError as error:
        print(error)
    else:
        print("imported")
"""


@pytest.mark.parametrize("adapter", ["fastapi", "flask", "django"])
def test_without_its_framework_the_error_names_the_extra(adapter):
    assert python(BLOCK, adapter, ADAPTERS[adapter]).strip() == (
        f"{adapter} is not installed. Install it with: pip install 'passthrough-auth[{adapter}]'"
    )


def test_the_asgi_middleware_needs_no_framework():
    assert python(BLOCK, "asgi", "starlette").strip() == "imported"
