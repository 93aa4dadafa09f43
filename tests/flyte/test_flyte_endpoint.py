"""The local Flyte endpoint, and the properties of the installed SDK on which we rely.

There are no mocks: the real SDK calls a real server over TLS.
"""

import asyncio
import contextvars
import gc
import http.client
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import flyte
import flyte.errors
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyte import remote
from flyte._initialize import get_client
from flyte.remote import auth_metadata
from flyte.syncify import syncify
from flyteidl2.cluster.payload_pb2 import SelectClusterRequest
from flyteidl2.common.identifier_pb2 import ProjectIdentifier
from flyteidl2.dataproxy.dataproxy_service_pb2 import UploadInputsRequest, UploadInputsResponse
from flyteidl2.task.task_definition_pb2 import TaskIdentifier
from flyteidl2.workflow.run_service_pb2 import CreateRunRequest, CreateRunResponse
from tests.flyte.scripts import run_script

from passthrough_auth.testing.flyte import Call, Caller, FlyteEndpoint, Task

pytest_plugins = ["passthrough_auth.testing.pytest_plugin"]

ALICE = ("authorization", "Bearer alice-token")
BOB = ("authorization", "Bearer bob-token")
CAROL = ("authorization", "Bearer carol-token")


@pytest.fixture(scope="module")
def flyte_endpoint_options() -> dict[str, object]:
    """Alice may run all tasks, Bob some, and Carol none."""
    return {
        "callers": [
            "alice",
            Caller(subject="bob", name="Bob B.", may_run={"train"}),
            Caller(subject="carol", may_run=False),
        ],
        "tasks": [
            "train",
            Task(
                name="score",
                version="v1",
                inputs={"n": "int", "rate": "float", "label": "str", "dry": "bool"},
                defaults={"rate": 0.5, "dry": True},
            ),
            Task(name="score", version="v2", inputs={"n": "int"}),
        ],
    }


def methods(endpoint: FlyteEndpoint) -> list[str]:
    return [call.method for call in endpoint.calls]


def outcomes(endpoint: FlyteEndpoint) -> list[tuple[str | None, str]]:
    return [(call.caller, call.outcome) for call in endpoint.calls]


def connect_code(call: Callable[[], object]) -> Code:
    with pytest.raises(ConnectError) as caught:
        call()
    return caught.value.code


# Identity


def test_user_get_names_the_caller_of_the_bearer_token(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(BOB):
        user = remote.User.get()
    assert (user.subject(), user.name()) == ("bob", "Bob B.")
    assert outcomes(endpoint) == [("bob", "ok")]


def test_everything_works_in_async_code_too(flyte_endpoint: FlyteEndpoint) -> None:
    async def trigger() -> tuple[str, str, list[str], str]:
        given = await flyte.init_passthrough.aio(
            flyte_endpoint.endpoint,
            project=flyte_endpoint.project,
            domain=flyte_endpoint.domain,
        )
        assert given == {"endpoint": flyte_endpoint.endpoint, "insecure": False}
        with auth_metadata(ALICE):
            user = await remote.User.get.aio()
            task = remote.Task.get(name="train", auto_version="latest")
            run = await flyte.run.aio(task)
            names = [listed.name async for listed in remote.Run.listall.aio()]
            found = await remote.Run.get.aio(run.name)
            await found.wait.aio(quiet=True)
        return user.subject(), run.name, names, found.phase

    subject, name, names, phase = asyncio.run(trigger())
    assert (subject, names, phase) == ("alice", [name], "succeeded")


@pytest.mark.parametrize(
    "header",
    [("cookie", "theme=dark; flyte-session=carol-token"), ("x-flyte-token", "carol-token")],
    ids=["cookie", "header"],
)
def test_a_caller_is_named_by_cookie_or_header_as_well(
    endpoint: FlyteEndpoint, header: tuple[str, str]
) -> None:
    with auth_metadata(header):
        assert remote.User.get().subject() == "carol"
    assert outcomes(endpoint) == [("carol", "ok")]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "Bearer nobody-token")],
        [("authorization", "Bearer")],
        [("authorization", "Basic alice-token")],
        [("cookie", "other=alice-token")],
        [ALICE, ("cookie", "flyte-session=bob-token")],
        [ALICE, ("x-flyte-token", "nobody-token")],
    ],
    ids=["none", "unknown", "empty", "scheme", "cookie", "two people", "one unknown"],
)
def test_a_request_without_a_known_caller_is_unauthenticated(
    endpoint: FlyteEndpoint, headers: list[tuple[str, str]]
) -> None:
    if headers:
        with auth_metadata(*headers):
            assert connect_code(remote.User.get) is Code.UNAUTHENTICATED
    else:
        assert connect_code(remote.User.get) is Code.UNAUTHENTICATED
    assert {call.caller for call in endpoint.calls} == {None}


