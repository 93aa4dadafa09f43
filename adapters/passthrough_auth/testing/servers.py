"""Real HTTP servers, each in a process of its own on an unused loopback port.

    with serving(server("uvicorn-h11-asyncio"), "myapp:app") as running:
        socket.create_connection((running.host, running.port))

Each `Server` records how the version in `OBSERVED_WITH` behaves. The tests in ``tests/servers``
check this on every run, so they fail when a server changes its behaviour.
"""

import importlib.metadata
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = [
    "OBSERVED_WITH",
    "SERVERS",
    "Launch",
    "Running",
    "Server",
    "ServerDidNotStart",
    "server",
    "serving",
]

HOST = "127.0.0.1"
RESERVES = sys.platform == "linux"  # see _unused_address; elsewhere another process may take it
START_SECONDS = 60.0
STOP_SECONDS = 5.0  # until a server that was asked to stop is killed
GONE_SECONDS = 30.0  # until the processes that were killed are gone
IDLE_SECONDS = "15"  # how long a server keeps an idle connection, longer than any pause in a test
THREADS = "8"  # handlers that may block at once where the server uses threads

OBSERVED_WITH = {
    "uvicorn": "0.54.0",
    "httptools": "0.9.0",
    "h11": "0.16.0",
    "hypercorn": "0.18.0",
    "daphne": "4.2.3",
    "granian": "2.8.7",
    "gunicorn": "27.0.1",
    "waitress": "3.0.2",
    "werkzeug": "3.1.9",
}


class ServerDidNotStart(RuntimeError):
    """A server could not be started. The text shows all that it printed."""


@dataclass(frozen=True, slots=True)
class Launch:
    """The variable parts of a command line."""

    host: str
    port: int
    app: str
    workers: int = 1
    options: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """One way of serving an app, and its observed behaviour.

    Attributes:
        name: The name, as for `server`.
        interface: The interface of the app.
        command: Builds the command line.
        needs: The distributions that must be installed.
        websockets: It supports WebSockets.
        denial_response: An app can answer a handshake with `websocket.http.response`. Otherwise it
            can only close, and the client gets a 403.
        keep_alive: A second request may follow on the same connection.
        pipelining: The second request may follow before the first is answered.
        joins_lines: A header on two lines reaches the app as one, with a comma between the values.
        merges_underscores: X_Name reaches the app as X-Name. Other servers drop it or keep both
            names apart.
        merges_leading_slashes: //a reaches the app as /a.
        drops_head_body: A body that an app sends in response to HEAD doesn't reach the client.
            Otherwise it does, and the client takes it for the next response.
        answers_half_closed: A client that has closed its half of the connection gets an answer.
            Otherwise this counts as a disconnect.
        several_workers: It can run more than one process.
        listens_early: It listens before the app is loaded.
    """

    name: str
    interface: Literal["asgi", "wsgi"]
    command: Callable[[Launch], list[str]]
    needs: tuple[str, ...]
    websockets: bool = False
    denial_response: bool = False
    keep_alive: bool = True
    pipelining: bool = True
    joins_lines: bool = False
    merges_underscores: bool = False
    merges_leading_slashes: bool = False
    drops_head_body: bool = True
    answers_half_closed: bool = False
    several_workers: bool = True
    listens_early: bool = False


class _Output:
    """The output of a process: in a file while it runs, in memory afterwards."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - closed by close()
        self._kept: bytes | None = None

    def text(self) -> str:
        kept = self._read() if self._kept is None else self._kept
        return kept.decode("utf-8", "backslashreplace")

    def close(self) -> None:
        self._kept = self._read()
        self.file.close()

    def _read(self) -> bytes:
        # pread leaves the file's position alone, which the process shares for its writes.
        return os.pread(self.file.fileno(), os.fstat(self.file.fileno()).st_size, 0)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers on `host` and `port`. `pid` is the leader of its process group."""

    host: str
    port: int
    pid: int
    _output: _Output = field(repr=False)

    def log(self) -> str:
        """The output of the server and the app so far. Works after the server has stopped too."""
        return self._output.text()


def _command(module: str, arguments: str, app: str = "APP") -> Callable[[Launch], list[str]]:
    """A command that runs a module with these arguments.

    HOST, PORT, WORKERS and APP in them stand for the values of the launch. With -m, modules are
    imported from the working directory first.
    """

    def command(launch: Launch) -> list[str]:
        words = {"HOST": launch.host, "PORT": str(launch.port), "WORKERS": str(launch.workers)}
        given = [re.sub("HOST|PORT|WORKERS", lambda m: words[m[0]], a) for a in arguments.split()]
        served = app.replace("APP", launch.app)
        return [sys.executable, "-m", module, *given, *launch.options, served]

    return command


