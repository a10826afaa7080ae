"""What the provider, or a host that it names, sends back: packed bodies, other ports, addresses inside."""

from __future__ import annotations

import asyncio
import functools
import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiebatch import addresses
from kiebatch.errors import CallFailed
from kiebatch.provider import Client, sentences
from support.raw_server import Say, Seen, envelope, serving


@functools.cache
def nested(times: int) -> bytes:
    """Return 64 MiB of zeros, packed so many times over."""
    return gzip.compress(nested(times - 1), mtime=0) if times else bytes(64 * 2**20)


@functools.cache
def deflated() -> bytes:
    return zlib.compress(nested(0))


async def _no_wait(_seconds: float) -> None:
    await asyncio.sleep(0)


def with_client(answer: Callable[[Seen], Say], work: Callable[[Client, str], Any], **settings: Any) -> Any:
    async def run() -> Any:
        async with (
            serving(answer) as server,
            Client("key", server.url, sleep=_no_wait, rng=random.Random(1), attempts=2, **settings) as client,
        ):
            return await work(client, server.url)

    return asyncio.run(run())


def code_of(failing: Callable[[], Any]) -> str:
    with pytest.raises(CallFailed) as caught:
        failing()
    return caught.value.code


# Packed when its test begins: that takes a while.
BOMBS: list[tuple[str, Callable[[], bytes]]] = [
    ("gzip, gzip", lambda: nested(2)),
    ("gzip,gzip,gzip", lambda: nested(3)),
    ("deflate, gzip", lambda: gzip.compress(deflated())),
    ("gzip", lambda: nested(1)),
    ("deflate", deflated),
    ("br", lambda: b"\x8b" * 100),
    ("zstd", lambda: b"\x28\xb5\x2f\xfd" * 100),
    ("x-unheard-of", lambda: b"abc"),
    ("gzip", lambda: b"this is not packed"),
    ("deflate", lambda: b"this is not packed either"),
    ("identity, gzip, identity, gzip", lambda: nested(2)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("coding", "packed"), BOMBS, ids=range(len(BOMBS)))
def test_a_packed_answer_is_unpacked_once_and_within_bounds(
    coding: str, packed: Callable[[], bytes], tmp_path: Path
) -> None:
    say = Say(packed(), headers={"Content-Encoding": coding, "Content-Type": "application/json"})

    def download() -> Any:
        return with_client(
            lambda seen: say, lambda client, url: client.download(f"{url}/x.png", tmp_path / "part")
        )

    def balance() -> Any:
        return with_client(lambda seen: say, lambda client, url: client.balance(attempts=1))

    tracemalloc.start()
    try:
        assert code_of(download) in ("bad-encoding", "too-big", "no-answer")
        assert code_of(balance) in ("bad-encoding", "too-big", "no-answer")
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),  # without the header, as some servers send it
        ("identity", bytes),
        ("", bytes),
    ],
)
def test_one_honest_coding_is_read(coding: str, pack: Callable[[bytes], bytes]) -> None:
    say = Say(pack(b'{"code": 200, "msg": "ok", "data": 12.5}'), headers={"Content-Encoding": coding})

    assert with_client(lambda seen: say, lambda client, url: client.balance()) == 12.5


def test_a_result_is_asked_for_as_it_is(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(seen: Seen) -> Say:
        asked.append(seen.headers["accept-encoding"])
        return Say(b"\x89PNG\r\n\x1a\nrest")

    with_client(answer, lambda client, url: client.download(f"{url}/x.png", tmp_path / "part"))

    assert asked == ["identity"]


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "1e3", "٣", "0x10", " "])
def test_a_length_that_is_not_a_number_is_not_believed(length: str, tmp_path: Path) -> None:
    say = Say(
        b"\x89PNG\r\n\x1a\n" + b"x" * 100,
        status=206,
        headers={"Content-Range": f"bytes 0-/{length}".encode().decode("latin-1")},
    )

    facts = with_client(
        lambda seen: say, lambda client, url: client.download(f"{url}/x.png", tmp_path / "part")
    )

    assert facts.size_bytes == 108


# --- where a result may lie ----------------------------------------------------------------------------


def test_another_port_of_the_named_host_is_not_fetched(tmp_path: Path) -> None:
    async def work(client: Client, _url: str) -> Any:
        async with serving(lambda seen: Say(b"\x89PNG\r\n\x1a\nrest")) as other:
            return await client.download(f"{other.url}/x.png", tmp_path / "part")

    assert code_of(lambda: with_client(lambda seen: envelope(), work)) == "bad-redirect"


