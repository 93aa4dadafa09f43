"""The public surface is `__all__`, and importing one part doesn't import another."""

import ast
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import passthrough_auth.core
from passthrough_auth.core import caller, errors, inbound, origin, outbound

FACES = [passthrough_auth.core, inbound, caller, outbound]
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
CORE = Path(inspect.getfile(passthrough_auth.core)).parent


def python(code, *arguments):
    """The output of this code in a new interpreter."""
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def order(name):
    """Constants, then classes, then functions, as the linter sorts them."""
    return (not name.isupper(), not name[0].isupper(), name)


def exported_twice_or_out_of_order(names):
    return list(names) != sorted(set(names), key=order)


@each_face
def test_a_face_lists_what_it_has(face):
    """Every public name that its parts export is listed, and every listed name is there."""
    tree = ast.parse(Path(inspect.getfile(face)).read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }

    assert set(face.__all__) == imported
    assert all(hasattr(face, name) for name in face.__all__)
    assert not exported_twice_or_out_of_order(face.__all__)


def test_an_app_has_few_names_to_choose_from():
    assert len(passthrough_auth.core.__all__) <= 36


@pytest.mark.parametrize("face", [passthrough_auth.core, caller], ids=lambda face: face.__name__)
def test_a_face_has_no_other_public_names(face):
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_the_kind'"):
        _ = face.nothing_of_the_kind


def test_importing_core_imports_no_slow_module():
    printed = python(
        """
        import sys, passthrough_auth.core
        slow = {"concurrent.futures", "dataclasses", "inspect", "ipaddress"}
        print(sorted(slow & set(sys.modules)))
        """
    )

    assert printed.strip() == "[]"


@pytest.mark.parametrize(
    ("face", "name"), [(face, name) for face in FACES for name in face.__all__]
)
def test_everything_public_has_a_docstring_and_a_public_home(face, name):
    """Its module is one of a public package that exports it too, or a public module of core."""
    thing = getattr(face, name)

    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert inspect.getdoc(thing)
        homes = [inbound, caller, outbound, errors, origin]
        # auth_metadata is a second name for acting_as.
        assert any(getattr(home, thing.__name__, None) is thing for home in homes)


def test_importing_core_imports_the_standard_library_only():
    brought = python(
        """
        import sys
        before = set(sys.modules)
        import passthrough_auth.core
        print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
        """
    ).split()

    assert set(brought) - sys.stdlib_module_names == {"passthrough_auth"}


def test_core_s_source_imports_the_standard_library_only():
    """This includes imports within functions."""
    found = {
        name.partition(".")[0]
        for file in CORE.glob("**/*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in _absolute_imports(node)
    }

    assert found <= {"passthrough_auth", *sys.stdlib_module_names}


def _absolute_imports(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [node.module]
    return []
