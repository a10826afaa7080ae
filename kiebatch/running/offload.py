"""Slow work (disk, decoding, hashing) away from the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Offload(Protocol):
    """Runs work away from the loop; in simulated time it runs it in place."""

    async def __call__(self, work: Callable[..., Any], /, *args: Any) -> Any: ...
