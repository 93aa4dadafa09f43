"""What an adapter says where its framework is absent."""

import importlib

import pytest

from passthrough_auth.core import requires_extra


def test_an_absent_framework_names_the_extra_to_install():
    with (
        pytest.raises(ModuleNotFoundError, match=r"install 'passthrough-auth\[web\]'") as caught,
        requires_extra("web", module="no_such_framework"),
    ):
        importlib.import_module("no_such_framework.requests")
    assert caught.value.name == "no_such_framework"
    assert caught.value.__suppress_context__


def test_the_extra_is_named_after_the_module_where_they_are_the_same():
    with (
        pytest.raises(ModuleNotFoundError, match=r"passthrough-auth\[no_such_framework\]"),
        requires_extra("no_such_framework"),
    ):
        importlib.import_module("no_such_framework")


def test_another_module_that_is_absent_is_another_matter():
    with pytest.raises(ModuleNotFoundError, match="No module named"), requires_extra("web"):
        importlib.import_module("no_such_dependency")


def test_any_other_error_passes():
    with pytest.raises(ZeroDivisionError), requires_extra("web"):
        _ = 1 / 0


def test_a_framework_that_is_there_is_just_imported():
    with requires_extra("json"):
        importlib.import_module("json")
