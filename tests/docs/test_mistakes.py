"""The first mistakes of a newcomer, and their errors under the README's servers."""

import re
import subprocess
import sys

import pytest
from tests.docs.blocks import ROOT
from tests.docs.http_client import ask
from tests.docs.readme import EXAMPLES

from passthrough_auth.testing.servers import ServerDidNotStart

every_framework = pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.framework)


def excluding(paths):
    """A change of the source code to these excluded paths."""
    return lambda source: re.sub(
        r"""(excluded_paths"?[=:] ?)[{\[].*?[}\]]""", rf"\1{paths}", source
    )


@every_framework
def test_excluded_paths_as_a_string_end_the_server_with_what_to_write(example, tmp_path):
    with (
        pytest.raises(ServerDidNotStart, match=r"write \{'/health'\}"),
        example.served(tmp_path, excluding('"/health"')),
    ):
        pass


@every_framework
def test_a_misspelt_option_ends_the_server_with_its_name(example, tmp_path):
    with (
        pytest.raises(ServerDidNotStart, match="exclude_paths"),
        example.served(tmp_path, lambda source: source.replace("excluded_paths", "exclude_paths")),
    ):
        pass


@every_framework
def test_asking_for_the_caller_on_a_public_path_says_why_there_is_none(example, tmp_path):
    def change(source):
        # Django logs to the console only while debugging.
        debugging = source.replace("settings.configure(", "settings.configure(DEBUG=True, ")
        return excluding('["/whoami"]')(debugging)

    with example.served(tmp_path, change) as running:
        assert ask(running, "/whoami", "alice-token")[0] == 500
    assert "NoCaller: This path is listed in excluded_paths" in running.log()


WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "{lacking}":
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
import passthrough_auth.{module}
"""


@pytest.mark.parametrize(
    ("module", "lacking", "extra"),
    [
        ("frameworks.fastapi", "fastapi", "fastapi"),
        ("frameworks.flask", "flask", "flask"),
        ("frameworks.django", "django", "django"),
        ("clients.flyte", "flyte", "flyte"),
        ("clients.httpx", "httpx", "httpx"),
        ("clients.httpx2", "httpx2", "httpx2"),
        ("clients.requests", "requests", "requests"),
        ("clients.aiohttp", "aiohttp", "aiohttp"),
        ("clients.grpc", "grpc", "grpc"),
        ("testing.conformance", "h11", "testing"),
        ("testing.flyte", "trustme", "flyte,testing"),
        ("testing.pytest_plugin", "pytest", "flyte,testing"),
    ],
)
def test_a_missing_extra_is_named_where_its_module_is_imported(module, lacking, extra):
    code = WITHOUT.format(lacking=lacking, module=module)
    ran = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert ran.stderr.rstrip().endswith(f"pip install 'passthrough-auth[{extra}]'")


RUN = """
import runpy

sys.argv = ["", {arguments}]
runpy.run_module("{module}", run_name="__main__", alter_sys=True)
"""
NOT_INSTALLED = """
from importlib.metadata import Distribution, PackageNotFoundError

found = Distribution.from_name

def lacking(name):
    if name == "{lacking}":
        raise PackageNotFoundError(name)
    return found(name)

Distribution.from_name = lacking
"""


def run_without(lacking, module, *arguments):
    """Run a suite as if that package were not installed."""
    absent = WITHOUT.partition("import passthrough_auth")[0] + NOT_INSTALLED
    listed = ", ".join(map(repr, arguments))
    code = absent.format(lacking=lacking) + RUN.format(module=module, arguments=listed)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("module", "arguments", "lacking", "install"),
    [
        ("tests.clients", ("--client", "grpc-unary-unary"), "grpc", "'passthrough-auth[grpc]'"),
        ("tests.clients", ("--client", "aiohttp"), "aiohttp", "'passthrough-auth[aiohttp]'"),
        ("tests.conformance", ("--on", "waitress"), "waitress", "waitress"),
        ("tests.soak", ("--on", "waitress"), "waitress", "waitress"),
    ],
)
def test_a_suite_that_lacks_a_package_says_what_to_install(module, arguments, lacking, install):
    ran = run_without(lacking, module, *arguments)

    assert ran.returncode
    assert ran.stderr.rstrip().endswith(f"pip install {install}")
    assert "Traceback" not in ran.stderr


def test_the_suite_of_one_client_needs_no_other():
    ran = run_without("grpc", "tests.clients", "--client", "requests")

    assert ran.returncode == 0, ran.stderr
