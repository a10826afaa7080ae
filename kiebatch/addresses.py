"""Says which network addresses may be named or fetched: nothing inside the user's network."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import SplitResult, urlsplit

STATUS_PAGE = "https://status.kie.ai"  # where the provider says whether it is down

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# IPv4 in other clothes, its last 32 bits: compatible, mapped, translated, NAT64.
_WRAPPED = (
    ipaddress.IPv6Network("::/96"),
    ipaddress.IPv6Network("::ffff:0:0/96"),
    ipaddress.IPv6Network("::ffff:0:0:0/96"),
    _NAT64,
)
# What Python calls global, in one version or another, and what no result lies on.
_NEVER = tuple(
    map(
        ipaddress.ip_network,
        (
            "fec0::/10",  # site-local
            "64:ff9b:1::/48",  # NAT64 of the own network
            "2001::/32",  # Teredo
            "2001:db8::/32",
            "3fff::/20",
            "5f00::/16",
            "192.88.99.0/24",  # relays to 6to4
            "192.0.0.0/24",
        ),
    )
)
_ISATAP = 0x5EFE  # bits 32 to 63 of an interface that wraps IPv4


def is_public(host: str) -> bool:
    """Whether an address (text of an IP) is a public one; False for private, loopback and reserved ones."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    if any(address in network for network in _NEVER if network.version == address.version):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = _wrapped(address)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for, if any."""
    if address.sixtofour:
        return address.sixtofour
    number = int(address)
    if any(address in network for network in _WRAPPED) or (number >> 32) & 0xFCFFFFFF == _ISATAP:
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return None


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def split(url: str) -> SplitResult | None:
    """Return the parts of a URL, host and port readable; None for a text that is not a URL.

    The one place where a text that others wrote becomes a URL: `urlsplit` and its `port` raise.
    """
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port
    except ValueError:
        return None
    return parts


def port_of(parts: SplitResult) -> int:
    """Return a URL's port, the usual one of its scheme where it names none; 0 for other schemes."""
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower(), 0)


def url_problem(url: str) -> str:
    """Return why a URL in a scene file cannot be sent, or nothing.  Looks up no name."""
    parts = split(url)
    if parts is None or re.search(r"[\x00-\x20\x7f]", url):
        return f"`{url[:80]}` is not a URL"
    host = parts.hostname or ""
    if parts.scheme.lower() not in ("http", "https"):
        return f"only http and https URLs can be sent, found `{parts.scheme}:`"
    if not host:
        return f"`{url[:80]}` names no host"
    if parts.username is not None or parts.password is not None:
        return "a URL with a user name or password in it would be stored and sent; remove it"
    if "[" in parts.netloc and not _is_ipv6(host):
        return f"`{url[:80]}` is not a URL: `{host[:60]}` is not an IPv6 address"
    if len(host) > 253 or re.search(r"[%\\^|<>`{}]", host):
        return f"`{url[:80]}` is not a URL: `{host[:60]}` is not a host"
    if _is_inside(host):
        return f"`{host}` is inside your own network, where the provider cannot fetch it; use the file itself"
    return ""


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).version == 6
    except ValueError:
        return False


_OWN_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".localdomain")


def _is_inside(host: str) -> bool:
    """Whether a host is, by its text alone, one of the user's own network."""
    # Browsers and many clients read full-width digits and ideographic full stops as plain ones.
    host = unicodedata.normalize("NFKC", host).replace("\u3002", ".").rstrip(".").lower()
    if host == "localhost" or host.endswith(_OWN_NAMES):
        return True
    last = host.rpartition(".")[2]
    # 127.1, 2130706433, 0x7f.1 and 0177.0.0.1 are addresses for some clients; only the plain form can be judged.
    looks_numeric = ":" in host or re.fullmatch(r"\d+|0x[0-9a-f]*", last) is not None
    return looks_numeric and not is_public(host)
