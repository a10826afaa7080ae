"""A web page that is open beside a simulator: what it may send to 127.0.0.1, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from kiebatch.simulator.server import background

JSON = {"content-type": "application/json"}
# Plain HTTP needs no certificates, and to read them takes longer than a test.
WEB = httpx.Client(verify=False)


@pytest.fixture(scope="module")
def server() -> Iterator[background.Background]:
    with background.start() as running:
        yield running


def port(server: background.Background) -> str:
    return server.url.rpartition(":")[2]


FORGED: list[tuple[str, dict[str, str], int]] = [
    ("evil.example", {}, 421),
    ("evil.example:PORT", {}, 421),
    ("127.0.0.1.evil.example:PORT", {}, 421),
    ("localhost.evil.example", {}, 421),
    ("192.168.1.5:PORT", {}, 421),
    ("0.0.0.0:PORT", {}, 421),
    ("[::ffff:8.8.8.8]:PORT", {}, 421),
    ("[::1", {}, 421),
    ("", {}, 421),
    ("127.0.0.1:PORT", {"content-type": "text/plain"}, 415),
    ("127.0.0.1:PORT", {"content-type": "application/x-www-form-urlencoded"}, 415),
    ("127.0.0.1:PORT", {"content-type": "multipart/form-data; boundary=x"}, 415),
    ("127.0.0.1:PORT", {"content-type": "text/plain; application/json"}, 415),
    ("127.0.0.1:PORT", {"content-type": ""}, 415),
    ("127.0.0.1:PORT", {**JSON, "origin": "https://evil.example"}, 403),
    ("127.0.0.1:PORT", {**JSON, "origin": "null"}, 403),
    ("127.0.0.1:PORT", {**JSON, "origin": "http://127.0.0.1:1"}, 403),
    ("127.0.0.1:PORT", {**JSON, "origin": "http://[::1"}, 403),
    ("127.0.0.1:PORT", {**JSON, "sec-fetch-site": "cross-site"}, 403),
    ("127.0.0.1:PORT", {**JSON, "sec-fetch-site": "same-site"}, 403),
]


@pytest.mark.parametrize(("host", "headers", "status"), FORGED)
@pytest.mark.parametrize("what", ["reset", "faults", "balance", "settings"])
def test_a_page_cannot_drive_the_simulator(
    server: background.Background, host: str, headers: dict[str, str], status: int, what: str
) -> None:
    before = WEB.get(f"{server.url}/_sim/balance").json()

    answer = WEB.post(
        f"{server.url}/_sim/{what}",
        content='{"balance": 1}',
        headers={**headers, "host": host.replace("PORT", port(server))},
    )

    assert answer.status_code == status
    assert WEB.get(f"{server.url}/_sim/balance").json() == before


@pytest.mark.parametrize("path", ["/api/v1/chat/credit", "/_sim/ledger", "/media/x.png"])
def test_another_name_reads_nothing(server: background.Background, path: str) -> None:
    key = {"authorization": f"Bearer {server.key}", "host": "evil.example"}

    assert WEB.get(f"{server.url}{path}", headers=key).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.2"])
def test_this_machine_goes_by_all_its_names(server: background.Background, host: str) -> None:
    names = {"host": f"{host}:{port(server)}"}

    assert WEB.get(f"{server.url}/_sim/stats", headers=names).status_code == 200
    assert WEB.post(f"{server.url}/_sim/faults/clear", json={}, headers=names).status_code == 200
