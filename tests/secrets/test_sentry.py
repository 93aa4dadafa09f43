"""What Sentry's SDK sends of requests that fail, as it comes and with the options of the docs.

With its default options it is sent nothing of the Authorization and Cookie headers, nor of this
library's objects in locals; what it is sent is known, and docs/secrets.md says how to keep it back.
"""

import pytest
from tests.secrets.planted import leaked
from tests.secrets.sentry import receiving
from tests.secrets.serving_apps import APPS, ask, serving_app

ALL = {"tok-", "ses-", "cus-"}
IN_HEADERS = {"cus-"}  # of a header of one's own: no name that the SDK takes for a secret
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
    # The SDK treats what these two change alike for every framework.
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
            sent = sentry.all()

            assert status == (200 if path == "/log" else 500)
            assert leaked(sent) == shown, path
            # It was an event of that very request, and with what the app logs of its caller.
            assert path in sent
            assert path != "/log" or "<Credentials authorization " in sent
