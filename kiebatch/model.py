"""The nouns, as frozen dataclasses: what a person wrote, what is wanted, what the provider answered, what is.

The words are those of the contract, section 1.  Nothing here does I/O or reads a clock.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import fnmatch
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlunsplit

import rfc8785

from kiebatch import addresses
from kiebatch.errors import Where

JSON = Any  # null, bool, int, float, str, list or dict with text keys: what `json.loads` gives
Path = tuple[str | int, ...]
Modality = Literal["image", "video", "audio", "text"]
Enhance = Literal["off", "ask", "required"]
ROLES = ("source", "references", "start_frame", "end_frame", "mask")
ASSET_FOLDERS: Mapping[str, str] = {"image": "images", "video": "clips", "audio": "audio", "text": "text"}


# --- what a person wrote -------------------------------------------------------------------------------


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


SceneId = int | str
ShotId = int | str | None


def natural(text: object) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts 2 before 10 and 12 before 12A."""
    parts = re.findall(r"\d{1,18}|\D+", "" if text is None else str(text))
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts)


@dataclass(frozen=True, slots=True)
class Slot:
    """The identity of one wanted thing.

    `shot` is None where the scene itself is the one shot.  `model` is set only where the shot asks for
    several models: a shot with one model is one line of versions, whatever that model was.
    """

    scene: SceneId
    shot: ShotId = None
    model: str | None = None
    take: int = 1

    def __str__(self) -> str:
        """Return the written form: `2b`, `2b#3`, `2b@kling-3.0/video`, `2.vo`, `intro.b`, `2.1`."""
        text = self.shot_name
        if self.model:
            text += f"@{self.model}"
        return f"{text}#{self.take}" if self.take > 1 else text

    @property
    def shot_name(self) -> str:
        """The written form without model and take."""
        scene = str(self.scene)
        if self.shot is None:
            return scene
        shot = str(self.shot)
        joined = len(shot) == 1 and shot.isalpha() and scene[-1:].isdecimal()
        return f"{scene}{shot}" if joined else f"{scene}.{shot}"

    @property
    def sort_key(self) -> tuple[object, ...]:
        return (natural(self.scene), natural(self.shot), self.model or "", self.take)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A picture, clip or sound in the user's project.  `path` is relative to the project folder, or absolute."""

    path: str

    def __str__(self) -> str:
        return f"file:{self.path}"


@dataclass(frozen=True, slots=True)
class WebURL:
    """A medium that already has a public address."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class ShotOutput:
    """What another slot makes.  `take` None means the pick, else take 1.

    `frame` asks for one frame of a clip; `as_task` passes the provider's task itself, for extend and upscale, and
    with `as_id` the provider's own id of that output in its place.
    """

    slot: Slot
    output: int = 1
    frame: Literal["first", "last"] | None = None
    as_task: bool = False
    as_id: bool = False

    def __str__(self) -> str:
        suffix = f"/{self.output}" if self.output > 1 else ""
        if self.frame:
            suffix += f"/frame:{self.frame}"
        return f"{self._what}:{self.slot}{suffix}"

    @property
    def _what(self) -> str:
        if self.as_id:
            return "id"
        return "task" if self.as_task else "shot"


Ref = LocalFile | WebURL | ShotOutput


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleMedia:
    """One medium that a shot gives for a role (`references`, `start_frame`, ...), where the author named it."""

    role: str
    ref: Ref
    where: Where = field(compare=False)
    kind: Modality | None = None  # what it is, where that is known before its bytes are read


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


# --- what a result should be ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """A measured number lies from `low` to `high`; None sets no limit.

    `below` leaves `high` itself out, and `above` leaves `low` out.  With `share` the number is the percentage of the
    whole length that adds up.
    """

    low: float | None = None
    high: float | None = None
    below: bool = False
    above: bool = False
    share: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """Pixels: exactly these, or give or take `tolerance`; without them an aspect `ratio`, width to height."""

    width: int = 0
    height: int = 0
    tolerance: int = 0
    ratio: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """It looks like another picture: at most `within` of the 64 bits of their perceptual hashes differ."""

    ref: Ref
    within: int


@dataclass(frozen=True, slots=True)
class Passes:
    """A command of the author's own ends with 0; `{file}` in its words stands for the result."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a result should be in one respect (`size`, `cuts`, `silence`, ...).  It does not enter the fingerprint.

    `text` is what the author wrote; `by_default` those that nobody wrote.
    """

    check: str
    text: str
    want: Within | Sized | Alike | Passes
    by_default: bool = False
    where: Where = field(compare=False, default=Where())


# --- what is wanted ------------------------------------------------------------------------------------


PriceKind = Literal["exact", "estimate", "bound", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Credits for one job.

    - `kind`: exact (seen billed), estimate (by a price list), bound (the most it can cost), unknown (no amount)
    - `reserve`: what a cap puts aside where that is more than `amount`: the shipped price beside the user's own
    - `until`: the last moment of this price; `note` says so, or what ended before it
    - `authoritative`: a bill or a recorded balance showed it
    - `listed`: the catalogue's amount, where what such jobs were billed on this account takes its place
    """

    amount: float | None
    kind: PriceKind
    as_of: str | None = None
    reserve: float | None = None
    until: str | None = None
    authoritative: bool = False
    note: str = ""
    listed: float | None = None

    @property
    def reserved(self) -> float | None:
        """What a cap on credits puts aside for the job."""
        return self.amount if self.reserve is None else max(self.reserve, self.amount or 0.0)

    def as_json(self) -> dict[str, JSON]:
        found: dict[str, JSON] = {
            "amount": self.amount,
            "kind": self.kind,
            "as_of": self.as_of,
            "authoritative": self.authoritative,
        }
        more = {
            "reserve": self.reserve,
            "until": self.until,
            "note": self.note or None,
            "listed": self.listed,
        }
        return found | {key: value for key, value in more.items() if value is not None}


