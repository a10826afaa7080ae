"""Flux Kontext, the dedicated API (protocol 4.2)."""

from __future__ import annotations

from collections.abc import Mapping

from kiebatch.model import JSON, Status
from kiebatch.provider.families.endpoint import Endpoint, Record, Words, places

WORDS = Words(running=frozenset({"0"}), done=frozenset({"1"}), failed=frozenset({"2", "3"}))


def _body(model: str, job_input: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"model": model, **job_input}


def _parse(endpoint: Endpoint, record: Record) -> Status:
    return WORDS.read(endpoint, record, record.get("successFlag"))


# `originImageUrl` is the same picture on a host that forgets it after 10 minutes.
ENDPOINTS = (
    Endpoint(
        family="flux-kontext",
        path="/api/v1/flux/kontext/generate",
        record_path="/api/v1/flux/kontext/record-info",
        current="flux1-kontext",
        body=_body,
        parse=_parse,
        main=places("response.resultImageUrl", "info.resultImageUrl"),
    ),
)
