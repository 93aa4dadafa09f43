"""The demo: three frameworks, three callers, and the record of the callers that Flyte saw."""

import http.client
import json
import signal
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, cast

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column, Table

from passthrough_auth.testing.flyte import Call, FlyteEndpoint
from passthrough_auth.testing.servers import Running, ServerDidNotStart, server, serving

EXAMPLES = Path(__file__).with_name("examples")
APPS = (
    ("FastAPI", "uvicorn", "uvicorn-h11-asyncio", "fastapi_app:app"),
    ("Flask", "waitress", "waitress", "flask_app:app"),
    ("Django", "gunicorn", "gunicorn-gthread", "django_app:application"),
)
CALLERS = ("alice", "bob", None)
ROUNDS = 5
IN_FLIGHT = 24
_INTERRUPTED = 130  # as shells have it for SIGINT
COUNTED = "Requests: caller to app. Calls: app to Flyte. Runs: jobs that calls started."


@dataclass(frozen=True)
class App:
    """One app that is up, and the server that runs it."""

    framework: str
    served_by: str
    running: Running

    @property
    def url(self) -> str:
        return f"http://{self.running.host}:{self.running.port}"


@dataclass
class Cell:
    """The answers of one app to one caller, over all rounds. None stands for no credentials."""

    app: App
    caller: str | None
    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=dict[str, Any])

    def ask(self, method: str, path: str) -> None:
        answer = _ask(self.app, method, path, self.caller)
        self.answers.setdefault(path, []).append(answer)

    def runs(self) -> list[dict[str, str]]:
        return [body for status, body in self.answers["/trigger-job"] if status == 200]

    def refusals(self) -> list[str]:
        both = self.answers["/me"] + self.answers["/trigger-job"]
        return [f"{status} {_detail(body)}" for status, body in both if status != 200]


def run(*, serve: bool) -> int:
    """Run the demo and return the exit status: 0 only if every answer was right."""
    console = Console(highlight=False)
    status = _INTERRUPTED
    try:
        with _interrupted_once(console) as ignore_further, ExitStack() as stack:
            try:
                endpoint, apps = _start(console, stack)
                cells = _ask_everything(console, apps)
                status = 0 if _report(console, endpoint, cells) else 1
                if serve:
                    _serve(console, endpoint, apps)
            finally:
                ignore_further()
    except ServerDidNotStart as error:
        console.print(escape(str(error)), style="red")
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
    return status


def _start(console: Console, stack: ExitStack) -> tuple[FlyteEndpoint, list[App]]:
    """Start everything, in threads, where no interrupt comes between a process and its record.

    After an interrupt, the pool waits for the processes that are being started, so that all of them
    can be ended.
    """
    with ThreadPoolExecutor(len(APPS)) as pool:
        with console.status("Starting a local stand-in for Flyte"):
            wanted = FlyteEndpoint(["alice", "bob"], ["train"])
            endpoint = pool.submit(stack.enter_context, wanted).result()
        console.print(f"Flyte endpoint at {endpoint.url}, a local stand-in for the real one")
        # The apps call the endpoint alone, and never by way of a proxy that this machine uses.
        environment = endpoint.environment() | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        starting = [
            pool.submit(
                stack.enter_context,
                serving(server(server_name), app, env=environment, cwd=EXAMPLES),
            )
            for _, _, server_name, app in APPS
        ]
        apps: list[App] = []
        for (framework, served_by, _, _), started in zip(APPS, starting, strict=True):
            with console.status(f"Starting {framework} under {served_by}"):
                apps.append(App(framework, served_by, started.result()))
            console.print(f"{framework} under {served_by} at {apps[-1].url}")
    return endpoint, apps


def _ask_everything(console: Console, apps: Sequence[App]) -> list[Cell]:
    """Ask every app everything on behalf of every caller, all interleaved."""
    cells = [Cell(app, caller) for app in apps for caller in CALLERS]
    requests: list[tuple[Callable[[str, str], None], str, str]] = [
        (cell.ask, method, path)
        for _ in range(ROUNDS)
        for method, path in (("GET", "/health"), ("GET", "/me"), ("POST", "/trigger-job"))
        for cell in cells
    ]
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    pool = ThreadPoolExecutor(IN_FLIGHT)
    try:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("Calling as alice, bob and nobody", total=len(requests))
            for done in as_completed([pool.submit(ask, *path) for ask, *path in requests]):
                done.result()
                progress.advance(task)
    finally:
        # An interrupt doesn't wait for requests in flight: they end with the servers.
        pool.shutdown(wait=False, cancel_futures=True)
    return cells


