"""A segment is encoded by the tools of the machine that asks for it, or by that machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiebatch.media import lettering
from kiebatch.units import (
    Context,
    Failed,
    Folder,
    LocalQueue,
    Made,
    NoRows,
    Order,
    Piece,
    Source,
    segment,
    tools,
)

pytestmark = pytest.mark.needs("ffmpeg")
CARD = Piece(size=(64, 36), rate="24/1", frames=2, begin="cut", end="cut", words=("2b", "He listens"))


def encoded(folder: Path, piece: Piece, params: Mapping[str, Any] | None = None) -> Any:
    context = Context(shelf=Folder(folder), rows=NoRows(), offload=asyncio.to_thread)
    unit = segment(piece, Source())
    order = Order(unit=replace(unit, params=params or unit.params))
    return asyncio.run(LocalQueue(context).result(order))


def test_a_piece_for_the_tools_of_this_machine_is_encoded(tmp_path: Path) -> None:
    piece = replace(CARD, tools=tools(CARD))

    assert encoded(tmp_path, piece) == Made({"name": f"{piece.key}.mp4"})
    assert (tmp_path / f"{piece.key}.mp4").is_file()


@pytest.mark.parametrize(
    "piece",
    [
        replace(CARD, tools=("ffmpeg version 0.1", *lettering.fonts(CARD.texts))),
        replace(CARD, tools=(*tools(CARD), "Unknown.ttf")),
        replace(CARD, tools=tools(CARD), recipe=CARD.recipe + 1),
    ],
    ids=["ffmpeg", "fonts", "recipe"],
)
def test_a_piece_for_other_tools_is_left_to_others(tmp_path: Path, piece: Piece) -> None:
    ended = encoded(tmp_path, piece)

    assert isinstance(ended, Failed)
    assert (ended.code, ended.retryable) == ("other-tools", False)
    assert list(tmp_path.glob("*.mp4")) == []


def test_a_piece_of_which_a_newer_program_says_more_is_left_to_others(tmp_path: Path) -> None:
    params = json.loads(segment(CARD, Source()).to_json())["params"]
    params["piece"]["grain"] = 3

    ended = encoded(tmp_path, CARD, params)

    assert isinstance(ended, Failed)
    assert ended.code == "other-tools"
