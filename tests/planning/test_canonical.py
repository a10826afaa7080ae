"""The text of which digests are made is that of RFC 8785, whoever writes it, and plain words stay as they are."""

from __future__ import annotations

import unicodedata

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.model import JSON, canonical, normal

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text(
    st.sampled_from('\x00\x1f\x7f"\\/\b\n\u2028é')
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_the_canonical_text_is_that_of_the_library(value: JSON) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "\U0001f600": 2, "\ue000": 3},
        {"b": 1.0, "a": 1e21, "c": 1e-7},
        ["\x7f", "</script>", "\u2028"],
        {},
        [[]],
    ],
)
def test_what_encoders_write_differently_is_written_as_the_library_writes_it(value: JSON) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), "\ud83d", {"a": ["\udc00"]}])
def test_what_json_cannot_hold_is_refused(value: JSON) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical(value)


@given(st.text(st.sampled_from("ab \t\n\u00a0é\u0301")))
def test_words_are_brought_into_normal_form(text: str) -> None:
    plain = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\u00a0", " ").replace("\t", " "))
    lines = [" ".join(line.split(" ")).strip(" ") for line in plain.split("\n")]

    found = normal(text)

    assert normal(found) == found
    assert found == "\n".join(" ".join(filter(None, line.split(" "))) for line in lines).strip("\n")
