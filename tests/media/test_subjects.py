"""Who and what a picture is about, read from the words that film people write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.media import framing
from kiebatch.media.subjects import Figure, Posture, is_person, people, subject

SITTING, LYING = Posture.SITTING, Posture.LYING


@pytest.mark.parametrize(
    ("words", "noun"),
    [
        ("Close-up of an old wrist watch on Hanne's wrist", "old wrist watch"),
        ("timetable behind plexiglass, extreme close-up", "timetable"),
        ("INSERT: the letter. He reads it.", "letter"),
        ("A man waits. Close-up of the ticket in his hand", "ticket"),
        ("Close-up of the keeper's hand on the door", "keeper's hand"),
        ("macro of a moth", "moth"),
        ("close-up of the clock face", "clock face"),
    ],
)
def test_a_close_up_of_an_object_is_an_insert_with_its_noun_and_shows_nobody(words: str, noun: str) -> None:
    said = framing.read("", words)

    assert (said.insert, said.subject) == (True, noun)


@pytest.mark.parametrize(
    "words",
    [
        "Close-up of a woman's face",
        "A girl of nine with a red scarf looks up, close-up",
        "Close-up of Hanne",
        "CU on the bearded driver",
        "close-up of her eyes",
        "He stops, close-up of his face lit from below",
        "He looks up, close-up",
    ],
)
def test_a_close_up_of_somebody_shows_a_face(words: str) -> None:
    assert not framing.read("", words).insert
    assert is_person(subject(words))


@pytest.mark.parametrize(
    "words",
    [
        "two headlights at the end of the road",
        "bus seats, empty, wide shot",
        "a flat marsh road at dawn",
        "the driver's seat",
        "No people, an empty street",
        "a house without anybody",
        "灯台に近づく船",
    ],
)
def test_nobody_is_there_who_was_not_named(words: str) -> None:
    assert people(words) == ()


@pytest.mark.parametrize(
    ("words", "figures"),
    [
        ("An 80-year-old woman and a girl of nine", [Figure(old=True), Figure(child=True)]),
        ("A bearded driver in a cap", [Figure(beard=True, hat=True)]),
        ("the old man sits on a bench, asleep", [Figure(old=True, asleep=True, posture=SITTING)]),
        ("An old woman sleeps in bed", [Figure(old=True, asleep=True, posture=LYING)]),
        ("A woman in her seventies", [Figure(old=True)]),
        ("A man holds an old watch", [Figure()]),
        ("The keeper, an old man with a beard, waits", [Figure(old=True, beard=True)]),
        ("A man and a boy sit on the pier", [Figure(posture=SITTING), Figure(child=True, posture=SITTING)]),
        ("A soldier lies in the mud. Another soldier stands", [Figure(posture=LYING), Figure()]),
        ("Two children in a forest", [Figure(child=True)] * 2),
        ("Three men at a table", [Figure()] * 3),
        ("A crowd in the square", [Figure()] * 5),
        ("They run home", [Figure()] * 2),
        ("He stops and listens", [Figure()]),
        ("a man seen from behind", [Figure(back=True)]),
    ],
)
def test_people_are_as_they_are_described(words: str, figures: list[Figure]) -> None:
    assert list(people(words)) == figures


@pytest.mark.parametrize(
    ("words", "things", "places"),
    [
        ("A bus stops at the pier", ("bus",), ()),
        ("bus stop in the rain", (), ()),
        ("A truck driver waits", (), ()),
        ("street lamps along the shore", ("lamp",), ("sea",)),
        ("a street at night", (), ("city",)),
        ("a flat marsh road", (), ("field",)),
    ],
)
def test_only_what_is_named_is_drawn(words: str, things: tuple[str, ...], places: tuple[str, ...]) -> None:
    said = framing.read("", words)

    assert (said.things, said.places) == (things, places)


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert len(people(text)) <= 5
    assert "\n" not in subject(text)
