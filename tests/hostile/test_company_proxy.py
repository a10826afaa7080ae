"""A company's proxy that ends TLS with a certificate of its own, between kiebatch and the provider."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import pytest
import trustme

from kiebatch.provider import network
from support.film import Film

HOST = "api.kie.ai"


@dataclass
class Company:
    """The proxy's address, its authority's certificate, and the hosts that were asked for."""

    url: str
    ca_file: Path
    asked: list[str]


@contextlib.contextmanager
def proxy(folder: Path, upstream: str) -> Iterator[Company]:
    """Take CONNECT on a loopback port, end TLS as `HOST`, and hand what arrives to the simulator at `upstream`."""
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        company = Company(f"http://127.0.0.1:{listener.getsockname()[1]}", ca_file, [])
        threading.Thread(
            target=_accept, args=(listener, context, urlsplit(upstream), company), daemon=True
        ).start()
        yield company
        listener.shutdown(socket.SHUT_RDWR)  # ends the waiting accept


def _accept(
    listener: socket.socket, context: ssl.SSLContext, upstream: SplitResult, company: Company
) -> None:
    with contextlib.suppress(OSError):  # the test is over
        while True:
            connection, _ = listener.accept()
            threading.Thread(
                target=_relay, args=(connection, context, upstream, company), daemon=True
            ).start()


def _relay(
    connection: socket.socket, context: ssl.SSLContext, upstream: SplitResult, company: Company
) -> None:
    connection.settimeout(10)
    with connection, contextlib.suppress(OSError):  # a client that refuses the certificate hangs up
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        company.asked.append(head.split()[1].decode())
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as client:
            _talk(client, upstream)


def _talk(client: ssl.SSLSocket, upstream: SplitResult) -> None:
    """Carry one request and its answer; the answer ends the connection."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += client.recv(65536)
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"host:", b"connection:"))]
    lines += [f"Host: {upstream.netloc}".encode(), b"Connection: close"]
    with socket.create_connection((upstream.hostname, upstream.port), timeout=10) as server:
        server.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        while answer := server.recv(65536):
            client.sendall(answer)


@pytest.fixture
def company(tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    network.trusted.cache_clear()
    for name in network.CA_FILES:
        monkeypatch.delenv(name, raising=False)
    with proxy(tmp_path, film.sim.url) as made:
        monkeypatch.setenv("HTTPS_PROXY", made.url)
        monkeypatch.setenv("KIE_BASE_URL", f"https://{HOST}")
        monkeypatch.setenv("KIE_API_KEY", film.sim.key)
        yield made
    network.trusted.cache_clear()


@pytest.mark.parametrize("name", network.CA_FILES)
def test_the_authority_of_a_companys_proxy_is_trusted_by_each_common_name(
    name: str, film: Film, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, str(company.ca_file))

    said = film.command("credits", "--json")

    assert (said.code, company.asked) == (0, [f"{HOST}:443"]), said
    assert said.json["balance"] > 0


@pytest.mark.slow
def test_without_the_authority_the_refusal_names_the_way_out(film: Film, company: Company) -> None:
    said = film.command("credits")

    assert (said.code, company.asked[:1]) == (4, [f"{HOST}:443"]), said
    assert "SSL_CERT_FILE=/path/to/ca.pem" in said.err
