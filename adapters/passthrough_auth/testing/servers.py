"""Real HTTP servers, each in a process of its own on an unused loopback port.

    with serving(server("uvicorn-h11-asyncio"), "myapp:app") as running:
        socket.create_connection((running.host, running.port))

What is recorded on each `Server` was observed with the versions named in `OBSERVED_WITH`; the tests
in ``tests/servers`` observe it again on every run, so a server that changes its ways fails there.
"""

import importlib.metadata
import os
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
RESERVES = sys.platform == "linux"  # see _unused_address; elsewhere the port is taken on trust
START_SECONDS = 30.0
STOP_SECONDS = 5.0
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
    """A server could not be started; the text holds everything that it printed."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What a command line is built from."""

    host: str
    port: int
    app: str
    workers: int = 1
    options: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """One way of serving an app, and what was observed of it.

    Attributes:
        name: What it is called here.
        interface: What it calls an app by.
        command: Builds its command line.
        needs: The distributions it can't run without.
        websockets: It speaks WebSocket.
        denial_response: A handshake can be answered by `websocket.http.response`. Without it, an
            app can only close, and the client sees a 403.
        keep_alive: A second request may follow on the same connection.
        pipelining: It may follow before the first is answered.
        joins_lines: A header of two lines reaches the app as one, with a comma between the values.
        merges_underscores: X_Name reaches the app as if it were X-Name. Others drop it, or keep
            them apart.
        merges_leading_slashes: //a reaches the app as /a.
        drops_head_body: What an app sends as the body of a response to HEAD doesn't reach the
            client. Elsewhere it does, and is taken for the next response.
        answers_half_closed: A client that has closed its half of the connection gets its answer.
            Elsewhere that is a disconnect.
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
    """What a process prints: in a file while it runs, in memory once that is closed."""

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
        # pread, because the process's own writes share this file's position.
        return os.pread(self.file.fileno(), os.fstat(self.file.fileno()).st_size, 0)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers on `host` and `port`; `pid` leads its process group."""

    host: str
    port: int
    pid: int
    _output: _Output = field(repr=False)

    def log(self) -> str:
        """All that the server and the app have printed; also after the server has stopped."""
        return self._output.text()


def _python(module: str, *arguments: str) -> list[str]:
    # With -m and -c the working directory is the first place that modules are imported from.
    return [sys.executable, "-m", module, *arguments]


def _uvicorn(http: str, loop: str) -> Callable[[Launch], list[str]]:
    def command(launch: Launch) -> list[str]:
        return _python(
            "uvicorn",
            *("--host", launch.host, "--port", str(launch.port), "--interface", "asgi3"),
            *("--http", http, "--loop", loop, "--workers", str(launch.workers)),
            *("--timeout-keep-alive", IDLE_SECONDS, "--timeout-graceful-shutdown", "1"),
            *("--no-access-log", "--log-level", "warning", *launch.options, launch.app),
        )

    return command


def _hypercorn(interface: str) -> Callable[[Launch], list[str]]:
    def command(launch: Launch) -> list[str]:
        return _python(
            "hypercorn",
            *("--bind", f"{launch.host}:{launch.port}", "--workers", str(launch.workers)),
            *("--keep-alive", IDLE_SECONDS, "--graceful-timeout", "1", "--log-level", "WARNING"),
            *(*launch.options, f"{interface}:{launch.app}"),
        )

    return command


def _granian(interface: str, *arguments: str) -> Callable[[Launch], list[str]]:
    def command(launch: Launch) -> list[str]:
        return _python(
            "granian",
            *("--host", launch.host, "--port", str(launch.port), "--interface", interface),
            *("--workers", str(launch.workers), "--workers-kill-timeout", "1"),
            *("--log-level", "error", *arguments, *launch.options, launch.app),
        )

    return command


def _gunicorn(worker: str, *arguments: str) -> Callable[[Launch], list[str]]:
    def command(launch: Launch) -> list[str]:
        return _python(
            "gunicorn",
            *("--bind", f"{launch.host}:{launch.port}", "--worker-class", worker),
            *("--workers", str(launch.workers), "--keep-alive", IDLE_SECONDS),
            *("--graceful-timeout", "1", "--no-control-socket", "--log-level", "warning"),
            *(*arguments, *launch.options, launch.app),
        )

    return command


