"""What a person decides: held jobs, accepted changes, files made elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiebatch import files, manifest, media, planner
from kiebatch.errors import Invalid
from kiebatch.files import Workspace
from kiebatch.journal import open_journal
from kiebatch.manifest import Manifest
from kiebatch.model import Asset, Attempt, Slot, parse_slot, stamp
from kiebatch.planner import Entry, Plan
from kiebatch.planning import peek, plan
from kiebatch.projects import Opened
from kiebatch.record import Record


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What speaks for or against a held job having been charged.  Credits; None where not known.

    `unclear` says that other jobs were in the air between the two balances, whose charges nobody can tell apart.
    """

    before: float | None
    after: float | None
    others: float
    price: float | None
    unclear: bool = False

    @property
    def says(self) -> str:
        if self.unclear:
            return "other jobs were in the air at the same time, so the balance says nothing: look at kie.ai/logs"
        if self.before is None or self.after is None or self.price is None:
            return "the balance says nothing: look at kie.ai/logs"
        gone = round(self.before - self.after - self.others, 4)
        if abs(gone) < 0.005:
            return "the balance suggests that it was not charged"
        if abs(gone - self.price) < 0.005:
            return "the balance suggests that it was charged: look for its task id at kie.ai/logs"
        return "the balance moved by something else too: look at kie.ai/logs"


def held(workspace: Workspace, now: Callable[[], float] = time.time) -> list[tuple[Attempt, Evidence]]:
    """Return the held jobs with what the balances say about each."""
    with peek(workspace) as journal:
        if journal is None:
            return []
        attempts = journal.attempts()
    found = []
    for attempt in attempts:
        if not attempt.undecided:
            continue
        until = attempt.ended_at or now()
        unclear = any(
            other.run_id == attempt.run_id
            and other.id != attempt.id
            and other.intended_at <= until
            and (other.undecided or (other.submitted_at or 0.0) > until or other.state == "failed")
            for other in attempts
        )
        others = sum(
            other.credits or 0.0
            for other in attempts
            if other.id != attempt.id
            and other.submitted_at is not None
            and attempt.intended_at <= other.submitted_at <= until
        )
        found.append(
            (
                attempt,
                Evidence(
                    before=attempt.balance_before,
                    after=attempt.balance_after,
                    others=others,
                    price=attempt.credits,
                    unclear=unclear,
                ),
            )
        )
    return found


def resolve(workspace: Workspace, slot: str, decision: str, task_id: str | None = None) -> Attempt:
    """Decide a held job: `task-id` adopts a task, `resubmit` lets the next run send it, `forget` drops it.

    A task that the provider does not know, which is how a mistyped id ends, can be decided again.
    """
    with (
        files.lock(workspace.state / "run.lock", wait=False, holder="`kiebatch resolve`"),
        open_journal(workspace.journal_path, now=time.time) as journal,
    ):
        waiting = [a for a in journal.attempts() if a.undecided or a.unknown]
        slots = {a.slot for a in waiting}
        chosen = [a for a in waiting if a.slot in parse_slot(slot, slots)]
        if not chosen:
            names = ", ".join(str(s) for s in slots)
            raise Invalid(
                f"nothing is held for `{slot}`",
                hint=f"held are {names}" if names else "nothing is held at all",
            )
        if len(chosen) > 1:
            names = ", ".join(str(a.slot) for a in chosen)
            raise Invalid(f"`{slot}` means several held jobs: {names}", hint="name one")
        if task_id is not None and (known := journal.attempt_of_task(task_id)):
            raise Invalid(
                f"the task {task_id} is that of `{known.slot}` already", hint="look for another one"
            )
        journal.decide(chosen[0].id, decision, task_id)
        return journal.attempt(chosen[0].id)


