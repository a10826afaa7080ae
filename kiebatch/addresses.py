"""Says which network addresses may be named or fetched: nothing inside the user's network."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_public(host: str) -> bool:
    """Whether an address (text of an IP) is a public one; False for private, loopback and reserved ones."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner:  # an IPv4 address in other clothes
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def url_problem(url: str) -> str:
    """Return why a URL in a scene file cannot be sent, or nothing.  Looks up no name."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return f"`{url[:80]}` is no URL"
    if parts.scheme.lower() not in ("http", "https"):
        return f"only http and https URLs can be sent, found `{parts.scheme}:`"
    if not host:
        return f"`{url[:80]}` names no host"
    if parts.username or parts.password:
        return "a URL with a password in it would be stored and sent; remove it"
    looks_numeric = host.replace(".", "").isdecimal() or ":" in host or host.lower().startswith("0x")
    inside = host.lower() == "localhost" or host.lower().endswith((".localhost", ".local", ".internal"))
    if inside or (looks_numeric and not is_public(host)):
        return f"`{host}` is inside your own network, where the provider cannot fetch it; use the file itself"
    return ""
