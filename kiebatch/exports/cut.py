"""The film as it plays: its shots in order with the take that stands for each, their lengths, words and sounds.

Every export is drawn from this.  Times are whole frames, so that nothing drifts over a long film.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from kiebatch import files, media
from kiebatch.errors import Invalid, Problem, Where, install_hint, plain
from kiebatch.media import Derivatives
from kiebatch.model import Asset, Line, Modality, Project, Scene, SceneId, Shot, ShotId, Slot, selects
from kiebatch.record import Whereabouts, notes
from kiebatch.record.manifest import Manifest
from kiebatch.record.notes import Notes, Thread
from kiebatch.record.picks import UNDECIDED, Picks, Standing, parts, written
from kiebatch.scenefile.lengths import lengths, voice_begins_s
from kiebatch.units import OpenQueue
from kiebatch.workspace import Workspace

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """A progress callback that does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may ask of an export.

    - `columns` and `rows`: of a contact sheet's page; `all_takes` shows every take of a shot instead of one
    - `grid`: columns and rows of a page of the PDF, at most 12 panels; `fields` are those that it prints, empty for all;
      `author`, `mark` (a version) and `date` are on every page; `paper` is `a4` or `letter`
    - `fps`, `size`: of animatic and timeline; without a size it follows the pictures
    - `slate`: scene, shot, take and time in the animatic; `captions`: what is said, in the picture
    - `web_side` and `thumb_side`: the longest sides of what `web` writes, in pixels
    - `queue`: opens the queue of others who encode an animatic, with files in a folder; None where nobody does
    - `derivatives`: small copies, also those that others made; without them those of this machine
    - `only`: selectors such as `5-9` or `2b`, empty for all; `picked`: only shots of which somebody picked a take
    """

    output: Path
    progress: Progress = silent
    columns: int = 4
    rows: int = 6
    all_takes: bool = False
    grid: tuple[int, int] = (2, 2)
    paper: Literal["a4", "letter"] = "a4"
    portrait: bool = False
    fields: tuple[str, ...] = ()
    author: str = ""
    mark: str = ""
    date: str = ""
    fps: Fraction = Fraction(24)
    size: tuple[int, int] | None = None
    slate: bool = False
    captions: bool = False
    queue: OpenQueue | None = None
    derivatives: Derivatives | None = None
    web_side: int | None = None
    thumb_side: int | None = None
    only: tuple[str, ...] = ()
    picked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One take that was made: the current asset of one slot.

    `path` is None where its file is not there; it is `remote` where it is known to be in the film's store.
    """

    slot: str  # as picks are kept: `2a#1`
    number: int
    model: str
    asset: Asset
    path: Path | None
    standing: Standing
    remote: bool = False


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
    group: str = ""  # the act
    title: str = ""
    prompt: str = ""  # as it is sent
    words: str = ""  # as the author wrote it
    characters: tuple[str, ...] = ()
    action: str = ""
    location: str = ""
    time_of_day: str = ""
    shot_size: str = ""
    lens: str = ""
    dialogue: str = ""  # what people say in the picture, one line each: `NAME: words`
    voice_over: str = ""  # the words of the scene's sounds are on its first shot, and each on its own sound
    sfx: str = ""
    music: str = ""
    camera: str = ""
    text_overlay: str = ""
    transition: str = ""  # how the shot ends
    notes: str = ""
    models: tuple[str, ...] = ()
    takes: tuple[Take, ...] = ()
    shown: Take | None = None
    threads: tuple[Thread, ...] = ()  # the review's
    through: SceneId | None = None  # the scene with whose end a sound ends, where that is not its own

    @property
    def end(self) -> int:
        return self.start + self.frames

    def told(self, *, all_takes: bool) -> Sequence[Take | None]:
        """Return the takes that a list tells of: every one of them, or the one that is shown; None where there is none."""
        return self.takes if all_takes and self.takes else (self.shown,)

    @property
    def slugline(self) -> str:
        """Where and when the scene is, as a screenplay writes it: `INT. BUS - NIGHT`."""
        return " - ".join(part for part in (self.location, self.time_of_day) if part)

    @property
    def is_picked(self) -> bool:
        return self.shown is not None and self.shown.standing.choice == "pick"

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
    scenes: tuple[SceneId, ...] = ()  # those that are not skipped, in order, also where only a part is shown

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
    builder = _Builder(
        manifest, replace(picks, moved=project.moved), _notes(workspace, project.moved), workspace, fps
    )
    for scene in project.scenes:
        if not scene.skip:
            builder.scene(scene)
    if not builder.shots:
        raise Invalid("the scene file has no shots to export")
    title = project.title or Path(project.file).resolve().parent.name
    scenes = tuple(dict.fromkeys(shot.scene for shot in builder.shots))
    ends = {shot.scene: shot.end for shot in builder.shots}
    sounds = tuple(
        replace(sound, frames=ends[_scenes_of(sound, scenes)[-1]] - sound.start) for sound in builder.sounds
    )
    return Film(title=title, fps=fps, shots=tuple(builder.shots), sounds=sounds, scenes=scenes)


