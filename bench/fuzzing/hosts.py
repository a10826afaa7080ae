"""What hosts send: the provider's replies, and callbacks that may come from anybody."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path

from bench.fuzzing.kind import JSON, Kind, Verdict, changed, few, spoilt
from kiebatch.model import Absent, Done, Running, TaskFailed
from kiebatch.provider import callbacks, families, policy, read_reply
from kiebatch.testing import fixtures


@cache
def _exchanges() -> tuple[tuple[str, JSON], ...]:
    return tuple((one.family, one.reply) for one in fixtures.answers() if isinstance(one.reply, dict))


def _body(reply: JSON, rng: random.Random) -> bytes:
    body = json.dumps(changed(reply, rng, few(rng) + 1)).encode()
    return spoilt(body, rng) if rng.random() < 0.1 else body


def _replies(rng: random.Random, folder: Path) -> Verdict:
    family, recorded = rng.choice(_exchanges())
    body = _body(recorded.get("body", recorded), rng)
    reply = read_reply(
        rng.choice((200, 200, 200, 400, 401, 402, 404, 429, 500, 502)),
        body,
        {"retry-after": rng.choice(("", "5", "x", "9" * 50))},
    )
    endpoint = rng.choice(
        [one for one in families.all_endpoints() if one.family == family] or families.all_endpoints()
    )
    status = endpoint.status(reply)
    assert isinstance(status, Running | Done | TaskFailed | Absent), f"{type(status)} is not a status"
    if isinstance(status, Done):
        for output in status.outputs:
            assert output.url is None or output.url.lower().startswith(("http://", "https://")), output.url
    task_id = endpoint.task(reply, {})
    assert task_id is None or (isinstance(task_id, str) and task_id.strip())
    verdict = policy.submit(reply, task_id)
    assert verdict.kind in ("accepted", "later", "refused", "stop", "unknown")
    assert verdict.kind == "accepted" or not task_id, "a task that was made is held to be none"
    for operation in ("poll", "balance", "upload", "download-url", "download"):
        assert policy.read(operation, reply).kind in ("ok", "retry", "fail")
    return Verdict.ACCEPTED if reply.has_code else Verdict.REFUSED


def _callbacks(rng: random.Random, folder: Path) -> Verdict:
    base = {
        "code": 200,
        "msg": "success",
        "data": {
            "taskId": "t1",
            "task_id": "t1",
            "state": "success",
            "info": {"resultUrls": ["https://x/y.png"]},
        },
    }
    body = _body(base, rng)
    headers = {"x-webhook-timestamp": rng.choice(("", "0", "x", "9" * 40, "1700000000", "-1", "1e5")),
               "x-webhook-signature": rng.choice(("", "x", "é", "A" * 44, "A" * 10_000))}  # fmt: skip
    assert callbacks.verify(headers, body, "key", 1.7e9) is None, "a forged callback was believed"
    callbacks.attempt_of(rng.choice(("", "x", "1-x", "9" * 40, f"{rng.getrandbits(60)}-{'a' * 40}")))
    found = callbacks.task_ids(body)
    assert all(0 < len(name) <= 200 for name in found)
    return Verdict.ACCEPTED if found else Verdict.REFUSED


KINDS = (Kind("replies", _replies), Kind("callbacks", _callbacks))
