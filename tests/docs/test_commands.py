"""Every command of the README and the docs is run or checked here, or by the named test.

An unknown command without a test fails.
"""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
from tests.docs.blocks import ROOT, blocks

COMMANDS = [
    pytest.param(block.page, command, id=f"{block}: {command}")
    for block in blocks("sh", "console")
    for command in block.commands()
]

DEMO, TESTS = (block.source.strip() for block in blocks("sh", page="README.md")[:2])

# Commands that take long or need a setup, each with the test that runs it.
README = "tests/docs/test_readme.py::"
SERVED = README + "test_two_callers_interleaved_each_see_themselves_and_nobody_gets_a_401"
TRIED = README + "test_the_curl_lines_print_what_the_readme_shows"
RUN_BY = {
    DEMO: README + "test_the_first_command_works_in_a_clean_checkout",
    # CI runs this command, so it must not run itself here.
    TESTS: "tests/packaging/test_layout.py::test_ci_runs_the_command_that_the_readme_gives",
    "uvicorn app:app": SERVED,
    "waitress-serve --port=8000 app:app": SERVED,
    "gunicorn app": SERVED,
    "curl -s -H 'Authorization: Bearer alice-token' http://127.0.0.1:8000/whoami": TRIED,
    "curl -s http://127.0.0.1:8000/whoami": TRIED,
    "passthrough-auth demo": (
        "tests/flyte/test_flyte_demo.py::test_two_demos_at_once_end_with_every_cell_right"
    ),
}


def pip(command):
    """The extras and dependency groups in the command exist in this project."""
    named = re.findall(r"(?:passthrough-auth|\.)\[([\w,]+)\]", command)
    extras = {extra for each in named for extra in each.split(",")}
    groups = set(re.findall(r"--group (\w+)", command))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return extras <= set(metadata("passthrough-auth").get_all("Provides-Extra")) and (
        groups <= set(project["dependency-groups"])
    )


def tox(command):
    """The environments are in tox.ini."""
    described = re.findall(r"^\[testenv:(.*)\]", (ROOT / "tox.ini").read_text(), re.MULTILINE)
    patterns = [
        re.sub(r"\{([\w,-]+)\}", lambda m: f"({m[1].replace(',', '|')})", d) for d in described
    ]
    wanted = shlex.split(command)[shlex.split(command).index("-e") + 1].split(",")
    return all(any(re.fullmatch(pattern, name) for pattern in patterns) for name in wanted)


def collects(command):
    """The tests that the command names exist."""
    return runs(f"python -m {command} --collect-only -q")


def is_long(command):
    """The command has these options, and a test runs a shorter form of it."""
    module = shlex.split(command)[2]
    main = Path(*module.split("."), "__main__.py")
    source = ROOT / main
    options = re.findall(r"(?<!\S)--[\w-]+", command)
    tests = [path.read_text(encoding="utf-8") for path in ROOT.glob("tests/*/test_*.py")]
    return all(option in source.read_text(encoding="utf-8") for option in options) and any(
        module in text for text in tests
    )


def runs(command):
    """The command exits with 0."""
    finished = subprocess.run(
        [sys.executable, *shlex.split(command)[1:]],
        check=False,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    return finished.returncode == 0 or pytest.fail(finished.stdout + finished.stderr)


CHECKED_BY = {
    "pip install ": pip,
    "tox -e ": tox,
    ".venv/bin/tox -e ": tox,
    "pytest ": collects,
    "python -m benchmarks": is_long,
    "python -m tests.fuzz": is_long,
    "python -m tests.soak": is_long,
    "python -m tests.": runs,
    "python -m passthrough_auth.": runs,
}


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_is_run(page, command):
    if test := RUN_BY.get(command):
        path, _, name = test.partition("::")
        assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8")
        return
    checks = [check for start, check in CHECKED_BY.items() if command.startswith(start)]
    assert checks, f"no test runs this command of {page}: {command}"
    assert checks[0](command)


@pytest.mark.parametrize("block", [b for b in blocks("sh") if "--group" in b.source], ids=str)
def test_groups_are_installed_by_a_pip_that_knows_them(block):
    """pip knows groups since 25.1, and Python 3.11 to 3.13 bring an older one."""
    assert block.commands()[0] == "pip install -U pip"
