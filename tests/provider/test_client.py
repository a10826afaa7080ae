from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gzip
import json
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from kiebatch.errors import Invalid, Refused
from kiebatch.model import Done, Request, Running, Status, TaskFailed, under
from kiebatch.provider import CallFailed, Client, Times, families, read_reply
from support.raw_server import Say, Seen, Server, envelope, serving

KEY = "kie-secret-0123456789"
SUBMIT = families.get("jobs").request("z-image", {"prompt": "a boat"})


async def no_wait(_: float) -> None:
    await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def client_of(
    answer: Callable[[Seen], Say], **settings: object
) -> AsyncIterator[tuple[Client, Server]]:
    async with (
        serving(answer) as server,
        Client(KEY, server.url, rng=random.Random(1), sleep=no_wait, **settings) as client,  # type: ignore[arg-type]
    ):
        yield client, server


def in_turn(*says: Say) -> Callable[[Seen], Say]:
    """Answer with one after the other, the last one for ever."""
    left = list(says)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


# --- submissions ---------------------------------------------------------------------------------------


async def submitted(say: Say, **settings: object) -> tuple[str, str | None, int]:
    async with client_of(lambda _: say, **settings) as (client, server):
        verdict = await client.submit(SUBMIT)
        return verdict.kind, verdict.task_id, len(server.seen)


def test_an_accepted_submission_gives_its_task() -> None:
    assert asyncio.run(submitted(envelope({"taskId": "abc", "recordId": "abc"}))) == ("accepted", "abc", 1)


@pytest.mark.parametrize(
    "say",
    [
        Say(cut=0),
        Say({"code": 200, "data": {"taskId": "abc"}}, cut=9),
        Say(b"<html><title>502: Bad gateway</title></html>", status=502),
        Say(b""),
        Say(b"[1, 2]"),
        envelope(None),
        envelope({"taskId": ""}),
        envelope(None, 500, "Server exception, please try again later"),
        Say({"timestamp": 1, "status": 500, "error": "Internal Server Error"}, status=500),
        Say(b"ok", delay_s=0.5),
    ],
)
def test_a_submission_without_a_clear_answer_is_unknown_and_sent_once(say: Say) -> None:
    assert asyncio.run(submitted(say, times=Times(call_s=0.2))) == ("unknown", None, 1)


def test_a_429_in_an_http_200_is_free_and_nothing_is_sent_again_by_the_client() -> None:
    say = envelope(None, 429, "Your call frequency is too high. Please try again later.")

    assert asyncio.run(submitted(say)) == ("later", None, 1)


def test_a_connection_that_is_refused_never_left() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def work() -> None:
        async with Client(KEY, f"http://127.0.0.1:{port}") as client:
            verdict = await client.submit(SUBMIT)
        assert (verdict.kind, verdict.code) == ("later", "not-sent")

    asyncio.run(work())


def test_a_tls_handshake_that_fails_never_left() -> None:
    async def work() -> None:
        async with (
            serving(lambda _: envelope({"taskId": "abc"})) as server,
            Client(KEY, server.url.replace("http://127.0.0.1", "https://localhost")) as client,
        ):
            verdict = await client.submit(SUBMIT)
            assert (verdict.kind, server.seen) == ("later", [])

    asyncio.run(work())


def test_every_submission_opens_a_connection_of_its_own() -> None:
    async def work() -> None:
        async with client_of(lambda _: envelope({"taskId": "abc"})) as (client, server):
            for _ in range(3):
                await client.submit(SUBMIT)
            assert server.connections == 3
            for _ in range(3):
                await client.status("jobs", "abc")
            assert server.connections == 4

    asyncio.run(work())


def test_the_key_goes_into_one_header_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def work() -> None:
        async with client_of(lambda _: Say(cut=0), attempts=2) as (client, server):
            verdict = await client.submit(SUBMIT)
            with pytest.raises(CallFailed) as failure:
                await client.balance()
            texts = [
                repr(client),
                repr(verdict),
                repr(failure.value),
                caplog.text,
                repr(vars(client)),
            ]
            assert all(KEY not in text for text in texts)
            assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
            assert "x-api-key" not in server.seen[0].headers

    asyncio.run(work())


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "clé"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(Invalid) as problem:
        Client(key)

    assert key not in str(problem.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.kie.ai",
        "ftp://x",
        "api.kie.ai",
        "https://u:p@kie.ai",
        "https://kie.ai/?a=1",
        "http://[::1",
    ],
)
def test_an_address_that_would_show_the_key_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        Client(KEY, url)


