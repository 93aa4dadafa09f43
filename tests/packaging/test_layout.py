"""The repository and the wheel are laid out as promised."""

import ast
import re
import subprocess
import sys
import zipfile
from configparser import ConfigParser

import pytest

ROOMS = {
    "core": "core",
    "frameworks": "adapters",
    "clients": "adapters",
    "testing": "adapters",
    "cli": "adapters",
}
TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "adapters",
    "core",
    "pyproject.toml",
    "tests",
    "tox.ini",
}
TOP_LEVEL_MORE = {"CONTRIBUTING.md", "SECURITY.md", "benchmarks", "docs", "examples"}
TESTING_LINES = 4500
MACHINE_PATH = re.compile(rb"(^|[^A-Za-z0-9_.-])/(tmp|work|root|farm|home)/", re.MULTILINE)


@pytest.mark.parametrize("source", ["core", "adapters"])
def test_the_namespace_has_no_init(root, source):
    """With one in either root, the editable install finds that root only."""
    assert (root / source / "passthrough_auth").is_dir()
    assert not (root / source / "passthrough_auth" / "__init__.py").exists()


def test_the_wheel_has_no_init_in_the_namespace(wheel_files):
    assert "passthrough_auth/__init__.py" not in wheel_files


@pytest.mark.parametrize("room", ROOMS)
def test_the_wheel_holds_every_room_typed(wheel_files, room):
    assert {
        f"passthrough_auth/{room}/__init__.py",
        f"passthrough_auth/{room}/py.typed",
    } <= wheel_files


def test_the_wheel_holds_every_source_file(tracked, wheel_files):
    source = re.compile(r"^(core|adapters)/(?=passthrough_auth/)")
    expected = {source.sub("", name) for name in tracked if source.match(name)}

    assert expected
    assert expected - wheel_files == set()


def test_the_wheel_holds_no_evidence_of_this_project_alone(wheel_files):
    """The soak, our own columns and drivers: an app or an adapter never calls them."""
    room = "passthrough_auth/testing/"
    inside = {name.removeprefix(room) for name in wheel_files if name.startswith(room)}

    assert {"conformance/__init__.py", "servers.py"} <= inside
    evidence = re.compile(r"(^|/)(soak|drivers|columns|clients)/|_driver\.py$")
    assert {name for name in inside if evidence.search(name)} == set()


def test_the_testing_room_of_the_wheel_stays_small(wheel):
    with zipfile.ZipFile(wheel) as archive:
        lines = {
            name: archive.read(name).count(b"\n")
            for name in archive.namelist()
            if name.startswith("passthrough_auth/testing/")
            and name.endswith(".py")
            # Each rule has its case.
            and "/cases/" not in name
        }

    assert lines
    assert sum(lines.values()) <= TESTING_LINES


def test_the_readme_renders_on_a_package_index(wheel):
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", wheel],
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_top_level_is_what_a_newcomer_was_promised(tracked):
    top = {name.split("/", 1)[0] for name in tracked}

    assert top >= TOP_LEVEL
    assert top <= TOP_LEVEL | TOP_LEVEL_MORE


def test_ci_runs_the_command_that_the_readme_gives(root):
    commands = [
        line.strip()
        for line in (root / "README.md").read_text(encoding="utf-8").splitlines()
        if line.strip().endswith("/tox")
    ]

    assert len(commands) == 1
    assert commands[0] in (root / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_every_test_directory_is_run_by_some_environment(root):
    """A directory of tests that tox.ini doesn't name would never fail."""
    config = ConfigParser(interpolation=None)
    config.read(root / "tox.ini", encoding="utf-8")
    commands = " ".join(config[section].get("commands", "") for section in config.sections())
    directories = {path.relative_to(root).parts[1] for path in root.glob("tests/*/**/test_*.py")}

    assert directories
    assert directories <= set(re.findall(r"tests/(\w+)", commands))


def test_no_tracked_file_names_a_path_of_one_machine(root, tracked):
    assert [name for name in tracked if MACHINE_PATH.search((root / name).read_bytes())] == []


def test_core_imports_the_standard_library_only(root):
    imported = {
        module.split(".")[0]
        for path in (root / "core").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        for module in _imported(node)
        if module.split(".")[:2] != ["passthrough_auth", "core"]
    }

    assert imported
    assert imported <= set(sys.stdlib_module_names)


def _imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module]
    return []
