"""The evidence that pages name exists, and the code of docs/secrets.md was tested."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.clients.suite.cases import CASES as CLIENT_CASES
from tests.secrets import reporter_filter, sentry_options

from passthrough_auth.testing.conformance.cases import CASES

ROOT = Path(__file__).parents[2]
SECRETS = (ROOT / "docs" / "secrets.md").read_text(encoding="utf-8")
THREATS = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
FLYTE = (ROOT / "docs" / "flyte.md").read_text(encoding="utf-8")
TESTS = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NAMED_CASES = re.compile(r"case \"([^\"]+)\"")


def rows(page):
    """The rows of the page's tables as lists of cells, without the headings."""
    lines = [line for line in page.splitlines() if line.startswith("|")]
    return [
        line for line in lines if not re.match(r"\| (Where|What could|What stops) |\|---", line)
    ]


@pytest.mark.parametrize(
    "page", [SECRETS, THREATS, FLYTE], ids=["secrets", "threat-model", "flyte"]
)
def test_every_test_that_it_names_exists(page):
    named = TESTS.findall(page)

    assert len(named) > 10
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        defined = {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
        assert name in defined, f"{path} has no {name}"


def test_every_case_that_the_threat_model_names_exists():
    known = {case.name for case in (*CASES, *CLIENT_CASES)}
    named = NAMED_CASES.findall(THREATS)

    assert len(named) > 10
    assert set(named) <= known


@pytest.mark.parametrize("page", [SECRETS, THREATS], ids=["secrets", "threat-model"])
def test_every_row_has_its_evidence(page):
    assert len(rows(page)) > 10
    for row in rows(page):
        assert TESTS.search(row) or NAMED_CASES.search(row), row


def python_block(naming):
    (block,) = [
        each for each in re.findall(r"```python\n(.*?)```", SECRETS, re.DOTALL) if naming in each
    ]
    return block


def test_django_s_filter_is_the_one_that_was_tested():
    tested = Path(reporter_filter.__file__).read_text(encoding="utf-8")

    assert python_block("CallerFilter") == tested


def test_sentry_s_options_are_those_that_were_tested():
    shown = (
        f"{python_block('sentry_sdk.init')}\n"
        "options = sentry_sdk.get_client().options\n"
        "print(options['include_local_variables'], *options['event_scrubber'].denylist)\n"
    )
    tested = sentry_options.DOCUMENTED
    printed = subprocess.run(
        [sys.executable, "-c", shown], check=True, capture_output=True, text=True, timeout=120
    ).stdout.split()

    assert printed == [
        str(tested["include_local_variables"]),
        *tested["event_scrubber"].denylist,
    ]