def _uvicorn(http: str, loop: str) -> Callable[[Launch], list[str]]:
    return _command(
        "uvicorn",
        f"--host HOST --port PORT --interface asgi3 --http {http} --loop {loop} --workers WORKERS"
        f" --timeout-keep-alive {IDLE_SECONDS} --timeout-graceful-shutdown 1"
        " --no-access-log --log-level warning",
    )


def _hypercorn(interface: str) -> Callable[[Launch], list[str]]:
    return _command(
        "hypercorn",
        f"--bind HOST:PORT --workers WORKERS --keep-alive {IDLE_SECONDS} --graceful-timeout 1"
        " --log-level WARNING",
        f"{interface}:APP",
    )


def _granian(interface: str, more: str) -> Callable[[Launch], list[str]]:
    return _command(
        "granian",
        f"--host HOST --port PORT --interface {interface} --workers WORKERS"
        f" --workers-kill-timeout 1 --log-level error {more}",
    )


def _gunicorn(worker: str, more: str = "") -> Callable[[Launch], list[str]]:
    return _command(
        "gunicorn",
        f"--bind HOST:PORT --worker-class {worker} --workers WORKERS --keep-alive {IDLE_SECONDS}"
        f" --graceful-timeout 1 --no-control-socket --log-level warning {more}",
    )


def _gunicorn_wsgi(worker: str, more: str = "", *, keep_alive: bool = True) -> Server:
    return Server(
        f"gunicorn-{worker}",
        "wsgi",
        _gunicorn(worker, more),
        ("gunicorn", "gevent") if worker == "gevent" else ("gunicorn",),
        keep_alive=keep_alive,
        pipelining=keep_alive,
        joins_lines=True,
        answers_half_closed=True,
        listens_early=True,
    )


_daphne = _command("daphne", "--bind HOST --port PORT --verbosity 0")
_waitress = _command("waitress", f"--listen HOST:PORT --threads {THREADS}")


# werkzeug has no command of its own; `flask run` does the same as this.
_RUN_SIMPLE = """
import logging, pkgutil, sys
from werkzeug.serving import run_simple
logging.getLogger("werkzeug").setLevel(logging.WARNING)
run_simple(sys.argv[1], int(sys.argv[2]), pkgutil.resolve_name(sys.argv[3]), threaded=True)
"""


def _werkzeug(launch: Launch) -> list[str]:
    if launch.options:
        raise ValueError("werkzeug's server has no command line: write options=()")
    return [sys.executable, "-c", _RUN_SIMPLE, launch.host, str(launch.port), launch.app]


def _uvicorns() -> Iterator[Server]:
    for http in ("h11", "httptools"):
        for loop in ("asyncio", "uvloop"):
            yield Server(
                f"uvicorn-{http}-{loop}",
                "asgi",
                _uvicorn(http, loop),
                needs=("uvicorn", "websockets", http, *(["uvloop"] if loop == "uvloop" else [])),
                websockets=True,
                denial_response=True,
            )


# A server that would choose an event loop among those installed gets one explicitly, so that its
# name here means the same on every machine.
SERVERS: tuple[Server, ...] = (
    *_uvicorns(),
    Server(
        "hypercorn",
        "asgi",
        _hypercorn("asgi"),
        ("hypercorn",),
        websockets=True,
        denial_response=True,
        answers_half_closed=True,
    ),
    Server(
        "daphne",
        "asgi",
        _daphne,
        ("daphne",),
        websockets=True,
        drops_head_body=False,  # only the first piece of it is dropped
        several_workers=False,
    ),
    Server(
        "granian",
        "asgi",
        _granian("asgi", "--loop asyncio"),
        ("granian",),
        websockets=True,
        denial_response=True,
    ),
    Server(
        "gunicorn-asgi",
        "asgi",
        # Not its asyncio loop: there Python 3.13.0 leaves the next connection unread after a client
        # has gone while it was sent to (transport.writelines, CPython issue 136234).
        _gunicorn("asgi", "--asgi-loop uvloop"),
        ("gunicorn", "uvloop"),
        websockets=True,
        listens_early=True,
    ),
    _gunicorn_wsgi("sync", keep_alive=False),
    _gunicorn_wsgi("gthread", f"--threads {THREADS}"),
    _gunicorn_wsgi("gevent"),
    Server(
        "waitress",
        "wsgi",
        _waitress,
        ("waitress",),
        # It closes the connection after a response without Content-Length. Requests that were
        # pipelined after that one are lost.
        joins_lines=True,
        merges_leading_slashes=True,
        drops_head_body=False,
        answers_half_closed=True,
        several_workers=False,
    ),
    Server(
        "werkzeug",
        "wsgi",
        _werkzeug,
        ("werkzeug",),
        # It says `Connection: close`, but keeps a connection with unread data open until the
        # client closes it.
        keep_alive=False,
        pipelining=False,
        joins_lines=True,
        merges_leading_slashes=True,
        drops_head_body=False,
        answers_half_closed=True,
        several_workers=False,
    ),
    Server(
        "granian-wsgi",
        "wsgi",
        _granian("wsgi", f"--blocking-threads {THREADS}"),
        ("granian",),
        joins_lines=True,
        merges_underscores=True,  # the later line replaces the earlier
    ),
    Server(
        "hypercorn-wsgi",
        "wsgi",
        _hypercorn("wsgi"),
        ("hypercorn",),
        joins_lines=True,
        merges_underscores=True,  # both values are joined
        answers_half_closed=True,
    ),
)


