"""The command `passthrough-auth demo`."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from passthrough_auth.cli import demo
from passthrough_auth.cli.commands import main

COMMAND = [sys.executable, "-c", "from passthrough_auth.cli import main; main()"]
SECONDS = 180.0


class Demo:
    """A demo in its own process, and its output."""

    def __init__(self, output: Path, *options: str) -> None:
        self.marker = uuid.uuid4().hex
        self._output = output
        env = {"MARKER": self.marker, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
        with output.open("wb") as printed:
            self.process = subprocess.Popen(
                [*COMMAND, "demo", *options],
                env=os.environ | env,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def text(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def await_text(self, wanted: str) -> str:
        deadline = time.monotonic() + SECONDS
        while wanted not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.05)
        return self.text()

    def left_running(self) -> list[str]:
        """Processes with its mark in their environment, in any group or session."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if self.marker.encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_text())
            except OSError:
                continue  # gone in the meantime, or not ours to look at
        return found


@contextmanager
def running(output: Path, *options: str) -> Iterator[Demo]:
    started = Demo(output, *options)
    try:
        yield started
    finally:
        started.process.send_signal(signal.SIGINT)
        started.process.wait(SECONDS)
        assert not started.left_running()


def rows(text: str) -> list[tuple[str, ...]]:
    """The table's rows of callers: framework, caller, the user that Flyte saw, and verdict."""
    cells = [[cell.strip() for cell in line.split("│")] for line in text.splitlines()]
    return [(row[1], row[2], row[3], row[5]) for row in cells if len(row) == 7 and row[2]]


def test_two_demos_at_once_end_with_every_cell_right(tmp_path: Path) -> None:
    with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        assert [one.process.wait(SECONDS), two.process.wait(SECONDS)] == [0, 0], one.text()
        for each in (one, two):
            text = each.text()
            assert rows(text) == [
                (framework, caller, seen, "right")
                for framework in ("FastAPI", "Flask", "Django")
                for caller, seen in (("alice", "alice"), ("bob", "bob"), ("nobody", "-"))
            ]
            assert len(re.findall(r"https://127\.0\.0\.1:\d+/v2/\S+/runs/r\w+", text)) == 6
            assert text.count("401 Authentication credentials required") == 3
            assert "135 requests" in text
            assert "0 of nobody's, and 30 runs. Every answer was right." in text
            assert "a local stand-in for the real one" in text
            assert re.search(r"last run, or refusal +┃ verdict ┃", text)
            assert "Requests: caller to app. Calls: app to Flyte. Runs: " in text
            assert not each.left_running()


def test_with_serve_the_printed_commands_work_until_it_is_interrupted(tmp_path: Path) -> None:
    with running(tmp_path / "out", "--serve") as served:
        text = served.await_text("Ctrl-C stops everything.")
        lines = [line.strip() for line in text.splitlines() if line.strip().startswith("curl ")]
        assert len(lines) == 12
        for line in lines:
            command = ["curl", "--silent", "--show-error", *shlex.split(line)[1:]]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            wanted = {"/health": "ok", "alice": "alice", "bob": '"run"'}
            word = next((says for part, says in wanted.items() if part in line), "401")
            assert word in answer, (line, answer)
        served.await_text("Flyte saw bob: CreateRun, ok")
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(SECONDS) == 0
        assert served.text().rstrip().endswith("Stopped; nothing is left running.")
        assert not served.left_running()


def test_serving_does_not_hide_that_it_was_interrupted_before(tmp_path: Path) -> None:
    with running(tmp_path / "out", "--serve") as started:
        started.await_text("Flyte endpoint at")
        started.process.send_signal(signal.SIGINT)
        started.await_text("Stopping ...")
        assert started.process.wait(SECONDS) == 130


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("Flyte endpoint at", signal.SIGINT),
        ("FastAPI under uvicorn at", signal.SIGHUP),
        ("Django under gunicorn at", signal.SIGTERM),
    ],
)
def test_an_interrupted_demo_leaves_no_process(
    tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    with running(tmp_path / "out") as started:
        started.await_text(moment)
        started.process.send_signal(number)
        started.process.send_signal(number)
        assert started.process.wait(SECONDS) == 130
        assert "Traceback" not in started.text()
        assert not started.left_running()


WRONG = """
from flask import Flask, request

app = Flask(__name__)
app.add_url_rule("/health", "health", lambda: {"status": "ok"})
app.add_url_rule("/me", "me", lambda: {"subject": "alice", "name": "Alice"})
app.add_url_rule("/trigger-job", "job", lambda: ("out of order", 503), methods=["POST"])
"""


def test_a_wrong_app_makes_the_demo_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrong.py").write_text(WRONG)
    monkeypatch.setattr(demo, "EXAMPLES", tmp_path)
    monkeypatch.setattr(demo, "APPS", [("Wrong", "waitress", "waitress", "wrong:app")])
    monkeypatch.setenv("COLUMNS", "200")
    before = signal.getsignal(signal.SIGTERM)
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 1
    assert [row[1:] for row in rows(result.output)] == [
        (caller, "alice", "WRONG") for caller in ("alice", "bob", "nobody")
    ]
    assert "Not all of it is right." in result.output
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_app_that_does_not_start_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('[broken] on purpose')")
    monkeypatch.setattr(demo, "EXAMPLES", tmp_path)
    monkeypatch.setattr(demo, "APPS", [("Broken", "waitress", "waitress", "broken:app")])
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 1
    assert "[broken] on purpose" in result.output


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "passthrough_auth.cli.demo")
    monkeypatch.delattr("passthrough_auth.cli.demo")
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 1
    assert "pip install 'passthrough-auth[demo]'" in result.output


def test_without_click_the_command_says_what_to_install() -> None:
    lacking = "import sys; sys.modules['click'] = None; "
    process = subprocess.run(
        [*COMMAND[:2], lacking + COMMAND[2]], capture_output=True, text=True, check=False
    )
    assert process.returncode == 1
    assert process.stderr.strip() == (
        "click is not installed. Install it with: pip install 'passthrough-auth[demo]'"
    )


def test_the_command_prints_its_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.output == f"passthrough-auth, version {version('passthrough-auth')}\n"
