"""Valid and malformed credentials."""

from collections.abc import Iterable

from passthrough_auth.testing.conformance.model import (
    Call,
    Case,
    all_of,
    logged_once,
    refused,
    sees,
    status,
    without,
)

from .common import ALICE, BOB, SEES_ALICE, SESSION, authorization, chunked

_GOOD_AUTHORIZATION = {
    "Bearer": b"Bearer alice",
    "another scheme": b"Token abc.def-ghi_~+/==",
    "two spaces": b"Bearer  alice",
    "8190 bytes": b"Bearer " + b"a" * 8183,
}

_BAD_AUTHORIZATION = {
    "a scheme alone": [b"Bearer"],
    "a scheme and a space": [b"Bearer "],
    "empty": [b""],
    "two lines": [b"Bearer a", b"Bearer b"],
    "the same line twice": [b"Bearer a", b"Bearer a"],
    "an empty line and a valid one": [b"", b"Bearer b"],
    "a valid line and an empty one": [b"Bearer a", b""],
    "two in one line": [b"Bearer a, Bearer b"],
    "a comma at the end": [b"Bearer a,"],
    "a space within": [b"Bearer a b"],
    "a tab within": [b"Bearer\ta"],
    "a control character": [b"Bearer a\x01b"],
    "DEL": [b"Bearer a\x7fb"],
    "beyond ASCII": [b"Bearer caf\xc3\xa9"],
    "latin-1": [b"Bearer caf\xe9"],
    "a parenthesis in the scheme": [b"Bear(er a"],
    "8191 bytes": [b"Bearer " + b"a" * 8184],
    "Digest without opting in": [b'Digest username="a", realm="b"'],
}

_BAD_COOKIES = {
    "no pair": [b"session"],
    "no name": [b"=alice"],
    "only separators": [b"; ; ;"],
    "two empty lines": [b"", b""],
    "a control character": [b"session=a\x01"],
    "beyond ASCII": [b"session=caf\xc3\xa9"],
}


