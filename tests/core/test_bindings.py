"""Bindings: how they are found, the caller they get, and the errors that are refusals."""

import sys
import threading
import time
from dataclasses import dataclass
from itertools import pairwise

import pytest

from passthrough_auth.core import (
    CallerDenied,
    CallerUnauthenticated,
    ConfigurationError,
    Credentials,
    NoCaller,
    acting_as,
    snapshot,
    without_caller,
)
from passthrough_auth.core.caller import (
    Binding,
    CallerScope,
    _discovery,
    checked_bindings,
    find_refusal,
)
from passthrough_auth.core.caller._bindings import installed
from passthrough_auth.core.caller._discovery import Discovery
from passthrough_auth.core.inbound import Gate
from passthrough_auth.core.outbound import Destinations

ALICE = ("authorization", "Bearer alice")
NOTHING = Credentials()


class Recorder(Binding):
    """A client that counts how often it was installed."""

    def __init__(self):
        self.installed = 0

    def install(self):
        self.installed += 1


SOURCE = """
from passthrough_auth.core.caller import Binding

class Bound(Binding):
    installed = 0

    def install(self):
        self.installed += 1

bind = Bound()
"""


@pytest.fixture
def client(tmp_path, monkeypatch):
    """Makes a client and a distribution with its binding, and returns a `Discovery` for them."""

    def make(name, binding_source=SOURCE):
        binding = f"{name}_binding"
        (tmp_path / f"{name}.py").touch()
        (tmp_path / f"{binding}.py").write_text(binding_source, encoding="utf-8")
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1\n", encoding="utf-8")
        entry = f"[passthrough_auth.bindings]\n{name} = {binding}:bind\n"
        (info / "entry_points.txt").write_text(entry, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        # Removes the modules after the test.
        for module in (name, binding):
            monkeypatch.setitem(sys.modules, module, None)
            del sys.modules[module]
        return Discovery("passthrough_auth.bindings", installed)

    return make


def found_names(discovery):
    return [type(binding).__module__ for binding in discovery.found()]


# --- Discovery ----------------------------------------------------------------------------------


def test_the_bindings_given_are_installed_once():
    binding = Recorder()

    assert checked_bindings([binding]) == (binding,)
    assert checked_bindings(iter([binding])) == (binding,)
    assert checked_bindings([]) == ()
    assert binding.installed == 1


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ([Recorder(), 7], "such as bind_flyte.*, not 7$"),
        (["flyte"], "such as bind_flyte"),
        ("flyte", r"write \[bind_flyte\]"),
        (7, r"write \[bind_flyte\]"),
        (Recorder(), r"write \[bind_flyte\]"),
    ],
)
def test_wrong_bindings_are_a_configuration_error(given, advice):
    with pytest.raises(ConfigurationError, match=advice):
        checked_bindings(given)


def test_a_binding_of_the_old_kind_says_what_to_write():
    with pytest.raises(ConfigurationError, match=r"caller\.Binding.*ask self\.credentials\(\)"):
        checked_bindings([lambda credentials: None])


def test_a_client_is_found_once_the_application_has_imported_it(client):
    discovery = client("bound_late")
    assert "bound_late_binding" not in found_names(discovery)
    assert "bound_late_binding" not in sys.modules

    __import__("bound_late")

    assert found_names(discovery).count("bound_late_binding") == 1
    assert found_names(discovery).count("bound_late_binding") == 1
    assert sys.modules["bound_late_binding"].bind.installed == 1


def test_a_client_that_is_not_imported_costs_no_import(client):
    discovery = client("never_imported", "raise AssertionError('imported without need')")

    assert "never_imported_binding" not in found_names(discovery)


def test_a_client_whose_import_is_barred_is_not_imported(client, monkeypatch):
    discovery = client("barred", "raise AssertionError('imported without need')")
    monkeypatch.setitem(sys.modules, "barred", None)

    assert "barred_binding" not in found_names(discovery)


def test_a_binding_of_another_kind_is_a_configuration_error(client):
    discovery = client("badly_bound", "def bind(credentials): ...")
    __import__("badly_bound")

    with pytest.raises(ConfigurationError, match="bindings takes objects"):
        discovery.found()


def test_two_threads_that_notice_a_client_together_install_it_once(client):
    discovery = client("bound_slowly")
    __import__("bound_slowly")
    _discovery.INSTALLING.acquire()
    threads = [threading.Thread(target=discovery.found) for _ in range(2)]
    for thread in threads:
        thread.start()
        _wait_until(lambda: sys._current_frames()[thread.ident].f_code.co_name == "_load")  # noqa: B023 - called at once
    _discovery.INSTALLING.release()
    for thread in threads:
        thread.join()

    assert found_names(discovery).count("bound_slowly_binding") == 1
    assert sys.modules["bound_slowly_binding"].bind.installed == 1


def test_installing_a_client_may_make_a_gate():
    """It looks for other clients, and may name some of its own."""
    inner = Recorder()

    class Reentrant(Recorder):
        def install(self):
            super().install()
            Gate(bindings=[self, inner])
            Gate()

    outer = Reentrant()

    assert checked_bindings([outer]) == (outer,)
    assert (outer.installed, inner.installed) == (1, 1)


