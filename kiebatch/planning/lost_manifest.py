"""A film whose manifest is lost: its files are there, and the plan would buy all of them again."""

from __future__ import annotations

from collections.abc import Sequence

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.model import Attempt
from kiebatch.planning.plans import Action, Entry, Plan, Reason
from kiebatch.project import Opened
from kiebatch.record.manifest import asset_name


def refuse_lost_manifest(todo: Plan, attempts: Sequence[Attempt], opened: Opened) -> None:
    """Raise `Invalid` where most of a film's new slots find that their files are there already.

    A slot whose paid result the journal knows is not counted: the run takes it from there at no cost.
    """
    new = _new(todo, attempts)
    if len(new) < 2 or opened.workspace.draft or not opened.workspace.assets.is_dir():
        return
    known = {asset.filename for asset in opened.manifest.assets}
    taken = [entry for entry in new if _is_there(entry, opened, known)]
    if 2 * len(taken) <= len(new):
        return
    folder = files.shown(opened.workspace.assets)
    raise Invalid(
        f"{len(taken)} of {len(new)} new slots find their files in {folder} already, and the manifest does not know "
        "them: it was lost",
        hint=f"restore it with `git restore {files.shown(opened.workspace.manifest_path)}`; "
        "`kiebatch adopt SLOT FILE` enters a file at no cost; --force makes all of them once more, beside those files",
    )


def _new(todo: Plan, attempts: Sequence[Attempt]) -> list[Entry]:
    """Return the slots that the plan buys for the first time, and whose result the journal does not know."""
    saved = {attempt.slot for attempt in attempts if attempt.state == "saved" or attempt.open}
    bought = [e for e in todo.entries if e.action is Action.GENERATE and e.cause is Reason.NEW]
    return [entry for entry in bought if entry.slot not in saved]


def _is_there(entry: Entry, opened: Opened, known: set[str]) -> bool:
    if entry.job is None:
        return False
    name = asset_name(entry.job, output=1, version=1, sha256="", extension="", taken=lambda _name: False)
    place = opened.workspace.place(name)
    return any(
        opened.workspace.name_of(found) not in known
        for found in place.parent.glob(f"{_escaped(place.name)}.*")
        if found.stem == place.name
    )


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