def credential_cases() -> Iterable[Case]:
    """Credentials that are taken from a request, and malformed ones."""
    for name, value in _GOOD_AUTHORIZATION.items():
        yield Case(
            f"authorization: {name}",
            "An Authorization header is a scheme, spaces and visible ASCII. It is forwarded "
            "unchanged.",
            (Call(headers=authorization(value)), sees(authorization=value.decode())),
            server_may_refuse=len(value) > 4096,
        )
    yield Case(
        "authorization: surrounding space and tab",
        "White space around a field value isn't part of it (RFC 9110 section 5.5).",
        (Call(headers=authorization(b" \t Bearer alice \t")), SEES_ALICE),
        server_may_refuse=True,
    )
    for name, lines in _BAD_AUTHORIZATION.items():
        yield Case(
            f"malformed authorization: {name}",
            "A malformed Authorization header is refused, even if there is a valid cookie.",
            (Call(headers=authorization(*lines)), refused("malformed")),
            (Call(headers=authorization(*lines) + SESSION), refused("malformed")),
            server_may_refuse=True,
        )
    for name, lines in _BAD_COOKIES.items():
        yield Case(
            f"malformed cookie: {name}",
            "A Cookie header is visible ASCII with at least one name=value.",
            (Call(headers=tuple((b"Cookie", each) for each in lines)), refused("malformed")),
            (Call(headers=tuple((b"Cookie", each) for each in lines) + ALICE), SEES_ALICE),
            server_may_refuse=True,
        )
    yield from (
        Case(
            "cookie: the whole header",
            "extract_cookie_header forwards the whole header.",
            (
                Call(headers=((b"Cookie", b"a=1; session=x y; b"),)),
                sees(cookie="a=1; session=x y; b"),
            ),
        ),
        Case(
            "cookie: two lines",
            "The lines of a Cookie header are joined with a semicolon: HTTP/2 may split it.",
            (
                Call(headers=((b"Cookie", b"a=1"), (b"Cookie", b"session=x"))),
                sees(cookie="a=1; session=x"),
            ),
            interface="asgi",
        ),
        Case(
            "named cookies: on two lines",
            "extract_cookies finds the named cookies on every line of the Cookie header.",
            (
                Call(headers=((b"Cookie", b"session=abc; a=1"), (b"Cookie", b"sso=xyz"))),
                sees(cookie="session=abc; sso=xyz"),
            ),
            options="named-cookies",
            interface="asgi",
        ),
        Case(
            "cookie mapping: two lines",
            "request.cookies has the cookies of every line of the Cookie header.",
            (
                Call(headers=((b"Cookie", b"a=1"), (b"Cookie", b"session=abc"))),
                sees(x_session="abc"),
            ),
            options="cookie-mapping",
            interface="asgi",
        ),
        Case(
            "cookie: beside Authorization",
            "By default, both Authorization and Cookie are taken.",
            (
                Call(headers=ALICE + SESSION),
                sees(authorization="Bearer alice", cookie="session=alice"),
            ),
        ),
        Case(
            "named cookies: only those",
            "extract_cookies forwards the named cookies, and no others.",
            (
                Call(headers=((b"Cookie", b"tracker=1; session=abc; sso=xyz; other=2"),)),
                sees(cookie="session=abc; sso=xyz"),
            ),
            (Call(headers=((b"Cookie", b"tracker=1"),)), refused()),
            (Call(headers=ALICE), refused()),
            options="named-cookies",
        ),
        Case(
            "named cookies: planted twice",
            "Of two cookies with one name, one may come from a sibling domain; it can't be told "
            "which.",
            (Call(headers=((b"Cookie", b"session=abc; session=evil"),)), refused("malformed")),
            (Call(headers=((b"Cookie", b"session=abc; session=abc"),)), sees(cookie="session=abc")),
            options="named-cookies",
        ),
        Case(
            "named cookies: planted on a line of its own",
            "Two cookies with one name are refused, also if the server joins lines with a comma.",
            (
                Call(headers=((b"Cookie", b"session=abc"), (b"Cookie", b"session=evil"))),
                refused("malformed"),
            ),
            (
                Call(headers=((b"Cookie", b"session=abc; a=1"), (b"Cookie", b"session=evil"))),
                refused("malformed"),
            ),
            options="named-cookies",
        ),
        Case(
            "cookie mapping",
            "An extractor can read request.cookies on every framework.",
            (Call(headers=((b"Cookie", b"a=1; session=abc"),)), sees(x_session="abc")),
            options="cookie-mapping",
        ),
        Case(
            "custom header",
            "extract_custom_header forwards one header under its own name, in lower case.",
            (
                Call(headers=((b"x-FLYTE-token", b"secret token"),)),
                sees(x_flyte_token="secret token"),
            ),
            (Call(headers=ALICE + SESSION), refused()),
            options="custom-header",
        ),
        Case(
            "custom header: malformed",
            "A custom header is visible ASCII, with spaces only inside, and at most 8190 bytes.",
            (Call(headers=((b"X-Flyte-Token", b""),)), refused("malformed")),
            (Call(headers=((b"X-Flyte-Token", b"a\x01b"),)), refused("malformed")),
            (Call(headers=((b"X-Flyte-Token", b"caf\xc3\xa9"),)), refused("malformed")),
            (Call(headers=((b"X-Flyte-Token", b"a" * 8191),)), refused("malformed")),
            options="custom-header",
            server_may_refuse=True,
        ),
        Case(
            "custom header: two lines",
            "A custom header on two lines is refused, also if the server joins them with a comma.",
            (
                Call(headers=((b"X-Flyte-Token", b"evil"), (b"X-Flyte-Token", b"secret"))),
                refused("malformed"),
            ),
            (Call(headers=((b"X-Flyte-Token", b"evil,secret"),)), refused("malformed")),
            options="custom-header",
        ),
        Case(
            "custom header: another spelling",
            "X_Flyte_Token is another header than X-Flyte-Token.",
            (Call(headers=((b"X_Flyte_Token", b"secret"),)), refused()),
            options="custom-header",
            server_may_refuse=True,
        ),
        Case(
            "authorization: in the trailer of a chunked body",
            "A trailer field isn't a header (RFC 9110 section 6.5): proxies don't remove forged "
            "credentials there.",
            (chunked(trailer=b"Authorization: Bearer bob"), refused()),
            (chunked(ALICE, trailer=b"Authorization: Bearer bob"), SEES_ALICE),
            server_may_refuse=True,
        ),
        Case(
            "three extractors",
            "Every credential that an extractor finds is forwarded, in the order of extractors.",
            (
                Call(headers=SESSION + ALICE + ((b"X-Flyte-Token", b"t"),)),
                sees(authorization="Bearer alice", cookie="session=alice", x_flyte_token="t"),
            ),
            options="three",
        ),
        Case(
            "an extractor written for Flyte",
            "request.headers.get works on every framework. The same grammar applies to its value.",
            (Call(headers=((b"X-Token", b"alice"),)), SEES_ALICE),
            (Call(headers=((b"X-Token", b"a, Bearer b"),)), refused("malformed")),
            options="flyte-extractor",
        ),
        Case(
            "the first extractor of a name wins",
            "If two extractors yield the same name, the first one counts.",
            (Call(headers=((b"X-Token", b"alice"), *BOB)), SEES_ALICE),
            options="flyte-extractor",
        ),
        Case(
            "a faulty extractor",
            "An extractor that raises or yields a framing header counts as having found nothing; "
            "the others still count.",
            (Call(headers=SESSION + ALICE), all_of(sees(cookie="session=alice"))),
            (Call(headers=ALICE), all_of(refused(), without("alice"))),
            options="faulty",
        ),
        Case(
            "a faulty extractor: the warning",
            "One warning names the extractor and the type of its exception, and never the text.",
            (Call(headers=authorization(b"s3cret")), refused()),
            (
                Call(headers=authorization(b"Bearer s3cret") + SESSION),
                sees(cookie="session=alice"),
            ),
            (
                Call(b"/logged", SESSION),
                all_of(
                    status(200), logged_once("options.raising_", "ValueError"), without("s3cret")
                ),
            ),
            options="faulty",
        ),
        Case(
            "Digest with opting in",
            "Schemes that use commas need comma_schemes, and are then forwarded whole.",
            (
                Call(headers=authorization(b'Digest username="a", realm="b"')),
                sees(authorization='Digest username="a", realm="b"'),
            ),
            (Call(headers=authorization(b"Bearer a, Bearer b")), refused("malformed")),
            options="digest",
        ),
    )
