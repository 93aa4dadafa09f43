"""The error of an adapter if its framework isn't installed."""

import importlib

import pytest

from passthrough_auth.optional_import import optional_import


def test_an_absent_framework_names_the_extra_to_install():
    with (
        pytest.raises(ModuleNotFoundError, match=r"install 'passthrough-auth\[web\]'") as caught,
        optional_import("web", module="no_such_framework"),
    ):
        importlib.import_module("no_such_framework.requests")
    assert caught.value.name == "no_such_framework"
    assert caught.value.__suppress_context__


def test_the_extra_has_the_module_s_name_by_default():
    with (
        pytest.raises(ModuleNotFoundError, match=r"passthrough-auth\[no_such_framework\]"),
        optional_import("no_such_framework"),
    ):
        importlib.import_module("no_such_framework")


def test_the_error_for_another_missing_module_passes():
    with pytest.raises(ModuleNotFoundError, match="No module named"), optional_import("web"):
        importlib.import_module("no_such_dependency")


def test_any_other_error_passes():
    with pytest.raises(ZeroDivisionError), optional_import("web"):
        _ = 1 / 0


def test_an_installed_framework_is_imported():
    with optional_import("json"):
        importlib.import_module("json")
