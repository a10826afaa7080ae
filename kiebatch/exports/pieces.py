"""Each shot of an animatic as a piece, which is encoded once for the same content (`units.segments`).

A piece's name is a digest of all that it shows: the bytes of its picture, its move, words, length and transitions.  So a
scene that was made again costs the time of that scene.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kiebatch import files
from kiebatch.exports.cut import Cut, Film
from kiebatch.exports.soundtrack import seconds
from kiebatch.media import framing
from kiebatch.units import Cue, Piece, Source, Transition, tools

_KEPT_S = 30 * 24 * 3600.0  # how long a piece that nobody uses stays


def transition(text: str) -> Transition:
    """Return what the words of a `transition` mean for the end of a shot; what is not known is a cut."""
    said = text.lower()
    wiped = re.search(r"wipe(?:[ -](?:to[ -])?(left|right|up|down))?", said)
    if wiped:
        return f"wipe{wiped[1] or 'left'}"  # type: ignore[return-value]
    for kind, words in (
        ("dissolve", r"dissolve|cross|x-?fade|mix|blend|morph"),
        ("white", r"white|flash"),
        ("black", r"fade|dip|black"),
    ):
        if re.search(words, said):
            return kind  # type: ignore[return-value]
    return "cut"


class Store:
    """The pieces in a state folder."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "animatic"

    def path(self, piece: Piece) -> Path:
        return self.folder / f"{piece.key}.mp4"

    def has(self, piece: Piece) -> bool:
        """Whether a piece is there; that it was used is noted, so that it stays."""
        try:
            os.utime(self.path(piece))
        except FileNotFoundError:
            return False
        return True

    def clear(self, now: float) -> None:
        """Remove what was not used for a month, counted back from `now` (seconds since the epoch)."""
        for path in self.folder.glob("*.mp4"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < now - _KEPT_S:
                    path.unlink()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is the same for all pieces of a film."""

    film: Film
    size: tuple[int, int]
    slate: bool = False

    @property
    def rate(self) -> str:
        return f"{self.film.fps.numerator}/{self.film.fps.denominator}"


def pieces(look: Look, cues: Sequence[Sequence[Cue]]) -> list[Piece]:
    """Return the pieces of a film in order; `cues` are the captions of each shot, none where they are not wanted."""
    found: list[Piece] = []
    begin: Transition = "cut"
    for shot, captions in zip(look.film.shots, cues, strict=True):
        end = transition(shot.transition)
        picture = _picture(shot)
        piece = Piece(
            size=look.size,
            rate=look.rate,
            frames=shot.frames,
            begin=begin,
            end=end,
            source=files.sha256(picture) if picture else "",
            move=(framing.move(shot.camera) or "") if picture else "",
            words=("", "") if picture else (shot.name, _told(shot)),
            overlay=shot.text_overlay,
            slate=slate(look.film, shot) if look.slate else "",
            captions=tuple(captions),
            before=found[-1].key if found and begin not in ("cut", "black", "white") else "",
        )
        found.append(replace(piece, tools=tools(piece)))
        begin = end
    return found


def source(shot: Cut) -> Source:
    """Return what is known of the file that a shot shows."""
    take, path = shot.shown, _picture(shot)
    if take is None or path is None:
        return Source()
    if take.asset.type != "video":
        return Source(kind="image")
    return Source(kind="video", length_s=seconds(path, take.asset.duration))


def _picture(shot: Cut) -> Path | None:
    """Return the picture or clip that a shot shows; None where a card stands for it."""
    take = shot.shown
    return take.path if take is not None and take.asset.type in ("image", "video") else None


def _told(shot: Cut) -> str:
    return shot.title or shot.prompt or shot.voice_over or shot.scene_title


def slate(film: Film, shot: Cut) -> str:
    """Return the line of a slate: shot, take, model, time and length."""
    take = shot.shown
    said = [shot.name, f"take {take.number}   {take.model}" if take else "not made yet"]
    said += [film.timecode(shot.start), f"{film.seconds(shot.frames):g} s"]
    return "   ".join(part for part in said if part)
