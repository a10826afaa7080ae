"""Reads what the environment says about the network, in one place: proxies, exceptions from them, certificates.

Everything wrong in it becomes `Invalid` here, in words that name the variable.  httpx reads the same variables, but
raises whatever its parts raise, and at places where that is a bug of ours.
"""

from __future__ import annotations

import functools
import importlib.util
import ipaddress
import os
import re
import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from kiebatch.errors import Invalid, install_hint, plain

# The first that is set counts. OpenSSL's own names come first; requests and curl have made theirs common in companies.
CA_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CA_FOLDER = "SSL_CERT_DIR"
_SOCKS = ("socks5", "socks5h")
_PORTS = {"http": 80, "https": 443}


def proxy_for(url: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the proxy that the environment names for a URL; None where it goes out directly.

    `Invalid` for a proxy that cannot be used: another scheme, no host, SOCKS without its package.
    """
    parts = urlsplit(url)
    named = _proxies(environ)
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy or _bypassed(
        parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0), named.get("no", "")
    ):
        return None
    return _checked(proxy if "://" in proxy else f"http://{proxy}")


def hint(failure: str) -> str:
    """Return what helps against a failed call, by what was said about it; empty where nothing is known."""
    if "CERTIFICATE_VERIFY_FAILED" not in failure:
        return ""
    return (
        "if a company's proxy signs TLS with a certificate of its own, name that with "
        f"SSL_CERT_FILE=/path/to/ca.pem (or {' or '.join(CA_FILES[1:])})"
    )


def _proxies(environ: Mapping[str, str]) -> Mapping[str, str]:
    if environ is os.environ:
        return urllib.request.getproxies()  # on macOS and Windows the system's settings, too
    found = {name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy")}
    return {name.removesuffix("_proxy"): value for name, value in found.items() if value}


def _checked(proxy: str) -> str:
    try:
        parts = urlsplit(proxy)
        scheme, host, _ = parts.scheme.lower(), parts.hostname, parts.port
        httpx.URL(proxy)
    except (ValueError, httpx.InvalidURL):
        raise Invalid("the environment names a proxy that is not an address", hint=_PROXY_HINT) from None
    shown = plain(f"{scheme}://{host or ''}", 100)  # never the password that may come before the host
    if scheme not in ("http", "https", *_SOCKS) or not host:
        raise Invalid(
            f"the proxy `{shown}` cannot be used: only http, https and socks5 are known", hint=_PROXY_HINT
        )
    if scheme in _SOCKS and importlib.util.find_spec("socksio") is None:
        raise Invalid(
            f"the proxy `{shown}` speaks SOCKS, which needs one more package",
            hint=install_hint("socks"),
        )
    return proxy


_PROXY_HINT = (
    "look at HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, for instance HTTPS_PROXY=http://proxy.example:3128"
)


def _bypassed(host: str, port: int, exceptions: str) -> bool:
    """Whether NO_PROXY excepts a host: `*`, names and what ends in them, addresses, networks, each with a port or not."""
    host = host.lower().rstrip(".")
    return any(_excepts(entry, host, port) for entry in re.split(r"[\s,]+", exceptions.lower()) if entry)


def _excepts(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, given = _host_and_port(entry)
    if given is not None and given != port:
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        name = name.lstrip("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))


def _host_and_port(entry: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"\[([^\]]*)\](?::(\d{1,5}))?|([^:]*):(\d{1,5})", entry)
    if not match:  # a bare name, or an IPv6 address without brackets
        return entry, None
    given = match[2] or match[4]
    return match[1] if match[1] is not None else match[3], int(given) if given else None


@functools.cache
def trusted() -> ssl.SSLContext:
    """Return the certificates to trust, read once.  `Invalid` where the environment names some that are not there."""
    return _trusted(os.environ)


def _trusted(environ: Mapping[str, str]) -> ssl.SSLContext:
    name = next((name for name in CA_FILES if environ.get(name)), None)
    folder = environ.get(_CA_FOLDER)
    if name is None and not folder:
        return httpx.create_ssl_context(trust_env=False)
    path = Path(environ[name]) if name else None
    try:
        if path is not None and path.is_dir():  # what requests and curl take as well
            return ssl.create_default_context(capath=str(path))
        if path is not None and not path.is_file():
            raise Invalid(f"{name} names {plain(path, 200)}, which is not there")
        return ssl.create_default_context(cafile=str(path) if path else None, capath=folder or None)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        source = f"{name}={path}" if name else f"{_CA_FOLDER}={folder}"
        raise Invalid(
            f"{plain(source, 200)}: no certificates can be read there ({plain(error, 100)})"
        ) from None


def untrusting() -> ssl.SSLContext:
    """Return a context for plain http on this machine, where no certificate is looked at: nothing is read for it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
