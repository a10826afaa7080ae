"""Builds the storyboard of a project from what the scene file, the manifest, the plan and the journal say."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from kiebatch.board.film import (
    NO_SCRIPT,
    BoardScene,
    Film,
    Panel,
    Piece,
    State,
    Take,
    Version,
    script_of,
)
from kiebatch.media.checks import Verdict
from kiebatch.model import Asset, Attempt, Modality, Project, Scene, SceneId, Shot, ShotId, Slot, natural
from kiebatch.planning import Action, Entry, Plan, Reason, expected, planner, plans
from kiebatch.record.manifest import Manifest, differences, lines
from kiebatch.record.notes import Notes
from kiebatch.record.picks import Picks, written
from kiebatch.scenefile.lengths import lengths


def build(
    project: Project,
    manifest: Manifest,
    picks: Picks,
    plan: Plan | None = None,
    attempts: Iterable[Attempt] = (),
    *,
    notes: Notes | None = None,
    title: str = "",
) -> Film:
    """Return the storyboard of a project.

    `plan` says what is changed, missing or blocked, and what it would cost; without it every file counts as there.
    `attempts` are the journal's, oldest first.
    """
    if plan is None:
        there = {a.filename: a.sha256 or "there" for a in manifest.assets}
        plan = planner.plan(project, manifest, plans.Facts(digests=there, draft=True))
    return _Builder(project, manifest, picks, plan, attempts, notes or Notes()).film(title)


class _Builder:
    def __init__(
        self,
        project: Project,
        manifest: Manifest,
        picks: Picks,
        plan: Plan,
        attempts: Iterable[Attempt],
        notes: Notes,
    ) -> None:
        self.notes = replace(notes, moved=project.moved)
        self.project = project
        self.manifest = manifest
        self.picks = replace(picks, moved=project.moved)
        self.plan = plan
        self.entries = {e.slot: e for e in plan.entries if e.job}
        self.verdicts: dict[Slot, tuple[Verdict, ...]] = {}
        for one in expected.of_plan(plan):
            self.verdicts[one.slot] = (*self.verdicts.get(one.slot, ()), *one.verdicts)
        self.orphans: dict[tuple[str, str], list[Entry]] = {}
        for entry in plan.entries:
            if entry.action is Action.ORPHAN and entry.current:
                asset = entry.current[0]
                self.orphans.setdefault(_place(asset.scene_id, asset.shot), []).append(entry)
        self.attempts = {(a.slot.scene, a.slot.shot, a.slot.take, a.model): a for a in attempts}
        self.line_of: dict[str, tuple[Asset, ...]] = {
            a.id: line for line in lines(manifest.assets) for a in line
        }

    def film(self, title: str) -> Film:
        scenes = tuple(self._scene(scene) for scene in self.project.scenes)
        todo = _to_make(scenes)
        assets = self.manifest.assets
        return Film(
            title=self.project.title or title,
            notes=self.project.notes,
            styles=tuple(self.project.styles.items()),
            characters=self._characters(),
            scenes=scenes,
            orphans=self._orphans(),
            spent=_spent(assets),
            to_spend=sum(take.price or 0.0 for take in todo),
            unpriced=sum(take.price is None for take in todo),
            draft=bool(assets) and all(asset.draft for asset in assets),
        )

    def _characters(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, found.text) for name, found in self.project.characters.items() if found.text)

    def _scene(self, scene: Scene) -> BoardScene:
        panels = {shot.id: self._panel(scene, shot) for shot in scene.shots}
        timed = lengths(scene, _seconds_of(panels, "video"), _seconds_of(panels, "audio"))
        return BoardScene(
            id=scene.id,
            title=scene.title,
            group=scene.group,
            notes=scene.notes,
            dialogue=scene.dialogue,
            script=script_of(scene),
            camera=scene.camera,
            text_overlay=scene.text_overlay,
            transition=scene.transition,
            skip=scene.skip,
            seconds=float(sum(timed.values())),
            panels=tuple(
                replace(panel, duration_s=float(timed[id]) if id in timed else None)
                for id, panel in panels.items()
            ),
        )

    def _panel(self, scene: Scene, shot: Shot) -> Panel:
        # A scene that is one shot says these things once, at the scene.
        own = shot if shot.id is not None else Shot(id=None)
        panel = Panel(
            name=Slot(scene.id, shot.id).shot_name,
            scene=str(scene.id),
            kind=shot.kind,
            modality=next((job.modality for job in shot.jobs), ""),
            title=own.title,
            notes=own.notes,
            prompt=shot.prompt,
            words=shot.words or shot.prompt,
            script=NO_SCRIPT if shot.id is None else script_of(shot),
            camera=own.camera,
            text_overlay=own.text_overlay,
            transition=own.transition,
            skip=shot.skip or scene.skip,
            models=shot.models,
            own=shot.file,
            through="" if shot.through is None else str(shot.through),
            takes=self._takes(scene, shot),
        )
        return _with_pieces(self._noted(panel))

    def _noted(self, panel: Panel) -> Panel:
        return replace(panel, threads=self.notes.threads(panel.name), review=self.notes.status(panel.name))

    def _takes(self, scene: Scene, shot: Shot) -> tuple[Take, ...]:
        """Return a shot's takes, and behind them those that the scene file no longer asks for."""
        takes = [self._take(self.entries[job.slot]) for job in shot.jobs if job.slot in self.entries]
        known = {take.slot for take in takes}
        for entry in self.orphans.pop(_place(scene.id, shot.id), ()):
            model = entry.current[0].model
            slot = entry.slot
            if written(slot) in known:
                slot = replace(slot, model=model)
            takes.append(self._orphan(entry, slot))
        return tuple(takes)

    def _take(self, entry: Entry) -> Take:
        slot = entry.slot
        attempt = self._attempt(entry)
        state, message = _state(entry, attempt)
        job = entry.job
        assert job is not None  # `entries` holds those with one
        return Take(
            slot=written(slot),
            number=slot.take,
            model=slot.model or "",
            prompt=job.prompt,
            raw=job.prompt_raw if job.enhanced else "",
            versions=self._versions(entry.current),
            state=state,
            reason=entry.reason,
            message=message,
            standing=self.picks.decision(slot),
            verdicts=self.verdicts.get(slot, ()),
            price=job.price.amount,
            priced=job.price.kind,
        )

    def _attempt(self, entry: Entry) -> Attempt | None:
        if entry.attempt or entry.job is None:
            return entry.attempt
        return self.attempts.get((entry.slot.scene, entry.slot.shot, entry.slot.take, entry.job.model))

    def _versions(self, current: Sequence[Asset]) -> tuple[Version, ...]:
        line = {a.id: a for asset in current for a in self.line_of.get(asset.id, (asset,))}
        by_number: dict[int, list[Asset]] = {}
        for asset in line.values():
            by_number.setdefault(asset.version, []).append(asset)
        versions: list[Version] = []
        for number in sorted(by_number):
            assets = tuple(sorted(by_number[number], key=lambda a: (a.output, natural(a.id))))
            version = Version(number=number, assets=assets)
            versions.append(_compared(versions[-1].first, version) if versions else version)
        return tuple(versions)

    def _orphan(self, entry: Entry, slot: Slot) -> Take:
        return Take(
            slot=written(slot),
            number=slot.take,
            model=slot.model or "",
            versions=self._versions(entry.current),
            state="orphan",
            reason="orphan",
            standing=self.picks.decision(slot),
        )

    def _orphans(self) -> tuple[Panel, ...]:
        """Return what belongs to no shot of the scene file any more; call it when the shots have taken theirs."""
        panels: dict[str, Panel] = {}
        for entry in itertools.chain.from_iterable(self.orphans.values()):
            asset = entry.current[0]
            # An entry of another tool may name no scene: its id tells it apart.
            slot = entry.slot if asset.scene_id is not None else Slot(asset.id)
            name = slot.shot_name
            known = panels.get(name) or self._noted(_panel_of_orphan(name, asset))
            panels[name] = replace(known, takes=(*known.takes, self._orphan(entry, slot)))
        return tuple(panels.values())


