"""Writes decisions and notes into a project's `picks.yaml` and `notes.yaml`, one process at a time."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from kiebatch import files
from kiebatch.record import notes, picks
from kiebatch.record.notes import Change, Notes
from kiebatch.record.picks import Decision, Picks
from kiebatch.workspace import Workspace


def clock() -> datetime:
    return datetime.now(UTC)


def _writing(workspace: Workspace, holder: str) -> AbstractContextManager[None]:
    """Hold the lock of the assets folder, which all writers share whatever their `--state` says."""
    files.state_folder(workspace.write_lock.parent)
    return files.lock(workspace.write_lock, wait=True, holder=holder, timeout_s=30)


def decide(
    workspace: Workspace,
    decisions: Sequence[Decision],
    *,
    allowed: Callable[[Picks], None] = lambda _now: None,
    now: Callable[[], datetime] = clock,
) -> Picks:
    """Append decisions to the project's picks and return all of them as they are now.

    `allowed` sees what is there at the moment of writing, and raises where the new ones do not fit it any more.
    """
    path = workspace.picks_path
    with _writing(workspace, "a decision"):
        text = files.text_if_there(path)
        allowed(picks.parse(text, files.shown(path)))
        if decisions:
            text = picks.append(text, decisions, now())
            files.replace(path, text)
    return picks.parse(text, files.shown(path))


def annotate(
    workspace: Workspace,
    changes: Sequence[Change],
    *,
    allowed: Callable[[Notes], None] = lambda _now: None,
    now: Callable[[], datetime] = clock,
) -> Notes:
    """Append changes to the project's notes and return all of them as they are now; `allowed` as for `decide`."""
    path = workspace.notes_path
    with _writing(workspace, "a note"):
        text = files.text_if_there(path)
        allowed(notes.parse(text, files.shown(path)))
        if changes:
            text = notes.append(text, changes, now())
            files.replace(path, text)
    return notes.parse(text, files.shown(path))


def author(workspace: Workspace) -> str:
    """Return who decides here: git's name for the user, else the account's."""
    try:
        said = subprocess.run(
            ["git", "config", "user.name"],
            cwd=workspace.root,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            check=False,
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    if said:
        return said
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
