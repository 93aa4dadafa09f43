"""Every sentence of the semantics that can be tested, as a case."""

from collections.abc import Iterable

from passthrough_auth.core import ConfigurationError

from .model import (
    Call,
    Case,
    Check,
    HeaderLines,
    all_of,
    body,
    chunks,
    closed_or_refused,
    cross_site,
    header,
    hides,
    json_lines,
    logged_once,
    no_body,
    raises,
    refused,
    sees,
    sees_nobody,
    shows,
    status,
    without,
)
from .options import CERTIFICATES, FORGET, WRONG

ALICE: HeaderLines = ((b"Authorization", b"Bearer alice"),)
BOB: HeaderLines = ((b"Authorization", b"Bearer bob"),)
SESSION: HeaderLines = ((b"Cookie", b"session=alice"),)
SEES_ALICE = sees(authorization="Bearer alice")
SEES_BOB = sees(authorization="Bearer bob")


def _authorization(*lines: bytes) -> HeaderLines:
    return tuple((b"Authorization", line) for line in lines)


def _chunked(headers: HeaderLines = (), *, trailer: bytes) -> Call:
    """A request with one byte of body, and a trailer field behind it."""
    body = b"1\r\nx\r\n0\r\n" + trailer + b"\r\n\r\n"
    return Call(b"/whoami", (*headers, (b"Transfer-Encoding", b"chunked")), "POST", body)


# --- Which paths are public ---------------------------------------------------------------------

_PUBLIC_PATHS = {
    "exact": b"/health",
    "exact, with a query": b"/health?token=1",
    "subtree": b"/public/logo.png",
    "subtree, deep": b"/public/a/b/c",
    "subtree, its own root": b"/public/",
    "subtree, a space": b"/public/a%20b",
    "subtree, beyond ASCII": b"/public/caf%C3%A9",
    "pattern": b"/api/v2/status",
    "pattern, of every file of a kind": b"/theme/site.css",
    "percent-encoded letters": b"/%68ealth",
    "an encoded slash": b"/public%2Fx",
}

# Each would reach a public handler, or a protected one by a public-looking path, if a rule matched
# a little more than it says, or if the path were read another way than the router reads it.
_PROTECTED_PATHS = {
    "a trailing slash is another path": b"/health/",
    "letters of another case": b"/HEALTH",
    "below an exact rule": b"/health/x",
    "a longer name": b"/healthy",
    "the subtree's name without its slash": b"/public",
    "a sibling of the subtree": b"/publicity",
    "a dot segment": b"/public/../whoami",
    "a dot segment, encoded": b"/public/%2e%2e/whoami",
    "a dot segment, encoded with its slash": b"/public/..%2fwhoami",
    "a single dot": b"/public/./x",
    "a dot segment at the end": b"/public/..",
    "two slashes": b"/public//x",
    "two slashes in front": b"//public/x",
    "an encoded line feed": b"/heal%0Ath",
    "an encoded line feed at the end": b"/health%0A",
    "an encoded carriage return": b"/public/%0Dx",
    "an encoded tab": b"/public/%09x",
    "an encoded NUL": b"/public/%00x",
    "an encoded DEL": b"/public/%7Fx",
    "a backslash": b"/public/%5C..%5Cwhoami",
    "a twice-encoded dot segment": b"/public/%252e%252e/whoami",
    "an encoded percent": b"/public/100%25",
    "an encoded question mark": b"/health%3F",
    "an encoded hash": b"/public/%23x",
    "a path parameter": b"/public/x;a=b",
    "a path parameter in front of a dot segment": b"/public/..;/whoami",
    "not UTF-8": b"/public/%FF",
    "an overlong UTF-8 slash": b"/public/..%C0%AFwhoami",
    "a surrogate": b"/public/%ED%A0%80",
    "a replacement character": b"/public/%EF%BF%BD",
    "a pattern followed by more": b"/api/v2/status/x",
    "a pattern followed by a line feed": b"/api/v2/status%0A",
    "a pattern with more in front": b"/x/api/v2/status",
    "a pattern that any path with a dot segment fits": b"/theme/../site.css",
    "a pattern that any path without a slash in front fits": b"site.css",
    "no rule at all": b"/whoami",
    "the root": b"/",
    "a path the app has no route for": b"/no/such/route",
}


