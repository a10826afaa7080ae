"""The simulator of `kiebatch.testing`, and a client without a key."""

from __future__ import annotations

from typing import Any

import httpx

from kiebatch.testing import Sim as Sim
from kiebatch.testing import start as start
from kiebatch.testing.running import FAST as FAST

# Plain HTTP needs no certificates, and loading them takes longer than a whole test.
_WEB = httpx.Client(verify=False)


def fetch(url: str, **options: Any) -> httpx.Response:
    """GET an address as a browser would: without a key."""
    return _WEB.get(url, **options)
