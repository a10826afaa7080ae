from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
import re
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kiebatch.errors import CallFailed
from kiebatch.provider import Client, Times
from kiebatch.provider.downloads import DownloadFacts
from support.raw_server import Say, Seen, Server, serving

PNG = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(100_000)


async def no_wait(_: float) -> None:
    await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def client_of(
    answer: Callable[[Seen], Say], **settings: object
) -> AsyncIterator[tuple[Client, Server]]:
    async with (
        serving(answer) as server,
        Client("kie-key", server.url, rng=random.Random(1), sleep=no_wait, **settings) as client,  # type: ignore[arg-type]
    ):
        yield client, server


def media(request: Seen, *, cut: int | None = None) -> Say:
    """Serve the picture, ranges and all."""
    wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
    start = int(wanted[1]) if wanted else 0
    if start >= len(PNG):
        return Say(status=416, headers={"Content-Range": f"bytes */{len(PNG)}"})
    headers = {"Content-Type": "image/png", "Content-Range": f"bytes {start}-{len(PNG) - 1}/{len(PNG)}"}
    return Say(PNG[start:], status=206 if wanted else 200, headers=headers, cut=cut)


def code_of(answer: Callable[[Seen], Say], part: Path, **limits: int) -> str:
    """Return the code with which a download fails."""

    async def work() -> str:
        async with client_of(answer, attempts=3) as (client, server):
            with pytest.raises(CallFailed) as failure:
                await client.download(f"{server.url}/x.png", part, **limits)  # type: ignore[arg-type]
            return failure.value.code

    return asyncio.run(work())


def test_a_result_arrives_whole_and_without_the_key(tmp_path: Path) -> None:
    sizes: list[int] = []

    async def work() -> None:
        async with client_of(media) as (client, server):
            facts = await client.download(f"{server.url}/x.png", tmp_path / "x.part", progress=sizes.append)
            assert facts == DownloadFacts(size_bytes=len(PNG), media_type="image/png")
            assert "authorization" not in server.seen[0].headers
            assert "cookie" not in server.seen[0].headers

    asyncio.run(work())

    assert (tmp_path / "x.part").read_bytes() == PNG
    assert sizes[-1] == len(PNG)


def test_a_download_that_is_cut_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async def work() -> None:
        async with client_of(lambda request: media(request, cut=30_000)) as (client, server):
            facts = await client.download(f"{server.url}/x.png", tmp_path / "x.part")
            assert facts.resumed
            assert [s.headers.get("range") for s in server.seen] == [
                None,
                *(f"bytes={n}-" for n in range(30_000, len(PNG), 30_000)),
            ]

    asyncio.run(work())

    assert (tmp_path / "x.part").read_bytes() == PNG


OTHER = b"\x89PNG\r\n\x1a\n" + random.Random(2).randbytes(100_000)


def marked(content: bytes, mark: str, *, heeds: bool = True, cut: int | None = None) -> Callable[[Seen], Say]:
    """Serve some content under a mark; a server that does not heed `If-Range` sends the rest of whatever it has."""

    def answer(request: Seen) -> Say:
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        same = request.headers.get("if-range", mark) == mark
        start = int(wanted[1]) if wanted and (same or not heeds) else 0
        headers = {"Content-Type": "image/png", **({"ETag": mark} if mark else {})}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Say(content[start:], status=206 if start else 200, headers=headers, cut=cut)

    return answer


def in_two_runs(
    part: Path, first: Callable[[Seen], Say], second: Callable[[Seen], Say], *, elsewhere: bool = False
) -> list[dict[str, str]]:
    """Download a result in two runs, the first of which is cut; return the headers that the second one sent.

    The second run has another address for it with `elsewhere`.
    """
    answers = [first]

    async def work() -> list[dict[str, str]]:
        async with serving(lambda request: answers[-1](request)) as server:
            async with Client("k", server.url, sleep=no_wait, attempts=1) as client:
                with pytest.raises(CallFailed):
                    await client.download(f"{server.url}/x.png", part)
            answers.append(second)
            before = len(server.seen)
            async with Client("k", server.url, sleep=no_wait, attempts=3) as client:
                await client.download(f"{server.url}/{'y' if elsewhere else 'x'}.png", part)
            return [request.headers for request in server.seen[before:]]

    return asyncio.run(work())


