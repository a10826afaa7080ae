"""Plans that are saved to a file and carried out exactly, once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kiebatch import files, formats
from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, Refused
from kiebatch.model import JSON, as_list, as_mapping, as_number, as_text, under
from kiebatch.planning import effects
from kiebatch.planning.approvals import effects_of
from kiebatch.planning.plans import Action, Entry, Plan, Reason, price_of
from kiebatch.project import Opened
from kiebatch.record import Journal


def save_plan(
    opened: Opened, todo: Plan, *, only: Sequence[str] = (), force: bool = False
) -> dict[str, JSON]:
    """Return a plan as a document that `run(..., bound=...)` carries out exactly, once."""
    return {
        "kiebatch-plan": 1,
        "scene_file": opened.workspace.scene_name or None,
        "folder": os.path.relpath(opened.workspace.root),
        "only": list(only),
        "force": force,
        **({"reading": dict(opened.reading)} if opened.reading else {}),
        "nonce": secrets.token_hex(8),
        "digest": todo.digest(),
        "credits": todo.credits(),
        "effects": effects_of(opened, todo).as_json(),
        "jobs": [{**e.as_json(), "current": [a.filename for a in e.current]} for e in todo.work],
    }


def check_bound(bound: Mapping[str, JSON], todo: Plan, journal: Journal) -> Plan:
    """Return what a saved plan does, by today's decision; `Invalid` where what it rests on has moved, or it was spent.

    It rests on what its jobs ask for, their references, and the current assets of their slots.  What else changed in
    the file or the manifest does not matter.  `Refused` where a price has risen since.
    """
    then = {line.slot: line for line in map(_line, as_list(bound.get("jobs")))}
    now = {str(entry.slot): entry for entry in todo.entries}
    _check_slots(then, now)
    _check_prices(then, todo)
    if not journal.notebook.spend_plan(f"{bound.get('digest')}:{bound.get('nonce')}"):
        raise Invalid("this plan was carried out already", hint="make a new one with `kiebatch plan --out`")
    entries = tuple(replace(e, selected=str(e.slot) in then) for e in todo.entries)
    return replace(todo, entries=entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What a saved plan says of one slot.  `current` is None in a plan of 0.1, which did not say which files there were."""

    slot: str
    action: str | None
    fingerprint: str | None
    input: JSON
    current: JSON
    amount: float | None  # the price in credits, where one was known


def _line(job: JSON) -> _Line:
    row = as_mapping(job)
    return _Line(
        slot=str(row["slot"]),
        action=as_text(row.get("action")),
        fingerprint=as_text(row.get("fingerprint")),
        input=row.get("input"),
        current=row.get("current"),
        amount=as_number(under(row, "credits", "amount")),
    )


def _check_slots(then: Mapping[str, _Line], now: Mapping[str, Entry]) -> None:
    """Refuse a plan one of whose slots was made since, or asks for something else today."""
    made = [slot for slot, line in then.items() if slot in now and _made_since(line, now[slot])]
    if made:
        raise Invalid(
            f"{', '.join(made[:5])}: made since the plan was saved, so nothing was sent",
            hint="make a new one with `kiebatch plan --out`",
        )
    moved = [slot for slot, line in then.items() if slot not in now or _moved(line, now[slot])]
    if moved:
        raise Invalid(
            "the plan no longer fits: the scene file, a reference or the manifest has moved on"
            f" ({', '.join(moved[:5])})",
            hint="make a new one with `kiebatch plan --out`",
        )


def _made_since(line: _Line, entry: Entry) -> bool:
    """Whether a slot got another result since, or has by now what the plan would have made."""
    if line.current is not None and line.current != [a.filename for a in entry.current]:
        return True
    return line.action == Action.GENERATE and entry.action is Action.KEEP


def _moved(line: _Line, entry: Entry) -> bool:
    """Whether a slot asks for something else than the plan that was saved."""
    same_content = line.fingerprint == entry.fingerprint
    if line.action == Action.GENERATE and entry.cause is Reason.PAID:
        return not same_content  # a store has it, which a plan does not ask over a network
    return line.action != entry.action.value or not (same_content or _same_words(line, entry))


def _same_words(line: _Line, entry: Entry) -> bool:
    """Whether a plan of 0.1, which hashed words as they were written, asks for the same."""
    return entry.fingerprint is not None and line.input == dict(entry.job.input if entry.job else {})


def _check_prices(then: Mapping[str, _Line], todo: Plan) -> None:
    """Refuse a plan one of whose prices has risen since: the person agreed to less."""
    risen = []
    for entry in todo.generate:
        line = then.get(str(entry.slot))
        before = line.amount if line else None
        now = price_of(entry.job).amount if entry.job else None
        if before is not None and (now is None or now > before + 1e-9):
            price = "an unknown price" if now is None else f"{now:g}"
            risen.append(f"{entry.slot} from {before:g} to {price}")
    if risen:
        raise Refused(
            f"the price has risen since the plan was made: {', '.join(risen[:5])}; nothing was sent",
            hint="look at the new price with `kiebatch plan`, and make a new one with `kiebatch plan --out`",
        )


def scene_file_of(bound: Mapping[str, JSON], plan_file: Path, *, project: Path | None = None) -> Path | None:
    """Return the scene file that a saved plan names: in the project folder, else as it was found, else beside it."""
    name = bound.get("scene_file")
    if not isinstance(name, str) or not name:
        return None
    folder = bound.get("folder")
    places = [project or Path(), Path(folder) if isinstance(folder, str) else Path(), plan_file.parent]
    for place in places:
        if files.is_there(place / Path(name).name):
            return place / Path(name).name
    raise Invalid(
        f"the plan is for {Path(name).name}, which is not in {files.shown(places[0].resolve())}",
        hint="name the scene file, or its folder with --project",
    )


def read_plan(path: Path) -> dict[str, JSON]:
    """Read a saved plan.  `Invalid` when the file is none."""
    return parse_plan(files.read_text(path), files.shown(path))


def parse_plan(text: str, name: str) -> dict[str, JSON]:
    """Return the saved plan that a text holds; `name` is how messages call it."""
    try:
        found = formats.strict_json(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("kiebatch-plan") != 1:
        raise Invalid(f"{name} is not a plan of this kiebatch", hint="make one with `kiebatch plan --out`")
    wrong = [key for key, fits in _SHAPE.items() if key in found and not fits(found[key])]
    if wrong:
        raise Invalid(
            f"{name}: `{wrong[0]}` is not what `kiebatch plan --out` writes there",
            hint="make a new one with `kiebatch plan --out`",
        )
    return found


def _is_text(value: JSON) -> bool:
    return value is None or isinstance(value, str)


def _are_jobs(value: JSON) -> bool:
    return isinstance(value, list) and all(map(_is_job, value))


def _is_job(value: JSON) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("slot"), str):
        return False
    credits = value.get("credits")
    amount = under(credits, "amount")
    is_price = amount is None or (isinstance(amount, int | float) and abs(amount) < 1e15)
    return (credits is None or isinstance(credits, dict)) and is_price


# What each key of a saved plan may hold; a plan may have been sent by somebody else, or edited.
_SHAPE: Mapping[str, Callable[[JSON], bool]] = {
    "scene_file": _is_text,
    "folder": _is_text,
    "only": lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    "force": lambda value: isinstance(value, bool),
    "reading": lambda value: isinstance(value, dict),
    "nonce": _is_text,
    "digest": _is_text,
    "effects": lambda value: effects.read_effects(value) is not None,
    "jobs": _are_jobs,
}
