"""How the board writes lengths, amounts and the names of takes."""

from __future__ import annotations

from kiebatch.board.film import Panel, Take


def label(take: Take, panel: Panel) -> str:
    """Return what tells a take from its neighbours: its number, and its model where the shot has several."""
    if not take.model:
        return str(take.number)
    name = max(
        take.model.split("/"), key=len
    )  # `nano-banana` of google/nano-banana, `kling-3.0` of kling-3.0/video
    same = sum(1 for t in panel.takes if t.model == take.model)
    return f"{name} {take.number}" if same > 1 else name


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}".rstrip("0").rstrip(".") + " s"


def clock(value: float) -> str:
    """Return a length as an editor reads it: 2:05."""
    whole = round(value)
    return f"{whole // 60}:{whole % 60:02d}"


def credits(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".")