def server(name: str) -> Server:
    """The server with that name. Raises `LookupError` with a list of the names."""
    for known in SERVERS:
        if known.name == name:
            return known
    raise LookupError(f"no server {name!r}; there are {', '.join(known.name for known in SERVERS)}")


@contextmanager
def serving(
    server: Server,
    app: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    options: Sequence[str] = (),
    workers: int = 1,
) -> Generator[Running]:
    """Serve `app` ("module:attribute", importable from `cwd`) during the block.

    `env` is added to this process's environment, `options` to the server's command line. When the
    block starts, at least one worker answers. Raises `ServerDidNotStart`.
    """
    _require(server)
    if workers > 1 and not server.several_workers:
        raise ValueError(f"{server.name} serves from one process only: write workers=1")
    with _unused_address() as (host, port), closing(_Output()) as output:
        process = subprocess.Popen(  # noqa: S603 - the command is built above from our own table
            server.command(Launch(host, port, app, workers, options)),
            cwd=cwd,
            env=_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=output.file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        running = Running(host, port, process.pid, output)
        try:
            _await_start(server, process, running)
            yield running
        finally:
            _stop(process)


def _require(server: Server) -> None:
    missing = [name for name in server.needs if not _installed(name)]
    if missing:
        names = " ".join(missing)
        raise ServerDidNotStart(f"{server.name} needs {names}: pip install {names}")


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@contextmanager
def _unused_address() -> Generator[tuple[str, int]]:
    """A loopback address that no other process gets while the block runs.

    A bound socket reserves the port without listening. Linux lets a server bind the same port if
    both sockets have SO_REUSEADDR and no other listens. Every server here sets that option. The
    kernel chooses the port before this socket sets it, so it can't choose a reserved one.
    """
    with closing(socket.socket()) as reservation:
        reservation.bind((HOST, 0))
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        host, port = reservation.getsockname()
        if not RESERVES:
            reservation.close()
        yield host, port


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        # These would add to the command line.
        if name not in {"WEB_CONCURRENCY", "GUNICORN_CMD_ARGS", "WERKZEUG_SERVER_FD"}
        and not name.startswith(("UVICORN_", "GRANIAN_"))
    }
    return {**inherited, "PYTHONUNBUFFERED": "1", **(extra or {})}


def _await_start(server: Server, process: subprocess.Popen[bytes], running: Running) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(server, running):
        if _ended(process):
            raise _did_not_start(server, running, "ended by itself")
        if time.monotonic() > deadline:
            raise _did_not_start(server, running, f"did not answer in {START_SECONDS:.0f} s")
        time.sleep(0.02)


def _answers(server: Server, running: Running) -> bool:
    """Whether the server accepts a connection and has loaded the app. The app doesn't notice.

    Some servers listen before they load the app, so a connection isn't enough there. A worker runs
    if it closes a connection that the client has ended without a request.
    """
    try:
        with socket.create_connection((running.host, running.port), timeout=1) as connection:
            if not server.listens_early:
                return True
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(1) == b""
    except OSError:
        return False


def _did_not_start(server: Server, running: Running, reason: str) -> ServerDidNotStart:
    return ServerDidNotStart(f"{server.name} {reason}; it printed:\n{running.log()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server, then all processes that it has started.

    This reaps the leader last. Until then, no other process can get its id, which is also that of
    its group. (`Popen.terminate` and `.poll` would reap it.)
    """
    os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while not _ended(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + GONE_SECONDS
    while _group_lives(process.pid) and time.monotonic() < deadline:
        time.sleep(0.005)


def _group_lives(leader: int) -> bool:
    """Whether a process of the group still runs. A zombie doesn't count."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # "pid (name) state parent group ...": the name may hold spaces and parentheses.
            state, _, group = path.read_text().rpartition(") ")[2].split()[:3]
            if int(group) == leader and state != "Z":
                return True
    return False


def _ended(process: subprocess.Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
