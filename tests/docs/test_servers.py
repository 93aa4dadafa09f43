"""docs/servers.md lists the observed behaviour of each server, and the known exceptions."""

from tests.docs.blocks import ROOT, table

from passthrough_auth.testing.conformance.sockets import DOCUMENTED
from passthrough_auth.testing.servers import OBSERVED_WITH, SERVERS

PAGE = ROOT / "docs" / "servers.md"
COLUMNS = (
    "websockets",
    "denial_response",
    "keep_alive",
    "pipelining",
    "joins_lines",
    "merges_underscores",
    "merges_leading_slashes",
    "drops_head_body",
    "answers_half_closed",
)


def test_each_server_s_behaviour_is_as_observed():
    observed = [
        (each.name, each.interface.upper(), *(["no", "yes"][getattr(each, c)] for c in COLUMNS))
        for each in SERVERS
    ]
    assert table(PAGE, "What each does") == observed


def test_the_versions_are_those_observed():
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert [
        f"{name} {version}"
        for name, version in OBSERVED_WITH.items()
        if f"{name} {version}" not in text
    ] == []


def test_the_exceptions_are_those_documented():
    documented = [(each.server, each.columns or "all", each.case, each.why) for each in DOCUMENTED]
    assert table(PAGE, "Documented exceptions") == documented
