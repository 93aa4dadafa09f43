"""What holds for every input: rules and grammars against models of their own, and no exception."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from passthrough_auth.core import (
    Admitted,
    AsgiRequest,
    ConfigurationError,
    Gate,
    PathRules,
    Public,
    Refused,
    WsgiRequest,
    extract_authorization_header,
    extract_cookie_header,
    extract_cookies,
    extract_custom_header,
)
from passthrough_auth.core.extraction import check_value

# --- Path rules ---------------------------------------------------------------------------------

HOSTILE = "/" + ".%\\;?#*\x00\t\n\x7f\x85\ufffd" + chr(0xD800)
pieces = st.sampled_from(
    ["/", "//", ".", "..", "a", "b", "A", "public", "%2e", " ", "é", "\u2028", *HOSTILE]
)
paths = st.lists(pieces, max_size=8).map("".join) | st.text(max_size=12)
rooted = paths.map("/".__add__)
rules = st.lists(
    rooted
    | rooted.map(lambda path: path.rstrip("/") + "/*")
    | rooted.map(re.escape).map(re.compile),
    max_size=4,
)


def is_canonical(path):
    """The definition of the semantics, character by character and segment by segment."""
    if not path.startswith("/"):
        return False
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        return False
    if any(character in path for character in "\\%?#;\ufffd"):
        return False
    segments = path.split("/")[1:]
    return "" not in segments[:-1] and not {".", ".."} & set(segments)


def names(rule, path):
    """Whether a rule names a path, by the words of the semantics."""
    if isinstance(rule, re.Pattern):
        return re.match(f"(?:{rule.pattern})\\Z", path, rule.flags) is not None
    return path.startswith(rule[:-1]) if rule.endswith("/*") else path == rule


def is_rule(rule):
    """Whether a rule can be right at all."""
    if isinstance(rule, re.Pattern):
        return True
    literal = rule[:-1] if rule.endswith("/*") else rule
    return "*" not in literal and is_canonical(literal)


@given(rules=rules, path=paths | rooted, use_a_rule=st.integers(0, 3) | st.none())
@example(rules=["/*"], path="/", use_a_rule=None)
@example(rules=["/a/*"], path="/a/", use_a_rule=None)
@example(rules=["/a/*", "/a/b/c/*"], path="/a/b/../../me", use_a_rule=None)
def test_path_rules_do_what_the_semantics_say(rules, path, use_a_rule):
    kept = [rule for rule in rules if is_rule(rule)]
    if use_a_rule is not None and use_a_rule < len(kept):
        # A path that some rule was made for, so that not all the answers are no.
        rule = kept[use_a_rule]
        literal = rule.pattern.replace("\\", "") if isinstance(rule, re.Pattern) else rule
        path = literal.removesuffix("*") + path.lstrip("/")

    expected = is_canonical(path) and any(names(rule, path) for rule in kept)

    assert PathRules(kept).match(path) is expected


@given(path=paths)
def test_a_path_that_could_be_read_in_two_ways_is_never_public(path):
    everything = PathRules(["/*", re.compile(".*", re.DOTALL)])

    assert everything.match(path) is is_canonical(path)


@given(rule=rooted | rooted.map(lambda path: path + "/*") | paths)
def test_a_rule_that_can_never_match_is_refused_when_it_is_made(rule):
    if is_rule(rule):
        literal = rule[:-1] if rule.endswith("/*") else rule
        assert PathRules([rule]).match(literal)
    else:
        with pytest.raises(ConfigurationError):
            PathRules([rule])


# --- Values -------------------------------------------------------------------------------------

values = (
    st.text(max_size=20)
    | st.text(st.characters(max_codepoint=0x7F), max_size=20)
    | st.lists(
        st.sampled_from(
            ["Bearer", "Basic", " ", "  ", "\t", ",", "a", "b=c", "=", ";", "; ", "é", "\x00", "\n"]
        ),
        max_size=7,
    ).map("".join)
)
long = st.integers(8170, 8200).map(lambda size: "Bearer " + size * "a")

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
GRAMMAR = {
    "authorization": re.compile(rf"[ \t]*(?=[^\x00]{{0,8190}}\Z)({TOKEN} +[!-+\--~]+)[ \t]*"),
    "x-token": re.compile(r"[ \t]*([!-~](?:[ -~]*[!-~])?)[ \t]*"),
    "cookie": re.compile(r"[ \t]*((?=(?:[^;]*;)*[ ]*[^=; ][^;=]*=)[!-~](?:[ -~]*[!-~])?)[ \t]*"),
}


@pytest.mark.parametrize("name", GRAMMAR)
@given(value=values | long)
@example(value="Bearer a")
@example(value="a=b; c")
@example(value="Bearer " + 8183 * "a")
@example(value="Bearer " + 8184 * "a")
def test_a_value_is_valid_if_the_grammar_says_so(name, value):
    matched = GRAMMAR[name].fullmatch(value)
    too_long = name != "cookie" and len(value.strip(" \t")) > 8190
    expected = matched[1] if matched and not too_long else None

    assert check_value(name, value) == expected


# --- The gate -----------------------------------------------------------------------------------

GATE = Gate(
    header_extractors=[
        extract_authorization_header,
        extract_cookies("session"),
        extract_cookie_header,
        extract_custom_header("x-token"),
    ],
    excluded_paths=["/public/*", "/", re.compile("/a.*")],
    trusted_origins=["https://admin.example"],
    allow_preflight=True,
)
HEADERS = ["authorization", "cookie", "x-token", "origin", "host", "sec-fetch-site", "X_Token"]
latin_1 = st.text(st.characters(max_codepoint=0xFF), max_size=20)
sent = values.filter(lambda value: all(ord(character) < 256 for character in value)) | latin_1
lines = st.lists(
    st.tuples(st.sampled_from([*HEADERS, "access-control-request-method"]) | latin_1, sent),
    max_size=6,
)
methods = st.sampled_from(["GET", "POST", "OPTIONS", "get", "HEAD"]) | latin_1


@given(
    path=paths | rooted,
    root_path=st.just("") | paths,
    method=methods,
    lines=lines,
    kind=st.sampled_from(["http", "websocket"]),
)
def test_nothing_in_a_scope_makes_the_gate_raise(path, root_path, method, lines, kind):
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in lines]
    request = AsgiRequest(
        {"type": kind, "path": path, "root_path": root_path, "method": method, "headers": headers}
    )

    assert isinstance(GATE.decide(request), Admitted | Public | Refused)
    assert isinstance(repr(request), str)
    assert isinstance(request.cookies, dict)


@given(path=paths | latin_1, method=methods, lines=lines, query=latin_1)
def test_nothing_in_an_environ_makes_the_gate_raise(path, method, lines, query):
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in lines}
    request = WsgiRequest(
        {**environ, "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    )

    assert isinstance(GATE.decide(request), Admitted | Public | Refused)
    assert isinstance(repr(request), str)
    assert isinstance(request.cookies, dict)


@given(authorizations=st.lists(sent, min_size=1, max_size=3), cookie=st.booleans())
@example(authorizations=["Bearer a"], cookie=True)
def test_a_server_that_joins_lines_and_one_that_does_not_get_one_decision(authorizations, cookie):
    cookies = [(b"cookie", b"session=a")] if cookie else []
    apart = [(b"authorization", value.encode("latin-1")) for value in authorizations]
    joined = [(b"authorization", ",".join(authorizations).encode("latin-1"))]
    environ = {"HTTP_AUTHORIZATION": ",".join(authorizations)}
    if cookie:
        environ["HTTP_COOKIE"] = "session=a"
    decisions = [
        GATE.decide(AsgiRequest({"type": "http", "path": "/me", "headers": headers + cookies}))
        for headers in (apart, joined)
    ]
    decisions.append(
        GATE.decide(WsgiRequest({**environ, "PATH_INFO": "/me", "REQUEST_METHOD": "GET"}))
    )

    assert decisions[0] == decisions[1] == decisions[2]


@given(path=paths | rooted)
def test_a_path_is_public_only_if_the_semantics_let_a_rule_match_it(path):
    request = AsgiRequest({"type": "http", "method": "GET", "path": path, "headers": []})

    assert is_canonical(path) or isinstance(GATE.decide(request), Refused)