USD_PER_CREDIT = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One medium of a job at its place in the model's input.

    That is `input[field]`, or `input[field][index]` in a list, or `input[field][index][key]` in a list of objects.
    """

    role: str
    field: str
    index: int | None
    ref: Ref
    key: str | None = None
    where: Where = dataclasses.field(compare=False, default=Where())


@dataclass(frozen=True, slots=True, kw_only=True)
class Led:
    """A length that follows a voice: what is before it and after it, and how long it probably is until it is made."""

    slot: Slot | None  # what speaks; None where no model does
    estimated_s: float
    most_s: float = 0.0  # no voice is expected to take longer: what the price of the open length rests on
    head_s: float = 0.0
    tail_s: float = 0.0
    others_s: float = 0.0  # of it, what shots with a length of their own take
    among: int = 1  # the shots that share the rest

    def seconds(self, voice_s: float | None = None) -> float:
        """Return the length that follows from a voice; from the estimate where none is given."""
        spoken = self.estimated_s if voice_s is None else voice_s
        return max(0.1, (self.head_s + spoken + self.tail_s - self.others_s) / self.among)


FRAME_S = 1 / 24
_A_HAIR_S = FRAME_S / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One slot's fully resolved request: the one call that costs credits.

    `input` is what would be sent, with each medium as the text of its `Ref` (`file:...`, `shot:...`);
    `media` says where those stand.  `authored` is what the author asked for, without media: it and the
    content of the media make the fingerprint.  What the catalogue filled in is part of `input` alone.
    """

    slot: Slot
    model: str
    asked: str  # the model as the author named it; an alias stays with the model that the manifest names
    family: str
    endpoint: str
    modality: Modality
    prompt: str
    input: Mapping[str, JSON]
    authored: Mapping[str, JSON]
    authored_before: Mapping[str, JSON] | None = None  # as 0.1 took it, where that differs
    words: tuple[str, ...] = ()  # the fields of `authored` whose texts are sent as words
    stable_seed: str = ""  # the field that `seed: stable` filled, if any
    media: tuple[Media, ...] = ()
    output: str | None = None  # the author's own name: a path in the assets folder, without ending
    price: Price = Price(amount=None, kind="unknown")
    expected_s: float = 60.0  # how long the model usually takes
    defaulted: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    fallback: Job | None = None
    fallback_for: str = ""  # the model that this job replaces
    unpicked: tuple[str, ...] = ()  # shots it starts from, of which nobody has picked a take yet
    extra_params: Mapping[str, JSON] = field(default_factory=dict)  # part of `input` and `authored`, too
    preset: str = ""  # the key of a prompt preset
    enhance: Enhance = "off"
    tags: tuple[str, ...] = ()  # kept with the run and the assets; no part of the fingerprint
    prompt_raw: str = ""  # the author's prompt, where `prompt` is one that was made better; else the same
    style: str = ""  # the words of its style, which are in `prompt`, too
    characters: tuple[str, ...] = ()  # by name
    expect: tuple[Expectation, ...] = field(compare=False, default=())  # judged here, never sent
    led: Led | None = None  # its length is open until a voice is made; `input` has what it probably is
    lengths: tuple[
        tuple[float, Job], ...
    ] = ()  # the same job at each length in seconds that it can have, ascending
    after: tuple[Slot, ...] = ()  # slots that are made first although nothing of theirs is sent
    open_form: Job | None = field(
        default=None, compare=False, repr=False
    )  # the job before its length was known
    where: Where = field(compare=False, default=Where())

    def lasting(self, voice_s: float | None = None) -> Job | None:
        """Return the job at the shortest length that holds a voice; None where none does."""
        if self.led is None:
            return self
        least = self.led.seconds(voice_s) - _A_HAIR_S
        found = next((job for length, job in self.lengths if length >= least), None)
        if found is None:
            return None
        spare = replace(found.fallback, slot=self.slot) if found.fallback else None
        seed = {self.stable_seed: self.input[self.stable_seed]} if self.stable_seed else {}
        return replace(
            found,
            slot=self.slot,
            fallback=spare,
            input={**found.input, **seed},
            authored={**found.authored, **seed},
            after=self.after,
            open_form=self,
        )

    @property
    def enhanced(self) -> bool:
        """Whether a text from `prompts.lock.yaml` is sent in place of the author's prompt."""
        return bool(self.prompt_raw) and self.prompt_raw != self.prompt

    @property
    def needs(self) -> tuple[Slot, ...]:
        """The slots whose outputs this job starts from, each once, in order."""
        sent = (m.ref.slot for m in self.media if isinstance(m.ref, ShotOutput))
        return tuple(dict.fromkeys((*sent, *self.after)))


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


