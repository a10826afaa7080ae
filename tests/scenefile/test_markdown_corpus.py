"""Files as people really write them: each gives the scenes that a person wrote down before the parser saw it."""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kiebatch import catalogue
from kiebatch.model import JSON, Document, as_list, as_mapping, under
from kiebatch.scenefile import build, document, markdown
from support.places import TESTS
from support.scenes import scenes

CORPUS = TESTS / "corpus" / "markdown"
FILES = sorted(CORPUS.glob("*.md"))
FOREIGN = sorted(p for p in (CORPUS / "foreign").iterdir())
CATALOGUE = catalogue.load()


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def expected(path: Path) -> Document:
    """Return what was written down by hand, as a whole scene file."""
    text = path.with_suffix(".expected.yaml").read_text(encoding="utf-8")
    return document.read(f"kiebatch: 1\n{text}", path.name)


def without_notes(found: JSON, wanted: JSON = None) -> JSON:
    """Leave out notes, but where the expectation has them too."""
    if isinstance(found, dict):
        inner = as_mapping(wanted)
        return {
            k: without_notes(v, inner.get(k)) for k, v in found.items() if k != "notes" or "notes" in inner
        }
    if isinstance(found, list):
        return [without_notes(v, same) for v, same in zip_longest(found, as_list(wanted)[: len(found)])]
    return found


def names(paths: list[Path]) -> list[str]:
    return [p.name for p in paths]


def sent(value: JSON) -> list[str]:
    """Return every text of a document that could reach a model."""
    found: list[str] = []
    for key in ("negative_prompt", "defaults"):
        found += leaves(under(value, key))
    used = str(under(value, "scenes"))
    for key in ("styles", "characters"):
        named = {k: v for k, v in as_mapping(under(value, key)).items() if k in used}
        found += leaves(without_notes(named))
    for scene in as_list(under(value, "scenes")):
        for shot in (scene, *as_list(under(scene, "shots"))):
            for key in ("prompt", "negative_prompt", "style", "params", "voice"):
                found += leaves(under(shot, key))
        for key in ("voiceover", "music", "sound_effects"):
            found += leaves(without_notes(under(scene, key)))
    return found


