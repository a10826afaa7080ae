"""The pages as a site: built with warnings as errors, searchable, and dated."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import kiebatch
from support.places import ROOT

DOCS = ROOT / "docs"


def built(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def copied(folder: Path) -> Path:
    """Return a copy of all that the site is made of."""
    for name in ("docs", "examples", "skills"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("mkdocs.yml", "README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def test_every_date_of_a_last_check_is_that_of_a_page() -> None:
    dated = set(yaml.safe_load((DOCS / "site" / "checked.yaml").read_text(encoding="utf-8")))

    assert dated - {path.name for path in DOCS.glob("*.md")} == {"all", "index.md", "reference.md"}


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = built(ROOT, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    reference = (tmp_path / "reference.html").read_text(encoding="utf-8")
    assert [name for name in kiebatch.__all__ if f"kiebatch.{name}" not in reference] == []
    assert "base_url" in reference  # what `Settings` is made of
    index = json.loads((tmp_path / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert "resolve" in " ".join(entry["text"] for entry in index["docs"])
    pages = re.findall(r"\]\(([\w-]+\.html)\)", (tmp_path / "llms.txt").read_text(encoding="utf-8"))
    assert len(pages) == len(list(DOCS.glob("*.md")))
    assert [page for page in pages if not (tmp_path / page).is_file()] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("git.md", "\n[away](nowhere.md)\n"),
        ("git.md", "\n[away](manifest.md#no-such-heading)\n"),
        ("unlisted.md", "# Unlisted\n\nA page in no menu.\n"),
    ],
)
def test_a_broken_link_or_a_page_in_no_menu_stops_the_build(tmp_path: Path, page: str, text: str) -> None:
    root = copied(tmp_path)
    with (root / "docs" / page).open("a", encoding="utf-8") as stream:
        stream.write(text)

    assert built(root, tmp_path / "site").returncode != 0
