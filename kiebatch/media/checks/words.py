"""Reads the words in pictures with tesseract, where that is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from kiebatch.media.checks.judging import Measured

if TYPE_CHECKING:
    from PIL.Image import Image

_TIMEOUT_S = 60.0
_SURE = 75.0  # percent, from which tesseract is believed
_SHORTEST = 3  # letters of a word: leaves and bricks make shorter ones
_SHOWN = 12  # words


def read(pictures: Iterable[Image]) -> Measured:
    """Return how many words the pictures show, each counted once; without tesseract, that it is needed."""
    program = shutil.which("tesseract")
    if program is None:
        return Measured(why="needs tesseract")
    found: dict[str, None] = {}
    with tempfile.TemporaryDirectory(prefix="kiebatch-words-") as folder:
        for number, picture in enumerate(pictures):
            # Written once more: tesseract's readers of pictures see nothing that came from outside.
            file = Path(folder) / f"{number}.ppm"
            picture.save(file)
            answer = _run(program, file)
            if answer is None:
                return Measured(why=f"tesseract failed, or took longer than {_TIMEOUT_S:g} s")
            found |= dict.fromkeys(_words(answer))
    return Measured(value=len(found), said=" ".join(list(found)[:_SHOWN])[:200])


def _run(program: str, file: Path) -> str | None:
    command = [program, str(file), "stdout", "--psm", "11", "tsv"]
    one_thread = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False, env=one_thread)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _words(answer: str) -> Iterable[str]:
    """Yield the words of tesseract's table of which it is sure; the last two columns are confidence and text."""
    for row in answer.splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) < 12:
            continue
        word = re.sub(r"\W+", "", cells[11])
        if len(word) >= _SHORTEST and _confidence(cells[10]) >= _SURE:
            yield word


def _confidence(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return 0.0