def _panel_of_orphan(name: str, asset: Asset) -> Panel:
    return Panel(
        name=name,
        kind="sfx" if asset.type == "audio" else "shot",
        modality=_MODALITIES.get(asset.type, ""),
        title="" if asset.scene_id is not None else asset.filename,
        prompt=asset.prompt,
        words=asset.prompt,
        models=(asset.model,) if asset.model else (),
    )


def _spent(assets: Iterable[Asset]) -> float:
    return sum(asset.credits or 0.0 for asset in assets if not asset.draft)


def _to_make(scenes: Iterable[BoardScene]) -> list[Take]:
    """Return the takes that a run would make or try again."""
    takes = (take for scene in scenes for panel in scene.panels for take in panel.takes)
    return [take for take in takes if take.state in ("open", "failed", "changed")]


def _with_pieces(panel: Panel) -> Panel:
    """Return a panel with what is new in its prompt since its picture was made."""
    shown = panel.shown
    if shown and shown.asset and shown.state == "changed" and shown.prompt:
        return replace(panel, pieces=pieces(shown.asset.prompt, shown.prompt))
    return panel


_MODALITIES: Mapping[str, Modality] = {"image": "image", "video": "video", "audio": "audio", "text": "text"}


def _place(scene: SceneId | None, shot: ShotId) -> tuple[str, str]:
    return str(scene).lower(), "" if shot is None else str(shot).lower()