def test_the_part_of_an_earlier_run_is_gone_on_with(tmp_path: Path) -> None:
    (sent,) = in_two_runs(tmp_path / "x.part", marked(PNG, '"a"', cut=50_000), marked(PNG, '"a"'))

    assert (sent["range"], sent["if-range"]) == ("bytes=50000-", '"a"')
    assert (tmp_path / "x.part").read_bytes() == PNG
    assert [path.name for path in tmp_path.iterdir()] == ["x.part"]


def test_a_renewed_link_to_the_same_content_goes_on_too(tmp_path: Path) -> None:
    first, second = marked(PNG, '"a"', cut=50_000), marked(PNG, '"a"')

    (sent,) = in_two_runs(tmp_path / "x.part", first, second, elsewhere=True)

    assert sent["range"] == "bytes=50000-"
    assert (tmp_path / "x.part").read_bytes() == PNG


@pytest.mark.parametrize("heeds", [True, False])
def test_another_content_at_the_same_address_is_never_joined_to_a_part(tmp_path: Path, heeds: bool) -> None:
    second = marked(OTHER, '"b"', heeds=heeds)

    in_two_runs(tmp_path / "x.part", marked(PNG, '"a"', cut=50_000), second)

    assert (tmp_path / "x.part").read_bytes() == OTHER


def test_a_server_without_marks_goes_on_at_the_same_address_alone(tmp_path: Path) -> None:
    first, second = marked(PNG, "", cut=50_000), marked(PNG, "")

    (sent,) = in_two_runs(tmp_path / "x.part", first, second)
    assert sent["range"] == "bytes=50000-"
    assert "if-range" not in sent

    (sent,) = in_two_runs(tmp_path / "y.part", first, second, elsewhere=True)
    assert "range" not in sent
    assert (tmp_path / "y.part").read_bytes() == PNG


def test_another_size_at_the_same_address_is_another_content(tmp_path: Path) -> None:
    in_two_runs(tmp_path / "x.part", marked(PNG, "", cut=50_000), marked(OTHER + b"more", ""))

    assert (tmp_path / "x.part").read_bytes() == OTHER + b"more"


@pytest.mark.parametrize("mark", ['W/"a"', "a", '"a\tb"', f'"{"a" * 300}"'])
def test_a_mark_that_does_not_vouch_for_the_bytes_is_not_sent(tmp_path: Path, mark: str) -> None:
    (sent,) = in_two_runs(tmp_path / "x.part", marked(PNG, mark, cut=50_000), marked(PNG, mark))

    assert "if-range" not in sent
    assert (tmp_path / "x.part").read_bytes() == PNG


@pytest.mark.parametrize(
    "beside", [None, "", "{}", "[]", '{"address": 1}', '{"mark": "a\\r\\nX: 1", "address": ""}']
)
def test_a_part_of_unknown_origin_is_not_used(tmp_path: Path, beside: str | None) -> None:
    (tmp_path / "x.part").write_bytes(OTHER[:50_000])
    if beside is not None:
        (tmp_path / "x.part.origin").write_text(beside)

    async def work() -> None:
        async with client_of(media) as (client, server):
            await client.download(f"{server.url}/x.png", tmp_path / "x.part")
            assert "range" not in server.seen[0].headers

    asyncio.run(work())

    assert (tmp_path / "x.part").read_bytes() == PNG


@pytest.mark.parametrize("more", [b"", b"more"], ids=["whole", "too long"])
def test_a_part_that_is_whole_or_too_long_ends_in_the_result(tmp_path: Path, more: bytes) -> None:
    def first(request: Seen) -> Say:
        # It says one byte more than it has, so that the download fails when all is there.
        return Say(PNG + more, headers={"Content-Length": str(len(PNG + more) + 1)}, cut=len(PNG + more))

    in_two_runs(tmp_path / "x.part", first, media)

    assert (tmp_path / "x.part").read_bytes() == PNG


