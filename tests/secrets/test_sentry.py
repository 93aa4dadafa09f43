"""The events of Sentry's SDK for requests that fail, by default and with the docs' options.

By default, they contain neither the Authorization and Cookie headers nor this library's objects in
locals. Other leaks are listed here, and docs/secrets.md has the options that prevent them.
"""

import pytest
from tests.secrets.planted import leaked
from tests.secrets.sentry import receiving
from tests.secrets.serving_apps import APPS, ask, serving_app

ALL = {"tok-", "ses-", "cus-"}
IN_HEADERS = {"cus-"}  # the custom header: the SDK doesn't take its name for a secret
SHOWN = {
    "BY_DEFAULT": {
        "/crash": IN_HEADERS,
        "/log": IN_HEADERS,
        "/call": IN_HEADERS,
        "/crash-with-headers": ALL,
    },
    "WITHOUT_LOCALS": {"/crash-with-headers": IN_HEADERS},
    "WITH_PII": {"/crash": IN_HEADERS},
    "DOCUMENTED": {"/crash": set(), "/log": set(), "/call": set(), "/crash-with-headers": set()},
}
CASES = [
    (app, options)
    for app in APPS
    for options in SHOWN
    # The SDK applies the other options to every framework in the same way.
    if app == "on_flask" or options in ("BY_DEFAULT", "DOCUMENTED")
]


@pytest.mark.parametrize(("app", "options"), CASES)
def test_what_is_sent(app, options):
    upstream = "http://127.0.0.1:9"
    asked = SHOWN[options]
    if app != "on_flask":
        asked = {path: asked[path] for path in ("/crash", "/crash-with-headers")}
    with (
        receiving() as sentry,
        serving_app(app, dsn=sentry.dsn, sentry=options, upstream=upstream) as running,
    ):
        for path, shown in asked.items():
            status, _ = ask(running, path)
            assert ask(running, "/flush")[0] == 200
            sent = sentry.all()

            assert status == (200 if path == "/log" else 500)
            assert leaked(sent) == shown, path
            # It is an event of this request, and it has the app's log records of its caller.
            assert path in sent
            assert path != "/log" or "<Credentials authorization " in sent
