"""The conformance app on Flask, protected by the adapter of the page in place of Flask's own."""

import adapter

from passthrough_auth.testing.conformance.columns import flask


class Extension:
    """Goes around a Flask app as around any other."""

    def __init__(self, app, **options):
        # Flask would answer for an error itself, before it reaches what is outside of Flask.
        app.config["PROPAGATE_EXCEPTIONS"] = True
        app.wsgi_app = adapter.PassthroughAuth(app.wsgi_app, **options)


flask.PassthroughAuth = Extension


def build(options):
    """Build it as the column for sync views does."""
    return flask.COLUMNS[0].build(options)