def _report(console: Console, endpoint: FlyteEndpoint, cells: Iterable[Cell]) -> bool:
    """Print the table. Return whether every answer was right and agrees with Flyte's own record."""
    ran_by = {run.name: run.caller for run in endpoint.runs}
    last_run = Column("last run, or refusal", overflow="fold")
    table = Table("app", "caller", "Flyte saw", last_run, "verdict")
    all_right = True
    asked = made = 0
    for cell in cells:
        seen = _seen(cell, ran_by)
        right = _is_right(cell, seen)
        all_right = all_right and right
        asked += sum(map(len, cell.answers.values()))
        made += len(cell.runs())
        table.add_row(
            f"{cell.app.framework}\n[dim]{cell.app.served_by}",
            cell.caller or "nobody",
            ", ".join(sorted(seen)) or "-",
            _outcome(cell),
            "[green]right" if right else "[bold red]WRONG",
            end_section=cell.caller is None,
        )
    console.print(table)
    nobodys = sum(call.caller is None for call in endpoint.calls)
    all_right = all_right and made == len(endpoint.runs) and not nobodys
    console.print(
        f"{asked} requests; Flyte recorded {len(endpoint.calls)} calls, {nobodys} of nobody's, "
        f"and {len(endpoint.runs)} runs. "
        + ("[green]Every answer was right." if all_right else "[bold red]Not all of it is right.")
    )
    console.print(f"[dim]{COUNTED}")
    return all_right


def _seen(cell: Cell, ran_by: dict[str, str]) -> set[str]:
    """The callers that Flyte saw: as it answered /me, and as it recorded the runs."""
    named = {body["subject"] for status, body in cell.answers["/me"] if status == 200}
    return named | {ran_by.get(run["run"], "?") for run in cell.runs()}


def _is_right(cell: Cell, seen: set[str]) -> bool:
    if any(status != 200 for status, _ in cell.answers["/health"]):
        return False
    if cell.caller is None:
        return not seen and {text[:3] for text in cell.refusals()} == {"401"}
    return seen == {cell.caller} and len(cell.runs()) == ROUNDS and not cell.refusals()


def _outcome(cell: Cell) -> str:
    lines = [f"{run['run']}\n[dim]{run['url']}" for run in cell.runs()[-1:]]
    return "\n".join(lines + [escape(text) for text in sorted(set(cell.refusals()))])


def _serve(console: Console, endpoint: FlyteEndpoint, apps: Iterable[App]) -> NoReturn:
    """Print commands to try, and each call that Flyte then sees, until interrupted."""
    for app in apps:
        console.print(f"\n{app.framework} under {app.served_by}:")
        for line in (
            f"curl {app.url}/health",
            f"curl -i {app.url}/me",
            f"curl -H 'Authorization: Bearer alice-token' {app.url}/me",
            f"curl -H 'Authorization: Bearer bob-token' -X POST {app.url}/trigger-job",
        ):
            console.print(f"  {line}", soft_wrap=True)
    console.print("\nEach call that Flyte sees is printed here. Ctrl-C stops everything.")
    shown = len(endpoint.calls)
    while True:
        time.sleep(0.2)
        for call in list(endpoint.calls)[shown:]:
            shown += 1
            console.print(_line(call))


def _line(call: Call) -> str:
    return f"  Flyte saw [bold]{escape(call.caller or 'nobody')}[/]: {call.method}, {call.outcome}"


def _ask(app: App, method: str, path: str, caller: str | None) -> tuple[int, Any]:
    """The status and the JSON of an answer. Without an answer, 0 and the error."""
    headers = {"authorization": f"Bearer {caller}-token"} if caller else {}
    # Not with urllib, which would go through a proxy that this machine uses.
    connection = http.client.HTTPConnection(app.running.host, app.running.port, timeout=60)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, f"no answer in JSON: {error}"
    finally:
        connection.close()


def _detail(body: Any) -> str:
    return str(cast("dict[str, Any]", body).get("detail")) if isinstance(body, dict) else str(body)


@contextmanager
def _interrupted_once(console: Console) -> Generator[Callable[[], None]]:
    """Let Ctrl-C, SIGHUP and SIGTERM interrupt once, and not while it tidies up."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def ignore_further() -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        ignore_further()
        console.print("Stopping ...")
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield ignore_further
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