def test_a_redirect_to_another_port_is_not_followed(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(lambda seen: Say(b"\x89PNG\r\n\x1a\nrest")) as other:
            say = Say(status=302, headers={"Location": f"{other.url}/x.png"})
            async with serving(lambda seen: say) as server, Client("key", server.url, attempts=1) as client:
                await client.download(f"{server.url}/x.png", tmp_path / "part")

    assert code_of(lambda: asyncio.run(run())) == "bad-redirect"


@pytest.mark.parametrize("with_port", [True, False])
def test_a_host_that_the_user_trusts_is_fetched(with_port: bool, tmp_path: Path) -> None:
    async def run() -> int:
        async with serving(lambda seen: Say(b"\x89PNG\r\n\x1a\nrest")) as other:
            trusted = other.url.removeprefix("http://") if with_port else "127.0.0.1"
            async with (
                serving(lambda seen: envelope()) as server,
                Client("key", server.url, attempts=1, trusted_hosts=[trusted]) as client,
            ):
                return (await client.download(f"{other.url}/x.png", tmp_path / "part")).size_bytes

    assert asyncio.run(run()) == 12


INSIDE = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "0.0.0.0",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.0.8",
    "192.88.99.1",
    "198.18.0.1",
    "203.0.113.1",
    "240.0.0.1",
    "::1",
    "::",
    "::127.0.0.1",
    "::10.0.0.1",
    "::8.8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:0:127.0.0.1",
    "::ffff:192.168.0.1",
    "fe80::1",
    "fec0::1",
    "feff::1",
    "fc00::1",
    "fd12::1",
    "ff02::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:c0a8:101::",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "2001:4860::5efe:127.0.0.1",
    "2001:4860::200:5efe:10.0.0.1",
    "3fff::1",
    "5f00::1",
    "localhost",
    "not-an-address",
]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "2606:4700::1111",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::",
]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_not_public_in_any_clothes(address: str) -> None:
    assert not addresses.is_public(address)
    assert not addresses.is_public(f"[{address}]")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert addresses.is_public(address)


URLS = [
    "https://[::1",
    "https://[::1]/a.png",
    "http://[::ffff:127.0.0.1]/a.png",
    "https://127.1/a.png",
    "https://2130706433/a.png",
    "https://0x7f000001/a.png",
    "https://0x7f.1/a.png",
    "https://0177.0.0.1/a.png",
    "https://127.0.0.1./a.png",
    "https://localhost./a.png",
    "https://LOCALHOST/a.png",
    "https://a.localhost/a.png",
    "https://printer.local/a.png",
    "https://router.lan/a.png",
    "https://metadata.google.internal/a.png",
    "https://nas.home.arpa/a.png",
    "https://127。0。0。1/a.png",
    "https://127.0.0.1/a.png",
    "https://%6c%6fcalhost/a.png",
    "https://a|b/a.png",
    "https://user@example.org/a.png",
    "https://user:secret@example.org/a.png",
    "https://:@example.org/a.png",
    "https:///a.png",
    "ftp://example.org/a.png",
    "file:///etc/passwd",
    "javascript://example.org/%0aalert(1)",
    "https://example.org:99999/a.png",
    "https://example.org:x/a.png",
    "gopher://example.org/1",
    "https://[fe80::1%25eth0]/a.png",
    "https://[not-ip]/a.png",
]


@pytest.mark.parametrize(
    "url", [*URLS, "https://exa\tmple.org/a.png", "https://example.org/a b\n", "https://" + "a" * 300]
)
def test_an_address_that_cannot_be_sent_says_why(url: str) -> None:
    assert addresses.url_problem(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png",
        "http://example.org:8080/a%20b.png?x=1#y",
        "https://bücher.example/a.png",
        "https://8.8.8.8/a.png",
        "https://[2606:4700::1111]/a.png",
        "https://1.example/a.png",
    ],
)
def test_an_honest_address_can_be_sent(url: str) -> None:
    assert addresses.url_problem(url) == ""


def test_a_message_is_judged_by_its_beginning() -> None:
    """One of 70,000 letters took a minute and a half: some patterns take quadratic time."""
    said = "image_urls must be a list of at most 4 items"
    assert sentences.judged(said)

    assert not sentences.judged("x " * 1000 + said)
    assert not sentences.judged("a" * 10_000_000)
