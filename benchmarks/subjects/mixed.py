"""Requests of every outcome: a caller, a public path, nobody, and malformed credentials."""

import logging
from collections.abc import Callable, Sequence

from benchmarks import sample
from benchmarks.contest import Batch

from . import asgi, django, flask

# So many of one outcome, then of the next.
_RUN = 50

_ANONYMOUS = sample.OTHERS
_MALFORMED = (*sample.OTHERS, (b"authorization", b"Bearer"))
_REQUESTS: tuple[tuple[Sequence[sample.Header], str], ...] = (
    (sample.HEADERS, sample.PATH),
    (sample.HEADERS, "/health"),
    (_ANONYMOUS, sample.PATH),
    (_MALFORMED, sample.PATH),
)


def subjects() -> dict[str, Batch]:
    # Django logs every refusal, which is not what is looked at.
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    layer = asgi.LAYERS["passthrough-auth"]
    return {
        "ASGI": _mixed(lambda *request: asgi.serving(layer(asgi.plain), *request)),
        "FastAPI": _mixed(
            lambda *request: asgi.serving(asgi.behind(layer, asgi.fastapi()), *request)
        ),
        "Flask": _mixed(lambda *request: flask.serving(flask.app_with(flask.ours), *request)),
        "Django, WSGI": _mixed(
            lambda *request: flask.serving(django.wsgi("passthrough-auth"), *request)
        ),
    }


def _mixed(serving: Callable[[Sequence[sample.Header], str], Batch]) -> Batch:
    batches = [serving(*request) for request in _REQUESTS]

    def repeat(count: int) -> None:
        for _ in range(count // (_RUN * len(batches))):
            for batch in batches:
                batch(_RUN)

    return repeat
