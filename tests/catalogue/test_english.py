"""Whether a prompt is English: advice about prose is given for English alone."""

from __future__ import annotations

import pytest

from kiebatch.catalogue.english import is_english, may_be_english, words_of


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("a keeper climbs the stairs", True),
        ("a café by the river, at the end of its season", True),
        ("storm harbour dusk", None),
        ("close-up", None),
        ("in Rome", None),
        ("storm harbour dusk keeper lantern boat", False),
        ("ein alter Mann steigt die Treppe hinauf", False),
        ("Häuser über Flüssen", False),
        ("灯台に近づく小舟", False),
        ("", False),
        ("16:9, 4", False),
    ],
)
def test_a_text_is_english_or_not_or_too_short_to_tell(text: str, english: bool | None) -> None:
    assert is_english(text) is english
    assert may_be_english(text) is (english is not False)


def test_a_word_keeps_its_hyphen_and_its_apostrophe() -> None:
    assert words_of("Don't push-in, 35 mm!") == ["don't", "push-in", "mm"]
