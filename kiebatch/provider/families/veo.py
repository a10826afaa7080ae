"""Veo 3.1, the dedicated API: generate, extend, 1080p and 4K (protocol 4.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kiebatch.model import JSON, Done, Reply, Request, Running, Status
from kiebatch.provider.families.endpoint import (
    Endpoint,
    Place,
    Record,
    Words,
    at,
    by_record,
    first_text,
    places,
    urls,
)

WORDS = Words(running=frozenset({"0"}), done=frozenset({"1"}), failed=frozenset({"2", "3"}))

_RECORD = "/api/v1/veo/record-info"
_STILL_AT_WORK = re.compile(r"(?i)process|being generated|generating|in progress|not ready|wait")


def _generate_body(model: str, job_input: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"model": model, **job_input}


def _parse(endpoint: Endpoint, record: Record) -> Status:
    return WORDS.read(endpoint, record, record.get("successFlag"))


# An upgrade belongs to a task that exists, so that asking twice makes nothing twice.  Its name here is the
# task's with the kind and the number of the clip: the task alone would name the clip before the upgrade.
_UPGRADE = re.compile(r"(?P<task>.+)/(?:1080p|4k)/(?P<index>\d+)")


def _upgrade_name(kind: str, job_input: Mapping[str, JSON]) -> str | None:
    task = first_text(job_input, "taskId")
    return f"{task}/{kind}/{first_text(job_input, 'index') or '0'}" if task else None


def _upgrade_of(name: str) -> tuple[str, int]:
    found = _UPGRADE.fullmatch(name)
    return (found["task"], int(found["index"])) if found else (name, 0)


def _find_1080p(reply: Reply, job_input: Mapping[str, JSON]) -> str | None:
    made = reply.code == 200 and bool(urls(at(reply.data, "resultUrl")))
    at_work = reply.has_code and reply.code in (400, 422) and bool(_STILL_AT_WORK.search(reply.message))
    return _upgrade_name("1080p", job_input) if made or at_work else None


def _ask_1080p(endpoint: Endpoint, name: str) -> Request:
    task, index = _upgrade_of(name)
    return Request(method="GET", path=endpoint.path, query={"taskId": task, "index": str(index)})


def _find_4k(reply: Reply, job_input: Mapping[str, JSON]) -> str | None:
    """Return the upgrade's own task id where the answer tells it; later answers for one task come as 422."""
    own = first_text(reply.data, "taskId", "task_id")
    begun = reply.code == 200 and own is not None
    begun_before = reply.code == 422 and bool(
        urls(at(reply.data, "resultUrls")) or _STILL_AT_WORK.search(reply.message)
    )
    if not (begun or begun_before):
        return None
    return own if own and own != first_text(job_input, "taskId") else _upgrade_name("4k", job_input)


def _ask_4k(endpoint: Endpoint, name: str) -> Request:
    task, index = _upgrade_of(name)
    if task == name:
        return Request(method="GET", path=_RECORD, query={"taskId": name})
    return Request(method="POST", path=endpoint.path, body={"taskId": task, "index": index})


def _judge_upgrade(endpoint: Endpoint, reply: Reply) -> Status:
    """Read an upgrade: results first, whatever the code says; 422 is what both ends of a 4K one answer."""
    if isinstance(reply.data, Mapping) and reply.data and "successFlag" not in reply.data:
        outputs = endpoint.outputs(reply.data)
        if outputs:
            return Done(outputs=outputs)
        if reply.code == 200:
            return Running()
    if reply.code in (400, 422) and _STILL_AT_WORK.search(reply.message):
        return Running(state=reply.message)
    return by_record(endpoint, reply)


# `fullResultUrls` is the whole film after an extension, `originUrls` the clip before it was cut to its frame.
_RESULTS = places("response.resultUrls", "response.result_urls", "resultUrls", "info.resultUrls")
_MORE = (
    Place(path="response.fullResultUrls", label="full"),
    Place(path="response.originUrls", label="origin"),
)

ENDPOINTS = (
    Endpoint(
        family="veo",
        path="/api/v1/veo/generate",
        current="veo-3-1",
        record_path=_RECORD,
        body=_generate_body,
        parse=_parse,
        main=_RESULTS,
        extra=_MORE,
    ),
    Endpoint(
        family="veo",
        path="/api/v1/veo/extend",
        current="veo/extend",
        record_path=_RECORD,
        parse=_parse,
        main=_RESULTS,
        extra=_MORE,
    ),
    Endpoint(
        family="veo",
        path="/api/v1/veo/get-1080p-video",
        current="veo/get-1080p-video",
        record_path="/api/v1/veo/get-1080p-video",
        method="GET",
        callback="none",
        parse=_parse,
        main=places("resultUrl", "resultUrls"),
        find_task=_find_1080p,
        find_record=_ask_1080p,
        judge=_judge_upgrade,
    ),
    Endpoint(
        family="veo",
        path="/api/v1/veo/get-4k-video",
        current="veo/get-4k-video",
        record_path=_RECORD,
        parse=_parse,
        main=_RESULTS,
        find_task=_find_4k,
        find_record=_ask_4k,
        judge=_judge_upgrade,
    ),
)