def test_sixty_calls_in_flight_are_each_their_own_callers(endpoint: FlyteEndpoint) -> None:
    async def whoami(caller: tuple[str, str]) -> str:
        with auth_metadata(caller):
            return (await remote.User.get.aio()).subject()

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(whoami(c) for c in [ALICE, BOB, CAROL] * 20))

    assert asyncio.run(all_at_once()) == ["alice", "bob", "carol"] * 20
    for call in endpoint.calls:
        assert call.headers["authorization"] == (f"Bearer {call.caller}-token",)
    assert len(endpoint.calls) == 60


# Tasks


def test_a_task_is_found_by_version_and_as_the_latest(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        first = remote.Task.get(name="score", version="v1").fetch()
        latest = remote.Task.get(name="score", auto_version="latest").fetch()
    assert (first.version, latest.version) == ("v1", "v2")
    assert first.required_args == ("n", "label")
    assert methods(endpoint) == ["GetTaskDetails", "ListTasks", "GetTaskDetails"]


def test_tasks_are_listed_oldest_first(endpoint: FlyteEndpoint) -> None:
    del endpoint
    with auth_metadata(ALICE):
        listed = [(task.name, task.version) for task in remote.Task.listall()]
        first = [task.name for task in remote.Task.listall(limit=1)]
        elsewhere = list(remote.Task.listall(project="another"))
    assert listed == [("train", "v1"), ("score", "v1"), ("score", "v2")]
    assert (first, elsewhere) == (["train"], [])


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": "absent", "version": "v1"},
        {"name": "score", "version": "v3"},
        {"name": "absent", "auto_version": "latest"},
        {"name": "train", "version": "v1", "project": "another"},
    ],
    ids=["name", "version", "latest", "project"],
)
def test_a_missing_task_is_the_sdks_own_error(
    endpoint: FlyteEndpoint, wanted: dict[str, str]
) -> None:
    del endpoint
    with auth_metadata(ALICE), pytest.raises(flyte.errors.RemoteTaskNotFoundError):
        flyte.run(remote.Task.get(**wanted))


# Runs


