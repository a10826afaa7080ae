"""Says what an action of the page would do and cost, before anybody confirms it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kiebatch import files
from kiebatch.board import edits
from kiebatch.board.actions import WHOLE_FILM, Action, Edit, Kind, Proposal, Replacement
from kiebatch.board.live import LiveFilm
from kiebatch.board.sources import Changed, Source
from kiebatch.errors import Invalid, counted
from kiebatch.model import JSON, Job, Slot
from kiebatch.planning import Entry, Plan, planning, saved
from kiebatch.project import Opened, opening
from kiebatch.record.picks import written
from kiebatch.scenefile import convert

_MAY_NOT_WRITE = "This page may not write the scene file. Start it with `kiebatch review --write`, or make this change yourself."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What an action comes to: the slots to make, and the change of the scene file that comes first."""

    title: str
    only: tuple[str, ...] = ()
    force: bool = False
    change: Changed | None = None
    alone: bool = False  # the change is worth making although nothing is to be made


class Proposals:
    """Makes proposals for one film, and writes what they change in its scene file."""

    def __init__(self, live: LiveFilm, *, may_write: bool, may_run: bool) -> None:
        self._live = live
        self._may_write = may_write
        self._may_run = may_run

    def prompt(self, slot: str) -> dict[str, JSON]:
        """Return a take's prompt as the author wrote it, and where one was made better, that and what it was made from."""
        opened = self._live.opened
        job = _job(opened, slot)
        found: dict[str, JSON] = {"prompt": Source(opened).prompt(job.slot)}
        if job.enhanced:
            found |= {"enhanced": job.prompt, "raw": job.prompt_raw}
        return found

    def propose(self, action: Action) -> Proposal:
        """Return what an action would do and cost; nothing is changed."""
        opened = self._live.load()
        if action.kind is Kind.CONVERT:
            return self._conversion(opened)
        asked = _whole_film(action) if action.kind in WHOLE_FILM else _of_slot(opened, action)
        return self._proposal(opened, asked)

    def apply(self, proposal: Proposal) -> None:
        """Write what a proposal changes; `Invalid` when somebody else changed the file since."""
        if proposal.edit is None and proposal.replacement is None:
            return
        if not self._may_write:
            raise Invalid("this page may not write the scene file")
        with self._live.lock:
            if proposal.edit:
                _write(proposal.edit)
            if proposal.replacement:
                _replace(proposal.replacement)

    # -- what it would do

    def _proposal(self, opened: Opened, asked: _Asked) -> Proposal:
        edit = None
        if asked.change:
            edit = asked.change.edit
            opened = opening.open_project(
                opened.workspace,
                options=opened.options,
                document_read=asked.change.reading,
                pinned=asked.change.pins,
                allow=opened.allow,
            )
        todo = planning.plan(opened, only=asked.only, force=asked.force)
        able = self._may_run if todo.work else asked.alone
        may = able and (edit is None or self._may_write)
        return Proposal(
            title=asked.title,
            does=_does(len(todo.work), edit),
            only=asked.only,
            force=asked.force,
            bound=saved.save_plan(opened, todo, only=asked.only, force=asked.force),
            jobs=tuple(_job_as_json(e, draft=opened.workspace.draft) for e in todo.generate),
            total=_total(todo, draft=opened.workspace.draft),
            may=may,
            note=self._note(todo, edit),
            difference=edits.diff(edit.before, edit.after, files.shown(edit.path)) if edit else "",
            edit=edit,
        )

    def _note(self, todo: Plan, edit: Edit | None) -> str:
        if edit and not self._may_write:
            return _MAY_NOT_WRITE
        if todo.work:
            return "" if self._may_run else "This page only looks: run it with `kiebatch run`."
        if edit:
            return "Nothing is made: what there is was made from the author's words, and stays."
        return _why_nothing(todo)

    def _conversion(self, opened: Opened) -> Proposal:
        """Return how a Markdown scene file becomes YAML; the Markdown is kept beside it under another name."""
        path = opened.workspace.scene_file
        if path is None or opened.document.form != "markdown":
            raise Invalid("this scene file is YAML already")
        if len(opening.joined_files(path)) > 1:
            names = " and ".join(p.name for p in opening.joined_files(path))
            raise Invalid(
                f"this film is written in {names} together",
                hint=f"join them with `kiebatch convert {path.name} --to yaml --output scenes.yaml`, then remove them",
            )
        target = path.with_name("scenes.yaml")
        kept = path.with_name(f"{path.name}.before-yaml")
        for taken in (target, kept):
            if taken.exists():
                raise Invalid(f"{taken.name} is there already", hint="move it away first")
        replacement = Replacement(old=path, kept=kept, new=target, text=convert.to_yaml(opened.document))
        note = _MAY_NOT_WRITE
        if self._may_write:
            note = f"Writes {target.name} with the same jobs; {path.name} is kept as {kept.name}."
        return Proposal(
            title=f"Convert {path.name} to YAML",
            does="Convert it",
            bound={},
            may=self._may_write,
            total="No credits",
            note=note,
            replacement=replacement,
        )


def _does(jobs: int, edit: Edit | None) -> str:
    """Say what confirming it does, on its button."""
    if not jobs:
        return "Change the file"
    made = f"make {counted(jobs, 'job')}"
    return f"Change the file and {made}" if edit else made.capitalize()