def test_a_client_found_by_its_entry_point_may_make_a_gate_too(client, monkeypatch):
    discovery = client("bound_reentrantly", SOURCE + "Bound.install = lambda self: again()\n")
    __import__("bound_reentrantly")
    __import__("bound_reentrantly_binding").again = discovery.found

    assert found_names(discovery).count("bound_reentrantly_binding") == 1


def test_a_client_that_could_not_be_installed_is_tried_again():
    class Late(Recorder):
        def install(self):
            super().install()
            if self.installed == 1:
                raise RuntimeError("not yet")

    binding = Late()
    with pytest.raises(RuntimeError, match="not yet"):
        checked_bindings([binding])

    assert checked_bindings([binding]) == (binding,)
    assert binding.installed == 2


def test_bindings_are_told_apart_by_identity():
    """A dataclass has no hash, and may be equal to another."""

    @dataclass
    class Bound(Binding):
        def install(self):
            installed.append(id(self))

    installed = []
    first, second = Bound(), Bound()
    with acting_as(ALICE, bindings=[first]):
        assert first.credentials() == Credentials(ALICE)
        assert second.credentials() == NOTHING
    checked_bindings([second])
    assert installed == [id(first), id(second)]


def _wait_until(condition):
    while not condition():
        time.sleep(0.001)


# --- The caller they get ------------------------------------------------------------------------


def test_a_client_gets_the_current_caller_when_it_asks():
    binding = Recorder()

    assert binding.credentials() == NOTHING
    with acting_as(ALICE):
        assert binding.credentials() == Credentials(ALICE)
        with without_caller():
            assert binding.credentials() == NOTHING
        assert snapshot().run(binding.credentials) == Credentials(ALICE)
    assert binding.credentials() == NOTHING


def test_a_client_that_the_app_does_not_list_gets_no_credentials():
    named, other = Recorder(), Recorder()
    with acting_as(ALICE, bindings=[named]):
        assert named.credentials() == Credentials(ALICE)
        assert other.credentials() == NOTHING
        assert snapshot().run(other.credentials) == NOTHING
    with acting_as(ALICE, bindings=[]):
        assert named.credentials() == NOTHING


@pytest.mark.parametrize("absence", ["undecided", "public", "preflight", "refused", "outside"])
def test_without_a_caller_a_client_gets_no_credentials(absence):
    with CallerScope(None, absence).active():
        assert Recorder().credentials() == NOTHING


def test_work_narrowed_to_destinations_gives_a_client_no_credentials():
    """The client would send all credentials to an origin that isn't among these destinations."""
    with acting_as(ALICE):
        narrowed = snapshot(destinations=Destinations("https://api.example.com"))
        assert narrowed.run(Recorder().credentials) == NOTHING


@pytest.mark.parametrize("credentials", [Credentials(ALICE), None])
def test_work_that_outlives_its_request_gets_an_error(credentials):
    """Also work of a public request: a call without credentials would hide the mistake."""
    scope = CallerScope(credentials, "public")
    with scope.active():
        scope.close()
        with pytest.raises(NoCaller, match="has ended") as caught:
            Recorder().credentials()
    assert caught.value.reason == "ended"


# --- Upstream refusals --------------------------------------------------------------------------


class Upstream(Exception):
    """A client's own error."""


class Recognising(Recorder):
    """A binding that knows its client's errors."""

    def caller_refused(self, error):
        return CallerDenied("no") if isinstance(error, Upstream) else None


def chained(*errors):
    """The first of these errors, each caused by the next."""
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors[0]


def test_a_refusal_is_found_however_deep_it_is():
    refusal = CallerUnauthenticated("no")

    assert find_refusal(refusal, ()) is refusal
    assert find_refusal(chained(ValueError(), KeyError(), refusal), ()) is refusal


def test_a_group_of_errors_is_a_refusal_if_all_of_them_are():
    """Task groups raise groups. A refusal must not hide another failure in the group."""
    first, second = CallerUnauthenticated("no"), chained(KeyError(), CallerDenied("no"))

    assert find_refusal(ExceptionGroup("tasks", [first, second]), ()) is first
    assert find_refusal(chained(KeyError(), ExceptionGroup("tasks", [second])), ()) is not None
    assert find_refusal(ExceptionGroup("tasks", [first, KeyError()]), ()) is None
    # Two errors with the same cause.
    both = [chained(KeyError(), first), chained(ValueError(), first)]
    assert find_refusal(ExceptionGroup("tasks", both), ()) is first


def test_a_group_that_caused_one_of_its_own_errors_is_searched_once():
    """As after `raise group.exceptions[0] from group`."""
    group = ExceptionGroup("tasks", [KeyError(), ValueError()])
    group.exceptions[0].__cause__ = group

    assert find_refusal(group.exceptions[0], ()) is None


def test_another_error_is_not_a_refusal():
    assert find_refusal(chained(ValueError(), KeyError()), (Recorder(), Recognising())) is None


def test_an_error_while_handling_a_refusal_is_not_caused_by_it():
    error = KeyError()
    error.__context__ = CallerDenied("no")

    assert find_refusal(error, ()) is None


def test_a_binding_recognises_its_client_s_own_errors():
    error = chained(ValueError(), Upstream())

    assert isinstance(find_refusal(error, (Recorder(), Recognising())), CallerDenied)
    assert find_refusal(error, (Recorder(),)) is None


def test_a_circular_chain_of_causes_ends():
    first, second = ValueError(), KeyError()

    assert find_refusal(chained(first, second, first), ()) is None
