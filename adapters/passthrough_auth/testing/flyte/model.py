"""What the local Flyte endpoint is told about, and what it tells back.

Plain data, free of Flyte's own types, so that it can cross a process boundary as JSON.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Fault = Literal["unauthenticated", "denied", "unavailable", "slow", "hung up"]
"""What can be made to go wrong with a call."""

FAULTS: tuple[Fault, ...] = get_args(Fault)

METHODS = frozenset(
    {
        "UserInfo",
        "ListTasks",
        "GetTaskDetails",
        "SelectCluster",
        "UploadInputs",
        "CreateRun",
        "ListRuns",
        "GetRunDetails",
        "GetActionDetails",
        "WatchActionDetails",
    }
)
"""The methods the endpoint serves. Every other call is answered UNIMPLEMENTED, and recorded."""

TYPES: Mapping[str, type] = {"int": int, "float": float, "str": str, "bool": bool}
"""The types a task's input may have, by the name used in :class:`Task`."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A person the endpoint knows.

    `token` is what proves it: the bearer token, the value of the endpoint's cookie, or the whole
    value of its token header. Unset, it is `<subject>-token`, which no real system should accept.
    `may_run` is True, False, or the names of the tasks this caller may run.
    """

    subject: str
    name: str = ""
    token: str = field(default="", repr=False)
    may_run: bool | Collection[str] = True

    def __post_init__(self) -> None:
        """Fill in what follows from the subject; raise ValueError for what can't be meant."""
        if not self.subject:
            raise ValueError("a caller needs a subject")
        if isinstance(self.may_run, str):
            # As a collection it would be one of letters, and permit parts of names.
            raise ValueError(f"may_run is a collection: write [{self.may_run!r}]")  # noqa: TRY004 - its type fits
        object.__setattr__(self, "name", self.name or self.subject.capitalize())
        object.__setattr__(self, "token", self.token or f"{self.subject}-token")

    @property
    def authorization(self) -> str:
        """The value of the Authorization header that names this caller (RFC 6750 2.1)."""
        return f"Bearer {self.token}"

    def can_run(self, task: str) -> bool:
        """Say whether this caller may run the task of that name."""
        return self.may_run if isinstance(self.may_run, bool) else task in self.may_run


@dataclass(frozen=True, kw_only=True)
class Task:
    """A deployed task. `inputs` maps names to "int", "float", "str" or "bool".

    An input named in `defaults` may be left out of a run. Where several tasks have one name, the
    last one given is the latest version.
    """

    name: str
    version: str = "v1"
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Raise ValueError for an input that can't be served."""
        if unknown := set(self.inputs.values()) - set(TYPES):
            raise ValueError(f"task {self.name}: unknown input types {sorted(unknown)}")
        if stray := set(self.defaults) - set(self.inputs):
            raise ValueError(f"task {self.name}: defaults for no input: {sorted(stray)}")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What an endpoint is set up with; see :class:`FlyteEndpoint`."""

    callers: Sequence[Caller]
    tasks: Sequence[Task]
    project: str
    domain: str
    cookie: str
    header: str

    def __post_init__(self) -> None:
        """Raise ValueError where two callers or two tasks couldn't be told apart."""
        if len({caller.subject for caller in self.callers}) < len(self.callers):
            raise ValueError("two callers have one subject")
        if len({caller.token for caller in self.callers}) < len(self.callers):
            raise ValueError("two callers have one token")
        if len({(task.name, task.version) for task in self.tasks}) < len(self.tasks):
            raise ValueError("two tasks have one name and version")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A fault that waits for its calls; see :meth:`FlyteEndpoint.fail`."""

    method: str
    fault: Fault
    caller: str | None
    times: int | None
    seconds: float

    def __post_init__(self) -> None:
        """Raise ValueError for a method or fault there isn't, or no times."""
        if self.method != "*" and self.method not in METHODS:
            raise ValueError(f"{self.method!r} is not one of {', '.join(sorted(METHODS))} or '*'")
        if self.fault not in FAULTS:
            raise ValueError(f"{self.fault!r} is not one of {', '.join(FAULTS)}")
        if self.times is not None and self.times < 1:
            raise ValueError("times is a number of calls from 1 on, or None for all")

    def takes(self, method: str, caller: str | None) -> bool:
        """Say whether a call of that method by that caller meets the fault."""
        return self.method in ("*", method) and self.caller in (None, caller)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call that reached the endpoint.

    `at` is when it was received, in seconds since the epoch. `headers` holds every header line as
    carried, by lower-case name. `caller` is the subject its credentials name, None if they name
    nobody. `outcome` is "ok", a Connect error code such as "permission_denied", or "hung up"; of
    a stream, how it began. A call is recorded before its answer is sent, so whoever has the answer
    finds the call.
    """

    at: float
    service: str
    method: str
    caller: str | None
    outcome: str
    headers: Mapping[str, tuple[str, ...]] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run that was created. `caller` is the subject that created it, and so executes it."""

    name: str
    task: str
    version: str
    caller: str
    inputs: Mapping[str, Any]
    phase: Literal["queued", "running", "succeeded"]
