"""WebSocket handshakes and messages."""

from collections.abc import Iterable

from passthrough_auth.testing.conformance.model import (
    Call,
    Case,
    Check,
    HeaderLines,
    all_of,
    chunks,
    closed_or_refused,
    cross_site,
    refused,
    sees_no_caller,
    status,
    without,
)

from .common import ALICE, BOB, NOT_ACCEPTED, SESSION, authorization, fetch_site, from_origin


def _websocket(
    name: str, why: str, *steps: tuple[HeaderLines, Check], options: str = "default"
) -> Case:
    calls = [(Call(b"/ws", headers, websocket=True), check) for headers, check in steps]
    return Case(f"websocket: {name}", why, *calls, options=options, needs=["websocket"])


def _offer(subprotocols: bytes) -> HeaderLines:
    return ((b"Sec-WebSocket-Protocol", subprotocols),)


def _greets(**caller: str) -> Check:
    return all_of(status(101), chunks(2, caller=caller))


def websocket_cases() -> Iterable[Case]:
    """Handshakes, accepted and refused, and messages."""
    yield from (
        _websocket(
            "sees the caller",
            "A WebSocket handler sees the caller at every message.",
            (ALICE, _greets(authorization="Bearer alice")),
            (BOB, _greets(authorization="Bearer bob")),
        ),
        _websocket(
            "refused without credentials",
            "Without credentials the handshake is refused, and the handler never runs.",
            ((), closed_or_refused(refused())),
        ),
        _websocket(
            "refused with malformed credentials",
            "A malformed credential is refused as for HTTP, and the answer doesn't echo it.",
            (authorization(b"Bearer"), closed_or_refused(refused("malformed"))),
            (
                authorization(b"s3cret"),
                all_of(closed_or_refused(refused("malformed")), without("s3cret")),
            ),
        ),
        _websocket(
            "a cookie from the app's own page",
            "A handshake with ambient credentials from the same origin passes.",
            (SESSION + fetch_site(b"same-origin"), _greets(cookie="session=alice")),
            (SESSION, _greets(cookie="session=alice")),
        ),
        _websocket(
            "a cookie from another site",
            "A handshake counts as unsafe: the page that opened it can read the messages.",
            (SESSION + fetch_site(b"cross-site"), closed_or_refused(cross_site())),
            (SESSION + from_origin(b"https://evil.example"), closed_or_refused(cross_site())),
        ),
        _websocket(
            "a token from another site",
            "A token passes; beside a cookie it doesn't, as no CORS layer was asked about it.",
            (ALICE + fetch_site(b"cross-site"), _greets(authorization="Bearer alice")),
            (ALICE + SESSION + fetch_site(b"cross-site"), closed_or_refused(cross_site())),
        ),
        _websocket(
            "a token among the subprotocols",
            "A page can set no other header. The token is forwarded as a bearer token.",
            (_offer(b"app.v1, bearer.YWxpY2U"), _greets(authorization="Bearer alice")),
            (
                _offer(b"bearer.YWxpY2U, app.v1") + fetch_site(b"cross-site"),
                _greets(authorization="Bearer alice"),
            ),
            (
                _offer(b"bearer.YWxpY2U"),
                all_of(closed_or_refused(refused("malformed")), without("YWxpY2U")),
            ),
            (_offer(b"app.v1, bearer.!!!"), closed_or_refused(refused("malformed"))),
            (_offer(b"app.v1"), closed_or_refused(refused())),
            options="websocket-token",
        ),
        _websocket(
            "a trusted origin",
            "trusted_origins applies to WebSockets too.",
            (
                SESSION + fetch_site(b"same-site") + ((b"Origin", b"https://admin.example.com"),),
                _greets(cookie="session=alice"),
            ),
            options="trusting",
        ),
    )
    yield Case(
        "websocket: nothing left behind",
        "The requests after a WebSocket don't see its caller.",
        (Call(b"/ws", ALICE, websocket=True), _greets(authorization="Bearer alice")),
        (Call(b"/health"), sees_no_caller()),
        (Call(), refused()),
        needs=["websocket"],
    )
    yield Case(
        "websocket: refused by upstream",
        "If a handler fails before it accepts because upstream refuses the caller, the handshake "
        "is refused.",
        (Call(b"/ws-refused", ALICE, websocket=True), closed_or_refused(NOT_ACCEPTED)),
        (Call(b"/health"), sees_no_caller()),
        needs=["websocket"],
    )
    yield Case(
        "websocket: refused by upstream, but its client has left",
        "If the client has left, it can't be answered, so the error goes to the server.",
        (Call(b"/ws-left", ALICE, websocket=True, leave_after=0), status(0)),
        (Call(b"/health"), sees_no_caller()),
        needs=["websocket"],
    )
    yield Case(
        "websocket: a public path",
        "A public WebSocket has no caller.",
        (
            Call(b"/public/ws", ALICE, websocket=True),
            all_of(status(101), chunks(2, caller=None, absence="public")),
        ),
        needs=["websocket"],
    )
