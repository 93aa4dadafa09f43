"""Options in a framework's settings."""

import pytest

from passthrough_auth.core import ConfigurationError, extract_authorization_header
from passthrough_auth.core.inbound import OPTION_NAMES, Gate, options_from

EXTRACTOR = "passthrough_auth.core.extract_authorization_header"


def test_every_option_of_the_gate_is_one_of_the_settings():
    parameters = Gate.__init__.__kwdefaults__

    assert sorted(parameters) == list(OPTION_NAMES)


def test_settings_are_passed_on_unchanged():
    settings = {"excluded_paths": ["/health"], "realm": "flyte", "comma_schemes": ["Digest"]}

    assert options_from(settings, source="settings.X") == settings
    assert options_from({}, source="settings.X") == {}


@pytest.mark.parametrize("collection", [list, tuple, set, frozenset, iter])
@pytest.mark.parametrize("option", ["header_extractors", "bindings"])
def test_functions_may_be_dotted_paths(option, collection):
    given = collection([EXTRACTOR])

    assert options_from({option: given}, source="X")[option] == [extract_authorization_header]


def test_functions_may_be_themselves():
    given = {"header_extractors": [extract_authorization_header], "on_refusal": print}

    assert options_from(given, source="X") == given


def test_on_refusal_is_one_dotted_path():
    assert options_from({"on_refusal": EXTRACTOR}, source="X") == {
        "on_refusal": extract_authorization_header
    }


def test_none_stays_none():
    given = {"header_extractors": None, "on_refusal": None, "bindings": None}

    assert options_from(given, source="X") == given


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([("realm", "x")], r"settings\.X is a dict of options, not list"),
        (None, r"settings\.X is a dict of options, not NoneType"),
        ({"exclude_paths": []}, "no option 'exclude_paths'; did you mean 'excluded_paths'"),
        ({"EXCLUDED_PATHS": []}, "no option 'EXCLUDED_PATHS'; did you mean 'excluded_paths'"),
        ({"colour": []}, "no option 'colour'. The options are bindings, "),
        ({7: []}, "no option 7"),
    ],
)
def test_wrong_settings_say_which_options_exist(settings, said):
    with pytest.raises(ConfigurationError, match=said):
        options_from(settings, source="settings.X")


@pytest.mark.parametrize(
    "path",
    [
        "passthrough_auth.core.extract_nothing",
        "passthrough_auth.nowhere.extract",
        "no_such_module.extract",
        "extract",
        ".auth.extract",
        "..extract",
        "a b.c",
        "",
    ],
)
@pytest.mark.parametrize("option", ["header_extractors", "bindings", "on_refusal"])
def test_a_dotted_path_that_can_t_be_imported_says_what_to_write(option, path):
    given = path if option == "on_refusal" else [path]

    said = rf"{option} in X: .* can't be imported \(.+\). Write the dotted path"
    with pytest.raises(ConfigurationError, match=said):
        options_from({option: given}, source="X")


def test_the_error_shows_the_cause_of_a_failed_import():
    """The cause may be an import within that module, or an extra that is not installed."""
    with pytest.raises(ConfigurationError, match=r"\(No module named 'no_such_module'\)"):
        options_from({"on_refusal": "no_such_module.to_login"}, source="X")


def test_one_path_instead_of_a_list_says_what_to_write():
    options = options_from({"header_extractors": EXTRACTOR}, source="X")

    with pytest.raises(ConfigurationError, match=r"write \[extract_authorization_header\]"):
        Gate(**options)