def accept(opened: Opened, slots: Sequence[str]) -> list[Slot]:
    """Keep the assets there are, although the plan calls them changed."""
    todo = plan(opened)
    chosen = _entries(todo, slots)
    for entry in chosen:
        if not entry.current or entry.job is None:
            raise Invalid(f"`{entry.slot}` has no asset that could be kept")
        if entry.fingerprint is None:
            raise Invalid(
                f"`{entry.slot}` starts from a shot that is not made yet, so nobody can tell what is accepted",
                hint="accept or run that one first",
            )
    done = []

    def change(current: Manifest) -> Manifest:
        for entry in chosen:
            for asset in entry.current:
                extra = {**asset.extra, "accepted": entry.fingerprint}
                current = manifest.changed(current, current.by_id[asset.id], extra=extra)
        return current

    _update(opened.workspace, change)
    for entry in chosen:
        done.append(entry.slot)
    return done


def _entries(todo: Plan, slots: Sequence[str]) -> list[Entry]:
    chosen: list[Entry] = []
    known = [e.slot for e in todo.entries if e.job]
    for text in slots:
        found = parse_slot(text, known)
        if not found:
            raise Invalid(
                f"there is no slot `{text}`", hint=f"its slots are {', '.join(map(str, known[:12]))}"
            )
        chosen += [e for e in todo.entries if e.slot in found and e not in chosen]
    return chosen


def _update(workspace: Workspace, change: Callable[[Manifest], Manifest]) -> None:
    files.check_writable(workspace.assets)
    Record(
        workspace.manifest_path,
        lock=workspace.state / "manifest.lock",
        now=time.time,
        source=workspace.scene_file.name if workspace.scene_file else None,
    ).update(change)


def adopt(opened: Opened, slot: str, file: Path, *, now: Callable[[], float] = time.time) -> Asset:
    """Enter a file made elsewhere as a slot's newest version, at no cost."""
    entry = _only(_entries(plan(opened), [slot]), slot)
    job = entry.job
    assert job is not None
    workspace = opened.workspace
    try:
        facts = media.facts(file)
    except FileNotFoundError:
        raise Invalid(f"there is no file {files.shown(file)}") from None
    except (media.Undecodable, OSError) as error:
        raise Invalid(f"{files.shown(file)} cannot be used: {error}") from None
    if facts.kind != job.modality:
        raise Invalid(f"{files.shown(file)} is {facts.media_type}, and `{entry.slot}` is {job.modality}")
    digest = files.sha256(file)
    current = opened.manifest
    replaces = entry.current
    version = manifest.version_after(replaces)
    inside = file.resolve()
    known = {a.filename for a in current.assets}
    name = None
    if inside.is_relative_to(workspace.assets):
        name = workspace.name_of(inside)
        if name in known and any(a.filename == name and a.sha256 == digest for a in current.assets):
            raise Invalid(f"{files.shown(file)} is already in the manifest")
    if name is None or name in known:
        inner = planner.asset_name(
            job,
            output=1,
            version=version,
            sha256=digest,
            extension=facts.extension,
            taken=lambda n: (workspace.assets / n).exists(),
        )
        files.replace(workspace.assets / inner, file.read_bytes())
        name = workspace.name_of(workspace.assets / inner)
    asset = Asset(
        id="",
        type=facts.kind,
        filename=name,
        prompt=job.prompt,
        model=job.model,
        parameters={"endpoint": "adopted", "input": dict(job.input)},
        created_at=stamp(now()),
        scene_id=job.slot.scene,
        shot=job.slot.shot,
        take=job.slot.take,
        fingerprint=entry.fingerprint,
        sha256=digest,
        bytes=facts.size_bytes,
        media_type=facts.media_type,
        width=facts.width,
        height=facts.height,
        duration=facts.duration_s,
        credits=0,
        draft=workspace.draft,
        extra={"adopted": True},
    )
    entered: list[Asset] = []

    def change(recorded: Manifest) -> Manifest:
        ids = {a.id for a in replaces}
        recorded, new = manifest.record(recorded, [asset], [a for a in recorded.assets if a.id in ids])
        entered.extend(new)
        return recorded

    _update(workspace, change)
    return entered[0]


def _only(entries: Sequence[Entry], slot: str) -> Entry:
    if len(entries) != 1:
        raise Invalid(
            f"`{slot}` means several slots: {', '.join(str(e.slot) for e in entries)}", hint="name one"
        )
    return entries[0]
