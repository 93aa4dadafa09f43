"""An environment named after a Python runs on that Python."""

import os
import sys

SUPPORTED = ("3.11", "3.12", "3.13", "3.14", "3.15")


def test_runs_on_the_python_that_the_environment_is_named_after():
    expected = os.environ.get("PASSTHROUGH_EXPECT_PYTHON")
    running = f"{sys.version_info.major}.{sys.version_info.minor}"

    assert running in ((expected,) if expected else SUPPORTED)
