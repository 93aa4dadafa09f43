"""The undocumented parts of the SDK on which we rely, and the error if they have changed."""

import pytest
from tests.flyte.scripts import run_script

from passthrough_auth.clients.flyte import sdk

CHANGES = {
    "flyte._context.internal_ctx is not there": "del flyte._context.internal_ctx",
    "flyte._context.Context.new_metadata is not there": "del flyte._context.Context.new_metadata",
    "flyte._context.ContextData takes no 'metadata'": "flyte._context.ContextData = Other",
    "flyte.remote._auth_metadata.get_auth_metadata is not there": """
        del flyte.remote._auth_metadata.get_auth_metadata
    """,
    "flyte._initialize._initialize_client is not there": "del flyte._initialize._initialize_client",
    "flyte._initialize._initialize_client is no coroutine function": """
        flyte._initialize._initialize_client = print
    """,
    "flyte.syncify.syncify._bg_loop is not there": "del flyte.syncify.syncify._bg_loop",
    "flyte.syncify.Syncify takes no 'name'": "flyte.syncify.Syncify = Other",
}


@pytest.mark.parametrize("changed", CHANGES)
def test_a_release_that_has_changed_is_refused_on_import(changed: str) -> None:
    """One error names the release and the changed part, before any call is possible."""
    script = """
        import os, flyte, flyte._context, flyte._initialize, flyte.syncify
        import flyte.remote._auth_metadata  # in old releases it imports much of the SDK

        class Other: ...

        exec(os.environ["CHANGE"].replace("\\n        ", "\\n"))
        try:
            import passthrough_auth.clients.flyte
        except ImportError as error:
            print(type(error).__name__, error)
    """
    done = run_script(script, CHANGE=CHANGES[changed])
    said = f"flyte {sdk.flyte.__version__} has changed in a place that passthrough-auth relies on"
    assert done.stdout.startswith(f"UnsupportedFlyte {said}: {changed}. Install"), done.stderr


def test_modules_that_load_with_the_first_client_are_checked_then() -> None:
    """Its import takes most of a second, which an app without calls saves."""
    script = """
        import dataclasses, flyte
        from passthrough_auth.clients.flyte import init_passthrough
        from flyte.remote._client.controlplane import ClientSet

        ClientSet.session_config = property(lambda self: dataclasses.replace(self._session_config))
        try:
            init_passthrough("127.0.0.1:1", project="demo", domain="development")
        except ImportError as error:
            print(type(error).__name__, error)
    """
    done = run_script(script)
    assert "UnsupportedFlyte" in done.stdout, done.stderr
    assert "controlplane.ClientSet takes no session" in done.stdout
    assert f"({sdk.TESTED})" in done.stdout