def canonical_url(url: str) -> str:
    """Return a URL's text without signature parameters, so that a renewed link is the same picture."""
    parts = addresses.split(url)
    if parts is None:
        return url
    kept = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _SIGNATURE.match(k)]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(kept), ""))


_SIGNATURE = re.compile(
    r"(?i)^(x-(amz|goog|oss)-.*|awsaccesskeyid|signature|sig|expires|expiry|token|se|sp|sv|sr|st|skoid|sktid|policy|key-pair-id|googleaccessid|ossaccesskeyid|security-token)$"
)


def fingerprint(job: Job, digest: Callable[[Ref], str]) -> str:
    """Return `sha256:...` over the canonical JSON (RFC 8785) of what the author asked for (contract section 1).

    `digest` names the content of a medium: the sha256 of a local file or of another slot's asset.
    URLs are named by their own text.  Words are normalised first.  ValueError where a number is beyond 2^53.
    """
    return _hashed(job, digest, {name: normal(text) for name, text in _texts(job).items()})


def fingerprint_as_written(
    job: Job, digest: Callable[[Ref], str], texts: Mapping[str, str] | None = None
) -> str:
    """Return the fingerprint of version 0.1, which hashed words as they were written; with other `texts` when given."""
    return _hashed(job, digest, texts or {})


def as_before(job: Job) -> Job | None:
    """Return a job as 0.1 took it; None where that is the same."""
    return None if job.authored_before is None else replace(job, authored=job.authored_before)


def recorded_texts(job: Job, recorded: Mapping[str, JSON]) -> dict[str, str] | None:
    """Return the texts that were sent for the job's words, where each differs in form alone; None where one does not.

    `recorded` is the input as an asset (`parameters.input`) or the journal's job keeps it.
    """
    found = {}
    for name, text in _texts(job).items():
        then = recorded.get(name)
        if not isinstance(then, str) or normal(then) != normal(text):
            return None
        found[name] = then
    return found


def _texts(job: Job) -> dict[str, str]:
    return {name: job.authored[name] for name in job.words if isinstance(job.authored.get(name), str)}


def _hashed(job: Job, digest: Callable[[Ref], str], texts: Mapping[str, str]) -> str:
    roles: dict[str, list[str]] = {}
    for medium in job.media:
        ref = medium.ref
        if isinstance(ref, WebURL):
            named = canonical_url(ref.url)
        else:
            named = digest(ref)
            if isinstance(ref, ShotOutput) and ref.frame:
                named += f" frame:{ref.frame}"
        roles.setdefault(medium.role, []).append(named)
    wanted = {**job.authored, **texts, "model": job.model, "roles": roles}
    return "sha256:" + hashlib.sha256(rfc8785.dumps(wanted)).hexdigest()


