"""The recorded terminal: it shows the commands of `make demo` and what they write, and any player can read it."""

from __future__ import annotations

import json
import runpy

from support.places import ROOT

CAST = ROOT / "docs" / "images" / "demo.cast"


def test_the_recording_is_an_asciicast_whose_clock_never_goes_back() -> None:
    header, *events = [json.loads(line) for line in CAST.read_text(encoding="utf-8").splitlines()]

    assert (header["version"], header["width"], header["height"]) == (2, 110, 32)
    moments = [moment for moment, kind, text in events if kind == "o" and text]
    assert len(moments) == len(events)
    assert moments == sorted(moments)


def test_it_shows_the_commands_that_make_demo_runs_and_their_results() -> None:
    events = [json.loads(line) for line in CAST.read_text(encoding="utf-8").splitlines()[1:]]
    shown = "".join(text for _, _, text in events)
    commands = runpy.run_path(str(ROOT / "docs" / "images" / "record.py"))["commands"]

    typed = commands((ROOT / "Makefile").read_text(encoding="utf-8"))
    assert [command for command in typed if f"$ {command}\r\n" not in shown] == []
    assert "saved 1: demo/draft/" in shown
    assert "demo/board.html: 13 shots" in shown
    assert str(ROOT) not in shown, "nothing of the machine it was recorded on"
