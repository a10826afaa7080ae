"""What a person wrote, read and resolved: the scenes and shots of one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal

from kiebatch._dataclass import dataclass
from kiebatch.errors import Where
from kiebatch.model.jobs import Job, Led
from kiebatch.model.refs import Ref, RoleMedia
from kiebatch.model.slots import SceneId, ShotId
from kiebatch.model.words import JSON, Path


@dataclass(frozen=True, slots=True)
class Document:
    """A scene file as plain values with the place of each, whatever form it was written in.

    `places` maps the path of a value to its place; `keys` does so for the keys of mappings, which is
    where a misspelt key is shown.  `form` is how it was written.  `cuts` has the texts without quotes that end at a
    comment, with the place of its `#`.
    """

    value: JSON
    places: Mapping[Path, Where]
    file: str
    keys: Mapping[Path, Where] = field(default_factory=dict)
    form: Literal["yaml", "markdown"] = "yaml"
    cuts: Mapping[Path, Where] = field(default_factory=dict)

    def where(self, path: Sequence[str | int], *, key: bool = False) -> Where:
        """Return the place of the value (or of the key) at `path`, else that of its nearest ancestor."""
        found = self.keys.get(tuple(path)) if key else None
        if found:
            return found
        for end in range(len(path), -1, -1):
            place = self.places.get(tuple(path[:end]))
            if place:
                return place
        return Where(self.file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one slot asks of one model, after defaults, styles and characters; before the model's own fields.

    `default_params` go only where the model has the field, `params` must fit.  `duration_s` is the shot's
    length on the timeline; it fills the model's own length field when `params` leaves that open.
    """

    prompt: str = ""
    prompt_raw: str = ""  # before somebody made it better; the same where nobody did
    negative: tuple[str, ...] = ()
    params: Mapping[str, JSON] = field(default_factory=dict)
    default_params: Mapping[str, JSON] = field(default_factory=dict)
    media: tuple[RoleMedia, ...] = ()
    duration_s: float | None = None
    whole_scene: bool = False  # the length is that of a scene without shots: the longest clip will do
    seed: int | None = None
    voice: str | None = None
    takes: int = 1
    fold_negative: bool = False
    extra_params: Mapping[str, JSON] = field(
        default_factory=dict
    )  # sent as written, unknown to the catalogue


@dataclass(frozen=True, slots=True)
class Line:
    """One line of dialogue.  `speaker` is empty where nobody is named."""

    speaker: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture, clip or sound the author asked for; `jobs` has one per model and take.

    `kind` tells dialogue and music from the shots of the picture.  A shot without jobs is a card on the board.
    """

    id: ShotId
    kind: Literal["shot", "vo", "music", "sfx"] = "shot"
    title: str = ""
    notes: str = ""
    prompt: str = ""  # as resolved for its first job, or as written when there is none
    words: str = ""  # as the author wrote it, with the names of characters and without the style
    described: str = ""  # the same with what the characters look like
    characters: tuple[str, ...] = ()  # by name, those that it shows
    styles: tuple[str, ...] = ()  # by name, or the words themselves
    duration_s: float | None = None
    led: Led | None = None  # its length follows the scene's voice
    camera: str = ""
    text_overlay: str = ""
    transition: str = ""
    lines: tuple[Line, ...] = ()  # the key `dialogue`
    action: str = ""
    location: str = ""
    time_of_day: str = ""
    shot_size: str = ""
    lens: str = ""
    file: str = ""  # a sound of the author's own, relative to the project folder; nothing is made
    file_s: float | None = None  # how long it is, once its file was read
    through: SceneId | None = None  # the scene with whose end a sound ends, where that is not its own
    skip: str = ""
    takes: int = 1
    models: tuple[str, ...] = ()
    jobs: tuple[Job, ...] = ()
    where: Where = field(compare=False, default=Where())


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One scene, in the order of the file.  `group` is its act or sequence."""

    id: SceneId
    title: str = ""
    notes: str = ""
    group: str = ""
    duration_s: float | None = None
    led: Led | None = None  # its length follows its voice
    camera: str = ""
    text_overlay: str = ""
    transition: str = ""
    lines: tuple[Line, ...] = ()  # the key `dialogue`
    action: str = ""
    location: str = ""
    time_of_day: str = ""
    shot_size: str = ""
    lens: str = ""
    skip: str = ""
    dialogue: str = ""  # the words of the voice-over, also where no model speaks them
    shots: tuple[Shot, ...] = ()
    where: Where = field(compare=False, default=Where())


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """Somebody or something that is used by name: the words and the pictures of it.

    A picture that another shot makes names it by `Slot.scene`, as `{shot: 2a}` is written.
    """

    text: str = ""
    pictures: tuple[Ref, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A scene file, read, checked and resolved."""

    file: str  # the scene file, as given
    title: str = ""
    notes: str = ""
    assets: str = "assets"  # the assets folder, relative to the project folder
    run: Mapping[str, JSON] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)  # old slot to the slot of today's file
    tags: tuple[str, ...] = ()
    styles: Mapping[str, str] = field(default_factory=dict)
    characters: Mapping[str, Character] = field(default_factory=dict)
    scenes: tuple[Scene, ...] = ()

    @property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(job for scene in self.scenes for shot in scene.shots for job in shot.jobs)
