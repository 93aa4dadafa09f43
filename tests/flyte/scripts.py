"""Runs scripts that would change the process of the tests."""

import os
import subprocess
import sys
import textwrap


def run_script(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter of its own that doesn't know it runs in a test."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
