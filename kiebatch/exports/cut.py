"""The film as it plays: its shots in order with the take that stands for each, their lengths, words and sounds.

Every export is drawn from this.  Times are whole frames, so that nothing drifts over a long film.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from kiebatch import media
from kiebatch.errors import Invalid
from kiebatch.model import Asset, Modality, Project, Scene, SceneId, Shot, ShotId, Slot
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks, Standing, parts, written
from kiebatch.workspace import Workspace

STILL_S = 3.0  # how long a still stands where nobody said it
Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """The progress of somebody who does not look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may ask of an export.

    - `columns` and `rows`: of a contact sheet's page; `all_takes` shows every take of a shot instead of one
    - `layout`: panels on a page of the PDF, 1, 4 or 6; `paper` is `a4` or `letter`
    - `fps`, `size`: of animatic and timeline; without a size it follows the pictures
    - `slate`: scene, shot, take and time in the animatic
    """

    output: Path
    progress: Progress = silent
    columns: int = 4
    rows: int = 6
    all_takes: bool = False
    layout: int = 4
    paper: Literal["a4", "letter"] = "a4"
    fps: Fraction = Fraction(24)
    size: tuple[int, int] | None = None
    slate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One take that was made: the current asset of one slot.  `path` is None where its file is not there."""

    slot: str  # as picks are kept: `2a#1`
    number: int
    model: str
    asset: Asset
    path: Path | None
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One shot in its place.  `start` and `frames` are frames; a sound's `frames` are those of its scene."""

    name: str  # `2b`
    scene: SceneId
    shot: ShotId
    kind: Literal["shot", "vo", "music", "sfx"]
    start: int
    frames: int
    scene_title: str = ""
    title: str = ""
    prompt: str = ""
    dialogue: str = ""  # on the first shot of its scene
    camera: str = ""
    text_overlay: str = ""
    transition: str = ""  # how the shot ends
    notes: str = ""
    models: tuple[str, ...] = ()
    takes: tuple[Take, ...] = ()
    shown: Take | None = None

    @property
    def end(self) -> int:
        return self.start + self.frames

    @property
    def modality(self) -> Modality | None:
        return self.shown.asset.type if self.shown else None  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """All shots and sounds.  `length` is in frames of `1 / fps` seconds."""

    title: str
    fps: Fraction
    shots: tuple[Cut, ...]
    sounds: tuple[Cut, ...] = ()

    @property
    def length(self) -> int:
        return self.shots[-1].end if self.shots else 0

    def seconds(self, frames: int) -> float:
        return float(frames / self.fps)

    def timecode(self, frames: int) -> str:
        """Return a place as hours, minutes, seconds and frames, as editors write it (no drop frames)."""
        rate = max(1, round(self.fps))
        whole, rest = divmod(frames, rate)
        return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}:{rest:02d}"

    @property
    def shape(self) -> tuple[int, int]:
        """Return the pixels of most pictures, else 1280 x 720."""
        seen: dict[tuple[int, int], int] = {}
        for cut in self.shots:
            asset = cut.shown.asset if cut.shown else None
            if asset and asset.width and asset.height:
                seen[asset.width, asset.height] = seen.get((asset.width, asset.height), 0) + 1
        return max(seen, key=lambda size: seen[size]) if seen else (1280, 720)


def film(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, fps: Fraction = Fraction(24)
) -> Film:
    """Return the film of a project; what is skipped is not in it.  `Invalid` when there is no shot at all."""
    builder = _Builder(manifest, replace(picks, moved=project.moved), workspace, fps)
    for scene in project.scenes:
        if not scene.skip:
            builder.scene(scene)
    if not builder.shots:
        raise Invalid("the scene file has no shots to export")
    title = project.title or Path(project.file).resolve().parent.name
    return Film(title=title, fps=fps, shots=tuple(builder.shots), sounds=tuple(builder.sounds))


