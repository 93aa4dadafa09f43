"""docs/configuration.md says what is: every option, its default, and what a wrong one says."""

import inspect
import re

import pytest
from tests.docs.blocks import ROOT, table

from passthrough_auth import core
from passthrough_auth.clients.flyte import bind_flyte
from passthrough_auth.core import OPTION_NAMES, ConfigurationError, Gate, options_from
from passthrough_auth.frameworks.django import checks

PAGE = ROOT / "docs" / "configuration.md"
MISTAKES = table(PAGE, "Configuration errors")
NAMES = {**vars(core), "bind_flyte": bind_flyte}


def test_every_option_is_there_with_its_default():
    defaults = {
        name: repr(parameter.default)
        for name, parameter in inspect.signature(Gate).parameters.items()
    }
    assert {option: default for option, default, _ in table(PAGE, "Options")} == defaults
    assert set(defaults) == set(OPTION_NAMES)


def test_every_extractor_is_there():
    listed = {text.partition("(")[0] for text, _ in table(PAGE, "Extractors")}
    assert listed == {name for name in core.__all__ if name.startswith("extract_")}


@pytest.mark.parametrize(("written", "says"), MISTAKES, ids=[written for written, _ in MISTAKES])
def test_a_wrong_option_says_that(written, says):
    with pytest.raises(ConfigurationError, match=f"^{re.escape(says)}$"):
        configure(written)


def configure(written):
    if written.startswith("PASSTHROUGH_AUTH = "):
        setting = eval(written.partition(" = ")[2])  # noqa: S307 - the page's own
        Gate(**options_from(setting, source="settings.PASSTHROUGH_AUTH"))
    else:
        eval(f"Gate({written})", NAMES)  # noqa: S307 - the page's own


def test_every_check_of_django_is_there():
    listed = {identifier for identifier, _ in table(PAGE, "Django checks")}
    assert listed == set(re.findall(r'id="(passthrough_auth\.\w+)"', inspect.getsource(checks)))