# --- reading replies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "code", "message", "has_code"),
    [
        (200, b'{"code":200,"msg":"success","data":1}', 200, "success", True),
        (200, b'{"code":"429","message":"too fast"}', 429, "too fast", True),
        (200, b'{"code":422.0,"msg":null}', 422, "", True),
        (500, b'{"code":422,"msg":"bad"}', 422, "bad", True),
        (502, b'{"code":200,"msg":"success"}', 502, "success", True),
        (
            200,
            b'{"success":false,"code":400,"msg":"Missing required parameter"}',
            400,
            "Missing required parameter",
            True,
        ),
        (200, b'{"success":false,"code":200,"msg":"no"}', 500, "no", True),
        (200, b'{"code":true}', 200, "", False),
        (404, b'{"error":"Not Found"}', 404, "Not Found", False),
        (503, b"<html><head><title> Down \n now</title></head></html>", 503, "a web page: Down now", False),
        (429, b"slow down", 429, "slow down", False),
        (200, b"", 200, "", False),
        (200, b"[]", 200, "", False),
        (200, b"null", 200, "null", False),
        (200, b"\xff\xfe", 200, "\ufffd\ufffd", False),
        (200, b"[" * 100_000, 200, None, False),
        (200, b'\xef\xbb\xbf{"code":200,"msg":"caf\xe9"}', 200, "caf\ufffd", True),
        (
            200,
            b'{"code":422,"msg":"half \\ud83d, whole \\ud83d\\ude00"}',
            422,
            "half ?, whole \U0001f600",
            True,
        ),
        (200, b'{"code":500,"msg":"red\\u001b[31m"}', 500, "red [31m", True),
    ],
)
def test_the_bodys_own_code_decides_and_the_http_status_only_without_one(
    status: int, body: bytes, code: int, message: str | None, has_code: bool
) -> None:
    reply = read_reply(status, body)

    assert (reply.code, reply.has_code) == (code, has_code)
    if message is not None:
        assert reply.message == message


@pytest.mark.slow
@given(
    st.binary(max_size=60) | st.from_regex(rb'\{"code":.{0,9},"msg":"(\\\\u[0-9a-f]{4}|.){0,9}"\}'),
    st.integers(100, 599),
)
def test_whatever_bytes_come_a_reply_can_be_written_down(body: bytes, status: int) -> None:
    reply = read_reply(status, body)

    assert json.loads(json.dumps([reply.message, reply.data, reply.body], ensure_ascii=False).encode())


# --- calls that cost nothing ---------------------------------------------------------------------------


def test_a_read_is_repeated_through_faults_and_books_every_attempt() -> None:
    says = (
        Say(cut=0),
        Say(b"<html>", status=502),
        envelope(None, 429),
        envelope({"taskId": "abc", "state": "waiting"}),
    )
    booked: list[int] = []
    slowed: list[float | None] = []

    async def book() -> None:
        booked.append(1)

    async def slow(asked_s: float | None) -> None:
        slowed.append(asked_s)

    async def work() -> None:
        async with client_of(in_turn(*says)) as (client, _):
            reply = await client.read(families.get("jobs").record("abc"), before=book, too_fast=slow)
            assert under(reply.data, "state") == "waiting"
            assert len(booked) == 4
            assert slowed == [None]

    asyncio.run(work())


def test_a_read_gives_up_after_its_attempts_and_says_that_later_may_differ() -> None:
    async def work() -> None:
        async with client_of(lambda _: envelope(None, 455, "maintenance"), attempts=3) as (client, server):
            with pytest.raises(CallFailed, match="maintenance") as failure:
                await client.status("jobs", "abc")
            assert (failure.value.code, failure.value.retryable, len(server.seen)) == ("455", True, 3)

    asyncio.run(work())


