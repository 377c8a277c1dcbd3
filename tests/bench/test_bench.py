"""The benchmark runs and its table is whole; no figure is asserted, since machines differ."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_a_quick_run_fills_every_row(tmp_path: Path) -> None:
    """The floor alone: no row is empty but those of routing and `--version`, which the floor does not have."""
    out = tmp_path / "bench.json"
    command = [sys.executable, str(HERE), "--quick", "--against", "none", "--json", str(out)]
    table = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    rows = json.loads(out.read_text())["rows"]
    assert [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]] == [row["name"] for row in rows]
    assert [row["name"] for row in rows if not row["floor"]] == [
        "routing decision, 2,000 models, 20 rules",
        "building that routing table",
        "`--version`",
    ]
