"""Who may open a review: the secret address, a password, an expiry, and what a guest may do."""

from __future__ import annotations

import hmac
import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum

_SESSION_S = 30 * 86400
_MAX_SESSIONS = 2000
_TRIES = 10  # wrong passwords
_TRIES_WINDOW_S = 300.0


class Role(StrEnum):
    """What somebody may do: `owner` decides and makes, `guest` writes notes under a name of their own."""

    OWNER = "owner"
    GUEST = "guest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a review is opened.

    `token` is the secret of the address.  The page is known by one of `hosts` (`127.0.0.1:8400`); no hosts means any
    name, for a server that the whole network reaches by addresses we cannot list.  Nobody comes in after `expires_at`
    (seconds since 1970; None: never).  With the role `guest` everybody is asked for a name.
    """

    token: str = field(repr=False)
    hosts: Collection[str] = frozenset()
    password: str = field(default="", repr=False)
    expires_at: float | None = None
    role: Role = Role.OWNER

    @property
    def asks(self) -> bool:
        """Whether the address alone does not open the page."""
        return bool(self.password) or self.role is Role.GUEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who came in.  `name` is what a guest has given; an owner's name comes with each decision."""

    role: Role
    name: str = ""


class Sessions:
    """Keeps who came in, by the value of their cookie.  A restart of the review signs everybody out."""

    def __init__(self, access: Access, now: Callable[[], float] = time.time) -> None:
        self._access = access
        self._now = now
        self._visitors: dict[str, tuple[Visitor | None, float]] = {}
        self._wrong: deque[float] = deque(maxlen=_TRIES)

    def expired(self) -> bool:
        ends = self._access.expires_at
        return ends is not None and self._now() >= ends

    def begin(self, token: str) -> str | None:
        """Return the cookie for somebody who has the address; None for a wrong token."""
        if not same(token, self._access.token):
            return None
        cookie = secrets.token_urlsafe(24)
        while len(self._visitors) >= _MAX_SESSIONS:
            del self._visitors[next(iter(self._visitors))]
        visitor = None if self._access.asks else Visitor(role=self._access.role)
        self._visitors[cookie] = (visitor, self._now() + _SESSION_S)
        return cookie

    def known(self, cookie: str) -> bool:
        """Whether a cookie is one of ours, of somebody who may still have to give a password or a name."""
        found = self._visitors.get(cookie)
        return found is not None and self._now() < found[1]

    def visitor(self, cookie: str) -> Visitor | None:
        return self._visitors[cookie][0] if self.known(cookie) else None

    def locked(self) -> bool:
        """Whether so many wrong passwords came that nobody may try for a while."""
        return len(self._wrong) == _TRIES and self._now() - self._wrong[0] < _TRIES_WINDOW_S

    def enter(self, cookie: str, password: str, name: str) -> bool:
        """Let in who has the password, under a name; False when it is wrong, or tried too often."""
        if self.locked():
            return False
        if not same(password, self._access.password):
            self._wrong.append(self._now())
            return False
        ends = self._visitors[cookie][1]
        self._visitors[cookie] = (Visitor(role=self._access.role, name=self._free(name, cookie)), ends)
        return True

    def _free(self, name: str, cookie: str) -> str:
        """Return a name that no other visitor has: a guest may change the notes under their own name."""
        taken = {
            visitor.name.casefold()
            for other, (visitor, _) in self._visitors.items()
            if visitor and other != cookie
        }
        if not name or name.casefold() not in taken:
            return name
        return next(f"{name} {n}" for n in itertools.count(2) if f"{name} {n}".casefold() not in taken)


def same(given: str, known: str) -> bool:
    """Compare two secrets in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())
