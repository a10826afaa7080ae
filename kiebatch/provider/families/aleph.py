"""Runway Aleph, the dedicated API (protocol 4.5)."""

from __future__ import annotations

from kiebatch.model import Done, Status
from kiebatch.provider.families.endpoint import Endpoint, Record, Words, failure, first_text, places

WORDS = Words(running=frozenset({"0"}), done=frozenset({"1"}), failed=frozenset({"2", "3"}))


def _parse(endpoint: Endpoint, record: Record) -> Status:
    """Read a record whose flag 0 means running or failed: failed if it names an error, or is complete."""
    status = WORDS.read(endpoint, record, record.get("successFlag"))
    if isinstance(status, Done):
        return status
    code = first_text(record, "errorCode")
    over = code not in (None, "0", "200") or record.get("errorMessage") or record.get("completeTime")
    return failure(record) if over else status


ENDPOINTS = (
    Endpoint(
        family="aleph",
        path="/api/v1/aleph/generate",
        record_path="/api/v1/aleph/record-info",
        current="runway/gen4-aleph",
        parse=_parse,
        main=places("response.resultVideoUrl", "result_video_url"),
    ),
)
