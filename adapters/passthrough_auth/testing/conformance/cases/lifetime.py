"""Where the caller is visible, and that no caller is left behind."""

from collections.abc import Iterable

from passthrough_auth.testing.conformance.layers import NEIGHBOUR
from passthrough_auth.testing.conformance.model import (
    Call,
    Case,
    Check,
    all_of,
    body,
    chunks,
    either,
    fails_with,
    header,
    json_lines,
    refused,
    sees,
    sees_no_caller,
    status,
)

from .common import ALICE, BOB, SEES_ALICE, SEES_BOB, SESSION, authorization

_LARGE = b"x" * 70_000
_LARGER = b"x" * 300_000


def _shared(path: bytes) -> Iterable[tuple[Call, Check]]:
    """A worker started by alice's request, and one started by bob's."""
    for pairs, name in ((ALICE, "Bearer alice"), (BOB, "Bearer bob")):
        yield (
            Call(path, pairs),
            body(
                alone={"caller": None, "absence": "outside"},
                job={"caller": {"authorization": name}, "absence": None},
            ),
        )


def visibility_cases() -> Iterable[Case]:
    """Where there is a caller, and for how long."""
    alice = {"authorization": "Bearer alice"}
    service = {"authorization": "Bearer service"}
    seen = {"caller": alice, "absence": None}
    yield from (
        Case(
            "visible in the middleware inside",
            "Middleware inside ours sees the caller, before and after the handler.",
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
            "The app's error handler sees the caller of the request that failed.",
            (Call(b"/raise", ALICE), all_of(status(418), body(caller=alice))),
            (Call(b"/health"), sees_no_caller()),
        ),
        Case(
            "visible in a sync streaming body",
            "Every chunk of a sync body is produced on behalf of the caller.",
            (Call(b"/stream", ALICE), all_of(status(200), chunks(3, **seen))),
            (Call(b"/health"), sees_no_caller()),
            needs=["sync-stream"],
        ),
        Case(
            "visible in an async streaming body",
            "Every chunk of an async body is produced on behalf of the caller.",
            (Call(b"/astream", ALICE), all_of(status(200), chunks(3, **seen))),
            (Call(b"/health"), sees_no_caller()),
            needs=["async-stream"],
        ),
        Case(
            "visible when a sync streaming body is closed",
            "A body that is closed because its client has left still sees its caller.",
            (Call(b"/closing/%(key)s", ALICE, leave_after=2), status(200)),
            (Call(b"/recorded/%(key)s", BOB), all_of(status(200), body(caller=alice))),
            needs=["sync-stream"],
            interface="wsgi",
        ),
        Case(
            "kept in a sync streaming body: a caller of its own",
            "A body can use acting_as over several chunks; after that block its caller is back.",
            (Call(b"/acting", ALICE), json_lines(*[{"caller": service}] * 3, seen)),
            (Call(b"/health"), sees_no_caller()),
            needs=["sync-stream"],
            interface="wsgi",
        ),
        Case(
            "kept in an async streaming body: a caller of its own",
            "A body can use acting_as over several chunks; after that block its caller is back.",
            (Call(b"/acting", ALICE), json_lines(*[{"caller": service}] * 3, seen)),
            (Call(b"/health"), sees_no_caller()),
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
            "A thread has the caller if it gets the context or a snapshot, or is one of our pool.",
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
            "not inherited by a worker that requests share",
            "Started without_caller(), it is nobody's. Each job that it is handed has its own.",
            *_shared(b"/shared-worker"),
        ),
        Case(
            "not inherited by a task that requests share",
            "The same of a task, which would copy the caller of whoever starts it.",
            *_shared(b"/ashared-worker"),
            needs=["async"],
        ),
        Case(
            "left behind by a fork",
            "A forked process has no caller: no request ends there. Its fingerprints differ.",
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
            "A copy of the context that outlives its request has no caller, for the reason ended.",
            (Call(b"/outlive/%(key)s", ALICE), SEES_ALICE),
            (
                Call(b"/recorded/%(key)s", BOB),
                all_of(status(200), body(caller=None, absence="ended")),
            ),
        ),
        Case(
            "taken along by what outlives the request",
            "A snapshot and the thread pool for callers keep the caller after the request. A "
            "closed or expired snapshot, or one taken within an expired one, says why it has none.",
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
            "ended after an exception",
            "An error that upstream has no part in passes as it is, and its request has ended.",
            (Call(b"/outlive-crash/%(key)s", ALICE), fails_with("the conformance app crashed")),
            (
                Call(b"/recorded/%(key)s", BOB),
                all_of(status(200), body(caller=None, absence="ended")),
            ),
        ),
        Case(
            "ended after a streaming body",
            "A streamed body has the caller until it is closed, and not longer.",
            (Call(b"/outlive-stream/%(key)s", ALICE), all_of(status(200), chunks(3, **seen))),
            (
                Call(b"/recorded/%(key)s", BOB),
                all_of(status(200), body(caller=None, absence="ended")),
            ),
        ),
        Case(
            "ended after a client that left",
            "A request also ends if it is cancelled or its body is never finished.",
            (Call(b"/outlive-endless/%(key)s", ALICE, leave_after=2), status(200)),
            (
                Call(b"/recorded/%(key)s", BOB),
                all_of(status(200), body(caller=None, absence="ended")),
            ),
        ),
    )