def _seconds_of(panels: Mapping[ShotId, Panel], type: str) -> dict[ShotId, float]:
    """Return how long the shown clips, or sounds, last."""
    assets = {id: panel.shown.asset for id, panel in panels.items() if panel.shown}
    return {id: a.duration for id, a in assets.items() if a and a.type == type and a.duration}


def _state(entry: Entry, attempt: Attempt | None) -> tuple[State, str]:
    """Return how far a take is, and more about it in words."""
    if entry.cause is Reason.HELD:
        return "held", entry.note
    if attempt and attempt.state == "submitted":
        return "in-flight", "waiting for the provider"
    if entry.cause is Reason.FAILED_BEFORE:
        message = attempt.message if attempt else ""
        return "failed", entry.note or message
    return _planned(entry)


def _planned(entry: Entry) -> tuple[State, str]:
    """Return how far a take is by what the plan does with it."""
    match entry.action:
        case Action.GENERATE if entry.current and entry.cause is not Reason.NEW:
            return "changed", _what_changed(entry.reason)
        case Action.GENERATE:
            return "open", entry.reason
        case Action.RESTORE if entry.current:
            return "missing", "the next run brings it back"
        case Action.RESTORE:
            return "in-flight", entry.reason
        case Action.BLOCKED:
            return "waiting", entry.reason
        case _:
            return _STATES[entry.action], entry.note


# What the actions that leave a file alone say of it.
_STATES: Mapping[str, State] = {
    "keep": "made",
    "missing": "missing",
    "altered": "altered",
    "orphan": "orphan",
}


def _compared(before: Asset, version: Version) -> Version:
    """Return a version with what is otherwise than in the one before."""
    now = version.first
    changed = differences.compared(before, now)
    changed.pop("prompt", None)
    return replace(
        version,
        pieces=pieces(before.prompt, now.prompt) if before.prompt != now.prompt else (),
        changes=tuple(words for group in changed.values() for words in group),
    )


def _what_changed(reason: str) -> str:
    """Return in words why a take is out of date; `reason` is the plan's."""
    upstream = reason.removeprefix("upstream ")
    if upstream != reason:
        return f"{upstream} has changed"
    if reason in ("params", "references"):
        return f"the {reason} have changed"
    return f"the {reason} has changed"


def pieces(old: str, new: str) -> tuple[Piece, ...]:
    """Return the steps from one text to another, word by word, for showing old and new words in one text."""
    found: list[Piece] = []
    for step, before, after in differences.word_pieces(old, new):
        if step == "same":
            found.append(("same", after))
            continue
        if before:
            found.append(("old", before))
        if after:
            found.append(("new", after))
    return tuple(found)