def test_a_wrong_key_is_refused_at_the_first_answer() -> None:
    async def work() -> None:
        say = Say({"code": 401, "msg": "You do not have access permissions"})
        async with client_of(lambda _: say) as (client, server):
            with pytest.raises(Refused, match="access permissions"):
                await client.balance()
            assert len(server.seen) == 1

    asyncio.run(work())


def test_waits_follow_retry_after() -> None:
    waits: list[float] = []

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)

    async def work() -> None:
        say = Say({"code": 429, "msg": "slow"}, headers={"Retry-After": "40"})
        async with (
            serving(in_turn(say, envelope(60.62))) as server,
            Client(KEY, server.url, sleep=sleep) as client,
        ):
            assert await client.balance() == 60.62

    asyncio.run(work())

    assert len(waits) == 1
    assert 40 <= waits[0] <= 44


@pytest.mark.parametrize(
    ("data", "credits"), [(5916.25, 5916.25), (0, 0), ("12.5", 12.5), ({"credits": 3}, 3)]
)
def test_the_balance_is_a_decimal(data: object, credits: float) -> None:
    async def work() -> None:
        async with client_of(lambda _: envelope(data)) as (client, _):
            assert await client.balance() == credits

    asyncio.run(work())


@pytest.mark.parametrize("data", [None, "many", True, [], {}, "NaN"])
def test_a_balance_that_is_no_number_is_an_error(data: object) -> None:
    async def work() -> None:
        async with client_of(lambda _: envelope(data)) as (client, _):
            with pytest.raises(CallFailed):
                await client.balance()

    asyncio.run(work())


@pytest.mark.slow
def test_a_gzipped_reply_is_read_and_a_bomb_is_not() -> None:
    def say(body: bytes) -> Say:
        return Say(gzip.compress(body), headers={"Content-Encoding": "gzip"})

    async def work() -> None:
        async with client_of(lambda _: say(b'{"code":200,"data":1.5}')) as (client, _):
            assert await client.balance() == 1.5
        async with client_of(lambda _: say(b" " * 40_000_000), attempts=1) as (client, _):
            with pytest.raises(CallFailed, match="longer than"):
                await client.balance()

    asyncio.run(work())


# --- waiting -------------------------------------------------------------------------------------------


def record(state: str, result: str = "", **more: object) -> Say:
    return envelope({"taskId": "abc", "state": state, "resultJson": result, **more})


def test_wait_reads_at_growing_intervals_until_the_task_is_over() -> None:
    waits: list[float] = []

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)

    says = (
        envelope(None, 422, "recordInfo is null"),
        record("waiting"),
        record("generating"),
        record("unheard-of"),
        record("success", '{"resultUrls":["https://x/1.png"]}'),
    )
    states: list[Status] = []

    async def work() -> None:
        async with serving(in_turn(*says)) as server, Client(KEY, server.url, sleep=sleep) as client:
            done = await client.wait("jobs", "abc", on_status=states.append)
            assert isinstance(done, Done)
            assert done.outputs[0].url == "https://x/1.png"

    asyncio.run(work())

    assert [s.state for s in states if isinstance(s, Running)] == ["waiting", "generating", "unheard-of"]
    assert waits[0] == 2.0
    assert waits[1:] == sorted(waits[1:])


def test_wait_ends_with_the_reason_of_a_failed_task() -> None:
    async def work() -> None:
        async with client_of(lambda _: record("fail", failCode="422", failMsg="flagged")) as (client, _):
            failed = await client.wait("jobs", "abc")
            assert failed == TaskFailed(code="422", message="flagged")

    asyncio.run(work())


@pytest.mark.parametrize(
    ("say", "code", "at_least_s"),
    [(record("waiting"), "timeout", 600), (envelope(None, 422, "recordInfo is null"), "not-found", 90)],
)
def test_wait_ends_when_nothing_comes_of_it(say: Say, code: str, at_least_s: float) -> None:
    waits: list[float] = []

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)

    async def work() -> None:
        async with serving(lambda _: say) as server, Client(KEY, server.url, sleep=sleep) as client:
            with pytest.raises(CallFailed) as failure:
                await client.wait("jobs", "abc")
            assert failure.value.code == code

    asyncio.run(work())

    assert at_least_s <= sum(waits) < at_least_s + 20


