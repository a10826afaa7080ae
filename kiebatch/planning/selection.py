"""Which slots a command asked for: `--only 2b`, `2-5`, `model:kling*`, `changed`, `failed`, `unmet`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set

from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import Job, SceneId, Slot, selects
from kiebatch.planning.plans import Action, Entry, Selection

_STATES = ("changed", "failed", "unmet")


@dataclass(frozen=True, slots=True)
class States:
    """What the selectors that name a state ask of a job."""

    failed: Callable[[Job], bool]
    unmet: Callable[[Job], bool]


def names(selection: Selection, job: Job, scenes: Sequence[SceneId]) -> bool:
    """Whether a selection names a job's slot, by its name or model alone."""
    if not selection.only:
        return True
    return any(selects(selector, job.slot, job.model, scenes) for selector in selection.only)


def chosen(
    selection: Selection,
    entries: Mapping[Slot, Entry],
    scenes: Sequence[SceneId],
    states: States,
) -> Set[Slot]:
    """Return the slots that are selected, with what they start from where that is not made yet, as make does.

    `Invalid` for a selector that names no slot of the file.
    """
    if not selection.only:
        return entries.keys()
    jobs = {slot: entry.job for slot, entry in entries.items() if entry.job}
    for selector in selection.only:
        known = selector in _STATES or selector.startswith("model:")
        if not known and not any(selects(selector, job.slot, job.model, scenes) for job in jobs.values()):
            raise _nothing(selector, list(entries))
    found = {
        slot
        for slot, job in jobs.items()
        if any(_selected(selector, job, entries[slot], scenes, states) for selector in selection.only)
    }
    return _with_upstream(found, entries)


def _with_upstream(found: set[Slot], entries: Mapping[Slot, Entry]) -> set[Slot]:
    queue = list(found)
    while queue:
        job = entries[queue.pop()].job
        for slot in job.needs if job else ():
            upstream = entries.get(slot)
            if upstream and slot not in found and upstream.action in (Action.GENERATE, Action.RESTORE):
                found.add(slot)
                queue.append(slot)
    return found


def _selected(selector: str, job: Job, entry: Entry, scenes: Sequence[SceneId], states: States) -> bool:
    if selector == "changed":
        return entry.action is Action.GENERATE and bool(entry.current)
    if selector == "failed":
        return states.failed(job)
    if selector == "unmet":
        return states.unmet(job)
    return selects(selector, job.slot, job.model, scenes)


def _nothing(selector: str, slots: Sequence[Slot]) -> Invalid:
    known = ", ".join(str(s) for s in slots[:12])
    return Invalid(
        [
            Problem(
                where=Where(),
                message=f"--only {selector} names no slot of the file",
                hint=f"its slots are {known}{' ...' if len(slots) > 12 else ''}",
            )
        ]
    )
