"""Whether an answer, or what work noted after it, shows anybody but its own caller."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from passthrough_auth.testing.conformance.model import Answer

from .asks import Ask

Kind = Literal["crossed", "stale", "lost", "broken"]

_MARK = re.compile(r"soak-\d+")
_OUTSIDE = "without"  # what `handlers.threads` calls a thread that was not handed the caller


@dataclass(frozen=True, slots=True)
class Sent:
    """One request that was made: its mark, which no other has, and the credentials it carried."""

    ask: Ask
    mark: str
    credentials: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong.

    crossed: another caller was seen in place of the own. stale: somebody was seen where nobody
    may be. lost: nobody was seen where the caller should be. broken: the answer is not as it
    should be, whoever it is about.
    """

    kind: Kind
    text: str


def judge(sent: Sent, answer: Answer) -> list[Fault]:
    """All that is wrong with an answer."""
    faults = list(_shape(sent, answer))
    for where, seen in _seen(sent, answer):
        outside = where.endswith(_OUTSIDE)
        absence = "outside" if outside else "public"
        expected = sent.credentials if sent.ask.admitted and not outside else absence
        faults += _compare(sent, where, expected, seen)
    return faults + list(_foreign_marks(sent, answer))


def judge_later(sent: Sent, noted: Mapping[str, Any]) -> list[Fault]:
    """All that is wrong with what work noted after the response."""
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
    nobody = isinstance(expected, str)
    if seen["caller"] is None:
        kind: Kind = "broken" if nobody else "lost"  # broken: the wrong reason for nobody
    else:
        kind = "stale" if nobody else "crossed"
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
    """Marks that have no place in this answer, wherever in its bytes they stand."""
    own = {sent.mark} if sent.ask.admitted else set[str]()
    text = repr(answer.headers) + answer.body.decode("latin-1")
    if foreign := set(_MARK.findall(text)) - own:
        kind: Kind = "crossed" if own else "stale"
        yield Fault(kind, f"{sent.ask.path}: the answer holds {', '.join(sorted(foreign))}")
