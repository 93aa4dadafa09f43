"""FlyteEndpoint: a local Flyte endpoint for tests, demos and development."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Self

from passthrough_auth.testing._local_server import LOOPBACK
from passthrough_auth.testing.flyte.backend import Backend
from passthrough_auth.testing.flyte.model import Call, Caller, Fault, Plan, Run, Setup, Task
from passthrough_auth.testing.flyte.server import Server


class FlyteEndpoint:
    """A local Flyte control plane. The real SDK calls it over TLS.

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
    until the app waits for it, and then succeeds. Nothing is executed.

    It takes the caller from a bearer token, from the cookie named `cookie`, or from the header
    named `header`. If a request has several of these, they must agree. A string in `callers` stands
    for a :class:`Caller` with that subject; one in `tasks` for a :class:`Task` with that name and
    no inputs.

    The SDK has one client for the whole process, and reads the environment when `init_passthrough`
    builds it. So set the environment first, and initialise again for another endpoint.
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
    ) -> None:
        """Set up. Nothing is opened yet. Raises ValueError for callers or tasks that clash."""
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
        """The only project, for `init_passthrough`."""
        self.domain = domain
        """The only domain, for `init_passthrough`."""
        self._backend = Backend(setup)
        self._server = Server(self._backend)

    def start(self) -> Self:
        """Serve on a free port of the loopback interface until :meth:`stop`."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving. The record can still be read."""
        self._server.stop()

    __enter__ = start

    def __exit__(self, *raised: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The endpoint's URL. The URLs of its runs begin with it."""
        return f"https://{LOOPBACK}:{self._server.port}"

    @property
    def endpoint(self) -> str:
        """The `endpoint` for `flyte.init_passthrough`."""
        return f"dns:///{LOOPBACK}:{self._server.port}"

    @property
    def ca_file(self) -> str:
        """The PEM file with the endpoint's certificate authority."""
        return self._server.ca_file

    def environment(self) -> dict[str, str]:
        """Return the environment variables that a process needs to use this endpoint.

        They make it trust the certificate, and name the endpoint for an `init_passthrough` without
        an `endpoint` argument. They name the project and the domain too, as in a cluster: there
        `fserve` calls `flyte.init_in_cluster()` before it serves, and `flyte.current_project()`
        works from then on. They also turn tracking off: otherwise the first `flyte.run` sends
        the reports of the application's Sentry client to Flyte's own project.
        """
        return {
            "SSL_CERT_FILE": self.ca_file,
            "_U_EP_OVERRIDE": self.endpoint,
            "DO_NOT_TRACK": "1",
            "FLYTE_INTERNAL_EXECUTION_PROJECT": self.project,
            "FLYTE_INTERNAL_EXECUTION_DOMAIN": self.domain,
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
        """Make the next calls of a method fail, until :meth:`heal` or for so many `times`.

        `method` is one of :data:`METHODS`, or "*" for all. `fault` is "unauthenticated", "denied",
        "unavailable", "slow" (answered as usual, but after `seconds`), or "hung up" (the
        connection is closed without an answer). `caller` limits the fault to one subject's calls.
        If several planned faults apply to a call, the first one planned happens.

        The SDK itself repeats a call that was unauthenticated (once), or that was unavailable or
        hung up (three times, over several seconds). With `times=1` you can test that it recovers.

        Raises ValueError for an unknown method, fault or caller.
        """
        if caller is not None and caller not in self.callers:
            raise ValueError(f"{caller!r} is not one of the callers: {', '.join(self.callers)}")
        plan = Plan(method=method, fault=fault, caller=caller, times=times, seconds=seconds)
        self._backend.fail(plan)

    def select_cluster(self, endpoint: str) -> None:
        """Choose the cluster to which the SDK sends inputs, files and the like.

        The empty string, which is the default, stands for the endpoint itself. The endpoint also
        serves as a cluster at `https://localhost:<port>`. The SDK asks once for each kind of call
        and project, and remembers the answer until it is initialised again.
        """
        self._backend.cluster = endpoint

    def heal(self) -> None:
        """Forget all planned faults."""
        self._backend.heal()

    def reset(self) -> None:
        """Forget calls, runs, planned faults and the cluster, as after a new start."""
        self._backend.reset()
