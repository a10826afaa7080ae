from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest

from kiebatch.errors import Invalid
from kiebatch.provider import Client, callbacks, families
from kiebatch.provider.callbacks import Hint
from support.simulated import Sim

KEY = "webhook-key"
NOW = 1_790_000_000


def signed(task_id: str, *, at: int = NOW, key: str = KEY) -> dict[str, str]:
    mac = hmac.new(key.encode(), f"{task_id}.{at}".encode(), hashlib.sha256).digest()
    return {"X-Webhook-Timestamp": str(at), "X-Webhook-Signature": base64.b64encode(mac).decode()}


def body_of(value: Any) -> bytes:
    return json.dumps(value).encode()


# Protocol 8: where each family names the task.
BODIES = [
    body_of({"code": 200, "msg": "ok", "data": {"taskId": "t1", "state": "success"}}),
    body_of({"code": 501, "msg": "Playground task failed.", "data": {"taskId": "t1", "state": "fail"}}),
    body_of({"code": 200, "data": {"task_id": "t1", "video_url": "https://x/1.mp4"}}),
    body_of({"code": 200, "data": {"callbackType": "complete", "task_id": "t1", "data": []}}),
    body_of({"code": 200, "msg": "", "data": {"result_video_url": "https://x/1.mp4"}, "taskId": "t1"}),
    body_of({"code": 400, "data": None, "taskId": "t1"}),
]


@pytest.mark.parametrize("body", BODIES)
def test_a_signature_vouches_for_the_task_wherever_the_family_names_it(body: bytes) -> None:
    assert callbacks.verify(signed("t1"), body, KEY, NOW) == "t1"
    lower = {name.lower(): value for name, value in signed("t1").items()}
    assert callbacks.verify(lower, body, KEY, NOW + 299) == "t1"


@pytest.mark.parametrize(
    ("headers", "body", "key", "now"),
    [
        (signed("t2"), BODIES[0], KEY, NOW),
        (signed("t1", key="other"), BODIES[0], KEY, NOW),
        (signed("t1"), BODIES[0], "", NOW),
        (signed("t1"), BODIES[0], KEY, NOW + 301),
        (signed("t1"), BODIES[0], KEY, NOW - 301),
        ({}, BODIES[0], KEY, NOW),
        ({"X-Webhook-Timestamp": "soon", "X-Webhook-Signature": "x"}, BODIES[0], KEY, NOW),
        ({"X-Webhook-Timestamp": str(NOW), "X-Webhook-Signature": "\u00e9\ud800"}, BODIES[0], KEY, NOW),
        (signed("t1"), b"not json", KEY, NOW),
        (signed("t1"), b"[]", KEY, NOW),
        (signed("t1"), body_of({"data": {"taskId": ["t1"]}}), KEY, NOW),
        (signed(""), body_of({"data": {"taskId": ""}}), KEY, NOW),
    ],
)
def test_what_is_not_vouched_for_is_refused(headers: dict[str, str], body: bytes, key: str, now: int) -> None:
    assert callbacks.verify(headers, body, key, now) is None


def test_a_jobs_own_address_carries_its_token() -> None:
    assert (
        callbacks.url_for("https://me.example/cb?a=1", "tok-1") == "https://me.example/cb?a=1&kiebatch=tok-1"
    )


def test_a_token_names_its_attempt_and_cannot_be_made_up() -> None:
    token = callbacks.token_for("run-1", 42)

    assert callbacks.attempt_of(token) == 42
    assert token == callbacks.token_for("run-1", 42)
    assert token not in (callbacks.token_for("run-2", 42), callbacks.token_for("run-1", 43))
    assert [callbacks.attempt_of(text) for text in ("", "42", "x-1", "-1", "\u0664-1", "1" * 30 + "-a")] == [
        None
    ] * 6