@pytest.mark.parametrize(
    ("say", "code"),
    [
        (Say(status=404), "gone"),
        (Say(status=403), "gone"),
        (Say(status=410), "gone"),
        (Say(status=503), "503"),
        (Say(status=401), "401"),
        (Say(b"<!DOCTYPE html><p>sorry"), "not-media"),
        (Say(b"  \n<HTML>sorry"), "not-media"),
        (Say(b"sorry", headers={"Content-Type": "text/html; charset=utf-8"}), "not-media"),
        (Say(b""), "truncated"),
        (Say(PNG, cut=0), "no-answer"),
        (Say(PNG, headers={"Content-Length": str(len(PNG) + 1)}, cut=len(PNG)), "no-answer"),
        (Say(status=302, headers={"Location": "/x.png"}), "bad-redirect"),
        (Say(status=302, headers={"Location": "http://example.com/x.png"}), "bad-redirect"),
        (Say(status=302, headers={"Location": "file:///etc/passwd"}), "bad-redirect"),
        (
            Say(status=302, headers={"Location": "https://169.254.169.254/latest/meta-data"}),
            "forbidden-address",
        ),
        (Say(status=302, headers={"Location": "https://localhost/x"}), "forbidden-address"),
        (Say(status=302, headers={"Location": "https://user:word@example.com/x"}), "bad-redirect"),
        (Say(status=302, headers={"Location": "https://[::1"}), "bad-redirect"),
        (Say(status=302), "bad-redirect"),
    ],
)
def test_what_is_no_result_is_told_apart(tmp_path: Path, say: Say, code: str) -> None:
    assert code_of(lambda _: say, tmp_path / "x.part") == code


def test_a_packed_answer_is_unpacked_and_never_taken_up_in_the_middle(tmp_path: Path) -> None:
    packed = gzip.compress(PNG)
    says = [Say(packed, headers={"Content-Encoding": "gzip"}, cut=n) for n in (len(packed) // 2, None)]

    async def work() -> None:
        async with client_of(lambda _: says.pop(0)) as (client, server):
            await client.download(f"{server.url}/x.png", tmp_path / "x.part")
            assert ["range" in request.headers for request in server.seen] == [False, False]

    asyncio.run(work())

    assert (tmp_path / "x.part").read_bytes() == PNG


def test_a_web_page_leaves_nothing_behind(tmp_path: Path) -> None:
    code_of(lambda _: Say(b"<html>"), tmp_path / "x.part")

    assert not (tmp_path / "x.part").exists()


def test_a_file_over_the_cap_is_refused_by_its_length_or_when_it_gets_there(tmp_path: Path) -> None:
    chunked = Say(
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(PNG), PNG),
        headers={"Transfer-Encoding": "chunked"},
    )

    assert code_of(lambda _: Say(PNG), tmp_path / "x.part", cap_bytes=len(PNG) - 1) == "too-big"
    assert not (tmp_path / "x.part").exists()
    assert code_of(lambda _: chunked, tmp_path / "x.part", cap_bytes=len(PNG) - 1) == "too-big"


def test_a_redirect_to_the_named_host_is_followed(tmp_path: Path) -> None:
    def answer(request: Seen) -> Say:
        return media(request) if request.path == "/y.png" else Say(status=307, headers={"Location": "/y.png"})

    async def work() -> None:
        async with client_of(answer) as (client, server):
            await client.download(f"{server.url}/x.png", tmp_path / "x.part")

    asyncio.run(work())

    assert (tmp_path / "x.part").read_bytes() == PNG


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.2",
        "10.1.2.3",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1",
        "224.0.0.1",
        "[::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "2130706433",
        "localhost",
    ],
)
def test_no_address_inside_the_users_network_is_fetched(tmp_path: Path, host: str) -> None:
    async def work() -> None:
        async with Client("kie-key", sleep=no_wait) as client:
            with pytest.raises(CallFailed) as failure:
                await client.download(f"https://{host}:9/x.png", tmp_path / "x.part")
            assert (failure.value.code, failure.value.retryable) == ("forbidden-address", False)

    asyncio.run(work())


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(host: str, port: int, *_: object, **__: object) -> list[object]:
        found: list[object] = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("8.8.8.8", "10.0.0.7")
        ]
        return found if host == "media.example" else []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    async def work() -> None:
        async with Client("kie-key", sleep=no_wait) as client:
            with pytest.raises(CallFailed, match=r"10\.0\.0\.7"):
                await client.download("https://media.example/x.png", tmp_path / "x.part")

    asyncio.run(work())