def test_success_without_outputs_is_read_again_for_half_a_minute() -> None:
    async def work() -> None:
        async with client_of(lambda _: record("success", "")) as (client, server):
            assert await client.wait("jobs", "abc") == Done()
            assert 10 <= len(server.seen) <= 20

    asyncio.run(work())


# --- uploads -------------------------------------------------------------------------------------------


def uploaded(request: Seen) -> Say:
    data = {"success": True, "downloadUrl": "https://tempfile.example/k/x.png", "fileSize": len(request.body)}
    return Say({"success": True, "code": 200, "msg": "File uploaded successfully", "data": data})


def test_an_upload_is_stored_under_a_name_made_from_its_content(tmp_path: Path) -> None:
    source = tmp_path / "my photo; of Bob.PNG"
    source.write_bytes(b"pixels" * 1000)

    async def work() -> None:
        async with client_of(uploaded) as (client, server):
            url = await client.upload(source, source.name, "image/png")
            await client.upload(source.read_bytes(), "other.png", "image/png")
            await client.upload(b"other pixels", "other.png", "image/png")

            assert url == "https://tempfile.example/k/x.png"
            names = [
                body.split(b'name="fileName"\r\n\r\n')[1].split(b"\r\n")[0]
                for body in (s.body for s in server.seen)
            ]
            assert names[0] == names[1] != names[2]
            assert names[0].endswith(b".png")
            first = server.seen[0]
            assert first.path == "/api/file-stream-upload"
            assert b"Bob" not in first.body
            assert b'name="uploadPath"\r\n\r\nkiebatch\r\n' in first.body
            assert b"Content-Type: image/png" in first.body
            assert b"pixels" * 1000 in first.body

    asyncio.run(work())


def test_an_upload_is_sent_again_whole_after_a_fault(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"pixels" * 1000)
    says = [Say(b"<html>", status=520), Say(cut=0)]

    async def work() -> None:
        async with client_of(lambda request: says.pop(0) if says else uploaded(request)) as (client, server):
            await client.upload(source, "a.png", "image/png")
            assert [b"pixels" * 1000 in request.body for request in server.seen] == [True] * 3

    asyncio.run(work())


def test_an_upload_that_is_refused_says_why() -> None:
    async def work() -> None:
        say = Say({"success": False, "code": 400, "msg": "Missing required parameter: uploadPath"})
        async with client_of(lambda _: say) as (client, server):
            with pytest.raises(CallFailed, match="uploadPath") as failure:
                await client.upload_base64("data:image/png;base64,AAAA", "a.png")
            assert not failure.value.retryable
            assert server.seen[0].json["base64Data"] == "data:image/png;base64,AAAA"

    asyncio.run(work())


def test_a_public_file_is_copied_by_its_url() -> None:
    async def work() -> None:
        async with client_of(uploaded) as (client, server):
            await client.upload_from_url("https://example.com/a/cat.jpg?x=1")
            sent = server.seen[0].json
            assert sent["fileUrl"] == "https://example.com/a/cat.jpg?x=1"
            assert sent["fileName"].endswith(".jpg")

    asyncio.run(work())


def test_uploads_go_to_the_documented_host_unless_the_api_is_on_loopback() -> None:
    assert Client(KEY).upload_url == "https://kieai.redpandaai.co"
    assert Client(KEY, "http://127.0.0.1:1").upload_url == "http://127.0.0.1:1"
    assert Client(KEY, upload_url="https://up.example").upload_url == "https://up.example"


# --- anything else -------------------------------------------------------------------------------------


def test_a_dead_link_is_renewed() -> None:
    async def work() -> None:
        async with client_of(
            in_turn(envelope("https://r2.example/x?sig=1"), envelope(None, 422, "url is wrong"))
        ) as (
            client,
            server,
        ):
            assert await client.fresh_url("https://old/x") == "https://r2.example/x?sig=1"
            assert server.seen[0].json == {"url": "https://old/x"}
            with pytest.raises(CallFailed, match="url is wrong"):
                await client.fresh_url("https://foreign/x")

    asyncio.run(work())


