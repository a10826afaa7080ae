"""What is wanted: one fully resolved request, and its price."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal

from kiebatch._dataclass import dataclass
from kiebatch.errors import Where
from kiebatch.model.expectations import Expectation
from kiebatch.model.refs import Ref, ShotOutput
from kiebatch.model.slots import Slot
from kiebatch.model.words import JSON, Enhance, Modality

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
        if not self.media:
            return self.after
        sent = (m.ref.slot for m in self.media if isinstance(m.ref, ShotOutput))
        return tuple(dict.fromkeys((*sent, *self.after)))