def chosen(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> Film:
    """Return the part of the film that `--only` and `--picked` name; times stay those of the whole film.

    `Invalid` where a selector names no shot, or nothing is left.
    """
    whole = film(project, manifest, picks, workspace, options.fps)
    if not options.only and not options.picked:
        return whole
    _refuse_unknown(whole, options.only)
    kept = [shot for shot in whole.shots if _named(shot, options.only, whole.scenes)]
    if options.picked:
        kept = [shot for shot in kept if shot.is_picked]
    if not kept:
        raise Invalid("no shots match", hint="`kiebatch pick 2a#3` picks a take" if options.picked else "")
    there = {shot.scene for shot in kept}
    sounds = tuple(s for s in whole.sounds if there & set(_scenes_of(s, whole.scenes)))
    return replace(whole, shots=tuple(kept), sounds=sounds)


def _refuse_unknown(whole: Film, only: Sequence[str]) -> None:
    problems = [
        Problem(where=Where(), message=f"--only {plain(selector)} names no shot of the film")
        for selector in only
        if not any(_named(shot, (selector,), whole.scenes) for shot in whole.shots)
    ]
    if problems:
        raise Invalid(problems)


def away(film: Film, copied: Callable[[Asset], bool]) -> list[str]:
    """Return the names of the shots and sounds whose shown file is in the store and not here.

    `copied` says of which the export has a small copy that is as good.
    """
    cuts = [cut for cut in (*film.shots, *film.sounds) if cut.shown and cut.shown.remote]
    return list(dict.fromkeys(cut.name for cut in cuts if cut.shown and not copied(cut.shown.asset)))


def why_empty(take: Take | None) -> str:
    """Return why there is no picture of a take, in words for its place."""
    if take is None:
        return "not made yet"
    if take.path:
        return "no picture"
    return "in the store, not here" if take.remote else "its file is gone"


def _scenes_of(sound: Cut, scenes: Sequence[SceneId]) -> Sequence[SceneId]:
    """Return the scenes over which a sound is heard, of the film's scenes in their order."""
    if sound.through is None or sound.through not in scenes or sound.scene not in scenes:
        return (sound.scene,)
    return scenes[scenes.index(sound.scene) : scenes.index(sound.through) + 1]


def _named(shot: Cut, only: Sequence[str], scenes: Sequence[SceneId]) -> bool:
    if not only:
        return True
    slot = Slot(shot.scene, shot.shot)
    models = [take.model for take in shot.takes] or list(shot.models) or [""]
    return any(selects(s.partition("#")[0], slot, model, scenes) for s in only for model in models)


def closed_up(whole: Film) -> Film:
    """Return a film without gaps: each shot begins where the one before ends, and its sounds with it.

    What plays on its own (an animatic, a timeline) needs this after `chosen`; a list keeps the film's own times.
    """
    shots: list[Cut] = []
    begins: dict[SceneId, int] = {}
    began: dict[SceneId, int] = {}
    end = 0
    for shot in whole.shots:
        begins.setdefault(shot.scene, end)
        began.setdefault(shot.scene, shot.start)
        shots.append(replace(shot, start=end))
        end = shots[-1].end
    ends = {shot.scene: shot.end for shot in shots}
    sounds = []
    for sound in whole.sounds:
        heard = [scene for scene in _scenes_of(sound, whole.scenes) if scene in ends]
        if heard:
            later = sound.start - began[heard[0]] if heard[0] == sound.scene else 0
            start = begins[heard[0]] + max(0, later)
            sounds.append(replace(sound, start=start, frames=ends[heard[-1]] - start))
    return replace(whole, shots=tuple(shots), sounds=tuple(sounds))


def _notes(workspace: Workspace, moved: Mapping[str, str]) -> Notes:
    path = workspace.notes_path
    return notes.parse(files.text_if_there(path), files.shown(path), moved=moved)


class _Builder:
    def __init__(
        self, manifest: Manifest, picks: Picks, notes: Notes, workspace: Workspace, fps: Fraction
    ) -> None:
        self.manifest = manifest
        self.picks = picks
        self.notes = notes
        self.workspace = workspace
        self.whereabouts = Whereabouts(manifest, workspace.state)
        self.fps = fps
        self.clock = Fraction(0)  # seconds, exact: frames are rounded from it, never added up
        self.shots: list[Cut] = []
        self.sounds: list[Cut] = []

    def scene(self, scene: Scene) -> None:
        takes = {shot.id: self._takes(scene, shot) for shot in scene.shots if not shot.skip}
        shown = {id: self._shown(scene, id, found) for id, found in takes.items()}
        begin = self._frame()
        seconds = lengths(scene, _seconds_of(shown, "video"), _seconds_of(shown, "audio"))
        drawn = {shot.id: shot for shot in scene.shots if shot.kind == "shot"}
        for number, (id, length) in enumerate(seconds.items()):
            start = self._frame()
            self.clock += length
            name = Slot(scene.id, id).shot_name
            cut = Cut(
                name=name,
                scene=scene.id,
                shot=id,
                kind="shot",
                start=start,
                frames=max(1, self._frame() - start),
                scene_title=scene.title,
                takes=takes.get(id, ()),
                shown=shown.get(id),
                threads=self.notes.threads(name),
            )
            shot = drawn.get(id) or Shot(id=id)
            self.shots.append(_worded(cut, scene, shot, first=number == 0, last=number == len(seconds) - 1))
        for shot in scene.shots:
            if shot.kind != "shot" and takes.get(shot.id):
                late = voice_begins_s(scene, seconds) if shot.kind == "vo" else 0
                sound = self._sound(scene, shot, begin + round(late * self.fps))
                self.sounds.append(replace(sound, takes=takes[shot.id], shown=shown[shot.id]))

    def _sound(self, scene: Scene, shot: Shot, start: int) -> Cut:
        """Return a sound of a scene that ends where the clock is now."""
        words = {shot.kind: shot.prompt}
        return Cut(
            name=Slot(scene.id, shot.id).shot_name,
            scene=scene.id,
            shot=shot.id,
            kind=shot.kind,
            start=start,
            frames=self._frame() - start,
            scene_title=scene.title,
            title=shot.title,
            prompt=shot.prompt,
            voice_over=words.get("vo", ""),
            sfx=words.get("sfx", ""),
            music=words.get("music", ""),
            models=shot.models,
            through=shot.through,
        )

    def _frame(self) -> int:
        return round(self.clock * self.fps)

    def _own_file(self, scene: Scene, shot: Shot) -> tuple[Take, ...]:
        """Return a sound of the author's own as the one take of its shot."""
        path = self.workspace.root / shot.file
        slot = written(Slot(scene.id, shot.id))
        asset = Asset(id="", type="audio", filename=shot.file, prompt=shot.prompt, duration=shot.file_s)
        there = path if path.is_file() else None
        return (Take(slot=slot, number=1, model="", asset=asset, path=there, standing=UNDECIDED),)

    def _takes(self, scene: Scene, shot: Shot) -> tuple[Take, ...]:
        if shot.file:
            return self._own_file(scene, shot)
        found: dict[Slot, Take] = {}
        for asset in self.manifest.of(scene.id, shot.id):
            if not asset.current or asset.output > 1 or asset.type not in ("image", "video", "audio"):
                continue
            slot = _slot_of(asset, scene, shot)
            if slot in found:
                continue
            found[slot] = Take(
                slot=written(slot),
                number=asset.take,
                model=asset.model,
                asset=asset,
                path=self.workspace.asset_file(asset.filename, asset.type),
                standing=self.picks.decision(slot),
                remote=self.whereabouts.away(asset, self.workspace),
            )
        return tuple(sorted(found.values(), key=lambda t: (t.number, t.model)))

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


def _slot_of(asset: Asset, scene: Scene, shot: Shot) -> Slot:
    """Return the slot of a shot's file; one by another model than the file names now still stands for its take."""
    for job in shot.jobs:
        if (job.model, job.slot.take) == (asset.model, asset.take):
            return job.slot
    tells_models_apart = shot.jobs and len(shot.models) > 1
    return Slot(scene.id, shot.id, asset.model if tells_models_apart else None, asset.take)


def _seconds_of(shown: Mapping[ShotId, Take | None], type: str) -> dict[ShotId, float]:
    return {
        id: take.asset.duration
        for id, take in shown.items()
        if take and take.asset.type == type and take.asset.duration
    }


def _worded(cut: Cut, scene: Scene, shot: Shot, *, first: bool, last: bool) -> Cut:
    """Return a shot with its words; those of the scene go to its first shot, its transition to its last."""
    once = scene if first else Scene(id=scene.id)  # what is said once is the first shot's
    own_notes = shot.notes if shot.id is not None else ""
    # The words of the scene's sounds, made or not.
    sounds = {s.kind: s.prompt or s.file for s in once.shots if s.kind != "shot" and not s.skip}
    return replace(
        cut,
        title=shot.title,
        prompt=shot.prompt,
        words=shot.words,
        characters=shot.characters,
        group=scene.group,
        dialogue=_spoken(shot.lines or once.lines),
        action=shot.action or once.action,
        location=shot.location or scene.location,
        time_of_day=shot.time_of_day or scene.time_of_day,
        shot_size=shot.shot_size or scene.shot_size,
        lens=shot.lens or scene.lens,
        voice_over=sounds.get("vo", ""),
        sfx=sounds.get("sfx", ""),
        music=sounds.get("music", ""),
        camera=shot.camera or scene.camera,
        text_overlay=shot.text_overlay or once.text_overlay,
        transition=shot.transition or (scene.transition if last else ""),
        notes="\n".join(filter(None, (once.notes, own_notes))),
        models=shot.models,
    )


def _spoken(lines: Sequence[Line]) -> str:
    return "\n".join(f"{line.speaker}: {line.words}" if line.speaker else line.words for line in lines)


# --- what several exports need -------------------------------------------------------------------------


def poster(take: Take | None, state: Path, small: Derivatives | None = None) -> Path | None:
    """Return a picture of a take: the still itself, or the first frame of a clip, cut once and kept in `state`.

    Of a file that is in the store alone it is the poster, or the thumbnail, that others made.  None where there is no
    picture: nothing made yet, its file gone, or a clip and no ffmpeg.
    """
    if take is not None and take.remote and small is not None:
        return small.kept(take.asset, "poster") or small.kept(take.asset, "thumb")
    if take is None or take.path is None:
        return None
    if take.asset.type == "image":
        return take.path
    return _first_frame(take, take.path, state) if take.asset.type == "video" else None


def _first_frame(take: Take, clip: Path, state: Path) -> Path | None:
    """Return the first frame of a clip, cut once; None where there is no ffmpeg, or it cannot read the clip."""
    if media.find_ffmpeg() is None:
        return None
    key = take.asset.sha256 or re.sub(r"\W", "-", take.asset.filename)
    target = state / "frames" / f"{key}-first.png"
    if not target.exists():
        files.private_folder(target.parent)
        try:
            media.frame(clip, "first", target)
        except media.Undecodable:
            return None
    return target


def file_name(text: str) -> str:
    """Return a name of ours as part of a file's name: letters and digits of any script, `-` for all else."""
    return re.sub(r"[^\w.]+", "-", text).strip("-.") or "x"


def page_number(number: int, pages: int) -> str:
    """Return what a page shows as its number, `2 / 3`; nothing where it is the only one."""
    return f"{number} / {pages}" if pages > 1 else ""


def pages(first: Path, count: int) -> list[Path]:
    """Return the names of an export's pages: `film.png`, `film-2.png`, ..."""
    return [first, *(first.with_name(f"{first.stem}-{n}{first.suffix}") for n in range(2, count + 1))]


def missing_extra(name: str) -> Invalid:
    """Return the error of an export whose extra is not installed."""
    return Invalid(f"this export needs the extra `{name}`", hint=install_hint(name))
