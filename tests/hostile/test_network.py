"""The environment's words about the network: proxies and certificates."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from kiebatch.errors import Invalid
from kiebatch.provider import Client, network
from support.film import Film

URL = "https://api.kie.ai/x"


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ({"https_proxy": "p:3128"}, "http://p:3128"),
        ({"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.kie.ai"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".kie.ai"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "kie.ai"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.kie.ai"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "KIE.AI"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x, api.kie.ai:443"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.kie.ai:80"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "ie.ai"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "::1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "[::1]"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "[::1]:8080,fe80::/10"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "[::1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ",,[],:,://,."}, "http://p:1"),
    ],
)
def test_a_proxy_is_the_one_that_the_environment_names(environ: dict[str, str], proxy: str | None) -> None:
    assert network.proxy_for(URL, environ) == proxy


@pytest.mark.parametrize(
    ("url", "exceptions"),
    [
        ("http://10.1.2.3/x", "10.0.0.0/8"),
        ("http://10.1.2.3/x", "10.1.2.3"),
        ("http://[fd00::1]/x", "fd00::/8"),
        ("http://[fd00::1]:81/x", "[fd00::1]:81"),
        ("http://[fd00::1]/x", "[fd00::1]"),
    ],
)
def test_addresses_and_networks_are_excepted_from_a_proxy(url: str, exceptions: str) -> None:
    assert network.proxy_for(url, {"HTTP_PROXY": "http://p:1", "NO_PROXY": exceptions}) is None


@pytest.mark.parametrize(
    "proxy",
    [
        "ftp://p:1",
        "socks4://p:1",
        "http://",
        "http://[::1",
        "http://p:99999",
        "http://p:port",
        "://",
        "gopher:p",
    ],
)
def test_a_proxy_that_cannot_be_used_is_a_problem_of_the_environment(proxy: str) -> None:
    with pytest.raises(Invalid, match="proxy") as caught:
        network.proxy_for(URL, {"HTTPS_PROXY": proxy})
    assert "HTTPS_PROXY" in caught.value.hint


def test_the_password_of_a_proxy_is_not_said() -> None:
    with pytest.raises(Invalid) as caught:
        network.proxy_for(URL, {"HTTPS_PROXY": "ftp://me:secret@p:1"})

    assert "secret" not in str(caught.value)


def test_socks_works_or_says_what_to_install() -> None:
    environ = {"ALL_PROXY": "socks5://127.0.0.1:1080"}
    if importlib.util.find_spec("socksio"):
        assert network.proxy_for(URL, environ) == environ["ALL_PROXY"]
        return
    with pytest.raises(Invalid, match="SOCKS") as caught:
        network.proxy_for(URL, environ)
    assert "pip install" in caught.value.hint


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_file_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(Invalid, match=f"{name} names /nonexistent/ca.pem, which is not there"):
        network._trusted({name: "/nonexistent/ca.pem"})


@pytest.mark.parametrize("content", [b"", b"not a certificate", b"\xff\xfe\x00"])
def test_a_certificate_file_without_certificates_is_a_problem(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(content)

    with pytest.raises(Invalid, match="no certificates can be read there"):
        network._trusted({"SSL_CERT_FILE": str(tmp_path / "ca.pem")})


@pytest.mark.slow
def test_a_draft_reads_no_certificates_and_no_proxies(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    film.write("kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes: [{id: 1, prompt: a boat}]\n")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/ca.pem")
    monkeypatch.setenv("ALL_PROXY", "socks4://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "[::1")

    said = film.command("run", "scenes.yaml", "--draft")

    assert said.code == 0, said.err


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"SSL_CERT_FILE": "/nonexistent/ca.pem"}, "SSL_CERT_FILE names /nonexistent/ca.pem"),
        ({"HTTPS_PROXY": "socks4://127.0.0.1:1080"}, "socks4://127.0.0.1"),
        ({"HTTPS_PROXY": "http://[::1"}, "proxy"),
    ],
)
def test_a_command_says_what_is_wrong_with_the_environment(
    film: Film, environ: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.trusted.cache_clear()
    monkeypatch.setenv("KIE_BASE_URL", "https://kie.invalid")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    said = film.command("credits")

    assert (said.code, words in said.err) == (2, True), said
    network.trusted.cache_clear()


def test_a_certificate_of_a_companys_proxy_is_said_with_the_way_out(film: Film) -> None:
    said = "connect error: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"

    assert "SSL_CERT_FILE" in network.hint(said)
    assert network.hint("connect error: refused") == ""


def test_loopback_never_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch, film: Film) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def balance() -> float:
        async with Client(film.sim.key, film.sim.url) as client:
            return await client.balance()

    assert asyncio.run(balance()) > 0
