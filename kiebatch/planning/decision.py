"""Compares Project, Manifest and file digests; returns a Plan: jobs in order, each with reason and price.

`plan` is the one decision function: what `kiebatch plan` prints is what `kiebatch run` does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import rfc8785

from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import (
    JSON,
    Asset,
    Attempt,
    Job,
    LocalFile,
    Project,
    Ref,
    SceneId,
    ShotId,
    ShotOutput,
    Slot,
    fingerprints,
    selects,
)
from kiebatch.planning.order import output_of, upstream_first
from kiebatch.planning.plans import Action, Entry, Facts, Plan, Selection
from kiebatch.record.manifest import Manifest

# --- the decision --------------------------------------------------------------------------------------


def plan(project: Project, manifest: Manifest, facts: Facts, selection: Selection | None = None) -> Plan:
    """Decide for every slot what a run would do, and why."""
    return _Decision(project, manifest, facts, selection or Selection()).plan()


class _Decision:
    def __init__(self, project: Project, manifest: Manifest, facts: Facts, selection: Selection) -> None:
        self.project = project
        self.facts = facts
        self.selection = selection
        self.entries: dict[Slot, Entry] = {}
        self.claimed: set[str] = set()  # ids of entries that belong to a slot of the file
        self.moved = dict(project.moved)
        self.at: dict[tuple[str, str, int], list[Asset]] = defaultdict(list)
        self.of_scene: dict[str, list[Asset]] = defaultdict(list)
        self.superseded: dict[tuple[str, str, int], list[Asset]] = defaultdict(list)
        for asset in manifest.assets:
            if not asset.current:
                self.superseded[_key(*self._identity(asset))].append(asset)
        self.current = [a for a in manifest.assets if a.current]
        self.recorded = {a.task_id for a in manifest.assets if a.task_id}
        for asset in self.current:
            scene, shot, take = self._identity(asset)
            self.at[_key(scene, shot, take)].append(asset)
            if asset.fingerprint is None:
                self.of_scene[str(scene)].append(asset)
        self.attempts: dict[tuple[str, str, int], list[Attempt]] = defaultdict(list)
        for attempt in facts.attempts:
            slot = attempt.slot
            moved = self._moved(Slot(slot.scene, slot.shot, None, slot.take))
            self.attempts[_key(moved.scene, moved.shot, moved.take)].append(attempt)

    def _moved(self, slot: Slot) -> Slot:
        """Return where `moved:` says that a slot went."""
        if not self.moved:
            return slot
        for written, with_take in ((str(slot), True), (slot.shot_name, False)):
            target = self.moved.get(written)
            if target is None:
                continue
            for job in self.project.jobs:
                if target == job.slot.shot_name:
                    take = 1 if with_take and slot.take > 1 else slot.take
                    return Slot(job.slot.scene, job.slot.shot, None, take)
                if target == f"{job.slot.shot_name}#{job.slot.take}":
                    return Slot(job.slot.scene, job.slot.shot, None, job.slot.take)
        return slot

    def _identity(self, asset: Asset) -> tuple[SceneId | None, ShotId, int]:
        if self.moved and asset.scene_id is not None:
            slot = self._moved(Slot(asset.scene_id, asset.shot, None, asset.take))
            return slot.scene, slot.shot, slot.take
        return asset.scene_id, asset.shot, asset.take

    def plan(self) -> Plan:
        jobs = self.project.jobs
        for job in upstream_first(jobs):
            self.entries[job.slot] = self._entry(job)
        chosen = self._chosen()
        ordered = [self._selected(self.entries[job.slot], chosen) for job in jobs]
        orphans = [
            Entry(
                slot=slot,
                action="orphan",
                reason="orphan",
                current=assets,
                selected=not self.selection.only,
            )
            for slot, assets in self._orphans()
        ]
        wanted = {e.attempt.id for e in self.entries.values() if e.attempt and e.action == "restore"}
        collect = tuple(
            a
            for a in self.facts.attempts
            if a.id not in wanted
            and (
                a.state == "submitted"
                or (a.state == "lost" and self.facts.collectable(a))
                or (a.state == "saved" and not a.recorded and a.task_id not in self.recorded)
            )
        )
        return Plan(entries=(*ordered, *orphans), collect=collect)

    # -- what is there for a slot

    def _line(self, job: Job) -> tuple[Asset, ...]:
        """Return the current assets that a new version of this slot would supersede."""
        slot = job.slot
        found = [
            a
            for a in self.at.get(_key(slot.scene, slot.shot, slot.take), ())
            if a.id not in self.claimed and (a.fingerprint is not None or a.type == job.modality)
        ]
        groups: dict[str, list[Asset]] = defaultdict(list)
        for asset in found:
            groups[asset.model].append(asset)
        same = [m for m in groups if self.facts.same_model(m, job.model)]
        if same:
            return tuple(sorted(groups[same[0]], key=lambda a: a.output))
        if slot.model is None and groups:
            newest = max(groups.values(), key=lambda g: max((a.created_at, a.version) for a in g))
            return tuple(sorted(newest, key=lambda a: a.output))
        return self._foreign(job)

    def _foreign(self, job: Job) -> tuple[Asset, ...]:
        """Return an entry of another tool for this scene with this very prompt and model, if there is one."""
        for asset in self.of_scene.get(str(job.slot.scene), ()):
            if asset.id in self.claimed or asset.type != job.modality:
                continue
            if _same_text(asset.prompt, job.prompt) and self.facts.same_model(asset.model, job.model):
                return (asset,)
        return ()

    def _attempts(self, job: Job) -> list[Attempt]:
        slot = job.slot
        return [
            a
            for a in self.attempts.get(_key(slot.scene, slot.shot, slot.take), ())
            if slot.model in (None, a.slot.model or a.model)
        ]

    # -- one slot

    def _entry(self, job: Job) -> Entry:
        current = self._line(job)
        self.claimed.update(a.id for a in current)
        attempts = self._attempts(job)
        print_ = self._fingerprint(job)
        forced = self.selection.force and self._matches(job, None, fits_only=True)

        def entry(
            action: Action,
            reason: str,
            *,
            attempt: Attempt | None = None,
            older: tuple[Asset, ...] = (),
            note: str = "",
        ) -> Entry:
            return Entry(
                slot=job.slot,
                action=action,
                reason=reason,
                job=job,
                fingerprint=print_,
                current=current,
                attempt=attempt,
                older=older,
                note=note,
            )

        held = [a for a in attempts if a.undecided]
        if held:
            return entry("blocked", "held", attempt=held[-1], note=held[-1].message)
        made = [a for a in current if self.facts.draft or not a.draft]
        up_to_date = self._up_to_date(job, made, print_)
        if made and up_to_date and not forced:
            return self._kept(job, entry, made, up_to_date)
        asked = self._asked(job, print_)
        in_flight = [a for a in attempts if a.open and a.fingerprint in asked]
        if in_flight and not forced:
            return entry("restore", "in flight", attempt=in_flight[-1])
        # Saved, and the manifest knows nothing of it: a crash came before it was written, or git took it back.
        unrecorded = [
            a
            for a in attempts
            if a.state == "saved" and a.job and a.fingerprint in asked and a.task_id not in self.recorded
        ]
        if unrecorded and not forced:
            return entry("restore", "saved, not yet recorded", attempt=unrecorded[-1])
        blocked = self._blocked_by(job)
        if not blocked and self.selection.until_picks and job.unpicked:
            blocked = f"waits for a pick of {', '.join(job.unpicked)}"
        if blocked:
            return entry("blocked", blocked)
        if forced and (made or in_flight):
            return entry("generate", "forced")
        stored = next((p for p in self._fingerprints(job) if (p, job.slot.take) in self.facts.stored), None)
        if stored is not None and not forced:
            return replace(entry("restore", "paid for already"), fingerprint=stored)
        older = () if forced else self._older(job, asked)
        if older:
            return entry("restore", "made before", older=older)
        last = attempts[-1] if attempts else None
        if last and last.fingerprint in asked and gave_up(last):
            if last.retryable or forced or "failed" in self.selection.only:
                return entry("generate", "failed before", attempt=last, note=last.message)
            return entry("blocked", "failed before", attempt=last, note=last.message)
        if not made:
            return entry("generate", "new")
        return entry("generate", self._why(job, made))

    def _older(self, job: Job, asked: set[str]) -> tuple[Asset, ...]:
        """Return a superseded version of this slot that is just what is asked for, its files whole."""
        slot = job.slot
        place = _key(slot.scene, slot.shot, slot.take)
        return older_version(self.superseded.get(place, ()), asked, self.facts.intact, draft=self.facts.draft)

    def _asked(self, job: Job, print_: str | None) -> set[str]:
        """Return the fingerprints that satisfy a job: its own, also as 0.1 took it, and its fallback's."""
        found = {p for one in (job, job.fallback) if one for p in self._fingerprints(one)}
        return found if print_ is None else {print_, *found}

    def _kept(self, job: Job, entry: Callable[..., Entry], made: Sequence[Asset], reason: str) -> Entry:
        gone = [a for a in made if self.facts.digests.get(a.filename) is None]
        if gone:
            known = any((a.fingerprint, a.take) in self.facts.stored for a in gone if a.fingerprint)
            if known or all(self.facts.retrievable(a) for a in gone):
                return entry("restore", "file missing")
            return entry(
                "missing",
                "file missing",
                note=f"{gone[0].filename} is gone and the provider no longer has it: put it back, or --force",
            )
        altered = [a for a in made if a.sha256 and self.facts.digests.get(a.filename) != a.sha256]
        if altered:
            return entry(
                "altered",
                "file altered",
                note=f"{altered[0].filename} was changed by hand: `kiebatch adopt {job.slot} FILE` makes it a "
                "new version, --force generates anew",
            )
        return entry("keep", reason, note=_shorter(job, made))

    def _up_to_date(self, job: Job, made: Sequence[Asset], print_: str | None) -> str:
        """Return why the assets count as what is asked for, or nothing when they do not."""
        if not made:
            return ""
        if any(a.fingerprint is None for a in made):
            same = all(
                _same_text(a.prompt, job.prompt) and self.facts.same_model(a.model, job.model) for a in made
            )
            return "kept" if same and not job.needs else ""
        if print_ is None:
            return ""
        if any(a.fingerprint in self._fingerprints(job) for a in made):
            return "adopted" if any(a.extra.get("adopted") for a in made) else "kept"
        if any(a.extra.get("accepted") == print_ for a in made):
            return "accepted"
        fallback = job.fallback
        if fallback and any(a.fingerprint in self._fingerprints(fallback) for a in made):
            return "kept"
        return ""

    def _fingerprint(self, job: Job) -> str | None:
        """Return the job's fingerprint, or None while something it starts from is not made."""
        return next(iter(self._fingerprints(job)), None)

    def _fingerprints(self, job: Job) -> tuple[str, ...]:
        """Return every fingerprint under which the job may have been made, today's first."""
        try:
            return fingerprints(job, self._digest)
        except _NotMade:
            return ()

    def _digest(self, ref: Ref) -> str:
        if isinstance(ref, LocalFile):
            digest = self.facts.media.get(ref.path)
            if digest is None:
                raise _NotMade
            return digest
        if isinstance(ref, ShotOutput):
            upstream = self.entries.get(ref.slot)
            if upstream is None or upstream.action in ("generate", "blocked"):
                raise _NotMade
            if upstream.action == "restore" and upstream.reason != "file missing":
                raise _NotMade
            asset = output_of(upstream.current, ref)
            if asset is None or not asset.sha256:
                raise _NotMade
            return asset.sha256
        raise TypeError(ref)

    def _blocked_by(self, job: Job) -> str:
        for slot in job.needs:
            upstream = self.entries.get(slot)
            if upstream is None:
                return f"upstream {slot} is not in the file"
            if upstream.action == "blocked":
                return f"upstream {slot}: {upstream.reason}"
            if upstream.action == "missing":
                return f"upstream {slot}: its file is missing"
        return ""

    def _why(self, job: Job, made: Sequence[Asset]) -> str:
        asset = made[0]
        if not self.facts.same_model(asset.model, job.model):
            return "model"
        if not _same_text(asset.prompt, job.prompt):
            return "prompt"
        for slot in job.needs:
            upstream = self.entries.get(slot)
            if upstream and (
                upstream.action in ("generate", "restore")
                or not {a.id for a in upstream.current} & set(asset.made_from)
            ):
                return f"upstream {slot}"
        sent = asset.parameters.get("input")
        if isinstance(sent, Mapping) and sent:
            filled = {m.field for m in job.media} | {"prompt", "text"}
            for key in {*sent, *job.input} - filled:
                left_to_catalogue = key in job.defaulted
                if not left_to_catalogue and _plain(sent.get(key)) != _plain(job.input.get(key)):
                    if _is_media(sent.get(key)):
                        continue
                    return "params"
        return "references" if job.media or _any_media(sent) else "params"

    # -- selection

    def _chosen(self) -> set[Slot]:
        if not self.selection.only:
            return set(self.entries)
        chosen = {s for s, e in self.entries.items() if e.job and self._matches(e.job, e)}
        known_words = {"changed", "failed"}
        for selector in self.selection.only:
            if selector in known_words or selector.startswith("model:"):
                continue
            if not any(self._fits(selector, e.job, e) for e in self.entries.values() if e.job):
                names = ", ".join(str(s) for s in list(self.entries)[:12])
                raise Invalid(
                    [
                        Problem(
                            where=Where(),
                            message=f"--only {selector} names no slot of the file",
                            hint=f"its slots are {names}{' ...' if len(self.entries) > 12 else ''}",
                        )
                    ]
                )
        # What a chosen job starts from comes along when it is not made yet, as make does.
        queue = list(chosen)
        while queue:
            job = self.entries[queue.pop()].job
            for slot in job.needs if job else ():
                upstream = self.entries.get(slot)
                if upstream and slot not in chosen and upstream.action in ("generate", "restore"):
                    chosen.add(slot)
                    queue.append(slot)
        return chosen

    def _matches(self, job: Job, entry: Entry | None, *, fits_only: bool = False) -> bool:
        if not self.selection.only:
            return True
        return any(
            self._fits(selector, job, entry)
            for selector in self.selection.only
            if not (fits_only and selector in ("changed", "failed"))
        )

    def _fits(self, selector: str, job: Job, entry: Entry | None) -> bool:
        if selector == "changed":
            return bool(entry and entry.action == "generate" and entry.current)
        if selector == "failed":
            attempts = self._attempts(job)
            return bool(attempts and gave_up(attempts[-1]))
        return selects(selector, job.slot, job.model, [scene.id for scene in self.project.scenes])

    def _selected(self, entry: Entry, chosen: set[Slot]) -> Entry:
        if entry.slot in chosen:
            return entry
        return Entry(
            slot=entry.slot,
            action=entry.action,
            reason=entry.reason,
            job=entry.job,
            fingerprint=entry.fingerprint,
            current=entry.current,
            attempt=entry.attempt,
            older=entry.older,
            selected=False,
            note=entry.note,
        )

    def _orphans(self) -> Iterable[tuple[Slot, tuple[Asset, ...]]]:
        groups: dict[tuple[SceneId | None, ShotId, int, str], list[Asset]] = {}
        for asset in self.current:
            if asset.id not in self.claimed:
                key = (asset.scene_id, asset.shot, asset.take, asset.model)
                groups.setdefault(key, []).append(asset)
        for (scene, shot, take, _), assets in groups.items():
            yield Slot(scene if scene is not None else "?", shot, None, take), tuple(assets)


