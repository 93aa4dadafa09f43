"""A headless Chromium that opens one page."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"
)
_OPTIONS = (
    "--headless=new",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def browsing(url: str, profile: Path) -> Iterator[None]:
    """Open this page in a browser with an empty profile."""
    # As root, Chromium has no sandbox.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    log = profile / "chromium.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [CHROMIUM, *_OPTIONS, *sandbox, f"--user-data-dir={profile / 'profile'}", url],
            stdout=output,
            stderr=output,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)
