"""Says what changed between a slot's asset and what is asked for today, by comparing the two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kiebatch.model import JSON, Asset, Job, Slot, as_number, canonical, same_words
from kiebatch.planning.plans import Reason


def cause_of(
    job: Job, made: Sequence[Asset], same_model: Callable[[str, str], bool], upstream: Sequence[Slot]
) -> tuple[Reason, Slot | None]:
    """Return why a slot is made again, and the other slot where that is why.

    `upstream` are the slots it starts from whose result is another one than that which it was made from.
    """
    asset = made[0]
    if not same_model(asset.model, job.model):
        return Reason.MODEL, None
    if not same_words(asset.prompt, job.prompt):
        return Reason.PROMPT, None
    if upstream:
        return Reason.UPSTREAM, upstream[0]
    sent = asset.parameters.get("input")
    if isinstance(sent, Mapping) and sent and _other_params(job, sent):
        return Reason.PARAMS, None
    pictured = bool(job.media) or (isinstance(sent, Mapping) and any(_is_media(v) for v in sent.values()))
    return (Reason.REFERENCES if pictured else Reason.PARAMS), None


def _other_params(job: Job, sent: Mapping[str, JSON]) -> bool:
    filled = {m.field for m in job.media} | set(job.words) | {"prompt", "text"}
    return any(
        _plain(sent.get(key)) != _plain(job.input.get(key))
        for key in {*sent, *job.input} - filled - set(job.defaulted)
        if not _is_media(sent.get(key))
    )


def _plain(value: JSON) -> bytes | None:
    return canonical(value) if value is not None else None


def _is_media(value: JSON) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, str) and first.startswith(("file:", "shot:", "task:", "http://", "https://"))


def shorter_than_asked(job: Job, made: Sequence[Asset]) -> str:
    """Say where a clip that 0.1 made is shorter than its scene, which gave no length to a clip in those days."""
    before = job.authored_before
    if before is None or made[0].duration is None:
        return ""
    lasts = made[0].duration
    asked = max((_seconds(v) for k, v in job.authored.items() if k not in before), default=0.0)
    if lasts >= asked - 0.5:
        return ""
    return (
        f"the clip lasts {lasts:g} s and the scene asks for {asked:g}; it is kept, --force makes it again "
        "(clip-shorter)"
    )


def _seconds(value: JSON) -> float:
    """Return a length as a number; models spell it `5` or `"5"`."""
    return as_number(value) or 0.0
