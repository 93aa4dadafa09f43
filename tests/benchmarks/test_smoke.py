"""The benchmarks run, from start to end. How fast anything is, no test asks."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]


def test_the_command_measures_everything_and_writes_its_page_and_chart(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--smoke", "--docs", str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    page = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert _headings(page) == _headings((ROOT / "docs/performance.md").read_text(encoding="utf-8"))
    drawn = ET.parse(tmp_path / "performance.svg").getroot()  # noqa: S314 - our own
    assert "Flask" in "".join(drawn.itertext())


def _headings(page: str) -> list[str]:
    return re.findall(r"^### (.+)$", page, re.MULTILINE)
