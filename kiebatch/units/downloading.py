"""The unit that fetches one output of a task and checks it: type, decoding, bombs, size, digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from kiebatch import files, media
from kiebatch.errors import CallFailed
from kiebatch.model import JSON, MediaFacts, Modality, Output, canonical_url
from kiebatch.units.context import Context
from kiebatch.units.unit import Ended, Failed, Made, Order, Unit

CAP_BYTES: Mapping[str, int] = {"image": 200 << 20, "video": 4 << 30, "audio": 1 << 30, "text": 16 << 20}
# Suno's tree gives music videos and MIDI from an audio model; a transcription may come as a file.
_KINDS: Mapping[str, set[str]] = {"audio": {"audio", "video", "text", "image"}, "text": {"text", "audio"}}
_RECIPE = 1
_CHECK_S = 600.0  # to decode a large picture, or to read through gigabytes


def download(origin: str, task_id: str, output: Output, modality: Modality, *, timeout_s: float) -> Unit:
    """Return the unit for one output of a task, which was asked of a model of that modality.

    `origin` says for what: the attempt, or the asset whose file is fetched again.  After a journal was lost, a part of
    another task must not be gone on with, so the task and the output's address are part of the unit: without the
    signature, as a renewed link is the same output.
    """
    named = hashlib.sha256(f"{task_id}\0{canonical_url(output.url or '')}".encode()).hexdigest()
    inputs: dict[str, JSON] = {"origin": origin, "output": output.number, "task": named}
    params = {"modality": modality, "labelled": bool(output.label)}
    return Unit.of("download", inputs, params, recipe=_RECIPE, timeout_s=timeout_s + _CHECK_S)


async def fetched(order: Order, context: Context) -> Ended:
    """Fetch and check the output; its bytes are then on the shelf under their digest."""
    assert context.fetch is not None
    unit = order.unit
    modality = str(unit.params["modality"])
    part = context.shelf.scratch(unit)
    try:
        await context.fetch(order.address, part, cap_bytes=CAP_BYTES[modality])
        facts, sha256 = await context.offload(_checked, part, modality, bool(unit.params["labelled"]))
    except CallFailed as failure:
        return Failed(failure.code, failure.message, failure.retryable)
    except media.Undecodable as error:
        part.unlink(missing_ok=True)
        return Failed("not-media", str(error), retryable=True)
    except OSError as error:
        raise files.unwritable(part, error) from None
    await context.shelf.put(f"sha256/{sha256}", part)
    return Made({"sha256": sha256, "facts": asdict(facts)})


def _checked(part: Path, modality: str, labelled: bool) -> tuple[MediaFacts, str]:
    """Return a file's facts and digest.  `Undecodable` where it cannot be decoded, or is of another kind than the model makes."""
    facts = media.facts(part)
    if not labelled and facts.kind not in _KINDS.get(modality, {modality}):
        raise media.Undecodable(f"{facts.media_type} came where the model makes {modality}")
    return facts, files.sha256(part)