def _why_nothing(todo: Plan) -> str:
    blocked = next((e for e in todo.entries if e.selected and e.action == "blocked"), None)
    return f"It cannot be made now: {blocked.note or blocked.reason}." if blocked else ""


def _whole_film(action: Action) -> _Asked:
    if action.kind is Kind.FAILED:
        return _Asked(title="Try again what failed", only=("failed",))
    return _Asked(title="Make what is missing or changed")


def _of_slot(opened: Opened, action: Action) -> _Asked:
    slot = _job(opened, action.slot).slot
    match action.kind:
        case Kind.MAKE:
            return _Asked(title=f"Make {slot}", only=(_selector(slot),))
        case Kind.RETRY:
            return _Asked(title=f"Try {slot} again", only=(_selector(slot),), force=True)
        case Kind.AGAIN:
            return _Asked(title=f"A new version of {slot}", only=(_selector(slot),), force=True)
        case Kind.ANOTHER | Kind.REWORDED:
            return _another_take(opened, slot, action)
        case Kind.ENHANCED | Kind.PLAIN:
            return _enhanced(opened, _job(opened, action.slot), action)
        case _:
            return _all_takes(opened, slot, action)


def _another_take(opened: Opened, slot: Slot, action: Action) -> _Asked:
    """One more take of a shot.  The takes that are there keep their words and stay as they are."""
    title, words = f"Another take of {slot.shot_name}", ""
    if action.kind is Kind.REWORDED:
        title, words = f"{title} with these words", _words(opened, slot, action)
    takes = len(_line(opened, slot))
    change = Source(opened).with_take(slot, takes, words)
    return _Asked(title=title, only=(_selector(replace(slot, take=takes + 1)),), change=change)


def _all_takes(opened: Opened, slot: Slot, action: Action) -> _Asked:
    """Other words for the shot: every take that is there is made again as a new version."""
    change = Source(opened).with_prompt(slot, _words(opened, slot, action))
    line = _line(opened, slot)
    whose = str(slot) if len(line) == 1 else f"All takes of {slot.shot_name}"
    return _Asked(title=f"{whose} with another prompt", only=tuple(map(_selector, line)), change=change)


def _enhanced(opened: Opened, job: Job, action: Action) -> _Asked:
    """Other words in place of an enhanced prompt, or the author's own: for every take that was made from the same words."""
    words, title = None, f"{job.slot} with the author's own words"
    if action.kind is Kind.ENHANCED:
        words, title = action.prompt.strip(), f"{job.slot} with another enhanced prompt"
    if words == "":
        raise Invalid("a prompt cannot be empty")
    if words == job.prompt.strip():
        raise Invalid("the prompt is the same")
    line = [
        other.slot
        for other in opened.project.jobs
        if (other.model, other.prompt, other.prompt_raw) == (job.model, job.prompt, job.prompt_raw)
    ]
    change = Source(opened).with_enhanced(job, words)
    return _Asked(title=title, only=tuple(map(_selector, line)), change=change, alone=True)


def _words(opened: Opened, slot: Slot, action: Action) -> str:
    words = action.prompt.strip()
    if not words:
        raise Invalid("a prompt cannot be empty")
    if words == Source(opened).prompt(slot).strip():
        raise Invalid(
            "the prompt is the same",
            hint="for another picture of the same prompt choose `Another take` or `New version`",
        )
    return words


def _job(opened: Opened, slot: str) -> Job:
    for job in opened.project.jobs:
        if written(job.slot) == slot:
            return job
    raise Invalid(f"`{slot}` is not in the scene file")


def _line(opened: Opened, slot: Slot) -> list[Slot]:
    """Return all takes of a slot's shot and model."""
    return [
        job.slot
        for job in opened.project.jobs
        if (job.slot.scene, job.slot.shot, job.slot.model) == (slot.scene, slot.shot, slot.model)
    ]


def _selector(slot: Slot) -> str:
    """Return what `--only` calls one slot: `2a#1` is that take, `2a` would be all."""
    return str(slot) if slot.model else written(slot)


def _write(edit: Edit) -> None:
    if edit.path.read_bytes().decode() != edit.before:
        raise Invalid(f"{files.shown(edit.path)} has changed meanwhile; ask again")
    files.replace(edit.path, edit.after)


def _replace(replacement: Replacement) -> None:
    if replacement.new.exists() or replacement.kept.exists():
        raise Invalid("the project folder has changed meanwhile; ask again")
    # First the new file, then the old one away: a power cut leaves both, never none.
    files.replace(replacement.new, replacement.text)
    replacement.old.rename(replacement.kept)


# --- in words ------------------------------------------------------------------------------------------


def _total(todo: Plan, *, draft: bool) -> str:
    if draft:
        return "A draft: no credits"
    text = f"{todo.credits():g} credits"
    if any(entry.job and entry.job.price.kind == "bound" for entry in todo.generate):
        text = f"up to {text}"
    if todo.unpriced():
        text += f", and {todo.unpriced()} without a known price"
    return text


def _job_as_json(entry: Entry, *, draft: bool) -> Mapping[str, JSON]:
    job = entry.job
    assert job is not None  # a plan generates jobs alone
    return {
        "slot": str(entry.slot),
        "model": job.model,
        "reason": entry.reason,
        "credits": "draft" if draft else _price(job),
    }


def _price(job: Job) -> str:
    if job.price.amount is None:
        return "price unknown"
    if job.price.kind == "bound":
        return f"up to {job.price.amount:g}"
    return f"{job.price.amount:g}"