def normal(text: str) -> str:
    """Return words in the form in which they are compared: what an editor changes unseen does not count.

    Unicode NFC; a no-break space and a tab are a blank, a run of blanks is one; blanks at the ends of lines
    and empty lines at either end of the text go.  Line breaks inside stay.
    """
    plain = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\u00a0", " ").replace("\t", " "))
    lines = [" ".join(part for part in line.split(" ") if part) for line in plain.split("\n")]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines)


def same_words(a: str, b: str) -> bool:
    """Whether two prompts say the same, however they are broken into lines: entries of other tools are compared so."""
    return " ".join(normal(a).split()) == " ".join(normal(b).split())


# --- the wire ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call to the API.  `path` begins with `/`; `host` says which of the two documented hosts serves it."""

    method: Literal["GET", "POST"]
    path: str
    body: Mapping[str, JSON] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of the API, read as protocol section 1.4 says.

    `code` is the body's own code where there is one, else the HTTP status; `has_code` tells which.
    `data` is whatever stood under `data`.  `body` is the whole parsed body, or None when it was no JSON object.
    """

    http_status: int
    code: int
    message: str = ""
    data: JSON = None
    body: JSON = None
    has_code: bool = True
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One result of a finished task, numbered from 1: a media URL, or a text."""

    number: int
    url: str | None = None
    text: str | None = None
    label: str = ""  # what the provider calls it, where one task gives unlike things (`vocal`, `last_frame`)
    id: str = (
        ""  # the provider's own id, where it has one that later calls ask for (a Suno track's `audioId`)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Not over.  `state` is the provider's own word, also when we do not know it."""

    state: str = ""
    progress: float | None = None  # 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Over, with its outputs; `outputs` is empty when the provider named none (re-read for a while)."""

    outputs: tuple[Output, ...] = ()
    credits: float | None = None
    words: str = ""  # the prompt that the record repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """Over, without outputs.  `refunded` is None where the provider did not say."""

    code: str
    message: str
    retryable: bool = False
    refunded: bool | None = None
    credits: float | None = None
    words: str = ""  # the prompt that the record repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The provider shows no such record: normal for some seconds after a submission, later an error."""

    message: str = ""


Status = Running | Done | TaskFailed | Absent


# --- what is -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What the bytes of a file say it is.  Pixels and seconds are None where they do not apply or are unknown."""

    kind: Modality
    media_type: str  # image/png, video/mp4, ...
    extension: str  # .png, .mp4, ...: by the bytes, never by the name
    size_bytes: int = 0
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    codec: str | None = None  # h264, aac, ...: of clips and sounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One downloaded file and its entry in the manifest (contract section 5).

    Keys that an entry of another tool lacks are None here; keys that we do not know are kept in `extra`.
    """

    id: str
    type: str
    filename: str
    prompt: str = ""
    model: str = ""
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    created_at: str = ""
    scene_id: SceneId | None = None
    version: int = 1
    superseded_by: str | None = None
    shot: ShotId = None
    take: int = 1
    output: int = 1
    task_id: str | None = None
    fingerprint: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None  # seconds, for clips and sound
    credits: float | None = None
    draft: bool = False
    made_from: tuple[str, ...] = ()
    extra: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def current(self) -> bool:
        return self.superseded_by is None


def parse_slot(text: str, known: Iterable[Slot]) -> list[Slot]:
    """Return the slots among `known` that `text` names, in their order; a shot's name means all of it.

    `2b` names every take and model of shot b, `2b#3` one take, `2b@MODEL` one model's takes, `2` a whole scene.
    """
    base, _, take = text.partition("#")
    base, _, model = base.partition("@")
    found = []
    for slot in known:
        if base not in (slot.shot_name, str(slot.scene)):
            continue
        if model and slot.model != model:
            continue
        if take and str(slot.take) != take:
            continue
        found.append(slot)
    exact = [slot for slot in found if slot.shot_name == base]
    return exact or found


def selects(selector: str, slot: Slot, model: str, scenes: Sequence[SceneId]) -> bool:
    """Whether `2`, `2b`, `2b#3`, `2b@MODEL`, `2-5` or `model:kling*` names a slot that `model` makes.

    `scenes` are the ids of the film's scenes in their order: `2-5` means the scenes between those two.
    """
    if selector.startswith("model:"):
        return fnmatch.fnmatch(model, selector[6:])
    of_model = f"{slot.shot_name}@{slot.model or model}"
    named = (str(slot), str(slot.scene), slot.shot_name, f"{slot.shot_name}#{slot.take}")
    if selector in (*named, of_model, f"{of_model}#{slot.take}"):
        return True
    between = re.fullmatch(r"([^-]+)-([^-]+)", selector)
    return between is not None and _between(slot.scene, between[1], between[2], scenes)


def _between(scene: SceneId, low: str, high: str, scenes: Sequence[SceneId]) -> bool:
    ids = [str(s) for s in scenes]
    if low in ids and high in ids:
        return ids.index(low) <= ids.index(str(scene)) <= ids.index(high)
    return low.isdecimal() and high.isdecimal() and natural(low) <= natural(scene) <= natural(high)


def stamp(seconds: float) -> str:
    """Return a time as the manifest writes it: ISO 8601, UTC, with milliseconds and Z."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


# --- what happened -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One submission of one job, as the journal tells it.

    - claimed: a run of the account is about to send it; nothing has left
    - intended: about to be sent; found so after a crash it counts as held
    - held: nobody knows whether it was charged
    - submitted: the provider took it; `task_id` is known and the result is not yet here
    - refused: certainly free, never became a task
    - failed: the task is over without a result; `billed` False when known to be refunded
    - lost: done, but its result could not be had; the task can be collected again
    - saved: its assets are on the disk; `recorded` once they are in the manifest, too
    - forgotten: the user decided so
    """

    id: int
    slot: Slot
    model: str
    family: str
    fingerprint: str
    state: Literal[
        "claimed", "intended", "held", "submitted", "refused", "failed", "lost", "saved", "forgotten"
    ]
    job: Mapping[str, JSON]  # `job_record`: enough to collect and to write the asset
    run_id: str = ""
    task_id: str | None = None
    code: str = ""
    message: str = ""
    retryable: bool = False
    billed: bool | None = None
    credits: float | None = None  # reserved before, as charged after
    intended_at: float = 0.0  # seconds since the epoch
    submitted_at: float | None = None
    ended_at: float | None = None
    balance_before: float | None = None
    balance_after: float | None = None
    recorded: bool = False
    may_resubmit: bool = False  # the user said so
    film: str = ""
    take: int = 1
    twin: int = 1
    edition: int = 0
    seen_state: str = ""  # what the provider said last of a task that is not over, and when
    seen_at: float | None = None
    elsewhere: str = ""  # whose it is, where another film of the account has it

    @property
    def open(self) -> bool:
        """Whether a task of ours may still bring a result."""
        return self.state == "submitted" or self.state == "lost"

    @property
    def undecided(self) -> bool:
        return self.state in ("held", "intended")

    @property
    def unknown(self) -> bool:
        """Whether the provider does not know its task, as when a person gave the wrong id."""
        return self.state == "lost" and self.code == "not-found"


def job_record(job: Job, made_from: Sequence[str] = ()) -> dict[str, JSON]:
    """Return what the journal keeps of a job: enough to collect its task and write its assets."""
    return {
        "slot": [job.slot.scene, job.slot.shot, job.slot.model, job.slot.take],
        "model": job.model,
        "family": job.family,
        "endpoint": job.endpoint,
        "modality": job.modality,
        "prompt": job.prompt,
        "input": dict(job.input),
        "output": job.output,
        "expected_s": job.expected_s,
        "fallback_for": job.fallback_for,
        "price": [job.price.amount, job.price.kind, job.price.as_of],
        "made_from": list(made_from),
        **({"listed": job.price.listed} if job.price.listed is not None else {}),
        **({"tags": list(job.tags)} if job.tags else {}),
        **({"prompt_raw": job.prompt_raw} if job.enhanced else {}),
    }


def job_of(record: Mapping[str, JSON]) -> Job:
    """Return the job that `job_record` kept.  What only matters before a submission is gone."""
    amount, kind, as_of = record["price"]
    return Job(
        slot=Slot(*record["slot"]),
        model=record["model"],
        asked=record["model"],
        family=record["family"],
        endpoint=record["endpoint"],
        modality=record["modality"],
        prompt=record["prompt"],
        input=record["input"],
        authored={},
        output=record.get("output"),
        price=Price(amount=amount, kind=kind, as_of=as_of, listed=record.get("listed")),
        expected_s=record["expected_s"],
        fallback_for=record.get("fallback_for", ""),
        tags=tuple(record.get("tags") or ()),
        prompt_raw=record.get("prompt_raw", ""),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `starts` in any `window_s` seconds."""

    starts: int
    window_s: float
