"""What the storyboard shows, as values: a project with its assets, decisions, notes and states, in the film's order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kiebatch.media.checks import Verdict
from kiebatch.model import (
    Asset,
    Line,
    Modality,
    PriceKind,
    Scene,
    SceneId,
    Shot,
)
from kiebatch.record import notes as review_notes
from kiebatch.record.notes import Status, Thread
from kiebatch.record.picks import UNDECIDED, Standing

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
    prompt: str = ""  # what is asked for today; a take may have words of its own
    raw: str = ""  # the author's, where `prompt` is one that was made better
    versions: tuple[Version, ...] = ()
    state: State = "open"
    reason: str = ""
    message: str = ""
    standing: Standing = UNDECIDED
    price: float | None = None
    priced: PriceKind = "unknown"
    verdicts: tuple[Verdict, ...] = ()  # on what the slot has now

    @property
    def unmet(self) -> tuple[str, ...]:
        """What is not as expected, in words."""
        return tuple(str(verdict) for verdict in self.verdicts if verdict.state == "unmet")

    @property
    def unjudged(self) -> tuple[str, ...]:
        """What was expected and could not be judged, and why."""
        return tuple(str(verdict) for verdict in self.verdicts if verdict.state == "unjudged")

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
    own: str = ""  # a sound of the author's own: its file, relative to the project
    through: str = ""  # the scene with whose end a sound ends, where that is not its own
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
        states = {take.state for take in self.takes}
        found = {
            "picked": self.picked,
            "unpicked": not self.picked and sum(1 for t in self.takes if t.versions) > 1,
            "starred": self.starred,
            "noted": any(t.standing.note for t in self.takes) or bool(self.open_threads),
            "in-review": self.review.status is Status.IN_REVIEW,
            "changes-asked": self.review.status is Status.CHANGES,
            "approved": self.review.status is Status.APPROVED,
            "gaps": not states.isdisjoint(("open", "waiting", "in-flight")),
            "problems": not states.isdisjoint(("failed", "held", "missing", "altered")),
            "changed": "changed" in states,
            "unmet": any(t.unmet for t in self.takes),
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
