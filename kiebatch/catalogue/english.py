"""The words of a prompt, and whether they are English: advice about prose is for English alone."""

from __future__ import annotations

import re


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, `close-up` and `don't` as one each."""
    return re.findall(r"[^\W\d_][\w'-]*", text.lower())


_COMMON = frozenset(
    words_of(
        "the a an of in on at to and with is are his her its their from by into over under as for through it he she they"
    )
)
_TELLING = 6  # so many words without one of the common ones are not English
_ASCII_SHARE = 0.9  # a name with an accent does not make a text foreign


def is_english(text: str) -> bool | None:
    """Whether a text is English; None where it has too few words to tell."""
    found = words_of(text)
    plain = sum(word.isascii() for word in found)
    if not found or plain < _ASCII_SHARE * len(found):
        return False
    if len(found) > 2 and not _COMMON.isdisjoint(found):
        return True
    if len(found) >= _TELLING:
        return False
    return None


def may_be_english(text: str) -> bool:
    """Whether nothing in a text tells that it is not English."""
    return is_english(text) is not False
