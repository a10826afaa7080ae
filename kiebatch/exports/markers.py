"""The review's notes as markers on the timeline: what editing programs show above the cut."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from kiebatch.exports.cut import Cut, Film
from kiebatch.record.notes import Thread

Colour = Literal["yellow", "green", "red", "blue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """One note.  `offset` counts frames from the start of its shot.

    Yellow is the author's, blue an open note of the review, green one that is done or that goes with a take, red one on a
    rejected take.
    """

    shot: Cut
    name: str
    text: str
    colour: Colour
    offset: int = 0

    @property
    def start(self) -> int:
        """The frame of the film at which it lies."""
        return self.shot.start + self.offset


def of_shot(shot: Cut, fps: Fraction) -> tuple[Marker, ...]:
    """Return the author's notes on a shot, then those on each of its takes, then the review's threads."""
    found = [Marker(shot=shot, name=f"{shot.name} notes", text=shot.notes, colour="yellow")]
    for take in shot.takes:
        colour: Colour = "red" if take.standing.choice == "reject" else "green"
        found.append(Marker(shot=shot, name=take.slot, text=take.standing.note, colour=colour))
    found += [_of_thread(shot, thread, fps) for thread in shot.threads]
    return tuple(marker for marker in found if marker.text)


def _of_thread(shot: Cut, thread: Thread, fps: Fraction) -> Marker:
    first = thread.first
    said = [first.text, *(f"{reply.author}: {reply.text}".removeprefix(": ") for reply in thread.replies)]
    name = f"{first.slot or shot.name} {first.author}".rstrip() + (", done" if first.done else "")
    return Marker(
        shot=shot,
        name=name,
        text=" / ".join(said),
        colour="green" if first.done else "blue",
        # A note may lie behind what the cut shows of its clip.
        offset=min(shot.frames - 1, round(Fraction(first.seconds or 0) * fps)),
    )


def of_film(film: Film) -> tuple[Marker, ...]:
    """Return the markers of the film's picture in their order."""
    return tuple(marker for shot in film.shots for marker in of_shot(shot, film.fps))
