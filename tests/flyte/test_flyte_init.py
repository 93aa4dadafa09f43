"""Initialising the SDK: as flyte does, but with errors for its traps."""

import asyncio
import http.client
import inspect
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import flyte
import pytest
from flyte import remote
from tests.flyte.scripts import run_script

from passthrough_auth.clients.flyte import ForkedAfterImport, init_passthrough
from passthrough_auth.core import ConfigurationError, PassthroughAuthError, acting_as
from passthrough_auth.testing.flyte import FlyteEndpoint
from passthrough_auth.testing.servers import Running, server, serving

pytest_plugins = ["passthrough_auth.testing.pytest_plugin"]

ALICE = ("authorization", "Bearer alice-token")


def init_async(*args: object, **kwargs: object) -> dict[str, object]:
    async def call() -> dict[str, object]:
        return await init_passthrough.aio(*args, **kwargs)

    return asyncio.run(call())


either = pytest.mark.parametrize("init", [init_passthrough, init_async], ids=["sync", "async"])
Init = Callable[..., dict[str, object]]


def test_its_signature_is_flytes_own_and_clusters() -> None:
    theirs = inspect.signature(flyte.init_passthrough).parameters.values()
    for ours in (init_passthrough, init_passthrough.aio):
        *parameters, clusters = inspect.signature(ours).parameters.values()
        assert [(p.name, p.kind, p.default) for p in parameters] == [
            (p.name, p.kind, p.default) for p in theirs
        ]
        assert (clusters.name, clusters.kind) == ("clusters", inspect.Parameter.KEYWORD_ONLY)


@either
def test_it_initialises_the_sdk_and_returns_what_flyte_returns(
    init: Init, flyte_endpoint: FlyteEndpoint
) -> None:
    given = init(
        flyte_endpoint.endpoint, project=flyte_endpoint.project, domain=flyte_endpoint.domain
    )
    assert given == {"endpoint": flyte_endpoint.endpoint, "insecure": False}
    with acting_as(ALICE):
        flyte.run(remote.Task.get(name="train", auto_version="latest"))
    assert [run.caller for run in flyte_endpoint.runs] == ["alice"]


@either
def test_without_an_endpoint_it_takes_the_one_in_the_environment(
    init: Init, flyte_endpoint: FlyteEndpoint
) -> None:
    assert init(project="demo", domain="development") == {"endpoint": None, "insecure": False}
    with acting_as(ALICE):
        assert remote.User.get().subject() == "alice"


@either
def test_the_org_reaches_flyte(init: Init, flyte_endpoint: FlyteEndpoint) -> None:
    init(flyte_endpoint.endpoint, "acme", "demo", "development")
    with acting_as(ALICE):
        run = flyte.run(remote.Task.get(name="train", version="v1"))
    assert run.pb2.action.id.run.org == "acme"


