"""Which clients are bound, and which of their errors is an upstream refusal."""

import sys
import threading
import time
from itertools import pairwise

import pytest

from passthrough_auth.core import CallerDenied, CallerUnauthenticated, ConfigurationError
from passthrough_auth.core.bindings import Bindings, find_refusal


def bind(credentials):
    raise NotImplementedError


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a client, and a distribution that says how to bind it; gives both their names."""

    def install(client, binding_source):
        binding = f"{client}_binding"
        (tmp_path / f"{client}.py").touch()
        (tmp_path / f"{binding}.py").write_text(binding_source, encoding="utf-8")
        info = tmp_path / f"{client}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {client}\nVersion: 1\n", encoding="utf-8")
        entry = f"[passthrough_auth.bindings]\n{client} = {binding}:bind\n"
        (info / "entry_points.txt").write_text(entry, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        # Imported while the test runs, forgotten after it.
        for module in (client, binding):
            monkeypatch.setitem(sys.modules, module, None)
            del sys.modules[module]

    return install


def bound_names(bindings):
    return [binding.__module__ for binding in bindings.current()]


def test_the_bindings_given_are_in_force():
    assert Bindings([bind]).current() == (bind,)
    assert Bindings([]).current() == ()


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ([bind, 7], "takes callables"),
        (["flyte"], "such as bind_flyte"),
        ("flyte", r"write \[bind_flyte\]"),
        (7, r"write \[bind_flyte\]"),
        (bind, r"write \[bind_flyte\]"),
    ],
)
def test_bindings_that_can_t_be_right_are_a_configuration_error(given, advice):
    with pytest.raises(ConfigurationError, match=advice):
        Bindings(given)


def test_a_client_is_bound_once_the_application_has_imported_it(install):
    install("bound_late", "def bind(credentials): ...")
    bindings = Bindings()
    assert "bound_late_binding" not in bound_names(bindings)
    assert "bound_late_binding" not in sys.modules

    __import__("bound_late")

    assert bound_names(bindings).count("bound_late_binding") == 1
    assert bound_names(bindings).count("bound_late_binding") == 1


def test_a_client_that_nobody_imports_costs_nothing(install):
    install("never_imported", "raise AssertionError('imported without need')")

    assert "never_imported_binding" not in bound_names(Bindings())


def test_a_binding_that_can_t_be_called_is_a_configuration_error(install):
    install("badly_bound", "bind = 7")
    __import__("badly_bound")

    with pytest.raises(ConfigurationError, match="bindings takes callables"):
        Bindings().current()


def test_two_threads_that_notice_a_client_together_bind_it_once(install):
    install(
        "bound_slowly",
        "import threading\n"
        "loading, go_on = threading.Event(), threading.Event()\n"
        "def bind(credentials): ...\n",
    )
    __import__("bound_slowly")
    bindings = Bindings()
    bindings._loading.acquire()
    threads = [threading.Thread(target=bindings.current) for _ in range(2)]
    for thread in threads:
        thread.start()
        _wait_until(lambda: sys._current_frames()[thread.ident].f_code.co_name == "_load")  # noqa: B023 - called at once
    bindings._loading.release()
    for thread in threads:
        thread.join()

    assert bound_names(bindings).count("bound_slowly_binding") == 1


def _wait_until(condition):
    while not condition():
        time.sleep(0.001)


# --- Upstream refusals --------------------------------------------------------------------------


class Upstream(Exception):
    """A client's own error."""


class Recognising:
    """A binding that knows its client's errors."""

    def __call__(self, credentials):
        raise NotImplementedError

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
    """A task group raises one. If something else failed as well, that must not be hidden."""
    first, second = CallerUnauthenticated("no"), chained(KeyError(), CallerDenied("no"))

    assert find_refusal(ExceptionGroup("tasks", [first, second]), ()) is first
    assert find_refusal(chained(KeyError(), ExceptionGroup("tasks", [second])), ()) is not None
    assert find_refusal(ExceptionGroup("tasks", [first, KeyError()]), ()) is None
    # Of one cause that both have in common.
    both = [chained(KeyError(), first), chained(ValueError(), first)]
    assert find_refusal(ExceptionGroup("tasks", both), ()) is first


def test_a_group_that_caused_one_of_its_own_errors_is_looked_through_once():
    """As after `raise group.exceptions[0] from group`."""
    group = ExceptionGroup("tasks", [KeyError(), ValueError()])
    group.exceptions[0].__cause__ = group

    assert find_refusal(group.exceptions[0], ()) is None


def test_an_error_without_one_is_no_refusal():
    assert find_refusal(chained(ValueError(), KeyError()), (bind, Recognising())) is None


def test_an_error_that_came_up_while_handling_a_refusal_is_not_caused_by_it():
    error = KeyError()
    error.__context__ = CallerDenied("no")

    assert find_refusal(error, ()) is None


def test_a_binding_recognises_its_client_s_own_errors():
    error = chained(ValueError(), Upstream())

    assert isinstance(find_refusal(error, (bind, Recognising())), CallerDenied)
    assert find_refusal(error, (bind,)) is None


def test_a_chain_that_bites_its_tail_comes_to_an_end():
    first, second = ValueError(), KeyError()

    assert find_refusal(chained(first, second, first), ()) is None
