"""Every Python block of the README and the docs, run.

A block that is a complete program is run as a file, and if it makes an `app` or an `application`,
that is served and refuses nobody. A block whose first line is `# Fragment: <place>` is put there:
`in a view`, whose answer may be named as in `in a view, answered with 402`, or into a file of that
name, beside the other files that its page names.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.docs.asking import ask
from tests.docs.blocks import BLOCKS, blocks

from passthrough_auth.testing.flyte import FlyteEndpoint
from passthrough_auth.testing.servers import server, serving

PYTHON = blocks("python")
COMPLETE = [block for block in PYTHON if block.place is None]
FRAGMENTS = [block for block in PYTHON if block.place is not None]
FILES = [block for block in FRAGMENTS if block.place.endswith(".py")]
VIEWS = [block for block in FRAGMENTS if block.place.startswith("in a view")]

SURROUNDINGS = Path(__file__).with_name("surroundings")


@pytest.fixture(scope="module")
def environment():
    with FlyteEndpoint(["alice", "bob"], ["train", "deploy"]) as endpoint:
        yield os.environ | endpoint.environment()


def run(*command, cwd, env):
    finished = subprocess.run(
        [sys.executable, *command],
        check=False,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def serving_any(module, name, **options):
    """Serve an app on a server of its interface."""
    wsgi = any(each in module for each in ("Flask(", "get_wsgi_application", "WsgiApp"))
    return serving(server("waitress" if wsgi else "uvicorn-h11-asyncio"), name, **options)


@pytest.mark.parametrize("block", COMPLETE, ids=str)
def test_a_complete_block_runs_and_its_app_refuses_nobody(block, tmp_path, environment):
    (tmp_path / "app.py").write_text(block.source)
    run("app.py", cwd=tmp_path, env=environment)
    for name in ("app", "application"):
        if f"\n{name} = " in block.source:
            with serving_any(block.source, f"app:{name}", env=environment, cwd=tmp_path) as running:
                assert ask(running, "/whoami")[0] == 401


@pytest.mark.parametrize("block", VIEWS, ids=str)
def test_a_fragment_of_a_view_runs_in_one(block, tmp_path, environment):
    view = (SURROUNDINGS / "view.py").read_text()
    (tmp_path / "app.py").write_text(
        view.replace("    # the fragment\n", textwrap.indent(block.source, "    "))
    )
    uvicorn = server("uvicorn-h11-asyncio")
    with serving(uvicorn, "app:app", env=environment, cwd=tmp_path) as running:
        status, _ = ask(running, "/", "alice-token")
    _, _, expected = block.place.partition(", answered with ")
    assert status == int(expected or 200), running.log()


@pytest.mark.parametrize("block", FILES, ids=str)
def test_a_fragment_of_a_project_runs_in_it(block, tmp_path, environment):
    lay_out(block.page, tmp_path)
    name = Path(block.place).name
    if name == "settings.py":
        settings = environment | {"DJANGO_SETTINGS_MODULE": "project"}
        run("-m", "django", "check", "--fail-level", "WARNING", cwd=tmp_path, env=settings)
        with serving(server("waitress"), "project:application", env=settings, cwd=tmp_path) as site:
            assert ask(site, "/whoami")[0] == 401
    elif name.startswith("test_"):
        run("-m", "pytest", "-W", "error", block.place, cwd=tmp_path, env=environment)
    else:
        run(block.place, cwd=tmp_path, env=environment)


def lay_out(page, directory):
    """Write down the files that a page names, and what its text says stands beside them."""
    for block in FILES:
        if block.page == page:
            path = directory / block.place
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.source)
    (directory / "project.py").write_text((SURROUNDINGS / "project.py").read_text())
    if page == "docs/adapters.md":
        (adapter,) = (b.source for b in COMPLETE if b.page == page)
        (directory / "adapter.py").write_text(adapter)
        (directory / "column.py").write_text((SURROUNDINGS / "column.py").read_text())


def test_every_fragment_says_where_it_belongs():
    assert {str(block): block.place for block in FRAGMENTS if block not in FILES + VIEWS} == {}


def test_every_block_is_in_a_language_that_is_tested():
    """Or in `text`, which is for what something printed."""
    tested = blocks("python", "sh", "console", "text")
    assert [str(block) for block in BLOCKS if block not in tested] == []
