"""The soak of sessions starts and ends; docs/soak.md has a long run."""

import subprocess
import sys
from pathlib import Path


def test_a_short_soak_finds_nothing():
    command = [sys.executable, str(Path(__file__).parent), "--events=4", "--visitors=3"]
    done = subprocess.run(
        [*command, "--on=fastmcp", "--on=nicegui"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| fastmcp | 12 | 3 | 0 | 0 | 0 | 0 |" in done.stdout
