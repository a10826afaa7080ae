"""How long shots last: what is written, what is left, what a clip or a voice takes."""

from __future__ import annotations

import pytest

from kiebatch.model import Line, Scene, Shot
from kiebatch.scenefile.lengths import lengths, speaking_s


def scene(*shots: Shot, duration_s: float | None = None) -> Scene:
    return Scene(id=1, duration_s=duration_s, shots=shots)


def test_what_is_written_counts_and_the_others_share_what_is_left() -> None:
    found = lengths(
        scene(Shot(id="a", duration_s=2), Shot(id="b"), Shot(id="c"), duration_s=8), {"b": 9.0}, {}
    )

    assert {id: float(s) for id, s in found.items()} == {"a": 2, "b": 3, "c": 3}


def test_shots_that_say_their_own_lengths_beat_the_scenes() -> None:
    found = lengths(scene(Shot(id="a", duration_s=2), Shot(id="b", duration_s=2), duration_s=20), {}, {})

    assert sum(found.values()) == 4


def test_a_clip_takes_its_own_length_and_a_still_that_of_the_words() -> None:
    shots = (Shot(id="a"), Shot(id="b"), Shot(id="vo", kind="vo", prompt="x"))

    found = lengths(scene(*shots), {"a": 5.04}, {"vo": 10.0})

    assert {id: float(s) for id, s in found.items()} == {"a": 5.04, "b": 5.0}


def test_a_scene_of_a_voice_alone_takes_as_long_as_its_words() -> None:
    voice = Shot(id="vo", kind="vo", prompt="one two three four five " * 4)

    assert lengths(scene(voice), {}, {"vo": 6.5}) == {None: 6.5}
    assert lengths(scene(voice), {}, {}) == {None: 8}
    assert lengths(scene(voice, duration_s=4), {}, {"vo": 6.5}) == {None: 4}


def test_a_still_lasts_as_long_as_its_dialogue() -> None:
    talk = (Line("HANNE", "one two three four five " * 3), Line("GIRL", "one two three four five"))
    found = lengths(Scene(id=1, lines=talk, shots=(Shot(id="a"), Shot(id="b"))), {}, {})

    assert found == {"a": 8, "b": 3}


def test_what_is_skipped_takes_no_time() -> None:
    assert lengths(scene(Shot(id="a", skip="cut"), Shot(id="b")), {}, {}) == {"b": 3}
    assert lengths(scene(Shot(id="a", skip="cut")), {}, {}) == {}


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 0), ("five words make two seconds", 2), ("十年後、灯台で。", 1.4)]
)
def test_words_take_the_time_of_calm_speech(text: str, seconds: float) -> None:
    assert speaking_s(text) == pytest.approx(seconds, abs=0.5)
