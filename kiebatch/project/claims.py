"""The one map of assets and attempts to the slots of today's file: by `moved:`, then by content.

Everything that asks "whose asset is this?" asks here, so that the plan, the run and the exports never differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from kiebatch._dataclass import dataclass
from kiebatch.model import Asset, Attempt, Job, Project, SceneId, ShotId, Slot, same_words
from kiebatch.record.manifest import Manifest

Place = tuple[str, str, int]  # scene, shot and take, as names are compared: without regard to case
SameModel = Callable[[str, str], bool]


def place(scene: SceneId | None, shot: ShotId, take: int) -> Place:
    return str(scene).lower(), "" if shot is None else str(shot).lower(), take


def place_of(slot: Slot) -> Place:
    return place(slot.scene, slot.shot, slot.take)


@dataclass(frozen=True, slots=True)
class Found:
    """A result that was paid for elsewhere in the file: assets that are here, or a task that brings them."""

    origin: Slot
    assets: tuple[Asset, ...] = ()
    attempt: Attempt | None = None


def claimed_by(
    project: Project,
    manifest: Manifest,
    attempts: Sequence[Attempt],
    *,
    same_model: SameModel = lambda a, b: a == b,
    could_be: SameModel = lambda a, b: a == b,
) -> Assignment:
    """Return which assets and attempts belong to which slot of today's file.

    `same_model` says whether two names mean one model; `could_be` whether a name that another tool wrote could mean it.
    """
    return Assignment(project, manifest, attempts, same_model, could_be)


class Assignment:
    """What each slot of today's file has.

    `line`, `superseded` and `attempts` go by the slot's name, after `moved:`.  Whoever finds that a slot's own line is
    not what it asks for looks `elsewhere`, by content; what a slot has is noted with `keep`, so that nobody else
    takes it.  An asset belongs to one slot at most.
    """

    def __init__(
        self,
        project: Project,
        manifest: Manifest,
        attempts: Sequence[Attempt],
        same_model: SameModel,
        could_be: SameModel,
    ) -> None:
        self._renames = _Renames(project)
        self._same_model = same_model
        self._could_be = could_be
        self._owners: dict[str, Slot] = {}  # asset id -> the slot that has it
        self._attempt_owners: dict[int, Slot] = {}
        self._current: dict[Place, list[Asset]] = defaultdict(list)
        self._superseded: dict[Place, list[Asset]] = defaultdict(list)
        self._of_scene: dict[str, list[Asset]] = defaultdict(list)  # entries of other tools
        self._attempts: dict[Place, list[Attempt]] = defaultdict(list)
        self._by_content: dict[tuple[str, int], list[Asset]] = defaultdict(list)
        self._attempts_by_content: dict[tuple[str, int], list[Attempt]] = defaultdict(list)
        self._assets = manifest.assets
        for asset in manifest.assets:
            at = self._place_of(asset)
            (self._current if asset.current else self._superseded)[at].append(asset)
            if asset.current and asset.fingerprint is None:
                self._of_scene[at[0]].append(asset)
            if asset.fingerprint:
                self._by_content[asset.fingerprint, asset.take].append(asset)
        for attempt in attempts:
            moved = self._renames.of(replace(attempt.slot, model=None))
            self._attempts[place_of(moved)].append(attempt)
            self._attempts_by_content[attempt.fingerprint, attempt.take].append(attempt)
        self._project = project
        self._lines = self._lines_of(project.jobs)

    @cached_property
    def _slots(self) -> Mapping[Place, Sequence[Slot]]:
        """Today's slots by their places, for attempts whose slot is asked for."""
        found: dict[Place, list[Slot]] = defaultdict(list)
        for job in self._project.jobs:
            found[place_of(job.slot)].append(job.slot)
        return found

    @property
    def is_empty(self) -> bool:
        """Whether nothing is recorded: neither an asset nor an attempt."""
        return not self._assets and not self._attempts

    def _place_of(self, asset: Asset) -> Place:
        if asset.scene_id is None:
            return place(None, asset.shot, asset.take)
        return place_of(self._renames.of(Slot(asset.scene_id, asset.shot, None, asset.take)))

    # -- by name

    def _lines_of(self, jobs: Iterable[Job]) -> dict[Slot, tuple[Asset, ...]]:
        taken: set[str] = set()
        lines: dict[Slot, tuple[Asset, ...]] = {}
        for job in jobs if self._assets else ():
            line = self._line_of(job, taken)
            taken.update(a.id for a in line)
            if line:
                lines[job.slot] = line
        return lines

    def _line_of(self, job: Job, taken: set[str]) -> tuple[Asset, ...]:
        slot = job.slot
        groups: dict[str, list[Asset]] = defaultdict(list)
        for asset in self._current.get(place_of(slot), ()):
            if asset.id not in taken and (asset.fingerprint is not None or asset.type == job.modality):
                groups[asset.model].append(asset)
        same = [model for model in groups if self._same(model, groups[model], job)]
        if same:
            return _by_output(groups[same[0]])
        if slot.model is None and groups:
            newest = max(groups.values(), key=lambda group: max((a.created_at, a.version) for a in group))
            return _by_output(newest)
        return self._foreign_line(job, taken)

    def _same(self, model: str, assets: Sequence[Asset], job: Job) -> bool:
        foreign = all(a.fingerprint is None for a in assets)
        return self._same_model(model, job.model) or (foreign and self._could_be(model, job.model))

    def _foreign_line(self, job: Job, taken: set[str]) -> tuple[Asset, ...]:
        """Return an entry of another tool for this scene with this very prompt and model, if there is one."""
        for asset in self._of_scene.get(str(job.slot.scene).lower(), ()):
            if asset.id in taken or asset.type != job.modality:
                continue
            if same_words(asset.prompt, job.prompt) and self._same(asset.model, [asset], job):
                return (asset,)
        return ()

    def line(self, job: Job) -> tuple[Asset, ...]:
        """Return the current assets that a new version of this slot would supersede, by output."""
        line = self._lines.get(job.slot, ())
        return tuple(a for a in line if self._owners.get(a.id, job.slot) == job.slot)

    def superseded(self, slot: Slot) -> tuple[Asset, ...]:
        """Return the superseded versions that bear the slot's name."""
        return tuple(self._superseded.get(place_of(slot), ()))

    def attempts(self, slot: Slot) -> tuple[Attempt, ...]:
        """Return the attempts for a slot, oldest first: of all models where the shot has one, else of its own."""
        return tuple(
            a
            for a in self._attempts.get(place_of(slot), ())
            if slot.model in (None, a.slot.model or a.model) and self._attempt_owners.get(a.id, slot) == slot
        )

    def slot_of(self, attempt: Attempt) -> Slot:
        """Return the slot of today's file that an attempt belongs to, else the one it had then."""
        if attempt.id in self._attempt_owners:
            return self._attempt_owners[attempt.id]
        moved = place_of(self._renames.of(replace(attempt.slot, model=None)))
        for slot in self._slots.get(moved, ()):
            if slot.model in (None, attempt.slot.model or attempt.model):
                return slot
        return attempt.slot

    # -- by content

    def keep(self, slot: Slot, assets: Iterable[Asset], attempt: Attempt | None = None) -> None:
        """Note that a slot has these assets, or this attempt: nobody else takes them by their content."""
        for asset in assets:
            self._owners[asset.id] = slot
        if attempt:
            self._attempt_owners[attempt.id] = slot

    def elsewhere(self, slot: Slot, contents: Iterable[str]) -> Iterator[Found]:
        """Yield results with one of these contents and the slot's take that no slot has, the newest first.

        What bears the slot's own name is not elsewhere.  An asset comes with all outputs of its task.
        """
        own = place_of(slot)
        for content in contents:
            found = [a for a in self._by_content.get((content, slot.take), ()) if a.id not in self._owners]
            versions: dict[tuple[Place, str, int, str], list[Asset]] = defaultdict(list)
            for asset in found:
                at = self._place_of(asset)
                if at != own:
                    versions[at, asset.model, asset.version, asset.task_id or ""].append(asset)
            for assets in sorted(
                versions.values(), key=lambda v: (v[0].current, v[0].created_at), reverse=True
            ):
                yield Found(_name_of(assets[0]), assets=_by_output(assets))
            for attempt in reversed(self._attempts_by_content.get((content, slot.take), ())):
                moved = self._renames.of(replace(attempt.slot, model=None))
                if attempt.id not in self._attempt_owners and place_of(moved) != own:
                    yield Found(attempt.slot, attempt=attempt)

    def orphans(self) -> Iterator[tuple[Slot, tuple[Asset, ...]]]:
        """Yield the current assets that no slot of today's file has, by the name that they bear."""
        named = {a.id for line in self._lines.values() for a in line}
        groups: dict[tuple[SceneId | None, ShotId, int, str], list[Asset]] = defaultdict(list)
        for asset in self._assets:
            if asset.current and asset.id not in named and asset.id not in self._owners:
                groups[asset.scene_id, asset.shot, asset.take, asset.model].append(asset)
        for assets in groups.values():
            yield _name_of(assets[0]), tuple(assets)

    def displaced(self) -> dict[str, Slot]:
        """Return file name -> slot for assets that a slot of another name has by their content."""
        return {
            asset.filename: owner
            for asset in self._assets
            if (owner := self._owners.get(asset.id)) is not None and self._place_of(asset) != place_of(owner)
        }


