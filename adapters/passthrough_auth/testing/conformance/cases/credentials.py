"""Valid and malformed credentials."""

from collections.abc import Iterable

from passthrough_auth.testing.conformance.model import (
    Call,
    Case,
    all_of,
    cross_site,
    either,
    logged_once,
    refused,
    sees,
    status,
    without,
)

from .common import (
    ALICE,
    BOB,
    SEES_ALICE,
    SEES_BOB,
    SESSION,
    authorization,
    chunked,
    fetch_site,
)

_GOOD_AUTHORIZATION = {
    "Bearer": b"Bearer alice",
    "another scheme": b"Token abc.def-ghi_~+/==",
    "two spaces": b"Bearer  alice",
    "12 KB, a Kerberos ticket": b"Negotiate " + b"a" * 12_000,
    "65,536 bytes": b"Bearer " + b"a" * 65_529,
}

_BAD_AUTHORIZATION = {
    "a scheme alone": [b"Bearer"],
    "a scheme and a space": [b"Bearer "],
    "two lines": [b"Bearer a", b"Bearer b"],
    "two empty lines": [b"", b""],
    "the same line twice": [b"Bearer a", b"Bearer a"],
    "an empty line and a valid one": [b"", b"Bearer b"],
    "a valid line and an empty one": [b"Bearer a", b""],
    "two in one line": [b"Bearer a, Bearer b"],
    "a comma at the end": [b"Bearer a,"],
    "a space within": [b"Bearer a b"],
    "a tab within": [b"Bearer\ta"],
    "a control character": [b"Bearer a\x01b"],
    "DEL": [b"Bearer a\x7fb"],
    "a parenthesis in the scheme": [b"Bear(er a"],
    "65,537 bytes": [b"Bearer " + b"a" * 65_530],
    "Digest without opting in": [b'Digest username="a", realm="b"'],
}

_BAD_COOKIES = {
    "no pair": [b"session"],
    "no name": [b"=alice"],
    "only separators": [b"; ; ;"],
    "two empty lines": [b"", b""],
    "a control character": [b"session=a\x01"],
    "a control character in another cookie": [b"session=alice; a=\x01"],
    "a control character in another cookie, beyond ASCII": [b"session=alice; a=\xc3\xa9\x01"],
    "65,537 bytes": [b"session=" + b"a" * 65_529],
}

_NO_COOKIES = {
    "an empty header": b"",
    "no value": b"session=",
    "an empty quoted value": b'session=""',
    "two without a value": b"session=; csrf=; flag",
}

