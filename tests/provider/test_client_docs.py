"""The examples of docs/client.md, run as they stand against the simulator."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.places import ROOT
from support.simulated import Sim

PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_every_example_of_the_page_runs(sim: Sim, tmp_path: Path) -> None:
    environ = {
        "KIE_API_KEY": sim.key,
        "KIE_BASE_URL": sim.url,
        "KIEBATCH_STATE_HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-c", block], cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True
        )
        for block in BLOCKS
    ]

    said = [process.communicate(timeout=60)[0] for process in running]

    assert [process.returncode for process in running] == [0] * len(BLOCKS)
    assert said[1].split() == ["unknown", "later"]
    assert "[True, True]" in "".join(said)