def _path_cases() -> Iterable[Case]:
    for name, target in _PUBLIC_PATHS.items():
        yield Case(
            f"public path: {name}",
            "A public path runs its handler, and binds no caller even if credentials were sent.",
            (Call(target), sees_nobody()),
            (Call(target, ALICE), sees_nobody()),
        )
    for name, target in _PROTECTED_PATHS.items():
        yield Case(
            f"protected path: {name}",
            "A string rule is exact, and no rule matches a path that could be read in two ways.",
            (Call(target), refused()),
            server_may_refuse=True,
            # Starlette's own Mount has no match for a line feed; what is in front stays in front.
            mountable=target not in (b"/heal%0Ath", b"//public/x", b"site.css"),
        )
    yield Case(
        "protected path: absolute-form target",
        "The path is that of the request, whatever form its target has (RFC 9112 section 3.2.2).",
        (Call(b"http://localhost/whoami"), refused()),
        server_may_refuse=True,
        mountable=False,
    )
    yield Case(
        "protected path: the Host header says a public one",
        "The path never comes from the Host header, as on Starlette before 1.0.1.",
        (Call(headers=((b"Host", b"localhost/health?"),)), refused()),
        (Call(headers=((b"Host", b"localhost#"),)), refused()),
        server_may_refuse=True,
    )
    yield Case(
        "protected path: SCRIPT_NAME from a header",
        "gunicorn takes SCRIPT_NAME from a client header on loopback; the path has none of it.",
        (Call(headers=((b"Script-Name", b"/health"),)), refused()),
        (Call(b"/health/whoami", headers=((b"Script-Name", b"/health"),)), refused()),
        server_may_refuse=True,
    )
    yield Case(
        "root path: taken off in front",
        "The path is the one within the app, below where a server has mounted it.",
        (Call(b"/app/health", scope=_root("/app")), sees_nobody()),
        (Call(b"/health", scope=_root("/health")), refused()),
        (Call(b"/health/whoami", scope=_root("/health")), refused()),
        mountable=False,
        interface="asgi",
    )
    yield Case(
        "root path: at a slash only",
        "root_path is taken off at a / boundary only. Routers do otherwise, so no rule matches.",
        (Call(b"/x//public/y", scope=_root("/x/")), refused()),
        (Call(b"/public/app/x", scope=_root("/app")), refused()),
        (Call(b"/public/x", scope=_root("/pub")), refused()),
        (Call(b"x/health", scope=_root("x")), refused()),
        # Django's router has a path of its own, which is the one that is matched there.
        needs=["raw-asgi"],
        mountable=False,
    )
    yield Case(
        "protected path: a rewriting header",
        "Headers that some proxies take a path from mean nothing here.",
        (
            Call(headers=((b"X-Original-URL", b"/health"), (b"X-Rewrite-URL", b"/health"))),
            refused(),
        ),
    )


def _root(path: str) -> tuple[tuple[str, str], ...]:
    return (("root_path", path),)


# --- What counts as a credential ----------------------------------------------------------------

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


