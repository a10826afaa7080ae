"""Whether there is a team, and where; reads the environment alone, and imports no driver."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import field
from urllib.parse import urlsplit, urlunsplit

from kiebatch._dataclass import dataclass

VARIABLE = "KIEBATCH_TEAM"


@dataclass(frozen=True, slots=True)
class Team:
    """The ledger that a run uses, and whose account.  `clock` is for tests on simulated time."""

    url: str = field(repr=False)  # it may hold a password
    account: str
    clock: Callable[[], float] | None = None


def address(environ: Mapping[str, str] = os.environ) -> str:
    """Return the address of the team's PostgreSQL, empty where there is no team.  Never read from a project's files."""
    return environ.get(VARIABLE, "").strip()


def account_of_key(api_key: str) -> str:
    """Return the name of an account that nobody named: a digest of its key."""
    return "key-" + hashlib.sha256(f"kiebatch account\n{api_key}".encode()).hexdigest()[:16]


def shown(url: str) -> str:
    """Return an address as it may be printed: without the password."""
    parts = urlsplit(url)
    if not parts.scheme:
        return "the address in KIEBATCH_TEAM"
    host = parts.netloc.rpartition("@")[2]
    user = parts.netloc.rpartition("@")[0].partition(":")[0]
    query = "&".join(
        one for one in parts.query.split("&") if not one.startswith(("password=", "sslpassword="))
    )
    return urlunsplit((parts.scheme, f"{user}@{host}" if user else host, parts.path, query, ""))
