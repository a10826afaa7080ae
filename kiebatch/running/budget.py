"""Checks before the first submission: the API key, the budget, and room on the disk."""

from __future__ import annotations

import shutil

from kiebatch import files
from kiebatch.errors import Refused
from kiebatch.planning import Entry, Plan, assess
from kiebatch.project import Opened
from kiebatch.settings import Settings


def check_key(settings: Settings) -> None:
    if not settings.api_key:
        raise Refused(
            "there is no API key",
            hint="set KIE_API_KEY, or put a line KIE_API_KEY=... into the project's .env; --draft needs none",
            code="no-key",
        )


def check_budget(todo: Plan, settings: Settings) -> None:
    """Refuse, before anything is sent, what the user's limits rule out."""
    rejected = assess(todo, settings).rejections
    if rejected:
        rule = rejected[0]
        raise Refused(f"{rule.message}; nothing was sent", hint=rule.hint, code=_CODES[rule.name])


# A cap can be gone up to with --partial; a threshold or an unknown price cannot.
_CODES = {"max_credits": "over-cap", "reject_above": "over-limit", "unpriced": "unpriced"}


_USUAL_BYTES = {"image": 4 << 20, "video": 40 << 20, "audio": 8 << 20, "text": 1 << 16}


def check_room(todo: Plan, opened: Opened, in_flight: int) -> None:
    """Refuse, before anything is paid for, where the disks have no room for what will be in the air at once."""
    sizes = sorted((_expected_bytes(e, opened) for e in todo.generate if e.job), reverse=True)[:in_flight]
    need = sum(sizes)
    workspace = opened.workspace
    for folder in (workspace.assets, workspace.state):
        there = next(p for p in (folder, *folder.parents) if p.exists())
        free = shutil.disk_usage(there).free
        if free < need:
            raise Refused(
                f"{files.shown(folder)} has room for {free >> 20} MB, and up to {need >> 20} MB may come at once; "
                "nothing was sent",
                hint="free up disk space, or lower --in-flight",
                code="no-room",
            )


def _expected_bytes(entry: Entry, opened: Opened) -> int:
    """Return the median size of what a model has made here, else what such a medium usually has."""
    assert entry.job is not None
    known = sorted(a.bytes for a in opened.manifest.assets if a.model == entry.job.model and a.bytes)
    return known[len(known) // 2] if known else _USUAL_BYTES[entry.job.modality]