class _Renames:
    """Where `moved:` says that slots went.

    All lines apply at once, so that `{1: 2, 2: 1}` swaps; a target that is not a slot of today's file is followed
    further (`{2: 20, 20: 30}`).
    """

    def __init__(self, project: Project) -> None:
        self._moved = dict(project.moved)
        self._slots: dict[str, Slot] = {}
        if self._moved:
            for job in project.jobs:
                slot = job.slot
                self._slots.setdefault(slot.shot_name, Slot(slot.scene, slot.shot))
                self._slots.setdefault(
                    f"{slot.shot_name}#{slot.take}", Slot(slot.scene, slot.shot, None, slot.take)
                )

    def of(self, slot: Slot) -> Slot:
        """Return the slot's name of today; `slot` has no model."""
        if not self._moved:
            return slot
        for written, whole_shot in ((f"{slot.shot_name}#{slot.take}", False), (slot.shot_name, True)):
            target = self._followed(written)
            if target is None:
                continue
            take = slot.take if whole_shot and "#" not in target else self._slots[target].take
            return replace(self._slots[target], take=take)
        return slot

    def _followed(self, written: str) -> str | None:
        seen = {written}
        target = self._moved.get(written)
        while target is not None and target not in self._slots:
            if target in seen:
                return None
            seen.add(target)
            target = self._moved.get(target)
        return target


def _name_of(asset: Asset) -> Slot:
    return Slot(asset.scene_id if asset.scene_id is not None else "?", asset.shot, None, asset.take)


def _by_output(assets: Iterable[Asset]) -> tuple[Asset, ...]:
    return tuple(sorted(assets, key=lambda a: a.output))