def test_an_application_can_stand_in_for_the_network() -> None:
    app = Starlette(routes=[Route("/api/v1/chat/credit", lambda _: JSONResponse({"code": 200, "data": 7}))])

    async def work() -> None:
        async with Client(KEY, transport=httpx.ASGITransport(app)) as client:
            assert await client.balance() == 7

    asyncio.run(work())


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which a minute takes no time, and which has no threads."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def skip(timeout: float | None = None) -> object:
            self._now += timeout or 0.0
            return select(0)

        self._selector.select = skip  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._now

    def run_in_executor(self, *_: object) -> NoReturn:
        raise AssertionError("a thread was asked for")


def test_a_client_lives_on_virtual_time_without_threads(tmp_path: Path) -> None:
    polls = iter(["waiting"] * 20 + ["success"])
    source = tmp_path / "a.png"
    source.write_bytes(b"pixels")

    async def read(_: object) -> JSONResponse:
        result = '{"resultUrls": ["https://media.test/x.png"]}'
        return JSONResponse({"code": 200, "data": {"state": next(polls), "resultJson": result}})

    async def hang(_: object) -> JSONResponse:
        await asyncio.sleep(3600)
        return JSONResponse({})

    async def media(_: object) -> PlainTextResponse:
        return PlainTextResponse("bytes")

    async def store(request: Any) -> JSONResponse:
        return JSONResponse(
            {"code": 200, "data": {"downloadUrl": "https://t.test/" + str(len(await request.body()))}}
        )

    app = Starlette(
        routes=[
            Route("/api/v1/jobs/createTask", hang, methods=["POST"]),
            Route("/api/v1/jobs/recordInfo", read),
            Route("/api/file-stream-upload", store, methods=["POST"]),
            Route("/x.png", media),
        ]
    )

    async def work() -> None:
        async with Client(KEY, transport=httpx.ASGITransport(app)) as client:
            assert (await client.submit(SUBMIT)).kind == "unknown"  # it hangs, and time is up
            done = await client.wait("jobs", "abc")
            assert isinstance(done, Done)
            assert await client.upload(source, "a.png", "image/png")
            await client.download(done.outputs[0].url or "", tmp_path / "x.part")
            assert (tmp_path / "x.part").read_text() == "bytes"

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work())
        assert runner.get_loop().time() > 90


def test_a_company_proxy_is_used_for_https_hosts_and_never_for_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        async with serving(lambda _: Say(status=403)) as proxy, serving(lambda _: envelope(1)) as api:
            for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            for name in ("NO_PROXY", "no_proxy", "https_proxy", "http_proxy", "all_proxy"):
                monkeypatch.delenv(name, raising=False)
            async with Client(KEY, api.url, sleep=no_wait) as client:
                assert await client.balance() == 1
                assert proxy.seen == []
            async with Client(KEY, "https://api.kie.test", sleep=no_wait) as client:
                verdict = await client.submit(Request(method="POST", path="/api/v1/x", body={}))
                # The proxy refused to connect: nothing was sent to the API.
                assert verdict.kind == "later"
                assert [request.method for request in proxy.seen] == ["CONNECT"]
                assert "authorization" not in proxy.seen[0].headers

    asyncio.run(work())


def test_a_read_that_hangs_is_asked_again_beside_it_and_the_first_answer_counts() -> None:
    booked: list[int] = []
    hangs = {60}
    count = iter(range(1000))

    def answer(_request: Seen) -> Say:
        number = next(count)
        said = envelope({"taskId": "abc", "state": "waiting"})
        return dataclasses.replace(said, delay_s=30.0) if number in hangs else said

    async def book() -> None:
        booked.append(1)

    async def work() -> int:
        async with client_of(answer) as (client, server):
            for _ in range(70):
                await client.read(families.get("jobs").record("abc"), attempts=1, before=book)
            return len(server.seen)

    assert asyncio.run(work()) == 71
    assert len(booked) == 71  # the second one has its place in the budget too