@either
@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        ({"endpoint": "127.0.0.1:1", "insecure": True}, "", "insecure=True makes the SDK drop"),
        ({"endpoint": "http://127.0.0.1:1"}, "", "endpoint begins with http://"),
        ({"endpoint": "HTTP://127.0.0.1:1"}, "", "endpoint begins with http://"),
        ({}, "http://127.0.0.1:1", "variable _U_EP_OVERRIDE begins with http://"),
        ({}, "", "needs the endpoint of a Flyte control plane: write init_passthrough[(]"),
        (
            {"endpoint": ""},
            "",
            "needs .* _U_EP_OVERRIDE. In a test, import the app inside the test or fixture$",
        ),
    ],
)
def test_what_flyte_would_fail_at_later_is_refused(
    init: Init,
    arguments: dict[str, object],
    environment: str,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("_U_EP_OVERRIDE", environment)
    with pytest.raises(ConfigurationError, match=says) as caught:
        init(**arguments)
    if "needs" not in says:
        assert "SSL_CERT_FILE" in str(caught.value)


# After a fork


def test_in_a_fork_everything_says_so_and_nothing_hangs() -> None:
    """Whether this library was imported before the fork or after it."""
    script = """
        import asyncio, os, sys, warnings
        import flyte
        if sys.argv[0] == "-c" and os.environ["IMPORTED"] == "before":
            import passthrough_auth.clients.flyte

        warnings.simplefilter("ignore")  # Python 3.12 warns of exactly this fork
        if os.fork():
            sys.exit(os.wait()[1])
        from passthrough_auth.clients.flyte import current_user, init_passthrough
        from passthrough_auth.core import acting_as

        def within():
            with acting_as(("authorization", "Bearer alice-token")):
                print("entered", flush=True)
                flyte.remote.User.get()

        calls = [
            lambda: init_passthrough("127.0.0.1:1"),
            lambda: asyncio.run(init_passthrough.aio("127.0.0.1:1")),
            within,
        ]
        for call in calls:
            try:
                call()
            except Exception as error:
                print(type(error).__name__, "--preload" in str(error), flush=True)
        os._exit(0)
    """
    for imported in ("before", "after"):
        done = run_script(script, PYTHONUNBUFFERED="1", IMPORTED=imported)
        said = "ForkedAfterImport True"
        assert done.stdout.splitlines() == [said, said, "entered", said], done.stderr


def test_in_a_fork_a_call_outside_of_a_caller_says_so_too() -> None:
    """The SDK's own functions, in a block without a caller."""
    script = """
        import asyncio, os, sys, warnings
        import flyte
        from flyte import remote
        flyte.init_passthrough("127.0.0.1:1", project="demo", domain="development")
        if os.environ["IMPORTED"] == "before":
            import passthrough_auth.clients.flyte

        warnings.simplefilter("error")  # of a coroutine that was never awaited, for one
        warnings.filterwarnings("ignore", "This process .* is multi-threaded")
        if os.fork():
            sys.exit(os.wait()[1])
        import passthrough_auth.clients.flyte
        from passthrough_auth.core.caller import CallerScope

        async def consume(): return [run async for run in remote.Run.listall.aio()]
        async def get(): return await remote.User.get.aio()

        calls = [
            remote.User.get,
            lambda: asyncio.run(get()),
            lambda: list(remote.Run.listall()),
            lambda: asyncio.run(consume()),
            lambda: flyte.init_passthrough("127.0.0.1:1"),
        ]
        for call in calls:
            try:
                with CallerScope(None, "public").active():
                    call()
            except Exception as error:
                print(type(error).__name__, flush=True)
    """
    for imported in ("before", "after"):
        done = run_script(script, PYTHONUNBUFFERED="1", IMPORTED=imported)
        assert done.stdout.splitlines() == ["ForkedAfterImport"] * 5, done.stderr
        assert (done.returncode, done.stderr) == (0, "")


def test_a_fork_before_the_import_is_fine() -> None:
    script = """
        import os, sys
        if os.fork():
            sys.exit(os.wait()[1])
        from passthrough_auth.clients.flyte import init_passthrough
        print(init_passthrough("127.0.0.1:1"), flush=True)
        os._exit(0)
    """
    done = run_script(script)
    assert done.stdout.strip() == "{'endpoint': '127.0.0.1:1', 'insecure': False}", done.stderr


def test_forked_after_import_is_an_error_of_this_library() -> None:
    assert issubclass(ForkedAfterImport, PassthroughAuthError)


def status(running: Running, path: str, caller: str | None = None) -> int:
    with closing(http.client.HTTPConnection(running.host, running.port, timeout=240)) as connection:
        headers = {"authorization": f"Bearer {caller}-token"} if caller else {}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status


@pytest.mark.parametrize(
    ("app", "path", "public"),
    [
        ("preload_app:app", "/me", {"/health": 200, "/public": 500}),
        ("flask_app:app", "/sync/me", {"/health": 200}),
    ],
)
def test_an_app_that_gunicorn_preloads_says_so_instead_of_hanging(
    app: str, path: str, public: dict[str, int]
) -> None:
    """A public path without a call to Flyte still works there."""
    apps = Path(__file__).parent / "apps"
    with (
        FlyteEndpoint() as endpoint,
        serving(
            server("gunicorn-sync"),
            app,
            env=endpoint.environment(),
            cwd=apps,
            options=["--preload"],
        ) as running,
    ):
        assert {each: status(running, each) for each in public} == public
        assert status(running, path) == 401
        assert status(running, path, "alice") == 500
        assert not endpoint.calls
    assert "ForkedAfterImport: This process was forked after flyte was imported" in running.log()


def test_the_same_app_works_without_preloading() -> None:
    apps = Path(__file__).parent / "apps"
    with (
        FlyteEndpoint() as endpoint,
        serving(
            server("gunicorn-sync"), "preload_app:app", env=endpoint.environment(), cwd=apps
        ) as running,
    ):
        assert status(running, "/me", "alice") == 200
        assert [call.caller for call in endpoint.calls] == ["alice"]
