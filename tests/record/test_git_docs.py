"""The transcripts of the documents about git and CI are what really happens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support import transcripts
from support.filmrepo import PACKAGE
from support.workflows import Machine

DOCS = PACKAGE / "docs"


@pytest.mark.slow
@pytest.mark.parametrize("page", ["git.md", "ci.md"])
def test_every_command_prints_what_the_page_says(page: str, tmp_path: Path) -> None:
    tools = Machine(tmp_path / "tools", tmp_path, {})
    folder = tmp_path / "film"
    folder.mkdir()
    environment = {
        "PATH": f"{tools.folder / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_EDITOR": "true",
        "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org",
        "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org",
    }  # fmt: skip

    results = transcripts.run(DOCS / page, folder, environment)

    assert results
    for command, printed in results:
        assert transcripts.alike(printed) == transcripts.alike(command.expected), command.text
