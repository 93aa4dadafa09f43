"""The form of a refusal, and who may change it."""

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
    sees_no_caller,
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
            "Without credentials the handler does not run, for any method.",
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
            # Over a socket, a body that was sent nevertheless would be read as this answer.
            (Call(headers=ALICE), SEES_ALICE),
        ),
        Case(
            "refused: a method the route doesn't have",
            "The refusal comes before the router's 405 or 404.",
            (Call(b"/get-only", method="DELETE"), refused()),
        ),
        Case(
            "refused: an unknown method",
            "A method that no route has is refused like any other.",
            (Call(method="BREW"), refused()),
            server_may_refuse=True,
        ),
        Case(
            "refused: nothing is echoed",
            "The response never echoes a value of the request.",
            (
                Call(b"/whoami?q=s3cret", (*authorization(b"s3cret"), (b"X-Any", b"s3cret"))),
                all_of(refused("malformed"), without("s3cret")),
            ),
        ),
        Case(
            "refused: the app's 401 handler turns 401 into 200",
            "A refusal is returned, not raised, so the app's error handlers don't change it.",
            (Call(), refused()),
            (Call(b"/abort-401", ALICE), all_of(status(200), body(handled=401))),
        ),
        Case(
            "refused: by upstream",
            "If a handler fails because upstream doesn't accept the caller, the answer is that "
            "refusal, however deep it is among the error's causes.",
            (Call(b"/upstream-refuses", ALICE), NOT_ACCEPTED),
            (Call(b"/health"), sees_no_caller()),
        ),
        Case(
            "refused: by upstream, after early hints",
            "Early hints don't begin the response, so a refusal can still follow them.",
            (Call(b"/early-hints", ALICE), NOT_ACCEPTED),
            needs=["raw-asgi"],
        ),
        Case(
            "refused: denied by upstream",
            "If upstream knows the caller but doesn't permit this, the answer is a 403 that says "
            "so, also if every error in a task group's exception group says so.",
            (
                Call(b"/upstream-denies", ALICE),
                all_of(
                    status(403),
                    body(detail="Permission denied"),
                    header("www-authenticate", 'Bearer error="insufficient_scope"'),
                    without("s3cret"),
                ),
            ),
            (Call(b"/health"), sees_no_caller()),
        ),
        Case(
            "not refused: denied by upstream, beside another failure",
            "If there was another failure too, the answer is a 500: a refusal would hide it.",
            (Call(b"/upstream-denies-and-more", ALICE), status(500)),
            (Call(b"/health"), sees_no_caller()),
        ),
        Case(
            "refused: the layer outside decorates it",
            "Middleware outside, such as CORS, sees the refusal and can add headers to it.",
            (Call(), all_of(refused(), header("x-outside", "yes"))),
        ),
        Case(
            "challenge with parameters",
            "realm and resource_metadata are in WWW-Authenticate if they are configured.",
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
            "The app can replace a refusal's status, headers and body.",
            (Call(), all_of(status(303), header("location", "/login"))),
            (Call(headers=ALICE), SEES_ALICE),
            options="redirecting",
        ),
        Case(
            "refusal replaced by the app: its cookies",
            "Every Set-Cookie of an app's own refusal is sent unchanged, on a line of its own.",
            (Call(), header("set-cookie", *FORGET)),
            options="redirecting",
        ),
        Case(
            "refusal replaced by a success",
            "on_refusal can't turn a refusal into a success.",
            (Call(), refused()),
            options="letting-pass",
        ),
        Case(
            "preflight: refused by default",
            "A preflight has no credentials. The CORS layer in front must answer it.",
            (Call(method="OPTIONS", headers=_PREFLIGHT), refused()),
        ),
        Case(
            "preflight: let through when allowed",
            "If the CORS layer can't be in front, allow_preflight passes preflights to it; no "
            "handler runs.",
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
