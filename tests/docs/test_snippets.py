"""Every Python block of the README and the docs, run.

A complete program runs as a file. If it makes an `app` or an `application`, that is served and
refuses no caller. The first line of a fragment is `# Fragment: <place>`. The place is `in a view`,
with the answer if it isn't 200 (`in a view, answered with 402`), or the name of a file, which is
written beside the other files of its page.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.docs.blocks import BLOCKS, ROOT, blocks
from tests.docs.http_client import ask

from passthrough_auth.testing.flyte import FlyteEndpoint
from passthrough_auth.testing.servers import server, serving

# tests/sessions runs those of its page, with the frameworks that they need.
PYTHON = [block for block in blocks("python") if block.page != "docs/interactive-apps.md"]
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
    wsgi = any(each in module for each in ("Flask(", "get_wsgi_application"))
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
        # A page that runs cases of the repository says that the checkout is on the path.
        checkout = {"PYTHONPATH": str(ROOT)} if "from tests." in block.source else {}
        command = ("-m", "pytest", "-W", "error", block.place)
        run(*command, cwd=tmp_path, env=environment | checkout)
    else:
        run(block.place, cwd=tmp_path, env=environment)


def lay_out(page, directory):
    """Write the files that a page names, and those that its text assumes beside them."""
    for block in FILES:
        if block.page == page:
            path = directory / block.place
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.source)
    (directory / "project.py").write_text((SURROUNDINGS / "project.py").read_text())


def test_every_fragment_says_where_it_belongs():
    assert {str(block): block.place for block in FRAGMENTS if block not in FILES + VIEWS} == {}


def test_every_block_is_in_a_language_that_is_tested():
    """The language `text` is for output."""
    tested = blocks("python", "sh", "console", "text")
    assert [str(block) for block in BLOCKS if block not in tested] == []
