"""What is, and what happened: files, assets, attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal, NotRequired, TypedDict

from kiebatch._dataclass import dataclass
from kiebatch.model.jobs import Job, Price, PriceKind
from kiebatch.model.slots import SceneId, ShotId, Slot
from kiebatch.model.words import JSON, Modality, as_form


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


AttemptState = Literal[
    "claimed", "intended", "held", "submitted", "refused", "failed", "lost", "saved", "forgotten"
]


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
    state: AttemptState
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


class JobRecord(TypedDict):
    """What `job_record` keeps of a job; the keys that may be missing are not in the records of earlier versions."""

    slot: tuple[SceneId, ShotId, str | None, int]
    model: str
    family: str
    endpoint: str
    modality: Modality
    prompt: str
    input: Mapping[str, JSON]
    output: NotRequired[str | None]
    expected_s: float
    fallback_for: NotRequired[str]
    price: tuple[float | None, PriceKind, str | None]
    made_from: NotRequired[list[str]]
    listed: NotRequired[float]
    tags: NotRequired[list[str]]
    prompt_raw: NotRequired[str]


def job_record(job: Job, made_from: Sequence[str] = ()) -> dict[str, JSON]:
    """Return what the journal keeps of a job: enough to collect its task and write its assets."""
    found: dict[str, JSON] = {
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
    }
    if job.price.listed is not None:
        found["listed"] = job.price.listed
    if job.tags:
        found["tags"] = list(job.tags)
    if job.enhanced:
        found["prompt_raw"] = job.prompt_raw
    return found


def job_of(record: Mapping[str, JSON]) -> Job:
    """Return the job that `job_record` kept.  What only matters before a submission is gone."""
    kept = as_form(JobRecord, record)
    amount, kind, as_of = kept["price"]
    return Job(
        slot=Slot(*kept["slot"]),
        model=kept["model"],
        asked=kept["model"],
        family=kept["family"],
        endpoint=kept["endpoint"],
        modality=kept["modality"],
        prompt=kept["prompt"],
        input=kept["input"],
        authored={},
        output=kept.get("output"),
        price=Price(amount=amount, kind=kind, as_of=as_of, listed=kept.get("listed")),
        expected_s=kept["expected_s"],
        fallback_for=kept.get("fallback_for", ""),
        tags=tuple(kept.get("tags") or ()),
        prompt_raw=kept.get("prompt_raw", ""),
    )
