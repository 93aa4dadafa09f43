"""Whether an answer, or a note of work after it, shows another caller than its own."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from tests.soak.asks import Ask

from passthrough_auth.testing.conformance.model import Answer

Kind = Literal["crossed", "stale", "lost", "broken"]

_MARK = re.compile(r"soak-\d+")
_OUTSIDE = "without"  # a thread of `handlers.threads` that was not given the caller


@dataclass(frozen=True, slots=True)
class Sent:
    """One request that was made: its mark, which no other has, and the credentials it carried."""

    ask: Ask
    mark: str
    credentials: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    crossed: another caller was seen in place of the own. stale: a caller was seen where there may
    be none. lost: no caller was seen where there should be one. broken: the answer is wrong in
    another way.
    """

    kind: Kind
    text: str


def judge(sent: Sent, answer: Answer) -> list[Fault]:
    """All faults of an answer."""
    faults = list(_shape(sent, answer))
    for where, seen in _seen(sent, answer):
        outside = where.endswith(_OUTSIDE)
        absence = "outside" if outside else "public"
        expected = sent.credentials if sent.ask.admitted and not outside else absence
        faults += _compare(sent, where, expected, seen)
    return faults + list(_foreign_marks(sent, answer))


def judge_later(sent: Sent, noted: Mapping[str, Any]) -> list[Fault]:
    """All faults of the note that work left after the response."""
    if sent.ask.later == "either" and noted["absence"] == "ended":
        return []
    expected = "ended" if sent.ask.later == "ended" else sent.credentials
    return list(_compare(sent, f"work after {sent.ask.path}", expected, noted))


def _compare(
    sent: Sent, where: str, expected: Mapping[str, str] | str, seen: Mapping[str, Any]
) -> Iterator[Fault]:
    found = seen["absence"] if seen["caller"] is None else seen["caller"]
    if found == expected:
        return
    absent = isinstance(expected, str)
    if seen["caller"] is None:
        kind: Kind = "broken" if absent else "lost"  # broken: absent for the wrong reason
    else:
        kind = "stale" if absent else "crossed"
    yield Fault(kind, f"{sent.ask.path}, {where}: {found} instead of {expected}")


def _shape(sent: Sent, answer: Answer) -> Iterator[Fault]:
    """The status, and the length of a stream."""
    ask = sent.ask
    if ask.status is not None and answer.status not in (ask.status, 101):
        text = f"status {answer.status}, not {ask.status}: {answer.body[:300]!r}"
        yield Fault("broken", f"{ask.path}: {text}")
    elif ask.admitted and ask.status and answer.body.count(b"\n") < ask.lines:
        yield Fault("broken", f"{ask.path}: a body of {len(answer.body)} bytes, too few lines")


def _seen(sent: Sent, answer: Answer) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every statement about a caller in an answer, and where it stands."""
    for value in answer.values("x-middleware-saw"):
        if value == "changed":
            yield "middleware", {"caller": "changed in between", "absence": None}
        else:
            yield "middleware", json.loads(value)
    for number, line in enumerate(answer.body.splitlines() if sent.ask.lines else [answer.body]):
        yield from _statements(f"line {number}" if sent.ask.lines else "body", _parsed(line))


def _parsed(text: bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None  # an error page; its status was looked at


def _statements(where: str, found: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(found, dict):
        return
    values = cast("dict[str, object]", found)
    if "caller" in values and "absence" in values:
        yield where, values
    for name, value in values.items():
        if name != "caller":
            yield from _statements(f"{where}.{name}", value)


def _foreign_marks(sent: Sent, answer: Answer) -> Iterator[Fault]:
    """Marks of other requests, anywhere in the bytes of this answer."""
    own = {sent.mark} if sent.ask.admitted else set[str]()
    text = repr(answer.headers) + answer.body.decode("latin-1")
    if foreign := set(_MARK.findall(text)) - own:
        kind: Kind = "crossed" if own else "stale"
        yield Fault(kind, f"{sent.ask.path}: the answer holds {', '.join(sorted(foreign))}")