def _credential_cases() -> Iterable[Case]:
    for name, value in _GOOD_AUTHORIZATION.items():
        yield Case(
            f"authorization: {name}",
            "An Authorization header is scheme, spaces, visible ASCII; it is forwarded as it is.",
            (Call(headers=_authorization(value)), sees(authorization=value.decode())),
            server_may_refuse=len(value) > 4096,
        )
    yield Case(
        "authorization: surrounding space and tab",
        "White space around a field value is no part of it (RFC 9110 section 5.5).",
        (Call(headers=_authorization(b" \t Bearer alice \t")), SEES_ALICE),
        server_may_refuse=True,
    )
    for name, lines in _BAD_AUTHORIZATION.items():
        yield Case(
            f"malformed authorization: {name}",
            "A malformed Authorization header is a refusal; there is no falling back to a cookie.",
            (Call(headers=_authorization(*lines)), refused("malformed")),
            (Call(headers=_authorization(*lines) + SESSION), refused("malformed")),
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
            "With the plain cookie extractor the header travels whole.",
            (
                Call(headers=((b"Cookie", b"a=1; session=x y; b"),)),
                sees(cookie="a=1; session=x y; b"),
            ),
        ),
        Case(
            "cookie: two lines",
            "The lines of a Cookie header are joined with a semicolon, as HTTP/2 may split them.",
            (
                Call(headers=((b"Cookie", b"a=1"), (b"Cookie", b"session=x"))),
                sees(cookie="a=1; session=x"),
            ),
            interface="asgi",
        ),
        Case(
            "named cookies: on two lines",
            "So also where single cookies are picked.",
            (
                Call(headers=((b"Cookie", b"session=abc; a=1"), (b"Cookie", b"sso=xyz"))),
                sees(cookie="session=abc; sso=xyz"),
            ),
            options="named-cookies",
            interface="asgi",
        ),
        Case(
            "cookie mapping: two lines",
            "So also where an extractor reads request.cookies.",
            (
                Call(headers=((b"Cookie", b"a=1"), (b"Cookie", b"session=abc"))),
                sees(x_session="abc"),
            ),
            options="cookie-mapping",
            interface="asgi",
        ),
        Case(
            "cookie: beside Authorization",
            "By default both are taken.",
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
            "Of two cookies of one name, one may come from a sibling domain; nothing tells which.",
            (Call(headers=((b"Cookie", b"session=abc; session=evil"),)), refused("malformed")),
            (Call(headers=((b"Cookie", b"session=abc; session=abc"),)), sees(cookie="session=abc")),
            options="named-cookies",
        ),
        Case(
            "named cookies: planted on a line of its own",
            "Servers join the lines of a Cookie header, and several do it with a comma.",
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
            "An extractor may read request.cookies on every framework.",
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
            "A custom header is visible ASCII and inner spaces, at most 8190 bytes.",
            (Call(headers=((b"X-Flyte-Token", b""),)), refused("malformed")),
            (Call(headers=((b"X-Flyte-Token", b"a\x01b"),)), refused("malformed")),
            (Call(headers=((b"X-Flyte-Token", b"caf\xc3\xa9"),)), refused("malformed")),
            (Call(headers=((b"X-Flyte-Token", b"a" * 8191),)), refused("malformed")),
            options="custom-header",
            server_may_refuse=True,
        ),
        Case(
            "custom header: two lines",
            "A custom header has one line, also on servers that join two of them with a comma.",
            (
                Call(headers=((b"X-Flyte-Token", b"evil"), (b"X-Flyte-Token", b"secret"))),
                refused("malformed"),
            ),
            (Call(headers=((b"X-Flyte-Token", b"evil,secret"),)), refused("malformed")),
            options="custom-header",
        ),
        Case(
            "custom header: another spelling",
            "X_Flyte_Token is not X-Flyte-Token.",
            (Call(headers=((b"X_Flyte_Token", b"secret"),)), refused()),
            options="custom-header",
            server_may_refuse=True,
        ),
        Case(
            "authorization: in the trailer of a chunked body",
            "A trailer field is no header (RFC 9110 section 6.5), and proxies strip none there.",
            (_chunked(trailer=b"Authorization: Bearer bob"), refused()),
            (_chunked(ALICE, trailer=b"Authorization: Bearer bob"), SEES_ALICE),
            server_may_refuse=True,
        ),
        Case(
            "three extractors",
            "All that the extractors find is forwarded, in their order.",
            (
                Call(headers=SESSION + ALICE + ((b"X-Flyte-Token", b"t"),)),
                sees(authorization="Bearer alice", cookie="session=alice", x_flyte_token="t"),
            ),
            options="three",
        ),
        Case(
            "an extractor written for Flyte",
            "request.headers.get works on every framework; the value is held to the same grammar.",
            (Call(headers=((b"X-Token", b"alice"),)), SEES_ALICE),
            (Call(headers=((b"X-Token", b"a, Bearer b"),)), refused("malformed")),
            options="flyte-extractor",
        ),
        Case(
            "the first extractor of a name wins",
            "Of two extractors that yield the same name, the first wins.",
            (Call(headers=((b"X-Token", b"alice"), *BOB)), SEES_ALICE),
            options="flyte-extractor",
        ),
        Case(
            "a faulty extractor",
            "One that raises, or yields a framing name, found nothing; the others still count.",
            (Call(headers=SESSION + ALICE), all_of(sees(cookie="session=alice"))),
            (Call(headers=ALICE), all_of(refused(), without("alice"))),
            options="faulty",
        ),
        Case(
            "a faulty extractor: the warning",
            "One warning names the extractor and the exception's type, never its text.",
            (Call(headers=_authorization(b"s3cret")), refused()),
            (
                Call(headers=_authorization(b"Bearer s3cret") + SESSION),
                sees(cookie="session=alice"),
            ),
            (
                Call(b"/logged", SESSION),
                all_of(status(200), logged_once("raising_", "ValueError"), without("s3cret")),
            ),
            options="faulty",
        ),
        Case(
            "Digest with opting in",
            "Schemes that use commas need an explicit opt-in, and then travel whole.",
            (
                Call(headers=_authorization(b'Digest username="a", realm="b"')),
                sees(authorization='Digest username="a", realm="b"'),
            ),
            (Call(headers=_authorization(b"Bearer a, Bearer b")), refused("malformed")),
            options="digest",
        ),
    )


# --- The answer ---------------------------------------------------------------------------------


