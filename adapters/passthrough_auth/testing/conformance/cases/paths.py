"""Public and protected paths."""

from collections.abc import Iterable

from passthrough_auth.testing.conformance.model import (
    Call,
    Case,
    refused,
    sees_no_caller,
)

from .common import ALICE

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

# Each would reach a handler without credentials if a rule matched a little more than it says, or if
# the gate read the path in another way than the router.
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


def path_cases() -> Iterable[Case]:
    """Public and protected paths, and the prefixes that are removed from them."""
    for name, target in _PUBLIC_PATHS.items():
        yield Case(
            f"public path: {name}",
            "The handler of a public path runs without a caller, even if credentials were sent.",
            (Call(target), sees_no_caller()),
            (Call(target, ALICE), sees_no_caller()),
        )
    for name, target in _PROTECTED_PATHS.items():
        yield Case(
            f"protected path: {name}",
            "A string rule is exact, and no rule matches a path that could be read in two ways.",
            (Call(target), refused()),
            server_may_refuse=True,
            # Behind a prefix these would be other paths.
            mountable=target not in (b"//public/x", b"site.css"),
        )
    yield Case(
        "protected path: absolute-form target",
        "A target in absolute form doesn't change the path (RFC 9112 section 3.2.2).",
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
        "gunicorn takes SCRIPT_NAME from a client's header on loopback; the path stays the same.",
        (Call(headers=((b"Script-Name", b"/health"),)), refused()),
        (Call(b"/health/whoami", headers=((b"Script-Name", b"/health"),)), refused()),
        server_may_refuse=True,
    )
    yield Case(
        "root path: taken off in front",
        "The path is the one within the app, without the server's root_path.",
        (Call(b"/app/health", scope=_root("/app")), sees_no_caller()),
        (Call(b"/health", scope=_root("/health")), refused()),
        (Call(b"/health/whoami", scope=_root("/health")), refused()),
        mountable=False,
        interface="asgi",
    )
    yield Case(
        "root path: at a slash only",
        "root_path is removed at a / boundary only. Routers differ elsewhere, so no rule matches.",
        (Call(b"/x//public/y", scope=_root("/x/")), refused()),
        (Call(b"/public/app/x", scope=_root("/app")), refused()),
        (Call(b"/public/x", scope=_root("/pub")), refused()),
        (Call(b"x/health", scope=_root("x")), refused()),
        # Django's router has a path of its own, and the rules are matched with that one.
        needs=["raw-asgi"],
        mountable=False,
    )
    yield Case(
        "protected path: a rewriting header",
        "Headers in which some proxies pass a path don't change it.",
        (
            Call(headers=((b"X-Original-URL", b"/health"), (b"X-Rewrite-URL", b"/health"))),
            refused(),
        ),
    )


def _root(path: str) -> tuple[tuple[str, str], ...]:
    return (("root_path", path),)
