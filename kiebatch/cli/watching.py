"""Looks at a project again and again until nothing is in flight: in place on a terminal, a line a minute elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from kiebatch._dataclass import dataclass

INTERVAL_S = 2.0
_MINUTE_S = 60.0
# Between two shots of a chain nothing is in flight for a moment.
_QUIET_LOOKS = 2


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: the whole of it, the same in one line, and whether anything is in flight."""

    text: str
    line: str
    flying: bool


class Screen:
    """Shows one look in the place of the one before."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._height = 0

    def show(self, text: str) -> None:
        back = f"\x1b[{self._height}F\x1b[J" if self._height else ""
        self._write(f"{back}{text}\n")
        self._height = text.count("\n") + 1


def until_landed(
    look: Callable[[], Look],
    *,
    screen: Screen | None,
    say: Callable[[str], object],
    sleep: Callable[[float], object],
) -> None:
    """Show looks until nothing is in flight: on the screen, or without one a line a minute, and the last line."""
    quiet, since_s = _QUIET_LOOKS - 1, _MINUTE_S
    while True:
        found = look()
        quiet = 0 if found.flying else quiet + 1
        over = quiet >= _QUIET_LOOKS
        if screen:
            screen.show(found.text)
        elif over or since_s >= _MINUTE_S:
            say(found.line)
            since_s = 0.0
        if over:
            return
        sleep(INTERVAL_S)
        since_s += INTERVAL_S
