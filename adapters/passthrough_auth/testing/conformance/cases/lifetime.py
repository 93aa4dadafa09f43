"""Where the caller is visible, and that nothing is left behind."""

from collections.abc import Iterable

from passthrough_auth.testing.conformance.model import (
    Call,
    Case,
    Check,
    all_of,
    body,
    chunks,
    header,
    json_lines,
    refused,
    sees,
    sees_nobody,
    status,
)

from .common import ALICE, BOB, NEIGHBOUR, SEES_ALICE, SEES_BOB, SESSION, authorization

_LARGE = b"x" * 70_000
_LARGER = b"x" * 300_000


def visibility_cases() -> Iterable[Case]:
    """Where the caller is there, and for how long."""
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


def binding_cases() -> Iterable[Case]:
    """That every binding is left."""

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


def isolation_cases() -> Iterable[Case]:
    """What the next request finds."""

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
            *then_others((Call(headers=authorization(b"Bearer")), refused("malformed"))),
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
                    Call(headers=authorization(b"Bearer caller-%d" % number)),
                    sees(authorization=f"Bearer caller-{number}"),
                )
                for number in range(10)
            ],
        ),
    )