class _Builder:
    def __init__(self, manifest: Manifest, picks: Picks, workspace: Workspace, fps: Fraction) -> None:
        self.manifest = manifest
        self.picks = picks
        self.workspace = workspace
        self.fps = fps
        self.clock = Fraction(0)  # seconds, exact: frames are rounded from it, never added up
        self.shots: list[Cut] = []
        self.sounds: list[Cut] = []

    def scene(self, scene: Scene) -> None:
        shots = [shot for shot in scene.shots if shot.kind == "shot" and not shot.skip]
        takes = {shot.id: self._takes(scene, shot) for shot in scene.shots if not shot.skip}
        voices = [s.id for s in scene.shots if s.kind == "vo" and s.id in takes]
        spoken = sum(
            shown.asset.duration or 0.0 for id in voices if (shown := self._shown(scene, id, takes[id]))
        )
        lengths = self._lengths(scene, shots, takes, spoken)
        begin = self._frame()
        for shot, seconds in zip(shots, lengths, strict=True):
            first, last = shot is shots[0], shot is shots[-1]
            start = self._frame()
            self.clock += Fraction(seconds).limit_denominator(100_000)
            alone = shot.id is None
            self.shots.append(
                Cut(
                    name=Slot(scene.id, shot.id).shot_name,
                    scene=scene.id,
                    shot=shot.id,
                    kind="shot",
                    start=start,
                    frames=max(1, self._frame() - start),
                    scene_title=scene.title,
                    title=shot.title,
                    prompt=shot.prompt,
                    dialogue=scene.dialogue if first else "",
                    camera=shot.camera or scene.camera,
                    text_overlay=shot.text_overlay or (scene.text_overlay if first else ""),
                    transition=shot.transition or (scene.transition if last else ""),
                    notes="\n".join(
                        n for n in (scene.notes if first else "", "" if alone else shot.notes) if n
                    ),
                    models=shot.models,
                    takes=takes[shot.id],
                    shown=self._shown(scene, shot.id, takes[shot.id]),
                )
            )
        for shot in scene.shots:
            if shot.kind == "shot" or shot.skip or not takes[shot.id]:
                continue
            self.sounds.append(
                Cut(
                    name=Slot(scene.id, shot.id).shot_name,
                    scene=scene.id,
                    shot=shot.id,
                    kind=shot.kind,
                    start=begin,
                    frames=self._frame() - begin,
                    scene_title=scene.title,
                    title=shot.title,
                    prompt=shot.prompt,
                    models=shot.models,
                    takes=takes[shot.id],
                    shown=self._shown(scene, shot.id, takes[shot.id]),
                )
            )

    def _frame(self) -> int:
        return round(self.clock * self.fps)

    def _lengths(
        self, scene: Scene, shots: Sequence[Shot], takes: dict[ShotId, tuple[Take, ...]], spoken: float
    ) -> list[float]:
        """Return each shot's seconds.

        What is written counts; what a scene's length leaves is shared by the shots that have none; else a clip takes
        its own length, and a still long enough for the words, at least `STILL_S`.
        """
        if not shots:
            return []
        written_s = [shot.duration_s for shot in shots]
        if len(shots) == 1 and shots[0].id is None and scene.duration_s:
            return [scene.duration_s]
        open_ones = sum(1 for s in written_s if s is None)
        left = (scene.duration_s or 0.0) - sum(s or 0.0 for s in written_s)
        lengths: list[float] = []
        for shot, known in zip(shots, written_s, strict=True):
            shown = self._shown(scene, shot.id, takes[shot.id])
            if known is not None:
                lengths.append(known)
            elif scene.duration_s and left > 0:
                lengths.append(left / open_ones)
            elif shown and shown.asset.type == "video" and shown.asset.duration:
                lengths.append(shown.asset.duration)
            else:
                lengths.append(max(STILL_S, spoken / len(shots)))
        return lengths

    def _takes(self, scene: Scene, shot: Shot) -> tuple[Take, ...]:
        slots = {(job.model, job.slot.take): job.slot for job in shot.jobs}
        found = []
        seen = set()
        for asset in self.manifest.of(scene.id, shot.id):
            if not asset.current or asset.output > 1 or asset.type not in ("image", "video", "audio"):
                continue
            slot = slots.get((asset.model, asset.take))
            if slot is None:
                # Made by another model than the file names now: still what stands for that take.
                named = Slot(scene.id, shot.id, asset.model if len(shot.models) > 1 else None, asset.take)
                slot = named if shot.jobs else Slot(scene.id, shot.id, None, asset.take)
            if slot in seen:
                continue
            seen.add(slot)
            path = self.workspace.asset_path(asset.filename)
            found.append(
                Take(
                    slot=written(slot),
                    number=asset.take,
                    model=asset.model,
                    asset=asset,
                    path=path if path.is_file() else None,
                    standing=self.picks.decision(slot),
                )
            )
        return tuple(sorted(found, key=lambda t: (t.number, t.model)))

    def _shown(self, scene: Scene, shot: ShotId, takes: Sequence[Take]) -> Take | None:
        """Return the pick, else the first take that nobody rejected, else the first."""
        picked = self.picks.picked(Slot(scene.id, shot).shot_name)
        if picked:
            _, model, number = parts(picked)
            for take in takes:
                if take.slot == picked or (model is None and take.number == number):
                    return take
        liked = [take for take in takes if take.standing.choice != "reject"]
        return next(iter(liked or takes), None)


# --- what several exports need -------------------------------------------------------------------------


def poster(take: Take | None, state: Path) -> Path | None:
    """Return a picture of a take: the still itself, or the first frame of a clip, cut once and kept in `state`.

    None where there is no picture: nothing made yet, its file gone, or a clip and no ffmpeg.
    """
    if take is None or take.path is None:
        return None
    if take.asset.type == "image":
        return take.path
    if take.asset.type != "video" or media.find_ffmpeg() is None:
        return None
    key = take.asset.sha256 or re.sub(r"\W", "-", take.asset.filename)
    target = state / "frames" / f"{key}-first.png"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            media.frame(take.path, "first", target)
        except media.Undecodable:
            return None
    return target


def pages(first: Path, count: int) -> list[Path]:
    """Return the names of an export's pages: `film.png`, `film-2.png`, ..."""
    return [first, *(first.with_name(f"{first.stem}-{n}{first.suffix}") for n in range(2, count + 1))]


def missing_extra(name: str) -> Invalid:
    """Return the error of an export whose extra is not installed."""
    return Invalid(f"this export needs the extra `{name}`", hint=f"pip install 'kiebatch[{name}]'")
