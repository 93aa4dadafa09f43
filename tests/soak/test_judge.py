"""How the soak judges an answer."""

import json

import pytest
from tests.soak.asks import Ask
from tests.soak.judge import Sent, judge, judge_later
from tests.soak.memory import MIB, Memory

from passthrough_auth.testing.conformance.model import Answer

OWN = {"authorization": "Bearer soak-1"}
OTHER = {"authorization": "Bearer soak-2"}
NOBODY = {"caller": None, "absence": "public"}


def sees(caller, **more):
    return {"caller": caller, "absence": None, **more}


def kinds(ask, *lines, status=200, headers=()):
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    sent = Sent(ask, "soak-1", OWN if ask.sends else {})
    return {fault.kind for fault in judge(sent, Answer(status, headers, body))}


def test_the_own_caller_is_right_and_so_is_nobody_where_nobody_is_due():
    assert kinds(Ask("/"), sees(OWN, before=sees(OWN))) == set()
    assert kinds(Ask("/", public=True), NOBODY) == set()
    assert kinds(Ask("/", sends=False, status=401), {"detail": "no"}, status=401) == set()
    outside = {"caller": None, "absence": "outside"}
    assert kinds(Ask("/threads"), sees(OWN, without=outside)) == set()


@pytest.mark.parametrize(
    "answer",
    [
        sees(OTHER),
        sees(OWN, before=sees(OTHER)),
        sees(OWN, note="soak-2"),
        sees({**OWN, "cookie": "session=soak-1"}),
    ],
    ids=str,
)
def test_another_caller_is_crossed_wherever_it_shows(answer):
    assert kinds(Ask("/"), answer) == {"crossed"}


def test_another_caller_is_crossed_in_a_header_and_in_one_line_of_many():
    changed = [("x-middleware-saw", "changed")]
    assert kinds(Ask("/"), sees(OWN), headers=changed) == {"crossed"}
    assert kinds(Ask("/", lines=1), sees(OWN), sees(OTHER), {}) == {"crossed"}


def test_a_caller_where_nobody_is_due_is_stale():
    assert kinds(Ask("/", public=True), sees(OTHER)) == {"stale"}
    assert kinds(Ask("/", public=True), sees(OWN)) == {"stale"}
    assert kinds(Ask("/"), sees(OWN, without=sees(OWN))) == {"stale"}
    assert kinds(Ask("/", sends=False, status=401), {"detail": "soak-2"}, status=401) == {"stale"}


def test_no_caller_where_one_is_due_is_lost():
    assert kinds(Ask("/"), NOBODY) == {"lost"}


def test_a_wrong_status_a_short_stream_and_a_wrong_reason_are_broken():
    assert kinds(Ask("/"), {}, status=500) == {"broken"}
    assert kinds(Ask("/", lines=3), sees(OWN)) == {"broken"}
    assert kinds(Ask("/", public=True), {"caller": None, "absence": "outside"}) == {"broken"}


@pytest.mark.parametrize(
    ("later", "noted", "expected"),
    [
        ("caller", sees(OWN), []),
        ("caller", sees(OTHER), ["crossed"]),
        ("caller", {"caller": None, "absence": "ended"}, ["lost"]),
        ("ended", {"caller": None, "absence": "ended"}, []),
        ("ended", sees(OWN), ["stale"]),
        ("either", sees(OWN), []),
        ("either", {"caller": None, "absence": "ended"}, []),
        ("either", sees(OTHER), ["crossed"]),
    ],
)
def test_work_after_the_response_is_judged_too(later, noted, expected):
    sent = Sent(Ask("/", later=later), "soak-1", OWN)
    assert [fault.kind for fault in judge_later(sent, noted)] == expected


def test_memory_that_grows_with_the_requests_is_told_from_memory_that_does_not():
    assert not Memory(80 * MIB, 82 * MIB).grew
    assert Memory(80 * MIB, 84 * MIB).grew
