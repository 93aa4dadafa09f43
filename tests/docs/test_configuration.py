"""docs/configuration.md is right: options, defaults, and the errors for wrong ones."""

import inspect
import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.docs.blocks import ROOT, blocks, table
from tests.docs.test_semantics import asgi

from passthrough_auth import core
from passthrough_auth.clients.flyte import bind_flyte
from passthrough_auth.core import ConfigurationError
from passthrough_auth.core.inbound import OPTION_NAMES, Gate, options_from
from passthrough_auth.frameworks.django import checks
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware
from passthrough_auth.sessions import Sessions

PAGE = ROOT / "docs" / "configuration.md"
MISTAKES = table(PAGE, "Configuration errors")
NAMES = {**vars(core), "Gate": Gate, "Sessions": Sessions, "bind_flyte": bind_flyte}


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
def test_a_wrong_option_has_the_documented_error(written, says):
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


def test_any_cookie_counts_unless_credentials_are_named():
    visitor = asgi([("Cookie", "csrftoken=abc")])
    assert Gate().admit(visitor).refusal is None
    written = [each for _, each in table(PAGE, "Which credentials to take") if each[0] == "["]
    assert len(written) == 5
    for each in written:
        gate = Gate(header_extractors=eval(each, NAMES))  # noqa: S307 - the page's own
        assert gate.admit(visitor).refusal is not None


@pytest.mark.parametrize(("on_parent", "rule"), [(True, "/api/health"), (False, "/health")])
def test_a_rule_is_relative_to_the_app_that_the_middleware_was_added_to(on_parent, rule):
    parent, mounted = FastAPI(), FastAPI()
    mounted.get("/health")(lambda: "well")
    parent.mount("/api", mounted)
    protected = parent if on_parent else mounted
    protected.add_middleware(FastAPIPassthroughAuthMiddleware, excluded_paths={rule})
    with TestClient(parent) as client:
        assert client.get("/api/health").status_code == 200
        assert client.get("/api/else").status_code == 401


def test_the_log_in_page_that_refusals_lead_to_is_public():
    (block,) = (b for b in blocks("python", page="docs/configuration.md") if "to_login" in b.source)
    made = {}
    exec(compile(block.source, str(block), "exec"), made)  # noqa: S102 - it is the page's own code
    made["app"].get("/login")(lambda: "log in")
    with TestClient(made["app"]) as client:
        assert client.get("/", headers={"accept": "text/html"}).text == '"log in"'
        assert client.get("/").status_code == 401