def binding_cases() -> Iterable[Case]:
    """As whom a bound client acts."""
    seen = body(bound={"authorization": "Bearer alice"})
    as_no_caller = body(bound={})

    def then_outside(*steps: tuple[Call, Check]) -> Iterable[tuple[Call, Check]]:
        for step in steps:
            yield step
            yield Call(NEIGHBOUR.encode()), all_of(sees_no_caller("outside"), as_no_caller)

    why = (
        "A bound client acts as the request's caller. On a public path and between requests it "
        "acts as no caller"
    )
    yield Case(
        "bindings: the caller",
        f"{why}.",
        *then_outside(
            (Call(b"/bound", ALICE), all_of(SEES_ALICE, seen)),
            (Call(b"/public/bound", ALICE), all_of(sees_no_caller(), as_no_caller)),
            (Call(b"/bound"), refused()),
            (Call(b"/raise", ALICE), status(418)),
            (Call(b"/crash", ALICE), status(500)),
        ),
        options="bound",
    )
    yield Case(
        "bindings: no caller after a stream",
        f"{why}, also after a streamed body.",
        *then_outside(
            (Call(b"/stream", ALICE), all_of(status(200), chunks(3))),
            (Call(b"/public/stream"), all_of(status(200), chunks(3))),
        ),
        options="bound",
        needs=["sync-stream"],
    )
    yield Case(
        "bindings: no caller after an async stream",
        f"{why}, also after an async streamed body.",
        *then_outside((Call(b"/astream", ALICE), all_of(status(200), chunks(3)))),
        options="bound",
        needs=["async-stream"],
    )
    yield Case(
        "bindings: none for the app",
        "A client that isn't listed in bindings=[] never acts as the caller.",
        (Call(b"/bound", ALICE), all_of(SEES_ALICE, as_no_caller)),
        options="unbound",
    )
    yield Case(
        "bindings: ended with the request",
        "In work that outlives its request, a bound client makes no call: it gets the reason.",
        (Call(b"/outlive/%(key)s", ALICE), SEES_ALICE),
        (Call(b"/recorded/%(key)s", BOB), all_of(status(200), body(bound="ended"))),
        options="bound",
    )
    yield Case(
        "bindings: ended with a public request",
        "A call that work makes once a public request has ended would hide, as nobody's, that the "
        "work has no caller.",
        (Call(b"/outlive-public/%(key)s", ALICE), sees_no_caller()),
        (Call(b"/recorded/%(key)s", BOB), all_of(status(200), body(bound="ended"))),
        options="bound",
    )


def isolation_cases() -> Iterable[Case]:
    """The caller in the requests that follow."""

    def then_others(first: tuple[Call, Check]) -> tuple[tuple[Call, Check], ...]:
        """That step, then others: public and refused requests, and some of Bob's."""
        return (
            first,
            (Call(b"/health"), sees_no_caller()),
            (Call(), refused()),
            (Call(headers=BOB), SEES_BOB),
            (Call(b"/public/x", BOB), sees_no_caller()),
        )

    next_door = (Call(NEIGHBOUR.encode()), sees_no_caller("outside"))
    neighbour = (
        "An unprotected app beside the protected one has no caller, not even on a connection with "
        "a caller's request that has not ended yet."
    )
    after = "The next request on the connection, thread or task doesn't see that caller: after "
    yield from (
        Case(
            "nothing left after a request",
            f"{after}a plain one.",
            *then_others((Call(headers=ALICE), SEES_ALICE)),
        ),
        Case(
            "nothing left after a refusal",
            f"{after}a refusal.",
            *then_others((Call(headers=authorization(b"Bearer")), refused("malformed"))),
        ),
        Case(
            "nothing left after an exception",
            f"{after}an exception that the app doesn't handle.",
            *then_others((Call(b"/crash", ALICE), status(500))),
        ),
        Case(
            "nothing left after a handled exception",
            f"{after}an exception that the app handles.",
            *then_others((Call(b"/raise", ALICE), status(418))),
        ),
        Case(
            "nothing left after a large body",
            f"{after}a body so large that the server pauses reading (then uvicorn leaks the "
            "context on asyncio's event loop).",
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
            *then_others((Call(b"/public/upload", ALICE, "POST", _LARGE), sees_no_caller())),
        ),
        Case(
            "nothing left after a large body that was not read",
            f"{after}a large body that was not read, because the request was refused.",
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
            f"{after}a body that was never finished.",
            *then_others((Call(b"/endless", ALICE, leave_after=2), status(200))),
            needs=["sync-stream"],
        ),
        Case(
            "nothing left after a client that left an async stream",
            f"{after}an async body that was never finished.",
            *then_others((Call(b"/aendless", ALICE, leave_after=2), status(200))),
            needs=["async-stream"],
        ),
        Case(
            "nothing left after a stream that fails",
            f"{after}a body that raises halfway.",
            # A server may lose the beginning of an answer that fails right after it.
            *then_others(
                (Call(b"/stream-crash", ALICE, leave_after=1), either(status(200), status(0)))
            ),
            needs=["sync-stream"],
        ),
        Case(
            "nothing left after a failing teardown",
            f"{after}a teardown function of the app or an outer layer that raises.",
            *then_others((Call(b"/teardown-crash", ALICE), lambda answer: None)),
        ),
        Case(
            "pipelined requests",
            "Each of several pipelined requests sees its own caller.",
            (Call(headers=ALICE), SEES_ALICE),
            (Call(b"/health"), sees_no_caller()),
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
            (Call(b"/public/upload", ALICE, "POST", _LARGER), sees_no_caller()),
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
            "Each request on a connection sees its own caller.",
            *[
                (
                    Call(headers=authorization(b"Bearer caller-%d" % number)),
                    sees(authorization=f"Bearer caller-{number}"),
                )
                for number in range(10)
            ],
        ),
    )
