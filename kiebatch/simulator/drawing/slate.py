"""The line below a panel: whose it is, which take, from which model, and the words that it was drawn from."""

from __future__ import annotations

from PIL import ImageDraw

from kiebatch.media import lettering
from kiebatch.media.framing import Framing
from kiebatch.simulator.drawing.arrows import ACCENT
from kiebatch.simulator.drawing.wanted import Wanted

PAPER = (244, 240, 230)
INK = (22, 22, 26)
_SOFT = (176, 172, 164)


def height(width: int, high: int) -> int:
    """Return how many pixels of a picture its slate takes."""
    return max(10, round(min(high, width * 0.7) * 0.13))


def draw(pen: ImageDraw.ImageDraw, wanted: Wanted, said: Framing, top: int, high: int) -> None:
    """Write the slate into the lowest `high` pixels, from `top` on; a very small one stays empty."""
    size = high * 0.3
    if size < 7:
        return
    left = high * 0.22
    room = wanted.width - 2 * left
    x = left
    if wanted.shot:
        x += lettering.draw(pen, (x, top + high * 0.42), wanted.shot, size * 1.15, ACCENT) + size * 0.8
    for line in lettering.wrap(_facts(wanted, said), size, max(10, room - (x - left)), 1):
        lettering.draw(pen, (x, top + high * 0.42), line, size, PAPER)
    for line in lettering.wrap(" ".join(wanted.words.split()), size * 0.86, room, 1):
        lettering.draw(pen, (left, top + high * 0.82), line, size * 0.86, _SOFT)


def _facts(wanted: Wanted, said: Framing) -> str:
    facts = [wanted.model, wanted.part]
    if wanted.take_number > 1:
        facts.insert(0, f"take {wanted.take_number}")
    if wanted.number > 1:
        facts.append(f"output {wanted.number}")
    if wanted.kind == "video":
        facts.append(f"{wanted.seconds:g} s")
    facts += [said.size or "", said.move or ""]
    return "   ".join(fact for fact in facts if fact)
