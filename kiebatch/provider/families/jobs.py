"""The Market API: every current model, through `createTask` and `recordInfo` (protocol 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kiebatch.model import JSON, Done, Output, Status
from kiebatch.provider.families.endpoint import (
    STEMS,
    Endpoint,
    Place,
    Record,
    Words,
    at,
    identified,
    json_text,
    labelled,
    parsed,
    places,
)

# The synonyms are those of other layers around the API (protocol 3.3).
WORDS = Words(
    running=frozenset(
        {"waiting", "queuing", "generating", "wait", "queueing", "queued", "pending", "processing", "running"}
    ),
    done=frozenset({"success", "succeeded", "completed"}),
    failed=frozenset(
        {"fail", "failed", "error", "canceled", "timeout", "create_task_failed", "generate_failed"}
    ),
    proof=False,
)

# Results that are words or values instead of media; all but the first were written down without `resultObject`.
_TEXTS = (
    "resultObject",
    "character_id",
    "persona_id",
    "personaId",
    "voice_id",
    "alignedWords",
    "instruments",
)


def _body(model: str, job_input: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"model": model, "input": dict(job_input)}


def _parse(endpoint: Endpoint, record: Record) -> Status:
    status = WORDS.read(endpoint, record, record.get("state"))
    if isinstance(status, Done) and (text := _text(parsed(record.get("resultJson")))):
        made = Output(number=len(status.outputs) + 1, text=text)
        return replace(status, outputs=(*status.outputs, made))
    return identified(status, at(record, "resultJson.data"), "audio_url", "audioUrl")


def _text(found: JSON) -> str | None:
    if not isinstance(found, Mapping):
        return None
    for key in _TEXTS:
        if found.get(key) not in (None, "", {}, []):
            return json_text(found["resultObject"] if key == "resultObject" else found)
    return None


# `resultJson` is a text that holds JSON, or that JSON itself; the frame lists are named in the singular.  `param`
# echoes the input's URLs and is never read.  Models that moved here from an API of their own name their results under
# `data` (Veo at 1080p and 4K; music, one client's word), in a bare list, or as before under `response`.
ENDPOINTS = (
    Endpoint(
        family="jobs",
        path="/api/v1/jobs/createTask",
        record_path="/api/v1/jobs/recordInfo",
        body=_body,
        parse=_parse,
        # Required by the schema of 2026-08-19 and, by name, on 2026-10-07; an address that answers nothing is harmless.
        callback_models=frozenset({"kling-3.0/motion-control"}),
        main=places(
            "resultJson.resultUrls",
            "resultJson.result_urls",
            "resultJson.resultUrl",
            "resultJson.videoUrl",
            "resultJson.audioUrl",
            "resultJson.data.audio_url",
            "resultJson.data.audioUrl",
            "resultJson.audioWavUrl",
            "resultJson.images",
            "resultJson.data.result_urls",
            "resultJson.data.resultUrls",
            "resultJson.data.stream_audio_url",
            "resultJson.data.streamAudioUrl",
            "resultJson.data",
            "resultJson",
            "response.resultUrls",
            "response.result_urls",
        ),
        extra=(
            Place(path="resultJson.firstFrameUrl", label="first_frame"),
            Place(path="resultJson.lastFrameUrl", label="last_frame"),
            Place(path="resultJson.resultWaterMarkUrls", label="watermarked"),
            *labelled("resultJson", STEMS),
        ),
    ),
)