def test_callbacks_are_answered_and_handed_on_duplicates_and_all() -> None:
    hints: list[Hint] = []

    async def work() -> None:
        async with (
            callbacks.listening("127.0.0.1:0", hints.append) as address,
            httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, verify=False) as http,
        ):
            for _ in range(2):
                assert (await http.post("/any/path?kiebatch=tok-1", content=BODIES[2])).status_code == 200
            assert (await http.post("/?kiebatch=../x", content=BODIES[0])).status_code == 200
            assert (await http.post("/", content=b"{")).status_code == 400
            assert (await http.post("/", content=b" " * 5_000_000)).status_code == 413
            assert (await http.get("/")).status_code == 200
            with pytest.raises(Invalid, match="cannot listen"):
                async with callbacks.listening(address, hints.append):
                    pass

    asyncio.run(work())

    assert hints == [Hint("t1", "tok-1"), Hint("t1", "tok-1"), Hint("t1")]


@pytest.mark.slow
def test_who_sends_half_a_callback_is_not_waited_for_and_said_nothing_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> bytes:
        async with callbacks.listening("127.0.0.1:0", print) as address:
            reader, writer = await asyncio.open_connection(*address.split(":"))
            head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
            writer.write(head + b"{")
            assert b" 100 " in await reader.readuntil(b"\r\n\r\n")  # now it waits for the rest
        answer = await reader.read()
        writer.close()
        return answer

    assert b" 408 " in asyncio.run(work())
    assert not caplog.records


def test_with_a_key_only_signed_callbacks_count() -> None:
    hints: list[Hint] = []

    async def work() -> None:
        async with (
            callbacks.listening("127.0.0.1:0", hints.append, key=KEY, now=lambda: NOW) as address,
            httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, verify=False) as http,
        ):
            assert (await http.post("/", content=BODIES[0])).status_code == 401
            assert (await http.post("/", content=BODIES[0], headers=signed("t1"))).status_code == 200

    asyncio.run(work())

    assert hints == [Hint("t1")]


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:-1"])
def test_an_address_to_listen_on_is_host_and_port(address: str) -> None:
    async def work() -> None:
        async with callbacks.listening(address, print):
            pass

    with pytest.raises(Invalid, match="HOST:PORT"):
        asyncio.run(work())


def test_every_family_tells_its_tasks_and_which_job_each_was(sim: Sim) -> None:
    sim.change(webhook_key=KEY)
    clip = {"prompt": "a boat", "duration": 5, "quality": "720p", "aspectRatio": "16:9"}
    song = {"prompt": "a shanty", "customMode": False, "instrumental": False, "model": "V5"}
    jobs: list[tuple[str, str, str, dict[str, Any]]] = [
        ("jobs", "", "z-image", {"prompt": "a boat", "aspect_ratio": "1:1"}),
        ("gpt4o-image", "", "gpt4o-image", {"prompt": "a boat", "size": "1:1"}),
        ("flux-kontext", "", "flux-kontext-pro", {"prompt": "a boat"}),
        ("veo", "", "veo3_fast", {"prompt": "a boat"}),
        ("runway", "", "runway/generate", clip),
        ("suno", "", "suno/generate", song),
        ("suno", "/api/v1/lyrics", "suno/lyrics", {"prompt": "the sea"}),
    ]
    sent: set[Hint] = set()
    heard: set[Hint] = set()
    everything = asyncio.Event()

    def hear(hint: Hint) -> None:
        heard.add(hint)
        if len(heard) == len(jobs):
            everything.set()

    async def work() -> None:
        async with (
            callbacks.listening("127.0.0.1:0", hear, key=KEY) as address,
            Client(sim.key, sim.url) as client,
        ):
            for attempt, (family, path, model, job_input) in enumerate(jobs, 1):
                endpoint = families.get(family, path)
                token = callbacks.token_for("run-1", attempt)
                url = callbacks.url_for(f"http://{address}/hook", token)
                verdict = await client.submit(endpoint.request(model, job_input, url), endpoint.task)
                assert verdict.task_id, verdict
                sent.add(Hint(verdict.task_id, token))
            async with asyncio.timeout(20):
                await everything.wait()

    asyncio.run(work())

    assert heard == sent