# granian with WSGI turns a value beyond ASCII into an empty one.
_MALFORMED_OR_LOST = either(refused("malformed"), refused("required"))


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
    for name, line in _NO_COOKIES.items():
        yield Case(
            f"no cookie: {name}",
            "Log-out empties cookies: one without a value counts as not sent.",
            (Call(headers=((b"Cookie", line),)), refused("required")),
            (Call(headers=((b"Cookie", line), *ALICE)), SEES_ALICE),
            server_may_refuse=True,
        )
    for name, line in {"UTF-8": b"Bearer caf\xc3\xa9", "latin-1": b"Bearer caf\xe9"}.items():
        yield Case(
            f"malformed authorization: {name}",
            "A malformed Authorization header is refused, even if there is a valid cookie.",
            (Call(headers=authorization(line)), refused("malformed")),
            (Call(headers=authorization(line) + SESSION), refused("malformed")),
            server_may_refuse=True,
            interface="asgi",
        )
        yield Case(
            f"authorization of text: {name}",
            "Only ASCII is forwarded, whatever a WSGI server makes of other bytes.",
            (Call(headers=authorization(line)), _MALFORMED_OR_LOST),
            server_may_refuse=True,
        )
    yield from _forgiving_cases()
    yield from _special_extractor_cases()
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
            "A custom header is visible ASCII, with spaces only inside.",
            (Call(headers=((b"X-Flyte-Token", b"a\x01b"),)), refused("malformed")),
            (Call(headers=((b"X-Flyte-Token", b"caf\xc3\xa9"),)), _MALFORMED_OR_LOST),
            options="custom-header",
            server_may_refuse=True,
        ),
        Case(
            "custom header: 65,537 bytes",
            "A custom header has at most 65,536 bytes.",
            (Call(headers=((b"X-Flyte-Token", b"a" * 65_537),)), refused("malformed")),
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


def _forgiving_cases() -> Iterable[Case]:
    """What proxies, and other apps on the same host, send beside a credential."""
    yield from (
        Case(
            "authorization: an empty line",
            "An empty header counts as not sent: proxies send one for callers without a token.",
            (Call(headers=authorization(b"")), refused("required")),
            (Call(headers=authorization(b" \t")), refused("required")),
            (Call(headers=authorization(b"") + SESSION), sees(cookie="session=alice")),
            server_may_refuse=True,
        ),
        Case(
            "custom header: empty",
            "An empty header counts as not sent.",
            (Call(headers=((b"X-Flyte-Token", b""),)), refused("required")),
            options="custom-header",
            server_may_refuse=True,
        ),
        Case(
            "cookie: another app's, beyond ASCII",
            "A cookie that can't travel is left out, and the others are taken.",
            (
                Call(headers=((b"Cookie", b"name=Jos\xc3\xa9; session=alice; a=1"),)),
                sees(cookie="session=alice; a=1"),
            ),
            (Call(headers=((b"Cookie", b"name=Jos\xc3\xa9"),)), refused("malformed")),
            interface="asgi",
            server_may_refuse=True,
        ),
        Case(
            "named cookies: beside one that can't travel",
            "extract_cookies refuses only if a cookie that it names is malformed.",
            (
                Call(headers=((b"Cookie", b"name=Jos\xc3\xa9; session=alice"),)),
                sees(cookie="session=alice"),
            ),
            (Call(headers=((b"Cookie", b"a=1; session=Jos\xc3\xa9"),)), refused("malformed")),
            options="named-cookies",
            interface="asgi",
            server_may_refuse=True,
        ),
        Case(
            "named cookies: one without a value",
            "A cookie without a value is none, also beside another of its name.",
            (Call(headers=((b"Cookie", b"session="),)), refused("required")),
            (Call(headers=((b"Cookie", b'session=""; a=1'),)), refused("required")),
            (Call(headers=((b"Cookie", b"session=; session=abc"),)), sees(cookie="session=abc")),
            options="named-cookies",
        ),
        Case(
            "named cookies: JSON",
            "Only the name of a cookie after a comma may be another cookie: JSON has commas too.",
            (
                Call(headers=((b"Cookie", b'session={"a":"x=1","b":"y=2"}'),)),
                sees(cookie='session={"a":"x=1","b":"y=2"}'),
            ),
            (Call(headers=((b"Cookie", b"session=a,b=2"),)), refused("malformed")),
            options="named-cookies",
        ),
        Case(
            "named cookies: longer than any credential",
            "A Cookie header of more than 65,536 bytes is malformed, whatever is asked for.",
            (
                Call(headers=((b"Cookie", b"a=" + b"b" * 65_536 + b"; session=alice"),)),
                refused("malformed"),
            ),
            options="named-cookies",
            server_may_refuse=True,
        ),
    )


def _special_extractor_cases() -> Iterable[Case]:
    """Extractors for one scheme, for a token in a cookie, and for a key without a scheme."""
    token = b"access_token="
    yield from (
        Case(
            "prefix cookies",
            "A `*` at the end of a name stands for any rest.",
            (
                Call(headers=((b"Cookie", b"sb-a.0=x; other=1; sb-a.1=y"),)),
                sees(cookie="sb-a.0=x; sb-a.1=y"),
            ),
            (Call(headers=((b"Cookie", b"sbx=1; SB-a=1"),)), refused("required")),
            (Call(headers=((b"Cookie", b"sb-a=x; sb-a=evil"),)), refused("malformed")),
            (Call(headers=((b"Cookie", b"a=1,sb-a=evil"),)), refused("malformed")),
            options="prefix-cookies",
        ),
        Case(
            "bearer token",
            "A header with another scheme than Bearer counts as not sent.",
            (Call(headers=ALICE), SEES_ALICE),
            (
                Call(headers=authorization(b"bearer alice")),
                sees(authorization="bearer alice"),
            ),
            (Call(headers=authorization(b"Basic c3RhZ2luZzpwdw==")), refused("required")),
            (
                Call(headers=authorization(b"Basic c3RhZ2luZzpwdw==") + SESSION),
                sees(cookie="session=alice"),
            ),
            (
                Call(headers=authorization(b'Digest username="a", realm="b"') + SESSION),
                sees(cookie="session=alice"),
            ),
            options="bearer",
        ),
        Case(
            "bearer token: malformed",
            "What is no single header of any scheme stays malformed.",
            *(
                (Call(headers=authorization(*lines) + SESSION), refused("malformed"))
                for lines in (
                    [b"Basic a", b"Bearer b"],
                    [b"Basic a", b""],
                    [b"Basic a", b"Basic b"],
                    [b"Bearer"],
                    [b"abc"],
                )
            ),
            options="bearer",
        ),
        Case(
            "bearer token from a cookie",
            "The token is forwarded as a bearer token, without quotes and without another Bearer.",
            *(
                (Call(headers=((b"Cookie", b"a=1; " + token + value),)), SEES_ALICE)
                for value in (
                    b"alice",
                    b'"alice"',
                    b"Bearer alice",
                    b'"Bearer alice"',
                    b"bearer%20alice",
                )
            ),
            (Call(headers=((b"Cookie", token),)), refused("required")),
            (Call(headers=((b"Cookie", b"a=1"),)), refused("required")),
            (Call(headers=(*BOB, (b"Cookie", token + b"alice"))), SEES_BOB),
            options="bearer-cookie",
        ),
        Case(
            "bearer token from a cookie: malformed",
            "Planted twice, or not one token: refused.",
            *(
                (Call(headers=((b"Cookie", line),)), refused("malformed"))
                for line in (
                    b"access_token=alice; access_token=evil",
                    b"a=1,access_token=evil",
                    b'access_token="Bearer a b"',
                    b"access_token=a%0d%0ab",
                    b"access_token=Bearer%20",
                )
            ),
            options="bearer-cookie",
        ),
        Case(
            "bearer token from a cookie: ambient",
            "A browser attaches the cookie by itself, so another site can't act with it.",
            (
                Call(
                    headers=((b"Cookie", token + b"alice"), *fetch_site(b"cross-site")),
                    method="POST",
                ),
                cross_site(),
            ),
            options="bearer-cookie",
        ),
        Case(
            "authorization without a scheme",
            "extract_bare_authorization passes a key without a scheme unchanged.",
            (Call(headers=authorization(b"abc.def")), sees(authorization="abc.def")),
            (Call(headers=ALICE), SEES_ALICE),
            (Call(headers=authorization(b"Bearer")), refused("malformed")),
            (Call(headers=authorization(b"a b c")), refused("malformed")),
            (Call(headers=authorization(b"a", b"b")), refused("malformed")),
            options="bare",
        ),
    )
