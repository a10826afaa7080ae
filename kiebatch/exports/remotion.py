"""The film as a typed TypeScript data file for Remotion: scenes, sources, frames, transitions, voices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from kiebatch import files
from kiebatch.exports import cut
from kiebatch.exports.cut import Cut, Options, Take
from kiebatch.media import framing
from kiebatch.model import JSON, Project
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

TYPES = """\
export type Move =
  | "static" | "push in" | "pull out" | "pan left" | "pan right" | "tilt up" | "tilt down"
  | "track left" | "track right" | "crane up" | "crane down" | "orbit" | "handheld";

export interface Source {
  /** As `staticFile()` takes it, when the folder that holds the assets folder is Remotion's `public`. */
  readonly src: string;
  readonly kind: "image" | "video" | "audio";
  readonly take: number;
  readonly model: string;
  readonly width: number | null;
  readonly height: number | null;
  /** Length of the file itself; null for stills. */
  readonly seconds: number | null;
}

export interface Shot {
  readonly name: string;
  readonly shot: string | null;
  readonly title: string;
  readonly prompt: string;
  readonly from: number;
  readonly durationInFrames: number;
  /** What to show: the picked take; null where nothing is made yet. */
  readonly source: Source | null;
  readonly takes: readonly Source[];
  readonly camera: string;
  readonly move: Move | null;
  readonly textOverlay: string;
  /** How the shot ends, as written: "fade to black", "dissolve"; empty for a cut. */
  readonly transition: string;
  readonly notes: string;
}

export interface Sound {
  readonly name: string;
  readonly kind: "vo" | "music" | "sfx";
  readonly text: string;
  readonly from: number;
  readonly durationInFrames: number;
  readonly source: Source | null;
}

export interface Scene {
  readonly id: string;
  readonly title: string;
  readonly dialogue: string;
  readonly from: number;
  readonly durationInFrames: number;
  readonly shots: readonly Shot[];
  readonly sounds: readonly Sound[];
}

export interface Film {
  readonly title: string;
  readonly fps: number;
  readonly width: number;
  readonly height: number;
  readonly durationInFrames: number;
  readonly scenes: readonly Scene[];
}
"""


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write the data file; sources are named relative to the folder that holds the assets folder."""
    film = cut.closed_up(cut.chosen(project, manifest, picks, workspace, options))
    width, height = options.size or film.shape
    scenes: list[dict[str, JSON]] = []
    by_scene: dict[str, list[Cut]] = {}
    for shot in film.shots:
        by_scene.setdefault(str(shot.scene), []).append(shot)
    for number, (id, shots) in enumerate(by_scene.items(), 1):
        scenes.append(
            {
                "id": id,
                "title": shots[0].scene_title,
                "dialogue": shots[0].voice_over,
                "from": shots[0].start,
                "durationInFrames": shots[-1].end - shots[0].start,
                "shots": [_shot(shot) for shot in shots],
                "sounds": [_sound(sound) for sound in film.sounds if str(sound.scene) == id],
            }
        )
        options.progress(number, len(by_scene))
    value = {
        "title": film.title,
        "fps": float(film.fps) if film.fps.denominator > 1 else int(film.fps),
        "width": width,
        "height": height,
        "durationInFrames": film.length,
        "scenes": scenes,
    }
    head = "// Written by `kiebatch export remotion`; the next export replaces it.\n\n"
    files.replace(
        options.output,
        f"{head}{TYPES}\nexport const film: Film = {_literal(value)};\n\nexport default film;\n",
    )
    return [options.output]


def _shot(shot: Cut) -> Mapping[str, JSON]:
    return {
        "name": shot.name,
        "shot": None if shot.shot is None else str(shot.shot),
        "title": shot.title,
        "prompt": shot.prompt,
        "from": shot.start,
        "durationInFrames": shot.frames,
        "source": _source(shot.shown),
        "takes": [_source(take) for take in shot.takes],
        "camera": shot.camera,
        "move": framing.move(shot.camera, shot.prompt),
        "textOverlay": shot.text_overlay,
        "transition": shot.transition,
        "notes": shot.notes,
    }


def _sound(sound: Cut) -> Mapping[str, JSON]:
    return {
        "name": sound.name,
        "kind": sound.kind,
        "text": sound.prompt,
        "from": sound.start,
        "durationInFrames": sound.frames,
        "source": _source(sound.shown),
    }


def _source(take: Take | None) -> Mapping[str, JSON] | None:
    if take is None:
        return None
    asset = take.asset
    return {
        "src": asset.filename,
        "kind": asset.type,
        "take": take.number,
        "model": asset.model,
        "width": asset.width,
        "height": asset.height,
        "seconds": asset.duration if asset.type != "image" else None,
    }


def _literal(value: JSON) -> str:
    """Return JSON that is also TypeScript: the two line ends that only JSON allows inside text are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
