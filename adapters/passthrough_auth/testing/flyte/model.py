"""The data that a test exchanges with the local Flyte endpoint. It uses none of Flyte's types."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Fault = Literal["unauthenticated", "denied", "unavailable", "slow", "hung up"]
"""A fault that can be planned for a call."""

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
"""The methods that the endpoint serves. It answers other calls with UNIMPLEMENTED and records them.
"""

TYPES: Mapping[str, type] = {"int": int, "float": float, "str": str, "bool": bool}
"""The types of a task's inputs, by their names in :class:`Task`."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A person whom the endpoint knows.

    A request by this caller has `token` as bearer token, as value of the endpoint's cookie, or as
    the whole value of its token header. The default is `<subject>-token`, which no real system
    should accept. `may_run` is True, False, or the names of the tasks that this caller may run.
    """

    subject: str
    name: str = ""
    token: str = field(default="", repr=False)
    may_run: bool | Collection[str] = True

    def __post_init__(self) -> None:
        """Fill in the defaults that follow from the subject. Raises ValueError."""
        if not self.subject:
            raise ValueError("a caller needs a subject: write Caller(subject='alice')")
        if isinstance(self.may_run, str):
            # `in` on a string would also permit parts of the name.
            raise ValueError(f"may_run is a collection: write may_run=[{self.may_run!r}]")  # noqa: TRY004 - its type fits
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

    A run may leave out inputs that are named in `defaults`. If several tasks have one name, the
    last one is the latest version.
    """

    name: str
    version: str = "v1"
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Raise ValueError for inputs that can't be served."""
        if unknown := set(self.inputs.values()) - set(TYPES):
            raise ValueError(
                f"task {self.name}: unknown input types {sorted(unknown)}, not {', '.join(TYPES)}"
            )
        if stray := set(self.defaults) - set(self.inputs):
            raise ValueError(
                f"task {self.name}: defaults {sorted(stray)} aren't inputs: add them to inputs"
            )


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The arguments of an endpoint; see :class:`FlyteEndpoint`."""

    callers: Sequence[Caller]
    tasks: Sequence[Task]
    project: str
    domain: str
    cookie: str
    header: str

    def __post_init__(self) -> None:
        """Raise ValueError for two callers or two tasks that can't be told apart."""
        if len({caller.subject for caller in self.callers}) < len(self.callers):
            raise ValueError("two callers have the same subject: give each its own")
        if len({caller.token for caller in self.callers}) < len(self.callers):
            raise ValueError("two callers have the same token: give each its own")
        if len({(task.name, task.version) for task in self.tasks}) < len(self.tasks):
            raise ValueError("two tasks have the same name and version: give each its own version")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A planned fault; see :meth:`FlyteEndpoint.fail`."""

    method: str
    fault: Fault
    caller: str | None
    times: int | None
    seconds: float

    def __post_init__(self) -> None:
        """Raise ValueError for an unknown method or fault, or for `times` below 1."""
        if self.method != "*" and self.method not in METHODS:
            raise ValueError(f"{self.method!r} is not one of {', '.join(sorted(METHODS))} or '*'")
        if self.fault not in FAULTS:
            raise ValueError(f"{self.fault!r} is not one of {', '.join(FAULTS)}")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1: write times=1, or times=None for all calls")

    def takes(self, method: str, caller: str | None) -> bool:
        """Return whether the fault applies to a call of that method by that caller."""
        return self.method in ("*", method) and self.caller in (None, caller)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call that reached the endpoint.

    `at` is the time of its arrival, in seconds since the epoch. `headers` has every header line
    unchanged, by lower-case name. `caller` is the subject that its credentials name, or None.
    `outcome` is "ok", a Connect error code such as "permission_denied", or "hung up"; for a stream,
    that of its first message. A call is recorded before its answer is sent, so a test that has the
    answer finds the call.
    """

    at: float
    service: str
    method: str
    caller: str | None
    outcome: str
    headers: Mapping[str, tuple[str, ...]] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One created run. `caller` is the subject that created it, and as whom it is executed."""

    name: str
    task: str
    version: str
    caller: str
    inputs: Mapping[str, Any]
    phase: Literal["queued", "running", "succeeded"]
