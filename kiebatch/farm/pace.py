"""How often a farm's parts look at each other.  All by one scale, so that tests live through minutes in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Times in seconds, each times `scale`."""

    scale: float = 1.0

    @property
    def beat_s(self) -> float:
        """Between two signs of life of a worker."""
        return 5.0 * self.scale

    @property
    def dead_s(self) -> float:
        """Without a sign of life, after which a worker counts as dead and its units are queued again."""
        return 20.0 * self.scale

    @property
    def reconcile_s(self) -> float:
        """Between two looks for units that the queue does not have."""
        return 60.0 * self.scale

    @property
    def look_s(self) -> float:
        """Between two looks of a run for units that have ended."""
        return 1.0 * self.scale

    @property
    def poll_s(self) -> float:
        """Between two looks of a worker for units, where no notification came."""
        return 5.0 * self.scale