def test_a_run_is_executed_by_its_caller_with_its_inputs(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        run = flyte.run(remote.Task.get(name="score", version="v1"), n=3, label="x")
    assert run.url == f"{endpoint.url}/v2/domain/development/project/demo/runs/{run.name}"
    metadata = run.pb2.action.metadata
    assert metadata.executed_by.user.id.subject == "alice"
    assert metadata.executed_by.user.spec.first_name == "Alice"
    (created,) = endpoint.runs
    assert (created.name, created.caller) == (run.name, "alice")
    assert created.inputs == {"n": 3, "rate": 0.5, "label": "x", "dry": True}


def test_a_run_takes_these_calls_and_selects_its_cluster_once(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        flyte.run(remote.Task.get(name="train", auto_version="latest"))
        flyte.run(remote.Task.get(name="train", version="v1"))
    assert methods(endpoint) == [
        *["ListTasks", "GetTaskDetails", "SelectCluster", "UploadInputs", "CreateRun"],
        *["GetTaskDetails", "UploadInputs", "CreateRun"],
    ]
    assert {call.caller for call in endpoint.calls} == {"alice"}


@pytest.mark.parametrize(
    ("caller", "task", "allowed"),
    [(ALICE, "score", True), (BOB, "train", True), (BOB, "score", False), (CAROL, "train", False)],
)
def test_a_caller_runs_what_is_permitted(
    endpoint: FlyteEndpoint, caller: tuple[str, str], task: str, *, allowed: bool
) -> None:
    inputs = {"n": 1} if task == "score" else {}
    with auth_metadata(caller):
        lazy = remote.Task.get(name=task, auto_version="latest")
        if allowed:
            flyte.run(lazy, **inputs)
        else:
            # The real code is only in the cause.
            with pytest.raises(flyte.errors.RuntimeSystemError) as caught:
                flyte.run(lazy, **inputs)
            assert caught.value.code == "RunCreationError"
            assert isinstance(caught.value.__cause__, ConnectError)
            assert caught.value.__cause__.code is Code.PERMISSION_DENIED
    assert len(endpoint.runs) == allowed


@syncify
async def upload_inputs(project: ProjectIdentifier) -> UploadInputsResponse:
    return await get_client().dataproxy_service.upload_inputs(
        UploadInputsRequest(project_id=project)
    )


@syncify
async def create_run(request: CreateRunRequest) -> CreateRunResponse:
    return await get_client().run_service.create_run(request)


def test_inputs_that_another_caller_uploaded_are_refused(endpoint: FlyteEndpoint) -> None:
    """This happens if two callers are mixed up within one `flyte.run`."""
    project = ProjectIdentifier(organization="127", name="demo", domain="development")
    with auth_metadata(ALICE):
        inputs = upload_inputs(project).offloaded_input_data
    task = TaskIdentifier(name="train", version="v1")
    request = CreateRunRequest(project_id=project, task_id=task, offloaded_input_data=inputs)
    with auth_metadata(BOB):
        assert connect_code(lambda: create_run(request)) is Code.PERMISSION_DENIED
    assert not endpoint.runs


def test_runs_are_listed_newest_first(endpoint: FlyteEndpoint) -> None:
    created: list[str] = []
    for caller in (ALICE, BOB, ALICE):
        with auth_metadata(caller):
            created.append(flyte.run(remote.Task.get(name="train", version="v1")).name)
    with auth_metadata(CAROL):
        assert [run.name for run in remote.Run.listall()] == created[::-1]
        assert [run.name for run in remote.Run.listall(limit=1)] == created[2:]
        assert [r.name for r in remote.Run.listall(created_by_subject="bob")] == [created[1]]
        assert list(remote.Run.listall(task_name="score")) == []
        assert list(remote.Run.listall(project="another")) == []
    assert endpoint.calls[-1].caller == "carol"


def test_runs_are_listed_in_pages(endpoint: FlyteEndpoint) -> None:
    task = remote.Task.get(name="train", version="v1")
    with auth_metadata(ALICE):
        for _ in range(101):
            flyte.run(task)
        listed = [run.name for run in remote.Run.listall(limit=200)]
    assert listed == [run.name for run in endpoint.runs][::-1]
    assert methods(endpoint).count("ListRuns") == 2


def test_a_filter_that_is_not_served_is_refused_and_not_passed_over(
    endpoint: FlyteEndpoint,
) -> None:
    del endpoint
    with auth_metadata(ALICE):
        code = connect_code(lambda: list(remote.Run.listall(in_phase=("running",))))
    assert code is Code.UNIMPLEMENTED


def test_a_run_is_queued_until_waited_for(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        run = flyte.run(remote.Task.get(name="train", version="v1"))
        found = remote.Run.get(run.name)
        assert (found.phase, endpoint.runs[0].phase) == ("queued", "queued")
        found.wait(quiet=True)
        assert (found.phase, endpoint.runs[0].phase) == ("succeeded", "succeeded")
        assert found.done()
        action = remote.ActionDetails.get(run_name=run.name, name="a0")
        assert action.phase == "succeeded"
    assert methods(endpoint)[-3:] == [
        "GetRunDetails",
        "WatchActionDetails",
        "GetActionDetails",
    ]


def test_an_unknown_run_is_not_found(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        assert connect_code(lambda: remote.Run.get("absent")) is Code.NOT_FOUND
    assert outcomes(endpoint) == [("alice", "not_found")]


def test_a_name_is_given_to_one_run_only(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        task = remote.Task.get(name="train", version="v1")
        assert flyte.with_runcontext(name="mine").run(task).name == "mine"
        with pytest.raises(flyte.errors.RuntimeUserError, match="already exists"):
            flyte.with_runcontext(name="mine").run(task)
    assert [run.name for run in endpoint.runs] == ["mine"]


# The record


def test_the_record_holds_headers_as_carried_and_shows_no_secret(endpoint: FlyteEndpoint) -> None:
    before = time.time()
    with auth_metadata(ALICE, ("x-more", "1")):
        remote.User.get()
    (call,) = endpoint.calls
    assert (call.service, call.method) == ("flyteidl2.auth.IdentityService", "UserInfo")
    assert call.headers["authorization"] == ("Bearer alice-token",)
    assert call.headers["x-more"] == ("1",)
    assert before <= call.at <= time.time()
    assert "token" not in repr(call)
    assert "alice-token" not in repr(endpoint.callers["alice"])
    assert endpoint.callers["alice"].authorization == "Bearer alice-token"


def test_a_call_that_is_not_served_is_recorded_too(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        # A missing service, and a missing method of a known service.
        assert connect_code(lambda: list(remote.Project.listall())) is Code.UNIMPLEMENTED
        run = flyte.run(remote.Task.get(name="train", version="v1"))
        assert connect_code(run.abort) is Code.UNIMPLEMENTED
    refused = [call for call in endpoint.calls if call.outcome == "unimplemented"]
    assert [call.method for call in refused] == ["ListProjects", "AbortRun"]
    assert {call.caller for call in refused} == {"alice"}


def test_reset_forgets_everything(endpoint: FlyteEndpoint) -> None:
    endpoint.fail("ListRuns", "denied")
    with auth_metadata(ALICE):
        flyte.run(remote.Task.get(name="train", version="v1"))
        endpoint.reset()
        assert (list(endpoint.calls), list(endpoint.runs)) == ([], [])
        assert list(remote.Run.listall()) == []


# Faults


def test_unauthenticated_costs_two_calls(endpoint: FlyteEndpoint) -> None:
    endpoint.fail("UserInfo", "unauthenticated")
    with auth_metadata(ALICE):
        assert connect_code(remote.User.get) is Code.UNAUTHENTICATED
    assert outcomes(endpoint) == [("alice", "unauthenticated")] * 2


def test_unauthenticated_once_is_not_noticed(endpoint: FlyteEndpoint) -> None:
    endpoint.fail("UserInfo", "unauthenticated", times=1)
    with auth_metadata(ALICE):
        assert remote.User.get().subject() == "alice"
    assert outcomes(endpoint) == [("alice", "unauthenticated"), ("alice", "ok")]


def test_unauthenticated_within_a_run_is_only_in_the_cause(endpoint: FlyteEndpoint) -> None:
    endpoint.fail("CreateRun", "unauthenticated")
    with auth_metadata(ALICE), pytest.raises(flyte.errors.RuntimeSystemError) as caught:
        flyte.run(remote.Task.get(name="train", version="v1"))
    assert caught.value.code == "RunCreationError"
    assert isinstance(caught.value.__cause__, ConnectError)
    assert caught.value.__cause__.code is Code.UNAUTHENTICATED


def test_denied_costs_one_call(endpoint: FlyteEndpoint) -> None:
    endpoint.fail("*", "denied", caller="alice")
    with auth_metadata(ALICE):
        assert connect_code(remote.User.get) is Code.PERMISSION_DENIED
    with auth_metadata(BOB):
        remote.User.get()
    assert outcomes(endpoint) == [("alice", "permission_denied"), ("bob", "ok")]


@pytest.mark.parametrize(("fault", "outcome"), [("unavailable",) * 2, ("hung up",) * 2])
def test_unavailable_or_hung_up_once_is_not_noticed(
    endpoint: FlyteEndpoint, fault: str, outcome: str
) -> None:
    endpoint.fail("UserInfo", fault, times=1)  # type: ignore[arg-type]  # a parameter is any string
    with auth_metadata(ALICE):
        assert remote.User.get().subject() == "alice"
    assert outcomes(endpoint) == [("alice", outcome), ("alice", "ok")]


def test_hung_up_for_good_is_unavailable_after_four_calls(endpoint: FlyteEndpoint) -> None:
    endpoint.fail("CreateRun", "hung up")
    with auth_metadata(ALICE), pytest.raises(flyte.errors.RuntimeSystemError) as caught:
        flyte.run(remote.Task.get(name="train", version="v1"))
    assert caught.value.code == "SystemUnavailableError"
    assert isinstance(caught.value.__cause__, ConnectError)
    assert caught.value.__cause__.code is Code.UNAVAILABLE
    assert outcomes(endpoint)[-4:] == [("alice", "hung up")] * 4
    endpoint.heal()
    with auth_metadata(ALICE):
        flyte.run(remote.Task.get(name="train", version="v1"))


def test_a_wait_outlives_a_stream_that_is_hung_up(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE):
        run = flyte.run(remote.Task.get(name="train", version="v1"))
        endpoint.fail("WatchActionDetails", "hung up", times=1)
        run.wait(quiet=True)
    assert run.phase == "succeeded"
    assert outcomes(endpoint)[-2:] == [("alice", "hung up"), ("alice", "ok")]


def test_slow_holds_up_one_caller_and_not_another(endpoint: FlyteEndpoint) -> None:
    endpoint.fail("UserInfo", "slow", caller="alice", times=1, seconds=0.1)
    started = time.monotonic()
    with auth_metadata(ALICE):
        assert remote.User.get().subject() == "alice"
    assert time.monotonic() - started >= 0.1
    endpoint.fail("UserInfo", "slow", caller="alice", seconds=60)

    async def whoami(caller: tuple[str, str]) -> str:
        with auth_metadata(caller):
            return (await remote.User.get.aio()).subject()

    async def bob_while_alice_waits() -> str:
        waiting = asyncio.create_task(whoami(ALICE))
        await asyncio.sleep(0)  # it begins
        found = await whoami(BOB)
        assert not waiting.done()
        waiting.cancel()
        return found

    assert asyncio.run(bob_while_alice_waits()) == "bob"
    assert outcomes(endpoint)[:2] == [("alice", "ok"), ("bob", "ok")]


def test_a_fault_is_met_so_many_times_in_the_order_planned(endpoint: FlyteEndpoint) -> None:
    endpoint.fail("UserInfo", "denied", times=2)
    endpoint.fail("*", "unauthenticated", times=2)
    with auth_metadata(ALICE):
        codes = [connect_code(remote.User.get) for _ in range(3)]
        remote.User.get()
    assert codes == [Code.PERMISSION_DENIED] * 2 + [Code.UNAUTHENTICATED]


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"method": "GetUser", "fault": "denied"}, "'GetUser' is not one of CreateRun, "),
        ({"method": "UserInfo", "fault": "dead"}, "'dead' is not one of unauthenticated, denied"),
        ({"method": "UserInfo", "fault": "denied", "times": 0}, "times must be at least 1"),
        (
            {"method": "UserInfo", "fault": "denied", "caller": "zoe"},
            "'zoe' is not one of the callers: alice, bob, carol$",
        ),
    ],
)
def test_an_unknown_fault_is_refused(
    endpoint: FlyteEndpoint, plan: dict[str, object], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        endpoint.fail(**plan)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"callers": ["alice", "alice"]}, "two callers have the same subject"),
        ({"callers": [""]}, "a caller needs a subject"),
        (
            {"callers": ["alice", Caller(subject="bob", token="alice-token")]},
            "two callers have the same token",
        ),
        ({"tasks": ["train", "train"]}, "two tasks have the same name and version"),
    ],
)
def test_a_set_up_that_clashes_is_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        FlyteEndpoint(**options)  # type: ignore[arg-type]  # wrong on purpose


