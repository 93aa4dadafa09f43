"""The frameworks' debug pages for a request that fails."""

import pytest
from tests.secrets.planted import PAIRS, leaked
from tests.secrets.serving_apps import ask, serving_app


def shown(running, path):
    """The secrets that the debug page shows, as HTML and as text. It must show the error."""
    found = set()
    for accept in ("text/html", "text/plain"):
        status, page = ask(running, path, headers=[*PAIRS, ("accept", accept)])
        assert status == 500
        assert "Crash" in page
        found |= leaked(page)
    assert leaked(running.log()) == set()
    return found


@pytest.mark.parametrize("app", ["on_fastapi", "on_flask"])
def test_starlette_s_and_werkzeug_s_show_none(app):
    with serving_app(app, debug="1") as running:
        assert shown(running, "/crash") == set()
        assert shown(running, "/async-crash") == set()
        # They show no locals, but werkzeug's console reads everything: it is for development.
        assert shown(running, "/crash-with-headers") == set()


@pytest.mark.parametrize("app", ["on_django", "on_django_asgi"])
def test_django_s_shows_cookies_and_headers_whose_names_don_t_say_that_they_are_secret(app):
    with serving_app(app, debug="1") as running:
        assert shown(running, "/crash") == {"ses-", "cus-"}
        assert shown(running, "/async-crash") == {"ses-", "cus-"}


@pytest.mark.parametrize("app", ["on_django", "on_django_asgi"])
def test_django_s_shows_none_with_the_filter_of_the_docs(app):
    with serving_app(app, debug="1", filter="1") as running:
        assert shown(running, "/crash") == set()
        assert shown(running, "/async-crash") == set()
        # The filter doesn't hide the app's own locals.
        assert shown(running, "/crash-with-headers") == {"tok-", "ses-", "cus-"}