def test_a_server_that_goes_silent_is_given_up(tmp_path: Path) -> None:
    async def work() -> None:
        async with client_of(lambda _: Say(PNG, delay_s=5)) as (client, server):
            with pytest.raises(CallFailed) as failure:
                await client.download(f"{server.url}/x.png", tmp_path / "x.part", limit_s=0.1)
            assert (failure.value.code, failure.value.retryable) == ("no-answer", True)

    asyncio.run(work())


def test_a_host_that_nobody_knows_is_tried_again_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def look_up(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    async def work() -> None:
        async with Client("kie-key", sleep=no_wait, attempts=3) as client:
            with pytest.raises(CallFailed) as failure:
                await client.download("https://media.example/x.png", tmp_path / "x.part")
            assert (failure.value.code, failure.value.retryable) == ("no-answer", True)

    asyncio.run(work())

    assert asked == ["media.example"] * 3


def test_behind_a_company_proxy_the_proxy_looks_names_up_but_nothing_inside_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def look_up(host: str, *rest: object, **more: object) -> list[object]:
        if host == "media.example":
            raise socket.gaierror(-2, "Name or service not known")
        return list(real(host, *rest, **more))  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    async def work() -> None:
        async with serving(lambda _: Say(status=403)) as proxy:
            for name in ("NO_PROXY", "no_proxy", "http_proxy", "all_proxy", "ALL_PROXY"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv("https_proxy", proxy.url)
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            async with Client("kie-key", sleep=no_wait, attempts=1) as client:
                with pytest.raises(CallFailed, match="403"):
                    await client.download("https://media.example/x.png", tmp_path / "x.part")
                with pytest.raises(CallFailed, match="inside your own network"):
                    await client.download("https://10.0.0.9/x.png", tmp_path / "x.part")
            assert [request.method for request in proxy.seen] == ["CONNECT"]

    asyncio.run(work())


def test_a_download_that_stalls_goes_on_from_there_on_another_connection(tmp_path: Path) -> None:
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        found = re.search(r"range: bytes=(\d+)-", head)
        start = int(found[1]) if found else 0
        asked.append(str(start))
        status = (
            f"206 Partial\r\nContent-Range: bytes {start}-{len(PNG) - 1}/{len(PNG)}" if found else "200 OK"
        )
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(PNG) - start}\r\n\r\n".encode())
        end = start + 40_000  # and then nothing more comes on this connection
        writer.write(PNG[start:end])
        await writer.drain()
        if end < len(PNG):
            await asyncio.Event().wait()

    async def work() -> DownloadFacts:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Client("k", url, times=Times(stall_s=0.1), sleep=no_wait) as client:
            facts = await client.download(f"{url}/x.png", tmp_path / "part")
        server.close()
        return facts

    assert asyncio.run(work()).size_bytes == len(PNG)
    assert asked == ["0", "40000", "80000"]
    assert (tmp_path / "part").read_bytes() == PNG


@pytest.mark.parametrize(("others", "most"), [(True, 4), (False, 5)])
def test_a_hopeless_download_is_given_up_sooner_when_others_came_meanwhile(
    tmp_path: Path, others: bool, most: int
) -> None:
    tried: list[int] = []

    def answer(request: Seen) -> Say:
        if request.path == "/good.png":
            return media(request)
        tried.append(1)
        return Say(status=503)

    async def work() -> str:
        async def sleep(_wait_s: float) -> None:
            if others:
                await client.download(f"{server.url}/good.png", tmp_path / f"good-{len(tried)}")

        async with (
            serving(answer) as server,
            Client("k", server.url, rng=random.Random(1), sleep=sleep, times=Times(stall_s=1.0)) as client,
        ):
            with pytest.raises(CallFailed) as failure:
                await client.download(f"{server.url}/bad.png", tmp_path / "bad")
            return failure.value.code

    assert asyncio.run(work()) == "503"
    assert len(tried) == most