def _daphne(launch: Launch) -> list[str]:
    return _python(
        "daphne",
        *("--bind", launch.host, "--port", str(launch.port), "--verbosity", "0"),
        *(*launch.options, launch.app),
    )


def _waitress(launch: Launch) -> list[str]:
    return _python(
        "waitress",
        *("--listen", f"{launch.host}:{launch.port}", "--threads", THREADS),
        *(*launch.options, launch.app),
    )


# werkzeug has no command of its own; `flask run` does the same as this.
_RUN_SIMPLE = """
import logging, pkgutil, sys
from werkzeug.serving import run_simple
logging.getLogger("werkzeug").setLevel(logging.WARNING)
run_simple(sys.argv[1], int(sys.argv[2]), pkgutil.resolve_name(sys.argv[3]), threaded=True)
"""


def _werkzeug(launch: Launch) -> list[str]:
    if launch.options:
        raise ValueError("werkzeug's server has no command line, options must be empty")
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


# Loops are named where a server would choose by what is installed, so that a name means the same
# everywhere.
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
        _granian("asgi", "--loop", "asyncio"),
        ("granian",),
        websockets=True,
        denial_response=True,
    ),
    Server(
        "gunicorn-asgi",
        "asgi",
        # Not its asyncio loop: there Python 3.13.0 leaves the next connection unread after a client
        # has gone while it was sent to (transport.writelines, CPython issue 136234).
        _gunicorn("asgi", "--asgi-loop", "uvloop"),
        ("gunicorn", "uvloop"),
        websockets=True,
        listens_early=True,
    ),
    Server(
        "gunicorn-sync",
        "wsgi",
        _gunicorn("sync"),
        ("gunicorn",),
        keep_alive=False,
        pipelining=False,
        joins_lines=True,
        answers_half_closed=True,
        listens_early=True,
    ),
    Server(
        "gunicorn-gthread",
        "wsgi",
        _gunicorn("gthread", "--threads", THREADS),
        ("gunicorn",),
        joins_lines=True,
        answers_half_closed=True,
        listens_early=True,
    ),
    Server(
        "gunicorn-gevent",
        "wsgi",
        _gunicorn("gevent"),
        ("gunicorn", "gevent"),
        joins_lines=True,
        answers_half_closed=True,
        listens_early=True,
    ),
    Server(
        "waitress",
        "wsgi",
        _waitress,
        ("waitress",),
        # After a response without Content-Length it closes the connection, and what was pipelined
        # behind that request is lost.
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
        # It says so, but holds a connection on which more arrives until the client closes it.
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
        _granian("wsgi", "--blocking-threads", THREADS),
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
    """The server of that name; a `LookupError` lists the names there are."""
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
    """Serve `app` ("module:attribute", importable from `cwd`) until the block is left.

    `env` is added to this process's environment, `options` to the server's command line. With
    several workers, one of them answers when the block is entered. Raises `ServerDidNotStart`.
    """
    _require(server)
    if workers > 1 and not server.several_workers:
        raise ValueError(f"{server.name} serves from one process only, workers must be 1")
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
    """A loopback address that nobody else is given while the block runs.

    A bound socket holds the port without listening. Linux lets a server bind the same port if both
    sockets have SO_REUSEADDR and no other listens; every server here sets it. The kernel chooses
    the port while the option is still off, so it can't choose one that another reservation holds.
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
        # These would change the command line from outside.
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
    """Whether the server takes a connection, with the app loaded, and without the app noticing.

    Where the listening socket is open before the app is loaded, a connection proves nothing; a
    worker that closes a connection which its client has ended without a request is running.
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
    """End the server, then whatever it has started.

    The leader is waited for last: until then its number, which is its group's as well, can't be
    given to another process. (`Popen.terminate` and `.poll` would wait for it.)
    """
    os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while not _ended(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while _group_lives(process.pid) and time.monotonic() < deadline + STOP_SECONDS:
        time.sleep(0.005)


def _group_lives(leader: int) -> bool:
    """Whether a process of the group still runs; one that only waits to be reaped doesn't."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # "pid (name) state parent group ...": the name may hold spaces and parentheses.
            state, _, group = path.read_text().rpartition(") ")[2].split()[:3]
            if int(group) == leader and state != "Z":
                return True
    return False


def _ended(process: subprocess.Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