def _answer_cases() -> Iterable[Case]:
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
                Call(b"/whoami?q=s3cret", (*_authorization(b"s3cret"), (b"X-Any", b"s3cret"))),
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
            (Call(b"/upstream-refuses", ALICE), _NOT_ACCEPTED),
            (Call(b"/health"), sees_nobody()),
        ),
        Case(
            "refused: by upstream, after early hints",
            "What is sent ahead of an answer doesn't begin one.",
            (Call(b"/early-hints", ALICE), _NOT_ACCEPTED),
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


_NOT_ACCEPTED = all_of(
    status(401),
    body(detail="Authentication credentials not accepted"),
    header("www-authenticate", "Bearer"),
    header("cache-control", "no-store"),
    without("s3cret"),
)

_PREFLIGHT: HeaderLines = (
    (b"Origin", b"https://app.example.com"),
    (b"Access-Control-Request-Method", b"GET"),
)


# --- Cross-site ---------------------------------------------------------------------------------


def _site(value: bytes) -> HeaderLines:
    return ((b"Sec-Fetch-Site", value),)


def _from(origin: bytes, host: bytes = b"app.example.com") -> HeaderLines:
    return ((b"Origin", origin), (b"Host", host))


_ALLOWED = {
    "same-origin": _site(b"same-origin"),
    "by the user's own hand": _site(b"none"),
    "no browser headers": (),
    "Origin is the Host": _from(b"https://app.example.com"),
    "Origin is the Host, with its default port": _from(
        b"https://app.example.com", b"app.example.com:443"
    ),
    "Origin is the Host, with a port": _from(
        b"http://app.example.com:8000", b"app.example.com:8000"
    ),
    "Sec-Fetch-Site speaks for the Origin": _site(b"same-origin") + _from(b"https://cdn.example"),
}

_CROSS_SITE = {
    "cross-site": _site(b"cross-site"),
    "a sibling domain": _site(b"same-site"),
    "a word of tomorrow": _site(b"galactic"),
    "Sec-Fetch-Site speaks against the Origin": _site(b"cross-site")
    + _from(b"https://app.example.com"),
    "another Origin": _from(b"https://evil.example"),
    "another port": _from(b"https://app.example.com:8443"),
    "the opaque Origin": _from(b"null"),
    "an Origin that begins alike": _from(b"https://app.example.com.evil.example"),
    "an Origin with a user": _from(b"https://app.example.com@evil.example"),
    "two Origins": (*_from(b"https://app.example.com"), (b"Origin", b"https://evil.example")),
}


def _cross_site_cases() -> Iterable[Case]:
    for name, lines in _ALLOWED.items():
        yield Case(
            f"own site: {name}",
            "Requests of the app's own pages, and of clients that are no browser, pass.",
            (Call(headers=SESSION + lines, method="POST"), sees(cookie="session=alice")),
        )
    for name, lines in _CROSS_SITE.items():
        yield Case(
            f"cross-site: {name}",
            "An unsafe request that another site made a browser send is refused.",
            (Call(headers=SESSION + lines, method="POST"), cross_site()),
            (Call(headers=SESSION + lines, method="DELETE"), cross_site()),
            (Call(headers=SESSION + lines), sees(cookie="session=alice")),
            server_may_refuse=name == "two Origins",
        )
    for method in ("GET", "HEAD", "OPTIONS", "TRACE"):
        yield Case(
            f"cross-site: {method} is safe",
            "A method that changes nothing may come from another site (RFC 9110 section 9.2.1).",
            # Whatever else there is to say about that method behind the gate.
            (
                Call(headers=SESSION + _site(b"cross-site"), method=method),
                header("x-handler", "yes"),
            ),
            server_may_refuse=method == "TRACE",
        )
    for method in ("POST", "PUT", "PATCH", "DELETE", "BREW"):
        yield Case(
            f"cross-site: {method} is unsafe",
            "Any other method could change something.",
            (Call(headers=SESSION + _site(b"cross-site"), method=method), cross_site()),
            server_may_refuse=method == "BREW",
        )
    yield from (
        Case(
            "cross-site: a GET that asks to be a WebSocket",
            "WSGI has no handshake, and servers let apps take over the connection of such a GET.",
            (
                Call(
                    headers=SESSION
                    + _site(b"cross-site")
                    + ((b"Connection", b"Upgrade"), (b"Upgrade", b"WebSocket"))
                ),
                cross_site(),
            ),
            interface="wsgi",
            server_may_refuse=True,
        ),
        Case(
            "cross-site: a credential that no browser attaches",
            "Where one credential is not ambient, another site can't have sent it.",
            (Call(headers=ALICE + _site(b"cross-site"), method="POST"), SEES_ALICE),
            (
                Call(headers=ALICE + SESSION + _site(b"cross-site"), method="POST"),
                sees(authorization="Bearer alice", cookie="session=alice"),
            ),
        ),
        Case(
            "cross-site: Basic is attached by the browser",
            "A browser answers Basic, Digest and Negotiate by itself (RFC 7617).",
            (
                Call(headers=_authorization(b"Basic YTpi") + _site(b"cross-site"), method="POST"),
                cross_site(),
            ),
        ),
        Case(
            "cross-site: a header that a proxy made of a cookie",
            "x-forwarded-access-token proves no more than the cookie it was made of.",
            (
                Call(
                    headers=((b"X-Forwarded-Access-Token", b"t"), *_site(b"cross-site")),
                    method="POST",
                ),
                cross_site(),
            ),
            (
                Call(headers=((b"X-Forwarded-Access-Token", b"t"),), method="POST"),
                sees(x_forwarded_access_token="t"),
            ),
            options="behind-proxy",
        ),
        Case(
            "cross-site: a client's certificate",
            "Browsers show it by themselves, so headers that a proxy derives from it are ambient.",
            *[
                (
                    Call(headers=((name.encode(), b"x"), *_site(b"cross-site")), method="POST"),
                    cross_site(),
                )
                for name in CERTIFICATES
            ],
            (
                Call(headers=((CERTIFICATES[0].encode(), b"x"),), method="POST"),
                sees(client_cert="x"),
            ),
            options="certificate",
        ),
        Case(
            "cross-site: an extractor that doesn't say",
            "An extractor of the app's own counts as ambient unless it says otherwise.",
            (
                Call(headers=((b"X-Token", b"alice"), *_site(b"cross-site")), method="POST"),
                cross_site(),
            ),
            options="flyte-extractor",
        ),
        Case(
            "cross-site: a trusted origin",
            "trusted_origins names exceptions.",
            (
                Call(
                    headers=SESSION + _site(b"same-site") + _from(b"https://admin.example.com"),
                    method="POST",
                ),
                sees(cookie="session=alice"),
            ),
            (
                Call(headers=SESSION + _from(b"https://admin.example.com"), method="POST"),
                sees(cookie="session=alice"),
            ),
            (
                Call(headers=SESSION + _from(b"http://admin.example.com"), method="POST"),
                cross_site(),
            ),
            options="trusting",
        ),
        Case(
            "cross-site: a public path",
            "A public path has no caller to act as, so there is nothing to refuse.",
            (
                Call(b"/health", SESSION + _site(b"cross-site"), method="POST"),
                sees_nobody(),
            ),
        ),
    )


# --- How long it lasts --------------------------------------------------------------------------

_LARGE = b"x" * 70_000
_LARGER = b"x" * 300_000
NEIGHBOUR = "/neighbour"
"""A path beside the protected app, see `column`; what serves it is not protected."""


def _visibility_cases() -> Iterable[Case]:
    alice = {"authorization": "Bearer alice"}
    service = {"authorization": "Bearer service"}
    seen = {"caller": alice, "absence": None}
    yield from (
        Case(
            "visible in the middleware inside",
            "Nested middleware sees the caller, before and after the handler.",
            (
                Call(headers=ALICE),
                all_of(
                    SEES_ALICE,
                    header(
                        "x-middleware-saw",
                        '{"caller": {"authorization": "Bearer alice"}, "absence": null}',
                    ),
                ),
            ),
        ),
        Case(
            "visible in exception handlers",
            "The app's error handler sees the caller of the handler that failed.",
            (Call(b"/raise", ALICE), all_of(status(418), body(caller=alice))),
            (Call(b"/health"), sees_nobody()),
        ),
        Case(
            "visible in a sync streaming body",
            "Every chunk of a sync body is produced on behalf of the caller.",
            (Call(b"/stream", ALICE), all_of(status(200), chunks(3, **seen))),
            (Call(b"/health"), sees_nobody()),
            needs=["sync-stream"],
        ),
        Case(
            "visible in an async streaming body",
            "Every chunk of an async body is produced on behalf of the caller.",
            (Call(b"/astream", ALICE), all_of(status(200), chunks(3, **seen))),
            (Call(b"/health"), sees_nobody()),
            needs=["async-stream"],
        ),
        Case(
            "visible when a sync streaming body is closed",
            "What a body does when its client has left, it does on behalf of its caller.",
            (Call(b"/closing/%(key)s", ALICE, leave_after=2), status(200)),
            (Call(b"/recorded/%(key)s", BOB), all_of(status(200), body(caller=alice))),
            needs=["sync-stream"],
            interface="wsgi",
        ),
        Case(
            "kept in a sync streaming body: a caller of its own",
            "A block with auth_metadata lasts from one chunk to the next, and ends where it ends.",
            (Call(b"/acting", ALICE), json_lines(*[{"caller": service}] * 3, seen)),
            (Call(b"/health"), sees_nobody()),
            needs=["sync-stream"],
            interface="wsgi",
        ),
        Case(
            "kept in an async streaming body: a caller of its own",
            "A block with auth_metadata lasts from one chunk to the next, and ends where it ends.",
            (Call(b"/acting", ALICE), json_lines(*[{"caller": service}] * 3, seen)),
            (Call(b"/health"), sees_nobody()),
            needs=["async-stream"],
        ),
        Case(
            "public in a streaming body",
            "On a public path a streamed body has no caller either.",
            (
                Call(b"/public/stream", ALICE),
                all_of(status(200), chunks(3, caller=None, absence="public")),
            ),
        ),
        Case(
            "visible in background work of the framework",
            "Work that the framework runs after the response still belongs to the request.",
            (Call(b"/background/%(key)s", ALICE), SEES_ALICE),
            (Call(b"/recorded/%(key)s", BOB), all_of(status(200), body(caller=alice))),
            needs=["background"],
        ),
        Case(
            "visible in threads",
            "Given the context or a snapshot, or by our pool, a thread has the caller.",
            (
                Call(b"/threads", ALICE),
                all_of(
                    SEES_ALICE,
                    body(
                        with_context=seen,
                        with_snapshot=seen,
                        caller_pool=seen,
                        without={"caller": None, "absence": "outside"},
                    ),
                ),
            ),
        ),
        Case(
            "visible in tasks and to_thread",
            "create_task and to_thread carry the caller by themselves; run_in_executor does not.",
            (
                Call(b"/athreads", ALICE),
                all_of(
                    SEES_ALICE,
                    body(
                        to_thread=seen,
                        anyio_to_thread=seen,
                        sync_to_async=seen,
                        task=seen,
                        with_snapshot=seen,
                        caller_pool=seen,
                        without={"caller": None, "absence": "outside"},
                    ),
                ),
            ),
            needs=["async"],
        ),
        Case(
            "left behind by a fork",
            "A forked process has no caller: no request ends there. Nor are fingerprints the same.",
            (
                Call(b"/forked", ALICE),
                all_of(
                    SEES_ALICE,
                    body(
                        alone={"caller": None, "absence": "outside"},
                        with_context={"caller": None, "absence": "forked"},
                        with_snapshot={"caller": None, "absence": "forked"},
                        same_fingerprint=False,
                    ),
                ),
            ),
        ),
        Case(
            "ended for what outlives the request",
            "A copy of the context that outlives its request finds no caller, and is told why.",
            (Call(b"/outlive/%(key)s", ALICE), SEES_ALICE),
            (
                Call(b"/recorded/%(key)s", BOB),
                all_of(status(200), body(caller=None, absence="ended")),
            ),
        ),
        Case(
            "taken along by what outlives the request",
            "A snapshot, and the thread pool for callers, have the caller after the request; what "
            "was closed, has expired, or was taken within one that has, says so.",
            (Call(b"/take-along/%(key)s", ALICE), SEES_ALICE),
            (
                Call(b"/recorded/%(key)s", BOB),
                all_of(
                    status(200),
                    body(
                        snapshot=seen,
                        snapshot_in_task=seen,
                        caller_pool=seen,
                        closed={"caller": None, "absence": "closed"},
                        expired={"caller": None, "absence": "expired"},
                        within_expired={"caller": None, "absence": "expired"},
                    ),
                ),
            ),
        ),
        Case(
            "ended after a streaming body",
            "A streamed body keeps the caller until it is closed, and no longer.",
            (Call(b"/outlive-stream/%(key)s", ALICE), all_of(status(200), chunks(3, **seen))),
            (
                Call(b"/recorded/%(key)s", BOB),
                all_of(status(200), body(caller=None, absence="ended")),
            ),
        ),
        Case(
            "ended after a client that left",
            "A request that is cancelled, or whose body is never finished, has ended all the same.",
            (Call(b"/outlive-endless/%(key)s", ALICE, leave_after=2), status(200)),
            (
                Call(b"/recorded/%(key)s", BOB),
                all_of(status(200), body(caller=None, absence="ended")),
            ),
        ),
    )


def _binding_cases() -> Iterable[Case]:
    def left_after(*steps: tuple[Call, Check]) -> Iterable[tuple[Call, Check]]:
        for step in steps:
            yield step
            yield Call(NEIGHBOUR.encode()), all_of(sees_nobody("outside"), body(in_force=0))

    why = "What is entered for a request, a public or a refused one too, is left when it has ended."
    yield Case(
        "bindings: left after each request",
        why,
        *left_after(
            (Call(headers=ALICE), SEES_ALICE),
            (Call(b"/health", ALICE), sees_nobody()),
            (Call(), refused()),
            (Call(b"/raise", ALICE), status(418)),
            (Call(b"/crash", ALICE), status(500)),
        ),
        options="recording",
    )
    yield Case(
        "bindings: left after a stream",
        why,
        *left_after(
            (Call(b"/stream", ALICE), all_of(status(200), chunks(3))),
            (Call(b"/public/stream"), all_of(status(200), chunks(3))),
        ),
        options="recording",
        needs=["sync-stream"],
    )
    yield Case(
        "bindings: left after an async stream",
        why,
        *left_after((Call(b"/astream", ALICE), all_of(status(200), chunks(3)))),
        options="recording",
        needs=["async-stream"],
    )


def _isolation_cases() -> Iterable[Case]:
    def then_others(first: tuple[Call, Check]) -> tuple[tuple[Call, Check], ...]:
        """After that, nobody finds anything of Alice, and Bob finds himself."""
        return (
            first,
            (Call(b"/health"), sees_nobody()),
            (Call(), refused()),
            (Call(headers=BOB), SEES_BOB),
            (Call(b"/public/x", BOB), sees_nobody()),
        )

    next_door = (Call(NEIGHBOUR.encode()), sees_nobody("outside"))
    neighbour = (
        "What is served beside the protected app, and not protected itself, finds nobody: not "
        "even on the connection of a caller whose request has not ended yet."
    )
    after = "Nothing is visible in the next request on the same connection, thread or task: after "
    yield from (
        Case(
            "nothing left after a request",
            f"{after}a plain one.",
            *then_others((Call(headers=ALICE), SEES_ALICE)),
        ),
        Case(
            "nothing left after a refusal",
            f"{after}a refusal.",
            *then_others((Call(headers=_authorization(b"Bearer")), refused("malformed"))),
        ),
        Case(
            "nothing left after an exception",
            f"{after}an exception that nobody handles.",
            *then_others((Call(b"/crash", ALICE), status(500))),
        ),
        Case(
            "nothing left after a handled exception",
            f"{after}an exception that the app handles.",
            *then_others((Call(b"/raise", ALICE), status(418))),
        ),
        Case(
            "nothing left after a large body",
            f"{after}a body so large that the server pauses reading (uvicorn's asyncio loop then "
            "leaks the context).",
            *then_others(
                (
                    Call(b"/upload", ALICE, "POST", _LARGE),
                    all_of(SEES_ALICE, body(length=len(_LARGE))),
                )
            ),
        ),
        Case(
            "nothing left after a large body on a public path",
            f"{after}a large body with credentials that were not taken.",
            *then_others((Call(b"/public/upload", ALICE, "POST", _LARGE), sees_nobody())),
        ),
        Case(
            "nothing left after a large body that nobody read",
            f"{after}a large body that the refusal left unread.",
            *then_others((Call(b"/upload", (), "POST", _LARGE), refused())),
        ),
        Case(
            "nothing left after a stream",
            f"{after}a streamed body.",
            *then_others((Call(b"/stream", ALICE), status(200))),
            needs=["sync-stream"],
        ),
        Case(
            "nothing left after an async stream",
            f"{after}an async streamed body.",
            *then_others((Call(b"/astream", ALICE), status(200))),
            needs=["async-stream"],
        ),
        Case(
            "nothing left after a client that left",
            f"{after}a body that was never exhausted.",
            *then_others((Call(b"/endless", ALICE, leave_after=2), status(200))),
            needs=["sync-stream"],
        ),
        Case(
            "nothing left after a client that left an async stream",
            f"{after}an async body that was never exhausted.",
            *then_others((Call(b"/aendless", ALICE, leave_after=2), status(200))),
            needs=["async-stream"],
        ),
        Case(
            "nothing left after a stream that fails",
            f"{after}a body that raises halfway.",
            *then_others((Call(b"/stream-crash", ALICE, leave_after=1), status(200))),
            needs=["sync-stream"],
        ),
        Case(
            "nothing left after a failing teardown",
            f"{after}a user's teardown or outer layer that raises.",
            *then_others((Call(b"/teardown-crash", ALICE), lambda answer: None)),
        ),
        Case(
            "pipelined requests",
            "Requests sent before the first answer each see their own caller.",
            (Call(headers=ALICE), SEES_ALICE),
            (Call(b"/health"), sees_nobody()),
            (Call(headers=BOB), SEES_BOB),
            (Call(), refused()),
            (Call(headers=SESSION), sees(cookie="session=alice")),
            pipelined=True,
        ),
        Case(
            "an unprotected neighbour: pipelined",
            neighbour,
            (Call(headers=ALICE), SEES_ALICE),
            next_door,
            (Call(b"/upload", BOB, "POST", b"x"), SEES_BOB),
            next_door,
            pipelined=True,
        ),
        Case(
            "an unprotected neighbour: after a large body",
            neighbour,
            (Call(b"/upload", ALICE, "POST", _LARGER), SEES_ALICE),
            next_door,
            (Call(b"/public/upload", ALICE, "POST", _LARGER), sees_nobody()),
            next_door,
        ),
        Case(
            "an unprotected neighbour: pipelined, beside background work",
            neighbour,
            (Call(b"/background/%(key)s", ALICE), SEES_ALICE),
            next_door,
            (Call(b"/background/%(key)s", BOB, "POST", b"x"), SEES_BOB),
            next_door,
            needs=["background"],
            pipelined=True,
        ),
        Case(
            "an unprotected neighbour: after a large body, beside background work",
            neighbour,
            (Call(b"/background/%(key)s", ALICE, "POST", _LARGER), SEES_ALICE),
            next_door,
            needs=["background"],
        ),
        Case(
            "many callers in turn",
            "Each request on a connection is its own caller's.",
            *[
                (
                    Call(headers=_authorization(b"Bearer caller-%d" % number)),
                    sees(authorization=f"Bearer caller-{number}"),
                )
                for number in range(10)
            ],
        ),
    )


# --- WebSocket ----------------------------------------------------------------------------------


def _websocket(
    name: str, why: str, *steps: tuple[HeaderLines, Check], options: str = "default"
) -> Case:
    calls = [(Call(b"/ws", headers, websocket=True), check) for headers, check in steps]
    return Case(f"websocket: {name}", why, *calls, options=options, needs=["websocket"])


def _greets(**caller: str) -> Check:
    return all_of(status(101), chunks(2, caller=caller))


def _websocket_cases() -> Iterable[Case]:
    yield from (
        _websocket(
            "sees the caller",
            "A WebSocket handler sees the caller, for every message.",
            (ALICE, _greets(authorization="Bearer alice")),
            (BOB, _greets(authorization="Bearer bob")),
        ),
        _websocket(
            "refused without credentials",
            "Without credentials the handshake is refused and the handler never runs.",
            ((), closed_or_refused(refused())),
        ),
        _websocket(
            "refused with malformed credentials",
            "As an HTTP request is, and with an answer that echoes as little.",
            (_authorization(b"Bearer"), closed_or_refused(refused("malformed"))),
            (
                _authorization(b"s3cret"),
                all_of(closed_or_refused(refused("malformed")), without("s3cret")),
            ),
        ),
        _websocket(
            "a cookie from the app's own page",
            "A handshake with ambient credentials passes from the same origin.",
            (SESSION + _site(b"same-origin"), _greets(cookie="session=alice")),
            (SESSION, _greets(cookie="session=alice")),
        ),
        _websocket(
            "a cookie from another site",
            "A handshake is always state-changing: its page can read what comes back.",
            (SESSION + _site(b"cross-site"), closed_or_refused(cross_site())),
            (SESSION + _from(b"https://evil.example"), closed_or_refused(cross_site())),
        ),
        _websocket(
            "a trusted origin",
            "trusted_origins holds for WebSockets too.",
            (
                SESSION + _site(b"same-site") + ((b"Origin", b"https://admin.example.com"),),
                _greets(cookie="session=alice"),
            ),
            options="trusting",
        ),
    )
    yield Case(
        "websocket: nothing left behind",
        "What follows a WebSocket finds nothing of its caller.",
        (Call(b"/ws", ALICE, websocket=True), _greets(authorization="Bearer alice")),
        (Call(b"/health"), sees_nobody()),
        (Call(), refused()),
        needs=["websocket"],
    )
    yield Case(
        "websocket: refused by upstream",
        "Where a handler fails before it accepts, since upstream doesn't accept the caller.",
        (Call(b"/ws-refused", ALICE, websocket=True), closed_or_refused(_NOT_ACCEPTED)),
        (Call(b"/health"), sees_nobody()),
        needs=["websocket"],
    )
    yield Case(
        "websocket: refused by upstream, but its client has left",
        "There is nobody left to answer, so the error is the server's to deal with.",
        (Call(b"/ws-left", ALICE, websocket=True, leave_after=0), status(0)),
        (Call(b"/health"), sees_nobody()),
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


# --- Secrets ------------------------------------------------------------------------------------


def _secret_cases() -> Iterable[Case]:
    secret = _authorization(b"Bearer s3cret")
    yield Case(
        "secret: every text of the caller",
        "No value in repr, str, format or a pickle, nor in the text of an exception.",
        (
            Call(b"/texts", secret),
            all_of(
                status(200),
                shows("<Credentials authorization "),
                hides("s3cret"),
            ),
        ),
    )
    yield Case(
        "secret: what is logged",
        "No value in a log record, whether the request was refused, admitted or failed.",
        (Call(headers=_authorization(b"s3cret")), refused("malformed")),
        (Call(headers=secret), sees(authorization="Bearer s3cret")),
        (Call(b"/upstream-refuses", secret), status(401)),
        (Call(b"/crash", secret), status(500)),
        (Call(b"/logged", ALICE), all_of(SEES_ALICE, without("s3cret"))),
    )


# --- What is no request, and what is no configuration -------------------------------------------


def _start_cases() -> Iterable[Case]:
    yield Case(
        "lifespan passes through",
        "It is no request, so it is the app's own.",
        (
            Call(scope=(("type", "lifespan"),)),
            json_lines(
                {"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}
            ),
        ),
        needs=["raw-asgi"],
    )
    yield Case(
        "unknown scope types pass through",
        "What nobody knew of here is the app's own too, and has no caller.",
        (
            Call(headers=ALICE, scope=(("type", "conformance"),)),
            json_lines({"type": "conformance.seen", "caller": None, "absence": "outside"}),
        ),
        needs=["raw-asgi"],
        mountable=False,
    )
    for name, (_, instead) in WRONG.items():
        yield Case(
            f"misconfigured: {name}",
            "What can't be right is an error at start-up that says what to write instead.",
            (Call(b"/health"), raises(ConfigurationError, instead)),
            (Call(headers=ALICE), raises(ConfigurationError, instead)),
            options=name,
        )
    yield Case(
        "misconfigured: the app doesn't start",
        "A server that starts apps learns of it before there is any request.",
        (
            Call(scope=(("type", "lifespan"),)),
            raises(ConfigurationError, WRONG["a bare string"][1]),
        ),
        options="a bare string",
        needs=["raw-asgi"],
        mountable=False,
    )


CASES: tuple[Case, ...] = (
    *_path_cases(),
    *_credential_cases(),
    *_answer_cases(),
    *_cross_site_cases(),
    *_visibility_cases(),
    *_binding_cases(),
    *_isolation_cases(),
    *_websocket_cases(),
    *_secret_cases(),
    *_start_cases(),
)
