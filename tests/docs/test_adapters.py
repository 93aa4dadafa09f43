"""docs/adapters.md says what is; its code is run by test_snippets.py."""

import os
import subprocess
import sys
import tomllib

import pytest
from tests.docs.blocks import blocks

PAGE = "docs/adapters.md"
FILES = {block.place: block for block in blocks("python", page=PAGE)}


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_at_most_60_lines(name):
    assert FILES[name].source.count("\n") <= 60


def test_an_app_finds_the_binding_by_its_entry_point(tmp_path):
    (entry_point,) = blocks("text", page=PAGE)
    groups = tomllib.loads(entry_point.source)["project"]["entry-points"]
    info = tmp_path / "robots_binding-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: robots-binding\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in groups.items()
        )
    )
    for name in ("robots.py", "robots_binding.py"):
        (tmp_path / name).write_text(FILES[name].source)
    program = """
import robots
from passthrough_auth.core import acting_as

with acting_as(("authorization", "Bearer alice")):
    assert robots.Client().start("r2") == "Bearer alice"
"""
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        timeout=60,
    )
