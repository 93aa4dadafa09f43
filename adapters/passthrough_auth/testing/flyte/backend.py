"""The state of a local Flyte endpoint, and its decisions. No protocol, no I/O."""

import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import Headers

from passthrough_auth.testing.flyte.model import Call, Caller, Plan, Run, Setup, Task


class Backend:
    """The callers, the tasks, the runs, the planned faults, and the record of the calls.

    It is safe for threads: a test uses it while the server runs in another thread.
    """

    def __init__(self, setup: Setup) -> None:
        """Start without calls, runs and planned faults."""
        self.tasks = setup.tasks
        self.project = setup.project
        self.domain = setup.domain
        self._cookie = setup.cookie
        self._header = setup.header
        self._by_token = {caller.token: caller for caller in setup.callers}
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._runs: dict[str, Run] = {}
        self._inputs: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self.cluster = ""
        # Each plan with the number of calls that still meet it; None for all.
        self._plans: list[tuple[Plan, int | None]] = []

    # For tests

    def calls(self) -> Sequence[Call]:
        """Return every call so far, in the order of their answers."""
        with self._lock:
            return tuple(self._calls)

    def runs(self) -> Sequence[Run]:
        """Return every run so far, oldest first."""
        with self._lock:
            return tuple(self._runs.values())

    def fail(self, plan: Plan) -> None:
        """Plan a fault."""
        with self._lock:
            self._plans.append((plan, plan.times))

    def heal(self) -> None:
        """Forget all planned faults."""
        with self._lock:
            self._plans.clear()

    def reset(self) -> None:
        """Forget calls, runs, inputs, planned faults and the cluster."""
        with self._lock:
            self.cluster = ""
            self._calls.clear()
            self._runs.clear()
            self._inputs.clear()
            self._plans.clear()

    # For the server

    def name_of(self, subject: str) -> str:
        """Return the display name of a known caller."""
        return next(c.name for c in self._by_token.values() if c.subject == subject)

    def record(self, call: Call) -> None:
        """Add a call to the record."""
        with self._lock:
            self._calls.append(call)

    def take_plan(self, method: str, caller: str | None) -> Plan | None:
        """Return the planned fault for this call, if there is one, and count the call."""
        with self._lock:
            for index, (plan, left) in enumerate(self._plans):
                if plan.takes(method, caller):
                    if left is not None:
                        self._plans[index : index + 1] = [(plan, left - 1)] if left > 1 else []
                    return plan
        return None

    def identify(self, headers: Headers) -> Caller:
        """Return the caller that the request's credentials name.

        All credentials of the request must name the same caller. Raises ConnectError
        UNAUTHENTICATED, without the values that were sent.
        """
        tokens = self._tokens(headers)
        named = [self._by_token.get(token or "") for token in tokens]
        caller = named[0] if named else None
        if caller is None or any(other is not caller for other in named):
            reason = "the credentials don't name one known caller" if tokens else "no credentials"
            raise ConnectError(Code.UNAUTHENTICATED, reason)
        return caller

    def subject_of(self, headers: Headers) -> str | None:
        """Return the subject of the caller that :meth:`identify` finds, None without one."""
        try:
            return self.identify(headers).subject
        except ConnectError:
            return None

    def find_task(self, name: str, version: str) -> Task:
        """Return the task with that name and version. Raises ConnectError NOT_FOUND."""
        for task in self.tasks:
            if (task.name, task.version) == (name, version):
                return task
        raise ConnectError(Code.NOT_FOUND, f"task {name} version {version} not found")

    def keep_inputs(self, caller: Caller, inputs: Mapping[str, Any]) -> str:
        """Keep the inputs of a later run, and return their URI."""
        uri = f"local://inputs/{uuid.uuid4().hex}"
        with self._lock:
            self._inputs[uri] = (caller.subject, inputs)
        return uri

    def create_run(self, caller: Caller, task: Task, inputs_uri: str, name: str = "") -> Run:
        """Create a run that is executed by the caller.

        Raises ConnectError: PERMISSION_DENIED if the caller may not run the task or uses another
        caller's inputs, NOT_FOUND without inputs, ALREADY_EXISTS if the name is taken.
        """
        if not caller.can_run(task.name):
            denied = f"{caller.subject} may not run {task.name}"
            raise ConnectError(Code.PERMISSION_DENIED, denied)
        with self._lock:
            if inputs_uri not in self._inputs:
                raise ConnectError(Code.NOT_FOUND, "no such inputs")
            owner, inputs = self._inputs[inputs_uri]
            if owner != caller.subject:
                denied = f"{caller.subject} uses inputs that {owner} uploaded"
                raise ConnectError(Code.PERMISSION_DENIED, denied)
            name = name or f"r{uuid.uuid4().hex[:19]}"
            if name in self._runs:
                raise ConnectError(Code.ALREADY_EXISTS, f"run {name} exists")
            self._runs[name] = Run(
                name=name,
                task=task.name,
                version=task.version,
                caller=caller.subject,
                inputs=inputs,
                phase="queued",
            )
            return self._runs[name]

    def find_run(self, name: str) -> Run:
        """Return the run with that name. Raises ConnectError NOT_FOUND."""
        with self._lock:
            if name not in self._runs:
                raise ConnectError(Code.NOT_FOUND, f"run {name} not found")
            return self._runs[name]

    def move_run(self, name: str, phase: Literal["running", "succeeded"]) -> Run:
        """Put the run in that phase and return it. Raises ConnectError NOT_FOUND."""
        run = replace(self.find_run(name), phase=phase)
        with self._lock:
            self._runs[name] = run
        return run

    def _tokens(self, headers: Headers) -> list[str | None]:
        """Return the token of each of the request's credentials, None for a malformed one."""
        tokens: list[str | None] = []
        for line in headers.getall("authorization"):
            scheme, _, token = line.partition(" ")
            tokens.append(token if scheme.lower() == "bearer" else None)
        for line in headers.getall("cookie"):
            pairs = (pair.strip().partition("=") for pair in line.split(";"))
            tokens += [value for name, _, value in pairs if name == self._cookie]
        tokens += headers.getall(self._header)
        return tokens
