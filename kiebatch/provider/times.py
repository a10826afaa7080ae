"""How long one attempt of a call may take, part by part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Limits in seconds: to connect, between two pieces of an answer, for one call, and for one result's download.

    A download without a byte for `stall_s` goes on from there on another connection; the first byte may take longer.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    call_s: float = 90.0
    download_s: float = 3600.0
    stall_s: float = 8.0

    @property
    def first_byte_s(self) -> float:
        return 2.5 * self.stall_s
