"""YAML text becomes values with places, and the surprises of YAML 1.1 stay out."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.errors import Invalid
from kiebatch.model import under
from kiebatch.scenefile import document


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("16:9", "16:9"),
        ("no", "no"),
        ("on", "on"),
        ("010", "010"),
        ("2026-03-01", "2026-03-01"),
        ("true", True),
        ("5", 5),
        ("-3", -3),
        ("5.0", 5.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("0x1F", 31),
        ("~", None),
        ("null", None),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("'5'", "5"),
    ],
)
def test_a_scalar_is_what_it_looks_like(written: str, meant: object) -> None:
    assert document.read(f"key: {written}\n", "f.yaml").value == {"key": meant}


def test_every_value_and_key_knows_its_place() -> None:
    found = document.read("scenes:\n  - id: 1\n    prompt: a boat\n", "f.yaml")

    assert str(found.where(("scenes", 0, "prompt"))) == "f.yaml:3:13"
    assert str(found.where(("scenes", 0, "prompt"), key=True)) == "f.yaml:3:5"
    assert str(found.where(("scenes", 0, "not there"))) == "f.yaml:2:5"


def test_all_duplicate_keys_are_reported_together() -> None:
    with pytest.raises(Invalid) as caught:
        document.read("a: 1\nb: 2\na: 3\nb: 4\n", "f.yaml")

    assert [str(p.where) for p in caught.value.problems] == ["f.yaml:3:1", "f.yaml:4:1"]


def test_merge_keys_give_way_to_what_the_mapping_says_itself() -> None:
    found = document.read("base: &b {x: 1, y: 2}\nshot:\n  y: 3\n  <<: *b\n", "f.yaml")

    assert under(found.value, "shot") == {"x": 1, "y": 3}
    assert str(found.where(("shot", "y"))) == "f.yaml:3:6"
    assert str(found.where(("shot", "x"))) == "f.yaml:1:14"


def test_a_value_that_a_mapping_says_itself_is_where_it_is_written() -> None:
    text = "base: &b {n: {deep: 1}, m: 2}\nown:\n  n: {other: 3}\n  <<: *b\n"

    found = document.read(text, "f.yaml")

    assert under(found.value, "own") == {"n": {"other": 3}, "m": 2}
    assert str(found.places["own", "n", "other"]) == "f.yaml:3:14"
    assert str(found.keys["own", "m"]) == "f.yaml:1:25"
    assert ("own", "n", "deep") not in found.places
    assert set(found.keys) == {path for path in found.places if path}


def test_the_comment_behind_an_own_text_counts_although_a_merged_one_has_one_too() -> None:
    text = "base: &b {k: low # one\n  }\nown:\n  k: high # two\n  <<: *b\n"

    found = document.read(text, "f.yaml")

    assert under(found.value, "own") == {"k": "high"}
    assert str(found.cuts["own", "k"]) == "f.yaml:4:11"


def test_an_alias_has_values_of_its_own() -> None:
    found = document.read("a: &a {list: [1, &t two]}\nb: *a\nc: *t\n", "f.yaml")

    of_a = under(found.value, "a", "list")
    assert isinstance(of_a, list)
    of_a.append(3)

    assert under(found.value, "b") == {"list": [1, "two"]}
    assert under(found.value, "c") == "two"
    assert found.places["b", "list", 1] == found.places["a", "list", 1] == found.places["c",]


def test_a_list_that_is_too_long_is_counted_and_not_built() -> None:
    with pytest.raises(Invalid, match="100,003 entries"):
        document.read(f"prompts: [{'[x], ' * 100_003}]\n", "f.yaml")


def test_of_several_merged_mappings_the_first_wins() -> None:
    text = "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n"

    assert under(document.read(text, "f.yaml").value, "c") == {"x": 1, "y": 2}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "[" * 100_000,
        "- " * 100_000,
        "\n".join(" " * i + "a:" for i in range(3000)),
        "a: &x\n  b: *x\n",
    ],
    ids=["alias bomb", "deep flow", "deep block", "deep mapping", "a loop"],
)
def test_bombs_are_refused_before_they_go_off(text: str) -> None:
    with pytest.raises(Invalid):
        document.read(text, "f.yaml")


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("a: b: c\n", "f.yaml:1:5", "quotes"),
        ("\ta: 1\n", "f.yaml:1:1", "tab"),
        ("a: {x} climbs\n", "f.yaml:1:8", "quotes"),
        ("a: !!python/object:os.system x\n", "f.yaml:1:4", "tag"),
    ],
)
def test_a_syntax_error_stands_at_its_place_with_a_way_out(text: str, place: str, word: str) -> None:
    with pytest.raises(Invalid) as caught:
        document.read(text, "f.yaml")

    assert str(caught.value).startswith(place)
    assert word in str(caught.value)


@pytest.mark.slow
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.text(st.characters(codec="utf-8", exclude_categories=["C"])),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.text(st.characters(codec="ascii", categories=["L"]), min_size=1), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_what_yaml_writes_is_read_back_with_a_place_for_each_value(value: object) -> None:
    text = yaml.safe_dump({"value": value}, allow_unicode=True)

    found = document.read(text, "f.yaml")

    assert found.value == {"value": value}

    def check(part: object, path: tuple[str | int, ...]) -> None:
        assert path in found.places
        if isinstance(part, dict):
            for key, inner in part.items():
                check(inner, (*path, key))
        elif isinstance(part, list):
            for i, inner in enumerate(part):
                check(inner, (*path, i))

    check(found.value, ())
