"""The page's scripts, read by the TypeScript compiler: every name is known, and every type holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kiebatch.board import page
from support.places import ROOT

WEB = ROOT / "kiebatch" / "board" / "web"


def test_every_script_of_the_page_is_checked_and_joined() -> None:
    files = {path.stem for path in WEB.glob("*.js")}

    served, written = page.script(served=True), page.script(served=False)

    assert all(path.read_text(encoding="utf-8").startswith("// @ts-check\n") for path in WEB.glob("*.js"))
    assert all((WEB / f"{name}.js").read_text(encoding="utf-8") in served for name in files)
    assert (WEB / "review.js").read_text(encoding="utf-8") not in written
    assert "fetch(" not in written


@pytest.mark.slow
def test_the_scripts_hold_for_the_type_checker(tsc: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*tsc, "--project", str(Path(__file__).with_name("tsconfig.json"))], capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (0, "")
