"""The properties of core hold, and each of them can fail."""

import pytest
from tests.fuzz import core_properties as properties
from tests.fuzz import policies
from tests.fuzz.runner import check, is_documented, is_refuted
from tests.fuzz.sent import Sent

from passthrough_auth.core import Credentials, PathRules, Refusal
from passthrough_auth.core import _credential_rules as grammar
from passthrough_auth.core.caller import _acting_as as acting
from passthrough_auth.core.inbound import (
    AsgiRequest,
    Gate,
    WsgiRequest,
)
from passthrough_auth.core.inbound import (
    _crosssite as crosssite,
)
from passthrough_auth.core.inbound import (
    _gate as gate,
)

each_property = pytest.mark.parametrize("holds", properties.PROPERTIES, ids=lambda p: p.__name__)


@each_property
def test_a_property_holds(holds):
    check(holds, examples=200)


@pytest.mark.parametrize("name", ["cookie", "authorization"])
def test_empty_lines_mean_the_same_joined_and_separate(name):
    """A fuzzer found this in an extractor that checked the lines before it joined them."""
    sent = Sent("GET", b"/me", ((name, ""), (name, "")))

    apart = Gate(bindings=()).admit(AsgiRequest(sent.scope()))
    joined = Gate(bindings=()).admit(WsgiRequest(sent.environ()))

    assert properties.outcome(apart) == properties.outcome(joined)


# --- Faults that are found ------------------------------------------------------------------------

true_match = PathRules.match
true_lines = AsgiRequest.lines
true_wsgi_lines = WsgiRequest.lines
true_rule = grammar.rule_for
true_alone = crosssite.origin_alone
true_extract = Gate._extract


def and_ambiguous_paths(self, path):
    return true_match(self, path) or (path is not None and true_match(self, path.rstrip(".?")))


def without_its_case(self, path):
    return true_match(self, path) or (path is not None and true_match(self, path.lower()))


def joined_by_another(self, name):
    return [";".join(true_lines(self, name))] if true_lines(self, name) else []


def only_the_first(self, name):
    return true_lines(self, name)[:1]


def only_ascii(self, name):
    return [line.encode("latin-1").decode("ascii") for line in true_lines(self, name)]


def underscores_as_dashes(self, name):
    return true_lines(self, name) or true_lines(self, name.replace("-", "_"))


def with_commas(name, comma_schemes=frozenset()):
    return lambda value: true_rule(name, comma_schemes)(value.replace(", ", "-"))


def gates_with(rule_for):
    """Gates that check values with these rules."""
    made = tuple(Gate(**policies.options_of(policy)) for policy in policies.POLICIES)
    for each in made:
        each._rules = {name: rule_for(name) for name in each._rules}
    return made


def untrimmed(name, comma_schemes=frozenset()):
    return lambda value: value if true_rule(name, comma_schemes)(value) else None


def any_name(name):
    return None


def undecoded(self):
    return self.environ["PATH_INFO"]


def decoded_leniently(self):
    return self.environ["PATH_INFO"].encode("latin-1").decode("utf-8", "ignore")


def mounted_anywhere(self):
    return self.scope["path"].removeprefix(self.scope.get("root_path", ""))


def without_its_port(text):
    return true_alone(text.rpartition(":")[0] if text.count(":") > 1 else text)


def as_it_is_written(text):
    return text


def never(*_):
    return False


def with_its_values(self):
    return f"<Credentials {dict(self.pairs())}>"


def with_its_query(self):
    return f"<Request {self.path} {getattr(self, 'scope', {}).get('query_string')}>"


def without_a_check(answer):
    return answer if isinstance(answer, Refusal) else None


def logging_the_error(self, extractor, request):
    def logged(request):
        try:
            return extractor(request)
        except Exception as error:
            gate.logger().warning("%s", error)
            raise

    return true_extract(self, logged, request)


def raising(self, extractor, request):
    return extractor(request)


FAULTS = {
    properties.path_rules_follow_the_semantics: [
        (PathRules, "match", and_ambiguous_paths),
        (PathRules, "match", without_its_case),
    ],
    properties.a_value_is_valid_exactly_when_the_grammar_allows_it: [
        (properties, "rule_for", with_commas),
        (properties, "rule_for", untrimmed),
    ],
    properties.headers_that_may_not_travel_are_refused: [
        (acting, "name_problem", any_name),
        (Credentials, "__repr__", with_its_values),
    ],
    properties.the_gate_follows_the_semantics: [
        (AsgiRequest, "lines", only_the_first),
        (AsgiRequest, "lines", only_ascii),
        (AsgiRequest, "lines", underscores_as_dashes),
        (WsgiRequest, "path", property(decoded_leniently)),
        (policies, "GATES", gates_with(with_commas)),
        (crosssite, "is_state_changing", never),
        (crosssite, "is_preflight", never),
        (Credentials, "__repr__", with_its_values),
        (AsgiRequest, "__repr__", with_its_query),
    ],
    properties.cookies_are_refused_across_sites: [
        (crosssite, "is_cross_site", never),
        (crosssite, "is_state_changing", never),
        (crosssite, "origin_alone", without_its_port),
        (crosssite, "origin_alone", as_it_is_written),
        (AsgiRequest, "transport", "http"),
    ],
    properties.asgi_and_wsgi_give_the_same_decision: [
        (AsgiRequest, "lines", joined_by_another),
        (WsgiRequest, "path", property(undecoded)),
    ],
    properties.an_ambiguous_path_is_never_public: [
        (PathRules, "match", and_ambiguous_paths),
        (AsgiRequest, "path", property(mounted_anywhere)),
    ],
    properties.headers_read_the_same_under_asgi_and_wsgi: [
        (AsgiRequest, "lines", only_the_first),
        (AsgiRequest, "lines", underscores_as_dashes),
    ],
    properties.no_extractor_lets_another_caller_through: [
        (gate, "name_problem", any_name),
        (Gate, "_extract", logging_the_error),
        (Gate, "_extract", raising),
        (Credentials, "__repr__", with_its_values),
    ],
    properties.every_custom_refusal_can_be_sent: [
        (gate, "checked_refusal", without_a_check),
    ],
}


@pytest.mark.parametrize(
    ("holds", "place", "name", "fault"),
    [
        pytest.param(holds, *fault, id=f"{holds.__name__}-{fault[1]}-{number}")
        for holds, faults in FAULTS.items()
        for number, fault in enumerate(faults)
    ],
)
def test_a_property_finds_a_fault(holds, place, name, fault, monkeypatch):
    assert hasattr(place, name)
    monkeypatch.setattr(place, name, fault)

    assert is_refuted(holds, inputs=20_000)


def test_each_property_finds_a_fault():
    assert set(FAULTS) == set(properties.PROPERTIES)


@each_property
def test_a_property_is_documented(holds):
    assert is_documented(holds)