def test_permission_is_not_one_string() -> None:
    with pytest.raises(ValueError, match=r"may_run is a collection: write may_run=\['train'\]"):
        Caller(subject="alice", may_run="train")


def test_a_task_that_cannot_be_served_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown input types \['date'\]"):
        Task(name="t", inputs={"d": "date"})
    with pytest.raises(ValueError, match=r"defaults \['x'\] aren't inputs"):
        Task(name="t", defaults={"x": 1})


# The server


def test_calls_do_not_wait_for_delayed_acknowledgements(endpoint: FlyteEndpoint) -> None:
    """Without TCP_NODELAY on the endpoint's side every call takes 44 ms; on a busy machine some."""

    def seconds() -> float:
        started = time.perf_counter()
        remote.User.get()
        return time.perf_counter() - started

    with auth_metadata(ALICE):
        assert any(seconds() < 0.04 for _ in range(500))
    del endpoint


def test_stopping_leaves_nothing_and_does_not_wait_for_a_slow_call(
    flyte_endpoint: FlyteEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    del flyte_endpoint  # asked for because it takes the SDK's client away afterwards
    before = threading.active_count()
    with FlyteEndpoint() as endpoint:
        endpoint.fail("UserInfo", "slow", seconds=60)
        monkeypatch.setenv("SSL_CERT_FILE", endpoint.ca_file)
        flyte.init_passthrough(endpoint.endpoint)

        async def give_up() -> None:
            with auth_metadata(ALICE):
                await asyncio.wait_for(remote.User.get.aio(), 0.5)

        with pytest.raises(TimeoutError):
            asyncio.run(give_up())
        started = time.monotonic()
    assert time.monotonic() - started < 30
    assert threading.active_count() == before
    assert not Path(endpoint.ca_file).exists()
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", int(endpoint.url.rpartition(":")[2]))) != 0


@pytest.mark.parametrize("headers", [{}, {"x-forwarded-for": "203.0.113.7"}])
def test_hung_up_closes_the_connection_without_a_byte(headers: dict[str, str]) -> None:
    """A client's X-Forwarded-For doesn't change which connection is closed."""
    with FlyteEndpoint() as endpoint:
        endpoint.fail("UserInfo", "hung up", times=1)
        port = int(endpoint.url.rpartition(":")[2])
        trust = ssl.create_default_context(cafile=endpoint.ca_file)
        client = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=trust)
        path = "/flyteidl2.auth.IdentityService/UserInfo"
        client.request("POST", path, headers={"content-type": "application/proto", **headers})
        with pytest.raises((ConnectionError, ssl.SSLError)):
            client.getresponse()
        client.close()
        assert outcomes(endpoint) == [(None, "hung up")]


