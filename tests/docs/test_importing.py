"""Importing the testing package changes no global state of the app's test process."""

import subprocess
import sys

IMPORTING = """
import asyncio, importlib, logging, os, pkgutil, signal, sys, warnings

# These two change global state themselves when they are imported.
import grpc, requests

def state():
    named = [each for each in logging.root.manager.loggerDict.values() if hasattr(each, "level")]
    return {
        "environment": dict(os.environ),
        "sys.path": list(sys.path),
        "excepthook": sys.excepthook,
        "warnings": list(warnings.filters),
        "signals": {each: signal.getsignal(each) for each in signal.valid_signals()},
        "event loop policy": getattr(asyncio.events, "_event_loop_policy", None),
        "logging.disable": logging.root.manager.disable,
        "loggers": {
            each.name: (each.level, [*each.handlers], each.disabled, each.propagate)
            for each in (logging.root, *named)
            if each.level or each.handlers or each.disabled or not each.propagate
        },
    }

before = state()
import passthrough_auth.testing
imported = 0
for module in pkgutil.walk_packages(passthrough_auth.testing.__path__, "passthrough_auth.testing."):
    if not module.name.endswith(".__main__"):  # which is a command
        importlib.import_module(module.name)
        imported += 1
        changed = [name for name, value in state().items() if value != before[name]]
        assert not changed, f"importing {module.name} changes {changed}"
assert imported > 20
"""


def test_importing_the_testing_modules_changes_nothing():
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTING], check=False, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
