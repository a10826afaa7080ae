"""4o Image, the dedicated API (protocol 4.1)."""

from __future__ import annotations

from kiebatch.model import Status
from kiebatch.provider.families.endpoint import Endpoint, Record, Words, places

WORDS = Words(
    running=frozenset({"0", "generating"}),
    done=frozenset({"1", "success"}),
    failed=frozenset({"2", "3", "create_task_failed", "generate_failed"}),
)


def _parse(endpoint: Endpoint, record: Record) -> Status:
    return WORDS.read(endpoint, record, record.get("successFlag"), record.get("status"))


ENDPOINTS = (
    Endpoint(
        family="gpt4o-image",
        path="/api/v1/gpt4o-image/generate",
        record_path="/api/v1/gpt4o-image/record-info",
        link_path="/api/v1/gpt4o-image/download-url",
        current="4o-image-api",
        parse=_parse,
        main=places("response.resultUrls", "response.result_urls", "info.result_urls"),
    ),
)
