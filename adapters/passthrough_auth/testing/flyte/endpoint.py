"""FlyteEndpoint: the local endpoint as a test, a demo or a developer uses it."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Self

from passthrough_auth.testing.flyte.backend import Backend
from passthrough_auth.testing.flyte.model import Call, Caller, Fault, Plan, Run, Setup, Task
from passthrough_auth.testing.flyte.process import ServerProcess
from passthrough_auth.testing.flyte.server import HOST, Server


class FlyteEndpoint:
    """A Flyte control plane on this machine, for the real SDK to talk to over TLS.

    ::

        with FlyteEndpoint(callers=["alice", "bob"], tasks=["train"]) as endpoint:
            os.environ.update(endpoint.environment())
            flyte.init_passthrough(
                endpoint.endpoint, project=endpoint.project, domain=endpoint.domain
            )
            with flyte.remote.auth_metadata(("authorization", "Bearer alice-token")):
                assert flyte.remote.User.get().subject() == "alice"
            assert endpoint.calls[-1].caller == "alice"

    It serves identity (`User.get`), deployed tasks by version and the latest, the creation of
    runs with a permission per caller, and listing, getting and waiting for runs. A run is queued
    until somebody waits for it, and then succeeds. Nothing is executed.

    A caller is named by a bearer token, by the cookie named `cookie`, or by the header named
    `header`; whatever a request carries of these must agree. A string in `callers` or `tasks` is
    a :class:`Caller` with that subject, or a :class:`Task` with that name and no inputs. With
    `process=True` the endpoint runs in a process of its own, with the same methods and record.

    The SDK reads the environment when `init_passthrough` builds its client, and holds one client
    for the whole process: set the environment first, and initialise again for another endpoint.
    """

    def __init__(
        self,
        callers: Iterable[Caller | str] = ("alice", "bob"),
        tasks: Iterable[Task | str] = ("train",),
        *,
        project: str = "demo",
        domain: str = "development",
        cookie: str = "flyte-session",
        header: str = "x-flyte-token",
        process: bool = False,
    ) -> None:
        """Set up; nothing is opened yet. Raises ValueError for callers or tasks that clash."""
        known = [Caller(subject=c) if isinstance(c, str) else c for c in callers]
        deployed = [Task(name=t) if isinstance(t, str) else t for t in tasks]
        setup = Setup(
            callers=known,
            tasks=deployed,
            project=project,
            domain=domain,
            cookie=cookie,
            header=header,
        )
        self.callers: Mapping[str, Caller] = MappingProxyType({c.subject: c for c in known})
        """The callers by subject."""
        self.project = project
        """The one project there is: the `project` for `init_passthrough`."""
        self.domain = domain
        """The one domain there is: the `domain` for `init_passthrough`."""
        self._backend: Backend | ServerProcess
        self._server: Server | ServerProcess
        if process:
            self._backend = self._server = ServerProcess(setup)
        else:
            self._backend = Backend(setup)
            self._server = Server(self._backend)

    def start(self) -> Self:
        """Serve on a free port of the loopback interface until :meth:`stop`."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving. What was recorded by an endpoint in a thread can still be read."""
        self._server.stop()

    __enter__ = start

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop serving."""
        self.stop()

    @property
    def url(self) -> str:
        """The endpoint as a URL, which is also where the URLs of its runs begin."""
        return f"https://{HOST}:{self._server.port}"

    @property
    def endpoint(self) -> str:
        """What to pass to `flyte.init_passthrough` as `endpoint`."""
        return f"dns:///{HOST}:{self._server.port}"

    @property
    def ca_file(self) -> str:
        """The file that holds the endpoint's certificate authority, as PEM."""
        return self._server.ca_file

    def environment(self) -> dict[str, str]:
        """Return the environment variables a process needs to use this endpoint.

        The trust in its certificate; the endpoint itself, where `init_passthrough` is called
        without one; and the wish not to be tracked, without which the first `flyte.run` points
        the application's Sentry client at Flyte's own project.
        """
        return {
            "SSL_CERT_FILE": self.ca_file,
            "_U_EP_OVERRIDE": self.endpoint,
            "DO_NOT_TRACK": "1",
        }

    @property
    def calls(self) -> Sequence[Call]:
        """Every call so far, in the order of their answers."""
        return self._backend.calls()

    @property
    def runs(self) -> Sequence[Run]:
        """Every run so far, oldest first."""
        return self._backend.runs()

    def fail(
        self,
        method: str,
        fault: Fault,
        *,
        caller: str | None = None,
        times: int | None = None,
        seconds: float = 1.0,
    ) -> None:
        """Make the coming calls of a method fail, until :meth:`heal` or for so many `times`.

        `method` is one of :data:`METHODS`, or "*" for all. `fault` is "unauthenticated", "denied",
        "unavailable", "slow" (answered as usual, but after `seconds`), or "hung up" (the
        connection is closed without an answer). `caller` limits the fault to one subject's calls.
        Of several planned faults that a call could meet, it meets the one planned first.

        The SDK repeats by itself a call that was unauthenticated (once), or that was unavailable
        or hung up (three times, over several seconds): `times=1` shows that it recovers.

        Raises ValueError for a method, fault or caller there isn't.
        """
        if caller is not None and caller not in self.callers:
            raise ValueError(f"{caller!r} is not one of the callers: {', '.join(self.callers)}")
        plan = Plan(method=method, fault=fault, caller=caller, times=times, seconds=seconds)
        self._backend.fail(plan)

    def select_cluster(self, endpoint: str) -> None:
        """Name the cluster that the SDK is to send inputs, files and the like to.

        An empty string, with which it begins, stands for the endpoint itself. The endpoint is also
        its own cluster at `https://localhost:<port>`. The SDK asks once for each kind of call and
        project, and then knows until it is initialised again.
        """
        self._backend.select_cluster(endpoint)

    def heal(self) -> None:
        """Forget all planned faults."""
        self._backend.heal()

    def reset(self) -> None:
        """Forget calls, runs, planned faults and the cluster, as if newly started."""
        self._backend.reset()
