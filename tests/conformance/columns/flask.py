"""The conformance app on Flask, with sync views and with async views."""

from functools import partial
from inspect import isawaitable

from flask import Flask, Response, abort, g, jsonify, request, stream_with_context

from passthrough_auth.frameworks.flask import PassthroughAuth
from passthrough_auth.testing.conformance import Column, Deliberate, WsgiOutside, routes, whoami
from passthrough_auth.testing.conformance.handlers import crash, saw

OFFERS = frozenset({"allow-preflight", "background", "sync-stream"})


def sync_view(route):
    def view(**parts):
        found = stream_with_context(call(route, parts)) if route.streams else call(route, parts)
        return respond(route, parts, found)

    return view


def async_view(route):
    # Flask before 3.1.2 can't keep its context for a body from an async view.
    async def view(**parts):
        found = call(route, parts)
        return respond(route, parts, await found if isawaitable(found) else found)

    return view


def call(route, parts):
    return route.answer(**parts, **({"body": request.get_data()} if route.reads else {}))


def respond(route, parts, found):
    response = Response(found) if route.streams else jsonify(found)
    if route.after:
        response.call_on_close(partial(route.after, **parts))
    return response


def note_before():
    g.saw = saw()


def note_after(response):
    # A refusal has no note, because only our before-request function has run.
    if "saw" in g:
        response.headers["x-handler"] = "yes"
        response.headers["x-middleware-saw"] = g.saw if g.saw == saw() else "changed"
    return response


def fail_in_teardown(error):
    if request.path == "/teardown-crash":
        crash()


def build(view, offers, options):
    app = Flask("conformance")
    app.before_request(note_before)
    app.after_request(note_after)
    app.teardown_request(fail_in_teardown)
    app.register_error_handler(Deliberate, lambda error: (whoami(), 418))
    app.register_error_handler(401, lambda error: {"handled": 401})
    app.add_url_rule("/abort-401", "abort", lambda: abort(401))
    for route in routes("wsgi", offers):
        path = route.path.format(key="<key>", rest="<path:rest>")
        app.add_url_rule(path, path, view(route), methods=route.methods)
    PassthroughAuth(app, **options)
    app.wsgi_app = WsgiOutside(app.wsgi_app)
    return app


COLUMNS = [
    Column(f"Flask, {kind} views", "wsgi", partial(build, view, offers), offers)
    for kind, view, offers in (
        ("sync", sync_view, OFFERS),
        ("async", async_view, OFFERS | {"async"}),
    )
]
