"""Our ASGI middleware with more of everything: rules, headers, extractors, token."""

from collections.abc import Callable, Mapping

from benchmarks import sample
from benchmarks.contest import Batch
from passthrough_auth.core import extract_authorization_header, extract_custom_header
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware

from .asgi import plain, serving

# As deep as the rules below, so that every prefix of it is looked up.
PATH = "/api/v1/projects/7/items"


def with_exact_paths(count: int) -> Batch:
    rules = [f"/api/v1/public/{number}" for number in range(count)]
    return serving(PassthroughAuthMiddleware(plain, excluded_paths=rules), path=PATH)


def with_subtrees(count: int) -> Batch:
    rules = [f"/api/v1/public/{number}/*" for number in range(count)]
    return serving(PassthroughAuthMiddleware(plain, excluded_paths=rules), path=PATH)


def with_headers(count: int) -> Batch:
    return serving(PassthroughAuthMiddleware(plain), sample.headers(count))


def with_extractors(count: int) -> Batch:
    """One for Authorization, the others for headers that the request has, too."""
    names = [f"x-tenant-{number}" for number in range(count - 1)]
    extractors = [extract_authorization_header, *map(extract_custom_header, names)]
    fields = (*sample.HEADERS, *((name.encode(), b"a-tenant") for name in names))
    return serving(PassthroughAuthMiddleware(plain, extractors), fields)


def with_token(length: int) -> Batch:
    authorization = (b"authorization", b"Bearer " + sample.token(length))
    return serving(PassthroughAuthMiddleware(plain), (*sample.OTHERS, authorization, sample.COOKIE))


DIMENSIONS: Mapping[str, tuple[Callable[[int], Batch], tuple[int, ...]]] = {
    "exact paths": (with_exact_paths, (1, 100, 10_000)),
    "subtree paths": (with_subtrees, (1, 100, 10_000)),
    "headers": (with_headers, (5, 15, 50, 100)),
    "extractors": (with_extractors, (1, 2, 4, 8)),
    "token bytes": (with_token, (100, 900, 4000, 8000)),
}


def name_of(dimension: str, size: int) -> str:
    return f"{size} {dimension}"


BASE = "no middleware"


def subjects() -> dict[str, Batch]:
    return {BASE: serving(plain)} | {
        name_of(dimension, size): make(size)
        for dimension, (make, sizes) in DIMENSIONS.items()
        for size in sizes
    }
