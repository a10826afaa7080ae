"""Leaves word for a CI system: its job summary, its annotations, a JUnit file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kiebatch import ci, files
from kiebatch.errors import Refused
from kiebatch.model import JSON


def on_github() -> bool:
    """Whether GitHub Actions (or what speaks its commands) reads our output."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def outcome(document: Mapping[str, JSON], *, junit: Path | None = None) -> None:
    """Leave word of a run, a plan or an error: a document of contract sections 2, 7 or 8.

    Appends to the file that `GITHUB_STEP_SUMMARY` names, annotates, and writes `junit` where it is given.
    """
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary and junit is None and not on_github():
        return

    if summary:
        try:
            with open(summary, "a", encoding="utf-8") as stream:
                stream.write(ci.summary(document))
        except OSError as error:
            print(f"cannot write the job summary: {error.strerror}", file=sys.stderr)
    problems(
        [*(document.get("problems") or ()), *(document.get("failures") or ()), *(document.get("held") or ())]
    )
    if junit is not None:
        try:
            files.replace(junit, ci.junit(document))
        except Refused as error:  # a run that is paid for must not fail by a file that tells of it
            print(error, file=sys.stderr)


def problems(found: Sequence[Mapping[str, JSON]]) -> None:
    """Annotate problems where GitHub reads it.  On stderr: stdout carries the answer."""

    if on_github():
        for line in ci.annotations(found, _folder()):
            print(line, file=sys.stderr)


def _folder() -> str:
    """Return the current folder from the top of the checkout, which annotations name files from."""
    top = os.environ.get("GITHUB_WORKSPACE", "")
    here = Path.cwd()
    if not top or not here.is_relative_to(top) or here == Path(top):
        return ""
    return here.relative_to(top).as_posix()
