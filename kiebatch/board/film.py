"""What the storyboard shows, as values: a project with its assets, decisions, notes and states, in the film's order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kiebatch.model import (
    Asset,
    Attempt,
    Line,
    Modality,
    PriceKind,
    Project,
    Scene,
    SceneId,
    Shot,
    ShotId,
    Slot,
    natural,
)
from kiebatch.planning import Entry, Plan, decision, plans
from kiebatch.record import notes as review_notes
from kiebatch.record.manifest import Manifest, differences, lines
from kiebatch.record.notes import Notes, Status, Thread
from kiebatch.record.picks import UNDECIDED, Picks, Standing, written
from kiebatch.scenefile.lengths import lengths

# How far a take is, the quiet states first.
State = Literal[
    "made", "changed", "open", "waiting", "in-flight", "failed", "held", "missing", "altered", "orphan"
]
STATE_WORDS: Mapping[str, str] = {
    "made": "made",
    "changed": "out of date",
    "open": "not made yet",
    "waiting": "waits",
    "in-flight": "in flight",
    "failed": "failed",
    "held": "held: nobody knows whether it was charged",
    "missing": "its file is gone",
    "altered": "its file was altered by hand",
    "orphan": "no longer in the scene file",
    "skipped": "skipped",
}
OPEN = review_notes.Standing()
Piece = tuple[Literal["same", "old", "new"], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a take: the outputs of one task, and what changed against the version before."""

    number: int
    assets: tuple[Asset, ...]
    pieces: tuple[Piece, ...] = ()  # the prompt's way from the version before; empty when it stayed
    changes: tuple[str, ...] = ()  # in words, without the prompt

    @property
    def first(self) -> Asset:
        return self.assets[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One slot: its versions from old to new, what was decided about it, and how far it is.

    `message` says more about the state; `price` is what generating it would cost, in credits.
    """

    slot: str  # the written form with its take, as picks are kept: `2a#1`
    number: int
    model: str = ""  # set where the shot asks for several models
    versions: tuple[Version, ...] = ()
    state: State = "open"
    reason: str = ""
    message: str = ""
    standing: Standing = UNDECIDED
    price: float | None = None
    priced: PriceKind = "unknown"

    @property
    def current(self) -> Version | None:
        return self.versions[-1] if self.versions else None

    @property
    def asset(self) -> Asset | None:
        return self.versions[-1].first if self.versions else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What the script says of a scene or shot: never sent, shown beside the picture."""

    lines: tuple[Line, ...] = ()
    action: str = ""
    location: str = ""
    time_of_day: str = ""
    shot_size: str = ""
    lens: str = ""

    @property
    def slugline(self) -> str:
        """Where and when, as a script's heading has it: `The stairs - night`."""
        return " - ".join(part for part in (self.location, self.time_of_day) if part)


def script_of(said: Scene | Shot) -> Script:
    return Script(
        lines=said.lines,
        action=said.action,
        location=said.location,
        time_of_day=said.time_of_day,
        shot_size=said.shot_size,
        lens=said.lens,
    )


NO_SCRIPT = Script()


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One shot as the board shows it.

    `words` is the prompt as its author wrote it, `prompt` with the words of styles and characters.  `pieces` is the way
    from what the shown take was made with to today's prompt, where the two differ.
    """

    name: str
    scene: str = ""
    kind: Literal["shot", "vo", "music", "sfx"] = "shot"
    modality: Modality | Literal[""] = ""
    title: str = ""
    notes: str = ""
    prompt: str = ""
    words: str = ""
    pieces: tuple[Piece, ...] = ()
    script: Script = NO_SCRIPT
    duration_s: float | None = None  # on the timeline; None for a sound, or where it is skipped
    camera: str = ""
    text_overlay: str = ""
    transition: str = ""
    skip: str = ""
    models: tuple[str, ...] = ()
    takes: tuple[Take, ...] = ()
    threads: tuple[Thread, ...] = ()  # of the review, oldest first
    review: review_notes.Standing = OPEN

    @property
    def is_sound(self) -> bool:
        return self.kind != "shot" or self.modality == "audio"

    @property
    def open_threads(self) -> int:
        return sum(1 for thread in self.threads if not thread.first.done)

    @property
    def shown(self) -> Take | None:
        """The take that is shown for the shot: the pick, else the first that is there and not rejected."""
        there = [t for t in self.takes if t.versions]
        picked = [t for t in there if t.standing.choice == "pick"]
        liked = [t for t in there if t.standing.choice != "reject"]
        return next(iter(picked or liked or there or self.takes), None)

    @property
    def picked(self) -> bool:
        return any(t.standing.choice == "pick" for t in self.takes)

    @property
    def starred(self) -> bool:
        return any(t.standing.star for t in self.takes)

    @property
    def state(self) -> str:
        """The state that a person should know of first."""
        if self.skip:
            return "skipped"
        states = {t.state for t in self.takes}
        order = (
            "held",
            "failed",
            "in-flight",
            "missing",
            "altered",
            "open",
            "waiting",
            "changed",
            "made",
            "orphan",
        )
        return next((s for s in order if s in states), "open" if self.takes else "card")

    @property
    def facets(self) -> tuple[str, ...]:
        """The filters that this shot passes."""
        found = {
            "picked": self.picked,
            "unpicked": not self.picked and sum(1 for t in self.takes if t.versions) > 1,
            "starred": self.starred,
            "noted": any(t.standing.note for t in self.takes) or bool(self.open_threads),
            "in-review": self.review.status is Status.IN_REVIEW,
            "changes-asked": self.review.status is Status.CHANGES,
            "approved": self.review.status is Status.APPROVED,
            "gaps": any(t.state in ("open", "waiting", "in-flight") for t in self.takes),
            "problems": any(t.state in ("failed", "held", "missing", "altered") for t in self.takes),
            "changed": any(t.state == "changed" for t in self.takes),
        }
        return tuple(name for name, true in found.items() if true)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardScene:
    """One scene as the board shows it: its pictures, then its sounds."""

    id: SceneId
    title: str = ""
    group: str = ""
    notes: str = ""
    dialogue: str = ""  # the words of the voice-over
    script: Script = NO_SCRIPT
    camera: str = ""
    text_overlay: str = ""
    transition: str = ""
    skip: str = ""
    seconds: float = 0.0  # on the timeline
    panels: tuple[Panel, ...] = ()

    @property
    def spoken(self) -> bool:
        """Whether a sound of the scene says the dialogue already."""
        return any(p.kind == "vo" and p.prompt.strip() == self.dialogue.strip() for p in self.panels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """The whole storyboard.  `orphans` are assets that the scene file no longer asks for."""

    title: str
    id: str = ""  # tells this film from others of the same title
    folder: str = ""  # its assets folder, relative to the project
    notes: str = ""
    styles: tuple[tuple[str, str], ...] = ()  # name and words, once for the whole film
    characters: tuple[tuple[str, str], ...] = ()
    scenes: tuple[BoardScene, ...] = ()
    orphans: tuple[Panel, ...] = ()
    spent: float = 0.0  # credits of all versions
    to_spend: float = 0.0  # credits of what is still to be made
    unpriced: int = 0
    draft: bool = False

    @property
    def panels(self) -> tuple[Panel, ...]:
        return (*(p for s in self.scenes for p in s.panels), *self.orphans)

    @property
    def seconds(self) -> float:
        return sum(s.seconds for s in self.scenes if not s.skip)

    @property
    def open(self) -> int:
        """How many takes a run would make."""
        return sum(1 for p in self.panels for t in p.takes if t.state in ("open", "changed"))

    @property
    def failed(self) -> int:
        return sum(1 for p in self.panels for t in p.takes if t.state == "failed")

    @property
    def counts(self) -> Counter[str]:
        return Counter(f for p in self.panels for f in p.facets)

    @property
    def shape(self) -> tuple[int, int]:
        """Width and height of most pictures: the shape of the mats."""
        shapes = Counter(
            (t.asset.width, t.asset.height)
            for p in self.panels
            if p.kind == "shot"
            for t in p.takes
            if t.asset and t.asset.width and t.asset.height
        )
        if not shapes:
            return (16, 9)
        width, height = shapes.most_common(1)[0][0]
        return (width or 16, height or 9)


def build(
    project: Project,
    manifest: Manifest,
    picks: Picks,
    plan: Plan | None = None,
    attempts: Iterable[Attempt] = (),
    *,
    notes: Notes | None = None,
    title: str = "",
    draft: bool = False,
) -> Film:
    """Return the storyboard of a project.

    `plan` says what is changed, missing or blocked, and what it would cost; without it every file counts as there.
    `attempts` are the journal's, oldest first.
    """
    if plan is None:
        there = {a.filename: a.sha256 or "there" for a in manifest.assets}
        plan = decision.plan(project, manifest, plans.Facts(digests=there, draft=True))
    found = _Builder(project, manifest, picks, plan, attempts, notes or Notes()).film(title)
    return replace(found, draft=found.draft or draft)


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
        self.orphans: dict[tuple[str, str], list[Entry]] = {}
        for entry in plan.entries:
            if entry.action == "orphan" and entry.current:
                asset = entry.current[0]
                self.orphans.setdefault(_place(asset.scene_id, asset.shot), []).append(entry)
        self.attempts = {(a.slot.scene, a.slot.shot, a.slot.take, a.model): a for a in attempts}
        self.line_of: dict[str, tuple[Asset, ...]] = {
            a.id: line for line in lines(manifest.assets) for a in line
        }

    def film(self, title: str) -> Film:
        scenes = tuple(self._scene(scene) for scene in self.project.scenes)
        orphans = self._orphans()
        todo = [
            t for s in scenes for p in s.panels for t in p.takes if t.state in ("open", "failed", "changed")
        ]
        return Film(
            title=self.project.title or title,
            notes=self.project.notes,
            styles=tuple(self.project.styles.items()),
            characters=tuple((name, c.text) for name, c in self.project.characters.items() if c.text),
            scenes=scenes,
            orphans=orphans,
            spent=sum(a.credits or 0.0 for a in self.manifest.assets if not a.draft),
            to_spend=sum(t.price or 0.0 for t in todo),
            unpriced=sum(1 for t in todo if t.price is None),
            draft=bool(self.manifest.assets) and all(a.draft for a in self.manifest.assets),
        )

    def _scene(self, scene: Scene) -> BoardScene:
        panels = {shot.id: self._panel(scene, shot) for shot in scene.shots}
        shown = {id: panel.shown.asset for id, panel in panels.items() if panel.shown and panel.shown.asset}
        clips = {id: a.duration for id, a in shown.items() if a.type == "video" and a.duration}
        voices = {id: a.duration for id, a in shown.items() if a.type == "audio" and a.duration}
        timed = lengths(scene, clips, voices)
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
        alone = shot.id is None
        panel = Panel(
            name=Slot(scene.id, shot.id).shot_name,
            scene=str(scene.id),
            kind=shot.kind,
            modality=shot.jobs[0].modality if shot.jobs else "",
            # A scene that is one shot says these things once, at the scene.
            title="" if alone else shot.title,
            notes="" if alone else shot.notes,
            prompt=shot.prompt,
            words=shot.words or shot.prompt,
            # A scene that is one shot says these things once, at the scene.
            script=NO_SCRIPT if alone else script_of(shot),
            camera="" if alone else shot.camera,
            text_overlay="" if alone else shot.text_overlay,
            transition="" if alone else shot.transition,
            skip=shot.skip or scene.skip,
            models=shot.models,
            takes=self._takes(scene, shot),
        )
        panel = self._noted(panel)
        shown = panel.shown
        if shown and shown.asset and shown.state == "changed" and panel.prompt:
            return replace(panel, pieces=pieces(shown.asset.prompt, panel.prompt))
        return panel

    def _noted(self, panel: Panel) -> Panel:
        return replace(panel, threads=self.notes.threads(panel.name), review=self.notes.status(panel.name))

    def _takes(self, scene: Scene, shot: Shot) -> tuple[Take, ...]:
        """Return a shot's takes, and behind them those that the scene file no longer asks for."""
        takes = [self._take(self.entries[job.slot]) for job in shot.jobs if job.slot in self.entries]
        known = {take.slot for take in takes}
        for entry in self.orphans.pop(_place(scene.id, shot.id), ()):
            model = entry.current[0].model
            slot = replace(entry.slot, model=model) if written(entry.slot) in known else entry.slot
            takes.append(self._orphan(entry, slot))
        return tuple(takes)

    def _take(self, entry: Entry) -> Take:
        slot = entry.slot
        attempt = self._attempt(entry)
        state, message = _state(entry, attempt)
        job = entry.job
        return Take(
            slot=written(slot),
            number=slot.take,
            model=slot.model or "",
            versions=self._versions(entry.current),
            state=state,
            reason=entry.reason,
            message=message,
            standing=self.picks.decision(slot),
            price=job.price.amount if job else None,
            priced=job.price.kind if job else "unknown",
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
            if versions:
                before, now = versions[-1].first, assets[0]
                changed = differences.compared(before, now)
                changed.pop("prompt", None)
                version = Version(
                    number=number,
                    assets=assets,
                    pieces=pieces(before.prompt, now.prompt) if before.prompt != now.prompt else (),
                    changes=tuple(words for group in changed.values() for words in group),
                )
            versions.append(version)
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
        for entry in (e for entries in self.orphans.values() for e in entries):
            asset = entry.current[0]
            # An entry of another tool may name no scene: its id tells it apart.
            slot = entry.slot if asset.scene_id is not None else Slot(asset.id)
            take = self._orphan(entry, slot)
            known = panels.get(slot.shot_name)
            if known:
                panels[slot.shot_name] = replace(known, takes=(*known.takes, take))
                continue
            panels[slot.shot_name] = self._noted(
                Panel(
                    name=slot.shot_name,
                    kind="sfx" if asset.type == "audio" else "shot",
                    modality=_MODALITIES.get(asset.type, ""),
                    title="" if asset.scene_id is not None else asset.filename,
                    prompt=asset.prompt,
                    words=asset.prompt,
                    models=(asset.model,) if asset.model else (),
                    takes=(take,),
                )
            )
        return tuple(panels.values())


_MODALITIES: Mapping[str, Modality] = {"image": "image", "video": "video", "audio": "audio", "text": "text"}


def _place(scene: SceneId | None, shot: ShotId) -> tuple[str, str]:
    return str(scene).lower(), "" if shot is None else str(shot).lower()


def _state(entry: Entry, attempt: Attempt | None) -> tuple[State, str]:
    if entry.action == "blocked" and entry.reason == "held":
        return "held", entry.note
    if attempt and attempt.state == "submitted":
        return "in-flight", "waiting for the provider"
    if entry.reason == "failed before":
        said = entry.note or (attempt.message if attempt else "")
        return "failed", said
    match entry.action:
        case "generate":
            changed = entry.current and entry.reason != "new"
            return ("changed", _what_changed(entry.reason)) if changed else ("open", entry.reason)
        case "keep":
            return "made", entry.note
        case "restore":
            return (
                ("in-flight", entry.reason)
                if not entry.current
                else ("missing", "the next run brings it back")
            )
        case "missing":
            return "missing", entry.note
        case "altered":
            return "altered", entry.note
        case "blocked":
            return "waiting", entry.reason
        case "orphan":
            return "orphan", ""


def _what_changed(reason: str) -> str:
    """Return in words why a take is out of date; `reason` is the plan's."""
    upstream = reason.removeprefix("upstream ")
    if upstream != reason:
        return f"{upstream} has changed"
    plural = ("params", "references")
    return f"the {reason} {'have' if reason in plural else 'has'} changed"


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
