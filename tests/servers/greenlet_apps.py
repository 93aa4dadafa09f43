"""The same two routes on Flask and Django, for a server that serves with gevent.

/spawn returns the callers that greenlets find, and starts some that outlive the request. /told
later returns the callers that those found.
"""

import contextvars
import json
import time

import flask
import gevent
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from gevent.pool import Pool
from gevent.threadpool import ThreadPool

from passthrough_auth.core import NoCaller, current_credentials, snapshot
from passthrough_auth.frameworks.flask import PassthroughAuth

PATIENCE = 30.0  # seconds to wait for a request to end, and for a snapshot to expire
SOON = 0.05
late = {}


def whoami():
    try:
        return current_credentials().headers()["authorization"]
    except NoCaller as absent:
        return absent.reason


def by(caller):
    try:
        return caller.run(whoami)
    except NoCaller as absent:
        return absent.reason


def spawn():
    caller, expiring, closed = snapshot(), snapshot(expires_in=SOON), snapshot()
    closed.close()
    request = contextvars.copy_context()
    gevent.spawn(find_later, request, caller, expiring, closed)
    found = {
        "spawn": gevent.spawn(whoami),
        "spawn with snapshot": gevent.spawn(caller.run, whoami),
        "pool": Pool(2).spawn(whoami),
        "pool with snapshot": Pool(2).spawn(caller.run, whoami),
        "thread pool": ThreadPool(2).spawn(whoami),
        "thread pool with snapshot": ThreadPool(2).spawn(caller.run, whoami),
        "spawn with context": gevent.spawn(request.copy().run, whoami),
    }
    return json.dumps({name: each.get(timeout=PATIENCE) for name, each in found.items()})


def find_later(request, caller, expiring, closed):
    late.clear()
    deadline = time.monotonic() + PATIENCE
    while (request.run(whoami), by(expiring)) != ("ended", "expired"):
        if time.monotonic() > deadline:
            break
        gevent.sleep(0.005)
    late.update(
        {
            "nothing": whoami(),
            "context": request.run(whoami),
            "snapshot": by(caller),
            "expired": by(expiring),
            "closed": by(closed),
        }
    )


def told():
    deadline = time.monotonic() + PATIENCE
    while not late and time.monotonic() < deadline:
        gevent.sleep(0.005)
    return json.dumps(late)


on_flask = flask.Flask(__name__)
PassthroughAuth(on_flask)
on_flask.get("/spawn")(spawn)
on_flask.get("/told")(told)

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of a test",
    MIDDLEWARE=["passthrough_auth.frameworks.django.PassthroughAuthMiddleware"],
)
urlpatterns = [
    path("spawn", lambda request: HttpResponse(spawn())),
    path("told", lambda request: HttpResponse(told())),
]

on_django = get_wsgi_application()
