"""What a refusal looks like, and who may change it."""

from collections.abc import Iterable

from passthrough_auth.testing.conformance.model import (
    Call,
    Case,
    HeaderLines,
    all_of,
    body,
    header,
    no_body,
    refused,
    sees_nobody,
    status,
    without,
)
from passthrough_auth.testing.conformance.options import FORGET

from .common import ALICE, NOT_ACCEPTED, SEES_ALICE, authorization


def answer_cases() -> Iterable[Case]:
    """Refusals, upstream's too, and preflights."""
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        yield Case(
            f"refused: {method}",
            "Without credentials the handler does not run, whatever the method.",
            (Call(method=method), refused()),
        )
    yield from (
        Case(
            "refused: HEAD",
            "The answer to HEAD has the headers of the refusal and no body.",
            (
                Call(method="HEAD"),
                all_of(
                    status(401),
                    header("www-authenticate", "Bearer"),
                    header("content-length", "49"),
                    no_body(),
                ),
            ),
            # Over a socket, what was sent all the same would be taken for this answer.
            (Call(headers=ALICE), SEES_ALICE),
        ),
        Case(
            "refused: a method the route doesn't have",
            "So also for what would be a 405, and a 404.",
            (Call(b"/get-only", method="DELETE"), refused()),
        ),
        Case(
            "refused: an unknown method",
            "A method that no route knows is refused like any other.",
            (Call(method="BREW"), refused()),
            server_may_refuse=True,
        ),
        Case(
            "refused: nothing is echoed",
            "The response never echoes a value.",
            (
                Call(b"/whoami?q=s3cret", (*authorization(b"s3cret"), (b"X-Any", b"s3cret"))),
                all_of(refused("malformed"), without("s3cret")),
            ),
        ),
        Case(
            "refused: the app's 401 handler turns 401 into 200",
            "A refusal is returned, not raised, so no error handler of the app's gets at it.",
            (Call(), refused()),
            (Call(b"/abort-401", ALICE), all_of(status(200), body(handled=401))),
        ),
        Case(
            "refused: by upstream",
            "Where a handler fails because upstream doesn't accept the caller, however deep that "
            "is in the causes, that is the answer.",
            (Call(b"/upstream-refuses", ALICE), NOT_ACCEPTED),
            (Call(b"/health"), sees_nobody()),
        ),
        Case(
            "refused: by upstream, after early hints",
            "What is sent ahead of an answer doesn't begin one.",
            (Call(b"/early-hints", ALICE), NOT_ACCEPTED),
            needs=["raw-asgi"],
        ),
        Case(
            "refused: denied by upstream",
            "Where upstream knows the caller and doesn't permit this, also if all that task groups "
            "failed with says so: a 403 with no challenge.",
            (
                Call(b"/upstream-denies", ALICE),
                all_of(
                    status(403),
                    body(detail="Permission denied"),
                    header("www-authenticate"),
                    without("s3cret"),
                ),
            ),
            (Call(b"/health"), sees_nobody()),
        ),
        Case(
            "not refused: denied by upstream, beside another failure",
            "Where something else failed too, answering with the refusal would hide it.",
            (Call(b"/upstream-denies-and-more", ALICE), status(500)),
            (Call(b"/health"), sees_nobody()),
        ),
        Case(
            "refused: the layer outside decorates it",
            "Middleware outside, such as CORS, must still see and decorate the answer.",
            (Call(), all_of(refused(), header("x-outside", "yes"))),
        ),
        Case(
            "challenge with parameters",
            "realm and resource_metadata stand in WWW-Authenticate when configured.",
            (
                Call(),
                refused(
                    challenge='Bearer realm="jobs", resource_metadata='
                    '"https://api.example.com/.well-known/oauth-protected-resource"'
                ),
            ),
            options="challenge",
        ),
        Case(
            "refusal replaced by the app",
            "The body and headers can be replaced by the app.",
            (Call(), all_of(status(303), header("location", "/login"))),
            (Call(headers=ALICE), SEES_ALICE),
            options="redirecting",
        ),
        Case(
            "refusal replaced by the app: its cookies",
            "Every Set-Cookie of an app's own refusal is sent, a line each, as it was written.",
            (Call(), header("set-cookie", *FORGET)),
            options="redirecting",
        ),
        Case(
            "refusal replaced by a success",
            "on_refusal can't let a request pass.",
            (Call(), refused()),
            options="letting-pass",
        ),
        Case(
            "preflight: refused by default",
            "A preflight has no credentials; its answer belongs to the CORS layer in front.",
            (Call(method="OPTIONS", headers=_PREFLIGHT), refused()),
        ),
        Case(
            "preflight: let through when allowed",
            "Where the CORS layer can't stand in front, this passes to it, and runs no handler.",
            (
                Call(method="OPTIONS", headers=_PREFLIGHT),
                all_of(status(200), without("caller")),
            ),
            (Call(method="OPTIONS", headers=_PREFLIGHT[:1]), refused()),
            (Call(method="OPTIONS", headers=_PREFLIGHT[1:]), refused()),
            (Call(method="GET", headers=_PREFLIGHT), refused()),
            (Call(method="POST", headers=_PREFLIGHT), refused()),
            options="preflight",
            needs=["allow-preflight"],
        ),
    )


_PREFLIGHT: HeaderLines = (
    (b"Origin", b"https://app.example.com"),
    (b"Access-Control-Request-Method", b"GET"),
)
