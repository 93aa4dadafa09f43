"""The public surface is what `__all__` says, and importing one part brings no other."""

import ast
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import passthrough_auth.core

CORE = Path(inspect.getfile(passthrough_auth.core)).parent


def python(code, *arguments):
    """What a new interpreter prints when it runs this code."""
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def order(name):
    """Constants, then classes, then functions, as the linter sorts them."""
    return (not name.isupper(), not name[0].isupper(), name)


def exported_twice_or_out_of_order(names):
    return list(names) != sorted(set(names), key=order)


def test_core_lists_what_it_has():
    """Every public name that its parts export is listed, and every listed name is there."""
    tree = ast.parse((CORE / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }

    assert set(passthrough_auth.core.__all__) == imported
    assert all(hasattr(passthrough_auth.core, name) for name in passthrough_auth.core.__all__)
    assert not exported_twice_or_out_of_order(passthrough_auth.core.__all__)


def test_core_has_nothing_else():
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_the_kind'"):
        _ = passthrough_auth.core.nothing_of_the_kind


def test_importing_core_brings_none_of_what_it_rarely_needs():
    printed = python(
        """
        import sys, passthrough_auth.core
        slow = {"concurrent.futures", "dataclasses", "inspect", "ipaddress"}
        print(sorted(slow & set(sys.modules)))
        """
    )

    assert printed.strip() == "[]"


@pytest.mark.parametrize("name", passthrough_auth.core.__all__)
def test_everything_public_says_what_it_is(name):
    thing = getattr(passthrough_auth.core, name)

    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert inspect.getdoc(thing)
        assert not thing.__module__.rpartition(".")[2].startswith("_")


def test_core_brings_the_standard_library_only():
    brought = python(
        """
        import sys
        before = set(sys.modules)
        import passthrough_auth.core
        print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
        """
    ).split()

    assert set(brought) - sys.stdlib_module_names == {"passthrough_auth"}


def test_core_has_nothing_else_in_its_imports():
    """Those made within functions included."""
    found = {
        name.partition(".")[0]
        for file in CORE.glob("**/*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in _absolute_imports(node)
    }

    assert found <= sys.stdlib_module_names


def _absolute_imports(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [node.module]
    return []
