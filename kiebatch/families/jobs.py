"""The Market API: every current model, through `createTask` and `recordInfo` (protocol 3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from kiebatch.families.endpoint import Endpoint, Place, Record, Words, at, parsed
from kiebatch.model import JSON, Done, Output, Status

# The synonyms are those of other layers around the API (protocol 3.3).
WORDS = Words(
    running=frozenset(
        {"waiting", "queuing", "generating", "wait", "queueing", "queued", "pending", "processing", "running"}
    ),
    done=frozenset({"success", "succeeded", "completed"}),
    failed=frozenset(
        {"fail", "failed", "error", "canceled", "timeout", "create_task_failed", "generate_failed"}
    ),
)


def _body(model: str, job_input: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"model": model, "input": dict(job_input)}


def _parse(endpoint: Endpoint, record: Record) -> Status:
    status = WORDS.read(endpoint, record, record.get("state"))
    if isinstance(status, Done):
        text = _text(parsed(record.get("resultJson")))
        if text is not None:
            made = Output(number=len(status.outputs) + 1, text=text)
            return replace(status, outputs=(*status.outputs, made))
    return status


def _text(found: JSON) -> str | None:
    """Return a result that is words or values instead of media: speech to text, detections, character ids."""
    value = at(found, "resultObject")
    if value is None and isinstance(found, Mapping) and "character_id" in found:
        value = found
    if value in (None, "", {}, []):
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2) + "\n"


# The frame lists are named in the singular and hold lists (protocol 3.5).  `param` echoes the input's URLs and
# is never read.
ENDPOINTS = (
    Endpoint(
        family="jobs",
        path="/api/v1/jobs/createTask",
        record_path="/api/v1/jobs/recordInfo",
        body=_body,
        parse=_parse,
        main=tuple(
            Place(path=f"resultJson.{key}")
            for key in ("resultUrls", "result_urls", "resultUrl", "videoUrl", "audioUrl")
        ),
        extra=(
            Place(path="resultJson.firstFrameUrl", label="first_frame"),
            Place(path="resultJson.lastFrameUrl", label="last_frame"),
            Place(path="resultJson.resultWaterMarkUrls", label="watermarked"),
        ),
    ),
)