def leaves(value: JSON) -> list[str]:
    if isinstance(value, dict):
        return [x for v in value.values() for x in leaves(v)]
    if isinstance(value, list):
        return [x for v in value for x in leaves(v)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_a_file_gives_the_scenes_that_were_written_down_by_hand(path: Path) -> None:
    read, problems = markdown.read(text_of(path), path.name)

    wanted = expected(path).value
    assert without_notes(read.value, wanted) == wanted
    assert [str(p) for p in problems if p.severity == "error"] == []


def test_the_corpus_has_at_least_thirty_layouts_and_nine_languages() -> None:
    assert len(FILES) >= 30
    assert (
        len(
            {p.stem[3:] for p in FILES}
            & {"german", "dutch", "french", "spanish", "portuguese", "chinese", "japanese", "korean"}
        )
        == 8
    )


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_both_forms_give_equal_jobs(path: Path) -> None:
    read, _ = markdown.read(text_of(path), path.name)

    ours, theirs = (build.build(d, CATALOGUE)[0].jobs for d in (read, expected(path)))

    assert ours == theirs


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_every_value_has_its_place_in_the_file(path: Path) -> None:
    text = text_of(path).removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").split("\n")
    read, _ = markdown.read(text, path.name)

    def check(value: JSON, where: tuple[str | int, ...]) -> None:
        place = read.places[where]
        assert place.file == path.name
        assert 1 <= place.line <= len(lines)
        assert 1 <= place.column <= len(lines[place.line - 1]) + 1
        if where[-1:] == ("prompt",):
            first = re.split(r"[^\w]+", str(value))[0]
            assert first.casefold() in lines[place.line - 1][place.column - 1 :].casefold()
        if isinstance(value, dict):
            for key, inner in value.items():
                check(inner, (*where, key))
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                check(inner, (*where, i))

    check(read.value, ())


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_every_word_that_is_sent_stands_in_the_file(path: Path) -> None:
    read, _ = markdown.read(text_of(path), path.name)
    written = re.sub(r"[*_`\\~]|&amp;", "", re.sub(r"&amp;", "&", text_of(path))).casefold()

    for text in sent(read.value):
        for word in re.findall(r"\w{3,}", text):
            assert re.sub(r"_", "", word).casefold() in written, word


PROSE = (
    "Zarquon said that nothing zarquon may be zarquon.",
    "# zarquon in capitals? No: *zarquon* is **bold** and `code`.".removeprefix("# "),
    "<!-- - **Prompt**: zarquon -->",
    "- zarquon, a plain bullet",
    "- Zarquon: a bullet with a colon",
    "```\nzarquon in a fence of no kind\n```",
    "```python\nprompt = 'zarquon'\n```",
    "| Zarquon | What |\n| --- | --- |\n| zarquon | zarquon |",
    "1. zarquon\n2. zarquon",
    "<div>\nzarquon\n</div>",
    "**Zarquon**: an unknown key",
    "> [!NOTE]\n> zarquon",
    "> **Note:** zarquon",
    "* * *",
)


def gaps(text: str) -> list[int]:
    """Return the offsets of lines before which a person could write a paragraph: between two blocks."""
    found, fenced, offset = [], False, 0
    lines = text.split("\n")
    front = lines[0] == "---"
    for i, line in enumerate(lines):
        if front:
            front = not (i and line == "---")
        elif line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and i and re.match(r"#{1,6} |\Z", line) and not lines[i - 1].strip():
            found.append(offset)
        offset += len(line) + 1
    return found


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_prose_between_blocks_is_never_sent(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([p for p in FILES if p.name != "21-crlf-and-bom.md"]))
    text = text_of(path)
    at = data.draw(st.sampled_from(gaps(text) or [len(text)]))
    prose = data.draw(st.sampled_from(PROSE))

    # Below `## Negative prompt` a list is the words themselves, and so is a fence.
    assume(not (prose[0] in "-1`" and text[:at].rpartition("## ")[2].startswith("Negative prompt\n-")))

    read, _ = markdown.read(f"{text[:at]}\n{prose}\n\n{text[at:]}", path.name)

    assert not [t for t in sent(read.value) if "zarquon" in t.casefold()]
    assert sent(read.value) == sent(markdown.read(text, path.name)[0].value)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_inserting_a_scene_renames_no_other(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([p for p in FILES if p.name[:2] not in ("21", "33", "36", "07")]))
    text = text_of(path)
    starts = [
        m.start()
        for m in re.finditer(
            r"(?m)^#+ [^\n]*(?:Scene|Szene|Scène|Escena|Cena|场|シーン|씬|장면)[^\n]*$", text
        )
    ]
    at = data.draw(st.sampled_from([*starts, len(text)]))
    level = data.draw(st.sampled_from(["##"] if "\n# Scene" not in f"\n{text}" else ["#"]))

    read, _ = markdown.read(
        f"{text[:at]}\n{level} Scene inserted-99\n> a new picture\n\n{text[at:]}", path.name
    )

    before = [s["id"] for s in scenes(expected(path))]
    assert [s["id"] for s in scenes(read) if s["id"] != "inserted-99"] == before


@pytest.mark.parametrize("path", FOREIGN, ids=names(FOREIGN))
def test_another_program_s_file_is_refused_with_one_sentence_and_an_example(path: Path) -> None:
    _, problems = markdown.read(text_of(path), path.name)

    assert [p.code for p in problems] == ["no-prompt"]
    assert problems[0].severity == "error"
    assert "so there is nothing to make" in problems[0].message
    assert len(problems[0].hint.splitlines()) == 4


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_a_markdown_file_is_known_by_its_content(path: Path) -> None:
    assert markdown.looks_like(text_of(path))
    assert not markdown.looks_like(
        "# Scene 1 is below\nkiebatch: 1\n" + path.with_suffix(".expected.yaml").read_text()
    )
