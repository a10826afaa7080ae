"""Captions: when what is said, in two formats, beside the animatic and alone."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.cli import app
from kiebatch.exports import captions, cut
from kiebatch.exports.cut import Cut, Film
from kiebatch.units import Cue
from support import made_film

SHOT = Cut(name="1", scene=1, shot=None, kind="shot", start=0, frames=96)


def film(*shots: Cut) -> Film:
    return Film(title="x", fps=Fraction(24), shots=shots)


def test_a_voice_is_captioned_for_as_long_as_it_is_heard(tmp_path: Path) -> None:
    opened = made_film.make(tmp_path / "film")
    whole = cut.film(opened.project, opened.manifest, opened.picks, opened.workspace)

    (cue,) = captions.cues(whole)

    assert cue == Cue(start_s=0.0, end_s=1.2, text="No one had come for years.")


def test_the_lines_of_a_dialogue_share_their_shot() -> None:
    talk = replace(SHOT, start=24, dialogue="HANNE: Is it you?\nKEEPER: It has been so very long a time.")

    first, second = captions.cues(film(replace(SHOT, frames=24), talk))

    assert (first.start_s, first.text) == (1.0, "HANNE: Is it you?")
    assert first.end_s == second.start_s
    assert (second.end_s, second.text) == (5.0, "KEEPER: It has been so very long a time.")
    assert first.end_s - first.start_s < second.end_s - second.start_s


def test_a_long_text_comes_in_sentences_of_two_lines() -> None:
    long = "The light went out. " + "Nobody on the island knew for how many years it would stay out. " * 2

    found = captions.cues(film(replace(SHOT, frames=480, voice_over=long)))

    shown = captions.as_srt(found).split("\n\n")
    assert all(len(line) <= 42 for block in shown for line in block.splitlines()[2:])
    assert "".join(re.sub(r"\s", "", cue.text) for cue in found) == re.sub(r"\s", "", long)


@given(st.lists(st.text("ab .!?十年", min_size=1, max_size=200), max_size=4))
def test_captions_never_overlap_and_end_with_the_film(texts: list[str]) -> None:
    shots = [replace(SHOT, start=96 * n, voice_over=t, dialogue=t[::-1]) for n, t in enumerate(texts)]

    found = captions.cues(film(*shots))

    assert all(cue.end_s > cue.start_s for cue in found)
    assert all(a.end_s <= b.start_s + 0.2001 for a, b in itertools.pairwise(found))
    assert all(cue.end_s <= 4.0 * len(texts) + 1e-9 for cue in found)


def test_both_formats_say_the_same() -> None:
    found = [Cue(start_s=3661.5, end_s=3662.25, text="<i> & you")]

    assert captions.as_srt(found) == "1\n01:01:01,500 --> 01:01:02,250\n<i> & you\n"
    assert captions.as_vtt(found) == "WEBVTT\n\n01:01:01.500 --> 01:01:02.250\n&lt;i&gt; &amp; you\n"


@pytest.mark.parametrize("kind", ["captions", "animatic"])
def test_the_files_lie_beside_the_export(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_film.make(tmp_path / "film")

    assert app.exit_code(["export", kind, str(tmp_path / "film"), "--only", "1", "--size", "64x36"]) == 0

    made = {p.name for p in (tmp_path / "film" / "export").iterdir()}
    assert made == {"film.srt", "film.vtt"} | ({"film.mp4"} if kind == "animatic" else set())
    assert "No one had come" in (tmp_path / "film" / "export" / "film.vtt").read_text(encoding="utf-8")
    assert capsys.readouterr().out.count("export/film.") == len(made)
