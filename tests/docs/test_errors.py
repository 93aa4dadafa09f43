"""docs/errors.md lists every exception, and every reason why there may be no caller."""

import re
from typing import get_args

from tests.docs.blocks import ROOT, table

from passthrough_auth import core
from passthrough_auth.core import NoCaller, PassthroughAuthError
from passthrough_auth.core.errors import Absence

PAGE = ROOT / "docs" / "errors.md"
PUBLIC = [getattr(core, name) for name in core.__all__]


def test_every_exception_is_there_with_what_else_it_is():
    errors = {
        each.__name__: next((b.__name__ for b in each.__bases__ if b.__module__ == "builtins"), "")
        for each in PUBLIC
        if isinstance(each, type) and issubclass(each, PassthroughAuthError)
    }
    del errors["PassthroughAuthError"]
    assert {name: base for name, base, *_ in table(PAGE, "Errors")} == errors


def test_every_reason_is_there_with_its_text():
    # The page shows text between backticks as code, so `table` has no backticks.
    reasons = {reason: str(NoCaller(reason)).replace("`", "") for reason in get_args(Absence)}
    assert dict(table(PAGE, "Why there is no caller")) == reasons


def test_every_record_of_the_log_is_there():
    """The page has a row for each place that logs, with the text of that place."""
    source = "".join(
        path.read_text(encoding="utf-8")
        for room in ("core/passthrough_auth", "adapters/passthrough_auth")
        for path in (ROOT / room).rglob("*.py")
        if "testing" not in path.parts
    )
    rows = table(PAGE, "Log messages")
    # _warn_once and _say_once only pass their text on, so their own calls don't count.
    places = (
        r"\blogger(?:\(\))?\.(?:warning|error)\((?!\"%s\")"
        r"|self\._warn_once\(|self\._say_once\(\s*\"error\"|(?<![.f] )(?<!\.)\b_say_once\("
    )
    assert len(rows) == len(re.findall(places, source))
    for _, text, _ in rows:
        assert text.partition("<")[0].strip() in source
