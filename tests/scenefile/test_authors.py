"""Files in the ways people write them: the jobs that each must give, the lines that it must name, and what changes none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from kiebatch.errors import Problem
from kiebatch.model import JSON, Document, Job, as_list, as_mapping, under
from kiebatch.scenefile import build, convert, document, intake, markdown
from support.places import TESTS
from support.scenes import CATALOGUE

# A file of a writer names no models: these serve its pictures and clips.
OPTIONS = build.Options(model="nano-banana-2", models={"video": "kling/v2-5-turbo-text-to-video-pro"})
CORPUS = TESTS / "corpus" / "authors"
EXPECTED = as_mapping(document.read((CORPUS / "expected.yaml").read_text(encoding="utf-8"), "x").value)
MARKDOWN = [name for name in EXPECTED if name.endswith(".md")]
YAML = [name for name in EXPECTED if name.endswith(".yaml")]


def text_of(name: str) -> str:
    return (CORPUS / name).read_bytes().decode("utf-8")


def read(text: str, name: str) -> tuple[Document, list[Problem]]:
    """Read a text as the program does: by its content."""
    taken = intake.read(text, name)
    if taken is not None:
        return taken.document, list(taken.problems)
    if markdown.looks_like(text) or name.endswith(".md"):
        return markdown.read(text, name)
    return document.read(text, name), []


def made(text: str, name: str) -> tuple[tuple[Job, ...], list[Problem]]:
    found, problems = read(text, name)
    project, more = build.build(found, CATALOGUE, OPTIONS)
    return project.jobs, [*problems, *more]


def wanted(text: str, name: str) -> list[tuple[str, str, JSON]]:
    """Return what a file asks for: slot, model, and the words and params without what counts as no change."""
    jobs, problems = made(text, name)
    assert [str(p) for p in problems if p.severity == "error"] == []
    return [(str(job.slot), job.model, normal(dict(job.authored))) for job in jobs]


def normal(value: JSON) -> JSON:
    """Return a value with its texts as they are compared: NFC, runs of blanks as one, none at the ends of lines."""
    if isinstance(value, dict):
        return {key: normal(one) for key, one in value.items()}
    if isinstance(value, list):
        return [normal(one) for one in value]
    if not isinstance(value, str):
        return value
    lines = unicodedata.normalize("NFC", value.replace("\r\n", "\n")).split("\n")
    return "\n".join(re.sub(r"[ \t\u00a0]+", " ", line).strip() for line in lines).strip()


def test_the_corpus_holds_every_file_and_no_other() -> None:
    assert {path.name for path in CORPUS.iterdir()} == {*EXPECTED, "expected.yaml"}
    assert len(EXPECTED) >= 60


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_gives_the_jobs_that_its_author_meant(name: str) -> None:
    jobs, problems = made(text_of(name), name)

    assert [str(p) for p in problems if p.severity == "error"] == []
    assert {str(job.slot): job.prompt for job in jobs} == under(EXPECTED[name], "jobs")


@pytest.mark.parametrize("name", [name for name, one in EXPECTED.items() if under(one, "named")])
def test_what_is_not_sent_as_it_was_written_is_named_at_its_line(name: str) -> None:
    _, problems = made(text_of(name), name)

    assert set(as_list(under(EXPECTED[name], "named"))) <= {p.where.line for p in problems}


@pytest.mark.parametrize("name", [*MARKDOWN, *YAML])
def test_both_forms_of_a_file_give_the_same_jobs(name: str) -> None:
    found, _ = read(text_of(name), name)

    assert wanted(convert.to_yaml(found), "x.yaml") == wanted(text_of(name), name)
    assert wanted(convert.to_markdown(found), "x.md") == wanted(text_of(name), name)


# --- mutations -----------------------------------------------------------------------------------------


def crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def with_a_mark(text: str) -> str:
    return f"\ufeff{text}"


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def blanks_at_line_ends(text: str) -> str:
    return re.sub(r"(?m)(?<=\S)$", "  ", text)


def no_newline_at_the_end(text: str) -> str:
    return text.rstrip("\n")


def more_newlines_at_the_end(text: str) -> str:
    return f"{text}\n\n\n"


def comments(text: str) -> str:
    """Put a comment before each scene, and at either end: of YAML, or of Markdown."""
    if text.startswith("kiebatch:"):
        return "# first\n" + re.sub(r"(?m)^(  - )", r"  # a note\n\1", text) + "# last\n"
    return re.sub(r"(?m)^(#{2,3} )", r"<!-- a note -->\n\n\1", text) + "\n<!-- last -->\n"


EVERYWHERE: tuple[Callable[[str], str], ...] = (
    crlf,
    with_a_mark,
    decomposed,
    blanks_at_line_ends,
    no_newline_at_the_end,
    more_newlines_at_the_end,
    comments,
)


@pytest.mark.parametrize("name", [*MARKDOWN, *YAML])
@pytest.mark.parametrize("mutation", EVERYWHERE, ids=lambda mutation: mutation.__name__)
def test_white_space_comments_line_ends_and_encodings_change_no_job(
    name: str, mutation: Callable[[str], str]
) -> None:
    text = text_of(name)
    changed = mutation(text)

    # A Markdown file whose first line is front matter begins with it, and so does one that is YAML by its content.
    assert wanted(changed, name) == wanted(text, name)


@pytest.mark.parametrize("name", YAML)
def test_the_order_of_keys_changes_no_job(name: str) -> None:
    found = document.read(text_of(name), name)

    def turned(value: JSON) -> JSON:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(one) for one in value] if isinstance(value, list) else value

    value = turned(found.value)
    again = Document(value=value, places={}, file=name)
    project, _ = build.build(again, CATALOGUE, OPTIONS)

    assert [(str(j.slot), j.model, normal(dict(j.authored))) for j in project.jobs] == wanted(
        text_of(name), name
    )


def test_the_files_lie_in_the_repository_as_they_were_written() -> None:
    assert b"\r\n" in Path(CORPUS / "71-excel.csv").read_bytes()
