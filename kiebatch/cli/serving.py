"""Where a server of ours listens, and the addresses by which people reach it."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from urllib.parse import urlsplit

from kiebatch.errors import Invalid, install_hint

PORT = 8477
ANYWHERE = ("0.0.0.0", "::", "")
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0}


def lasting(text: str) -> float:
    """Return a length of time such as `30m`, `12h` or `3d` in seconds."""
    match = re.fullmatch(r"(\d{1,4})\s*([mhd])", text.strip())
    if not match or not int(match[1]):
        raise Invalid(f"`{text}` is not a length of time", hint="write 30m, 12h or 3d")
    return int(match[1]) * _UNITS[match[2]]


def public_host(url: str) -> str:
    """Return the host of an address by which others reach us, through a tunnel or a proxy, with its port if it has one."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
        raise Invalid(f"`{url}` is not the address of a site", hint="write https://film.example.org")
    return parts.netloc.rpartition("@")[2]


def listening(listen: str | None) -> tuple[socket.socket, str]:
    """Open the listening socket.  Where nobody asked for one, another port will do when ours is taken."""
    host, port = _host_and_port(listen) if listen else ("127.0.0.1", PORT)
    if not listen:
        with contextlib.suppress(OSError):
            return _socket(host, port), host
        port = 0
    try:
        return _socket(host, port), host
    except OSError as error:
        raise Invalid(f"cannot listen on {listen or host}: {error.strerror or error}") from None


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise Invalid(f"--listen takes HOST:PORT, found `{text}`")
    return host.strip("[]"), int(port)


def _socket(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names(host: str, port: int) -> frozenset[str]:
    names = {shown(host)}
    if is_loopback(host):
        names |= {"localhost", "127.0.0.1", "[::1]"}
    return frozenset(f"{name}:{port}" for name in names)


def shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def reachable(host: str) -> str:
    """Return the address of this machine that others in the room reach."""
    if host not in ANYWHERE:
        return host
    # Choosing a route sends nothing; the address is one that documentation reserves.
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return socket.gethostname()


def qr_code(url: str) -> str:
    """Return the address as a QR code of half blocks, which fits a terminal."""
    try:
        import segno
    except ImportError:
        return f"for a QR code: {install_hint('qr')}"
    rows = [list(row) for row in segno.make(url, error="l", micro=False).matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    # White squares are drawn, so that it reads on a dark terminal too.
    signs = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    return "\n".join(
        "".join(signs[bool(a), bool(b)] for a, b in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )
