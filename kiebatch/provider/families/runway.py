"""Runway, the dedicated API: generate and extend (protocol 4.4).  The record's path ends in `detail`."""

from __future__ import annotations

from kiebatch.model import Status
from kiebatch.provider.families.endpoint import Endpoint, Record, Words, places

# `queueing` is spelled otherwise than in the Market API.
WORDS = Words(
    running=frozenset({"wait", "waiting", "queueing", "queuing", "generating"}),
    done=frozenset({"success"}),
    failed=frozenset({"fail", "failed"}),
)


def _parse(endpoint: Endpoint, record: Record) -> Status:
    return WORDS.read(endpoint, record, record.get("state"))


ENDPOINTS = tuple(
    Endpoint(
        family="runway",
        path=path,
        record_path="/api/v1/runway/record-detail",
        current=current,
        parse=_parse,
        main=places("videoInfo.videoUrl", "video_url"),
    )
    for path, current in (
        ("/api/v1/runway/generate", "runway"),
        ("/api/v1/runway/extend", "runway/extend-ai-video"),
    )
)