@pytest.fixture
def separate() -> Iterator[FlyteEndpoint]:
    """Another endpoint, with other permissions."""
    with FlyteEndpoint(["alice", Caller(subject="bob", may_run={"other"})]) as it:
        yield it


def selected_cluster() -> str:
    """The cluster in the control plane's own answer, read without the SDK."""

    async def ask() -> str:
        answer = await get_client().cluster_service.select_cluster(SelectClusterRequest())
        return str(answer.cluster_endpoint)

    with auth_metadata(ALICE):
        return str(syncify(ask)())


def test_two_endpoints_serve_beside_each_other(
    separate: FlyteEndpoint, flyte_endpoint: FlyteEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    del flyte_endpoint  # asked for because it takes the SDK's client away afterwards
    for name, value in separate.environment().items():
        monkeypatch.setenv(name, value)
    flyte.init_passthrough(project=separate.project, domain=separate.domain)
    task = remote.Task.get(name="train", version="v1")
    with auth_metadata(ALICE):
        run = flyte.run(task)
    with auth_metadata(BOB), pytest.raises(flyte.errors.RuntimeSystemError):
        flyte.run(task)
    assert [(run.name, run.caller) for run in separate.runs] == [(run.name, "alice")]
    last = separate.calls[-1]
    assert isinstance(last, Call)
    assert (last.method, last.caller, last.outcome) == ("CreateRun", "bob", "permission_denied")
    assert last.headers["authorization"] == ("Bearer bob-token",)

    separate.fail("UserInfo", "denied")
    with auth_metadata(ALICE):
        assert connect_code(remote.User.get) is Code.PERMISSION_DENIED
        separate.heal()
        remote.User.get()
    separate.select_cluster("https://cluster.example.com")
    assert selected_cluster() == "https://cluster.example.com"
    separate.reset()
    assert (list(separate.calls), list(separate.runs)) == ([], [])
    assert not selected_cluster()
    with pytest.raises(ValueError, match="is not one of"):
        separate.fail("UserInfo", "dead")  # type: ignore[arg-type]  # wrong on purpose


def test_the_fixture_works_as_its_module_says(tmp_path: Path) -> None:
    """A user's conftest enables it. A test that forgets to initialise has no old client."""
    (tmp_path / "conftest.py").write_text(
        'pytest_plugins = ["passthrough_auth.testing.pytest_plugin"]\n'
    )
    (tmp_path / "test_app.py").write_text(
        textwrap.dedent("""
            import flyte, flyte.errors, flyte.remote, pytest

            def test_uses_it(flyte_endpoint):
                flyte.init_passthrough(
                    project=flyte_endpoint.project, domain=flyte_endpoint.domain
                )
                with flyte.remote.auth_metadata(("authorization", "Bearer alice-token")):
                    flyte.run(flyte.remote.Task.get(name="train", auto_version="latest"))
                assert [run.caller for run in flyte_endpoint.runs] == ["alice"]

            def test_starts_afresh(flyte_endpoint):
                assert not flyte_endpoint.calls

            def test_forgot_to_initialise():
                with pytest.raises(flyte.errors.InitializationError):
                    flyte.remote.User.get()
        """)
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


# Properties of the SDK on which we rely


def test_before_initialising_the_sdk_says_so(flyte_endpoint: FlyteEndpoint) -> None:
    del flyte_endpoint
    flyte.init()
    with auth_metadata(ALICE), pytest.raises(flyte.errors.InitializationError) as caught:
        remote.User.get()
    assert caught.value.code == "ClientNotInitializedError"


def test_insecure_drops_the_credentials_without_a_word(flyte_endpoint: FlyteEndpoint) -> None:
    del flyte_endpoint
    refusal = b'{"code":"permission_denied","message":"seen"}'
    answer = (
        b"HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%s" % (len(refusal), refusal)
    )
    carried: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_one() -> None:
            connection, _ = listener.accept()
            with connection:
                carried.append(connection.recv(65536))
                connection.sendall(answer)

        thread = threading.Thread(target=answer_one)
        thread.start()
        port = listener.getsockname()[1]
        flyte.init_passthrough(f"127.0.0.1:{port}", insecure=True)
        with auth_metadata(ALICE):
            assert connect_code(remote.User.get) is Code.PERMISSION_DENIED
        thread.join()
    assert carried[0].startswith(b"POST /flyteidl2.auth.IdentityService/UserInfo ")
    assert b"authorization" not in carried[0].lower()
    assert b"alice-token" not in carried[0]


def test_http_in_the_endpoint_is_taken_for_https(flyte_endpoint: FlyteEndpoint) -> None:
    flyte.init_passthrough(flyte_endpoint.url.replace("https://", "http://"))
    with auth_metadata(ALICE):
        assert remote.User.get().subject() == "alice"


def test_the_trusted_certificates_are_read_when_the_client_is_built(
    flyte_endpoint: FlyteEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    flyte.init_passthrough()
    monkeypatch.setenv("SSL_CERT_FILE", flyte_endpoint.ca_file)
    with auth_metadata(ALICE):
        assert connect_code(remote.User.get) is Code.UNAVAILABLE
        assert not flyte_endpoint.calls
        flyte.init_passthrough()
        assert remote.User.get().subject() == "alice"


def test_an_unset_org_is_the_first_label_of_the_host(endpoint: FlyteEndpoint) -> None:
    del endpoint
    with auth_metadata(ALICE):
        run = flyte.run(remote.Task.get(name="train", version="v1"))
    assert run.pb2.action.id.run.org == "127"


def test_a_task_needs_a_version_or_the_wish_for_the_latest(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE), pytest.raises(ValueError, match="version or auto_version"):
        remote.Task.get(name="train")
    assert not endpoint.calls


def test_auth_metadata_refuses_to_hold_nothing() -> None:
    with pytest.raises(ValueError, match="No auth metadata provided"), auth_metadata():
        pass


def test_nested_auth_metadata_replaces(endpoint: FlyteEndpoint) -> None:
    with auth_metadata(ALICE, ("x-more", "1")), auth_metadata(BOB):
        remote.User.get()
    assert endpoint.calls[0].caller == "bob"
    assert "x-more" not in endpoint.calls[0].headers


def test_garbage_collection_undoes_auth_metadata(endpoint: FlyteEndpoint) -> None:
    manager = auth_metadata(ALICE)
    manager.__enter__()
    remote.User.get()
    del manager
    gc.collect()
    assert connect_code(remote.User.get) is Code.UNAUTHENTICATED
    assert [call.caller for call in endpoint.calls] == ["alice", None, None]


def test_leaving_auth_metadata_in_another_context_raises_and_leaves_it_set(
    endpoint: FlyteEndpoint,
) -> None:
    def enter_here_leave_there() -> None:
        manager = auth_metadata(ALICE)
        manager.__enter__()
        with pytest.raises(ValueError, match="different Context"):
            contextvars.Context().run(manager.__exit__, None, None, None)
        assert remote.User.get().subject() == "alice"

    contextvars.copy_context().run(enter_here_leave_there)
    assert endpoint.calls[-1].caller == "alice"


def test_auth_metadata_around_a_generators_yields_leaks_between_them(
    endpoint: FlyteEndpoint,
) -> None:
    def body() -> Iterator[bytes]:
        with auth_metadata(ALICE):
            yield b"one"
            yield b"two"

    def serve() -> None:
        chunks = body()
        next(chunks)
        # This is the worker between two chunks, or while it does other work.
        assert remote.User.get().subject() == "alice"
        list(chunks)

    contextvars.copy_context().run(serve)
    assert endpoint.calls[0].caller == "alice"


def test_what_is_made_inside_and_consumed_outside_has_no_credentials(
    endpoint: FlyteEndpoint,
) -> None:
    with auth_metadata(ALICE):
        runs = remote.Run.listall()
    assert connect_code(lambda: list(runs)) is Code.UNAUTHENTICATED
    assert {call.caller for call in endpoint.calls} == {None}


def test_a_shared_lazy_task_is_fetched_as_its_first_caller(endpoint: FlyteEndpoint) -> None:
    task = remote.Task.get(name="train", version="v1")
    for caller in (ALICE, BOB):
        with auth_metadata(caller):
            flyte.run(task)
    fetched = [call.caller for call in endpoint.calls if call.method == "GetTaskDetails"]
    assert fetched == ["alice"]
    assert [run.caller for run in endpoint.runs] == ["alice", "bob"]


def test_the_sdk_puts_a_malformed_value_in_its_error(endpoint: FlyteEndpoint) -> None:
    with (
        auth_metadata(("authorization", "Bearer planted\nvalue")),
        pytest.raises(ValueError, match="Invalid header value") as caught,
    ):
        remote.User.get()
    assert "planted" in str(caught.value)
    assert not endpoint.calls


def test_after_a_fork_every_call_of_the_sdk_hangs() -> None:
    """The fork has no thread of the SDK's event loop."""
    script = """
        import os, signal, threading, time, warnings
        import flyte

        def loop_thread():
            return "flyte_syncify" in {thread.name for thread in threading.enumerate()}

        print("parent", loop_thread())
        warnings.simplefilter("ignore")  # Python 3.12 warns of exactly this fork
        calls, called = os.pipe()
        child = os.fork()
        if not child:
            print("child", loop_thread(), flush=True)
            os.write(called, b".")
            flyte.init_passthrough("127.0.0.1:1")
            os._exit(0)
        os.read(calls, 1)
        time.sleep(3)
        print("hangs", os.waitpid(child, os.WNOHANG) == (0, 0))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    """
    done = run_script(script, PYTHONUNBUFFERED="1")
    assert done.stdout.splitlines() == ["parent True", "child False", "hangs True"], done.stderr


def test_a_run_leaves_the_applications_sentry_client_alone(flyte_endpoint: FlyteEndpoint) -> None:
    """This needs DO_NOT_TRACK. Without it, the first run sends that client's reports to Flyte."""
    script = """
        import flyte, sentry_sdk
        from flyte import remote

        sentry_sdk.init(dsn="https://key@sentry.invalid/1", default_integrations=False)
        flyte.init_passthrough(project="demo", domain="development")
        with remote.auth_metadata(("authorization", "Bearer alice-token")):
            flyte.run(remote.Task.get(name="train", version="v1"))
        print(sentry_sdk.get_client().dsn)
    """
    assert flyte_endpoint.environment()["DO_NOT_TRACK"] == "1"
    done = run_script(script, **flyte_endpoint.environment())
    assert done.stdout.strip() == "https://key@sentry.invalid/1", done.stderr
