"""Public paths, and wrong rules."""

import re

import pytest

from passthrough_auth.core import ConfigurationError, PathRules

RULES = PathRules(
    {"/health", "/", "/café", "/public/*", "/a/b/c/*", re.compile(r"/v\d+/docs|/any/.*", re.DOTALL)}
)


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/",
        "/café",
        "/public/",
        "/public/x",
        "/public/x/y/",
        "/public/.well-known",
        "/public/...",
        "/public/*",
        "/a/b/c/",
        "/a/b/c/d",
        "/v1/docs",
        "/any/thing",
    ],
)
def test_a_path_that_a_rule_names_is_public(path):
    assert RULES.match(path)


@pytest.mark.parametrize(
    "path",
    ["/health/", "/HEALTH", "/healthy", "/health.json", "/api/health", "/health ", "/cafe\u0301"],
)
def test_a_string_rule_is_exact(path):
    """A trailing slash, the case and the Unicode form all count."""
    assert not RULES.match(path)


@pytest.mark.parametrize(
    "path", ["/public", "/publicx", "/publicity/x", "/a/b/c", "/a/b/x", "/a", "/x/public/"]
)
def test_a_subtree_rule_covers_what_begins_with_it(path):
    assert not RULES.match(path)


@pytest.mark.parametrize("path", ["/v1/docs/", "/v1/docs/x", "/x/v1/docs", "/v/docs"])
def test_a_pattern_matches_the_whole_path(path):
    assert not RULES.match(path)


@pytest.mark.parametrize("under", ["/public", "/any"])
@pytest.mark.parametrize(
    "tail",
    [
        "/a\tb",
        "/a\nb",
        "/\x00",
        "/\x1f",
        "/\x7f",
        "/\x85",
        "/a\\b",
        "/a%2e",
        "/a?b",
        "/a#b",
        "/a;b",
        "/\ufffd",
        f"/{chr(0xD800)}",
        f"/{chr(0xDFFF)}",
        "//",
        "/a//b",
        "/.",
        "/..",
        "/./a",
        "/../a",
        "/a/..",
        "/a/../../me",
    ],
)
def test_a_path_that_could_be_read_in_two_ways_is_never_public(under, tail):
    assert not RULES.match(under + tail)


@pytest.mark.parametrize("path", ["", "health", "public/x", "*", "http://host/health"])
def test_a_path_without_a_leading_slash_is_never_public(path):
    everything = PathRules(["/*", re.compile(".*", re.DOTALL)])

    assert not everything.match(path)


def test_a_path_that_can_t_be_decoded_is_never_public():
    assert not PathRules([re.compile(".*")]).match(None)


def test_without_rules_nothing_is_public():
    assert not PathRules().match("/")
    assert not PathRules([]).match("/health")


def test_a_pattern_can_make_the_whole_app_public():
    everything = PathRules(["/*"])

    assert everything.match("/")
    assert everything.match("/any/thing")
    assert not everything.match("/any/../thing")


def test_rules_may_come_from_any_iterable():
    assert PathRules(rule for rule in ["/health"]).match("/health")
    assert PathRules(dict.fromkeys(["/health"]).keys()).match("/health")


def test_the_repr_lists_the_rules():
    rules = PathRules([re.compile("/v.*"), "/public/*", "/health"])

    assert repr(rules) == "<PathRules /health /public/* /v.*>"


@pytest.mark.parametrize(
    ("rules", "advice"),
    [
        ("/health", r"write \{'/health'\}"),
        (b"/health", r"write \{'/health'\}"),
        (re.compile("/health"), r"write \{re.compile\('/health'\)\}"),
        (7, r"write \{'/health'\}"),
        (["*"], "names no path: write '/' for the root"),
        ([""], "names no path"),
        ([b"/health"], "a path rule is a string such as"),
        ([None], "a path rule is a string such as"),
        ([re.compile(b"/health")], "compile a str"),
        (["health"], "leading slash: '/health'"),
        (["https://app.example.com/health"], "write its path alone"),
        (["/a/../b"], r"holds '/\.\./'"),
        (["/a/.."], r"holds '/\.\.'"),
        (["/./*"], r"holds '/\./'"),
        (["/a//b"], "holds '//'"),
        (["//*"], "holds '//'"),
        (["/a/?q=1"], r"holds '\?'"),
        (["/a#b"], "holds '#'"),
        (["/a;b"], "holds ';'"),
        (["/a%20b"], "holds '%'.*decoded"),
        (["/a\\b"], "holds"),
        (["/a\n"], r"holds '\\n'"),
        (["/\ufffd"], "holds"),
        (["/static*"], "last segment"),
        (["/*/docs"], "last segment"),
        (["/**"], "last segment"),
        (["/a/*/*"], "last segment"),
        (["/a/*.css"], "last segment.*compiled pattern"),
        ({"/admin": False}, "not a mapping"),
        (["/items/{id}"], r"rules are literal.*re\.compile\(r'/items/\[\^/\]\+'\)"),
        (["/items/<int:id>/x"], r"re\.compile\(r'/items/\[\^/\]\+/x'\)"),
        (["/items/:id"], r"re\.compile\(r'/items/\[\^/\]\+'\)"),
        (["^/docs.*$"], r"re\.compile\(r'/docs\.\*'\)"),
        (["/items/<int:id>"], "rules are literal.*compiled pattern"),
        (["/items/:id"], "rules are literal.*compiled pattern"),
        (["^/health"], "rules are literal.*compiled pattern"),
        (["/health$"], "rules are literal.*compiled pattern"),
        (["/items/[0-9]+"], "looks like a route or a regular expression"),
        (["/items/.+"], "looks like a route or a regular expression"),
        (["/(a|b)"], "looks like a route or a regular expression"),
        ([" /health"], "needs a leading slash: '/health'"),
        (["GET /items"], "for every method: write '/items'"),
        ([re.compile("^health$")], r"Write re\.compile\('/health\$'\)"),
        ([re.compile("(health|docs)")], "never matches"),
        ([re.compile(r"\d+/health")], "never matches"),
        ([re.compile("health")], r"begins with a slash. Write re\.compile\('/health'\)"),
    ],
)
def test_a_wrong_rule_says_what_to_write_instead(rules, advice):
    with pytest.raises(ConfigurationError, match=advice):
        PathRules(rules)


class _Counted(str):
    """A path that counts the operations on it."""

    __slots__ = ("steps",)

    def __new__(cls, text):
        self = super().__new__(cls, text)
        self.steps = 0
        return self

    def find(self, *args):
        self.steps += 1
        return super().find(*args)

    def __getitem__(self, key):
        self.steps += 1
        return super().__getitem__(key)

    def __hash__(self):
        self.steps += 1
        return super().__hash__()

    def __eq__(self, other):
        self.steps += 1
        return super().__eq__(other)


@pytest.mark.parametrize("path", ["/exact/5", "/tree/5/x", "/tree/none/of/them", "/none"])
def test_a_match_takes_as_many_steps_for_ten_thousand_rules_as_for_one_of_each_kind(path):
    few = PathRules(["/exact/5", "/tree/5/*"])
    many = PathRules(
        [*(f"/exact/{number}" for number in range(5000)), *(f"/tree/{n}/*" for n in range(5000))]
    )
    first, second = _Counted(path), _Counted(path)

    assert few.match(first) == many.match(second)
    assert first.steps == second.steps > 0