def gave_up(attempt: Attempt) -> bool:
    """Whether an attempt is over without a result: its task failed, or the provider will never take the job."""
    return attempt.state == "failed" or (attempt.state == "refused" and not attempt.retryable)


def older_version(
    superseded: Sequence[Asset], asked: set[str], intact: Callable[[Asset], bool], *, draft: bool
) -> tuple[Asset, ...]:
    """Return the newest superseded version with a fingerprint that is asked for, all its outputs, files whole.

    A prompt that goes back to what it was, or a merge that made the other branch's version current, costs nothing.
    """
    fitting = [a for a in superseded if a.fingerprint in asked and (draft or not a.draft)]
    for version in sorted({(a.version, a.task_id or "") for a in fitting}, reverse=True):
        outputs = tuple(
            sorted((a for a in fitting if (a.version, a.task_id or "") == version), key=lambda a: a.output)
        )
        if all(intact(a) for a in outputs):
            return outputs
    return ()


class _NotMade(Exception):
    """Something that a job starts from has no content yet."""


def _key(scene: SceneId | None, shot: ShotId, take: int) -> tuple[str, str, int]:
    return str(scene).lower(), "" if shot is None else str(shot).lower(), take


def _same_text(a: str, b: str) -> bool:
    return " ".join(a.split()) == " ".join(b.split())


def _plain(value: JSON) -> JSON:
    return rfc8785.dumps(value) if value is not None else None


def _is_media(value: JSON) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, str) and first.startswith(("file:", "shot:", "task:", "http://", "https://"))


def _any_media(sent: JSON) -> bool:
    return isinstance(sent, Mapping) and any(_is_media(v) for v in sent.values())


def _shorter(job: Job, made: Sequence[Asset]) -> str:
    """Say where a clip that 0.1 made is shorter than its scene, which gave no length to a clip in those days."""
    before = job.authored_before
    if before is None or made[0].duration is None:
        return ""
    lasts = made[0].duration
    asked = max((_seconds(v) for k, v in job.authored.items() if k not in before), default=0.0)
    if lasts >= asked - 0.5:
        return ""
    return f"the clip lasts {lasts:g} s and the scene asks for {asked:g}; it is kept, --force makes it anew (clip-shorter)"


def _seconds(value: JSON) -> float:
    """Return a length as a number; models spell it `5` or `"5"`."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
