"""Tells by its content what a file with prompts is, and reads it."""

from __future__ import annotations

from enum import StrEnum

from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, Problem
from kiebatch.model import Document


class TextForm(StrEnum):
    """What is one prompt in a plain text."""

    LINES = "lines"
    PARAGRAPHS = "paragraphs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A file as a scene file: its document, warnings, and what of it was taken as what, for the person to check."""

    document: Document
    problems: tuple[Problem, ...] = ()
    said: tuple[str, ...] = ()


def read(text: str, file: str, text_form: TextForm | None = None) -> Taken | None:
    """Return a table, JSON or (with `text_form`) a plain text as a scene file; None for what is none of these.

    `Invalid` where its content is ambiguous: no prompts, several columns of ids, a comment or a prompt.
    """
    from kiebatch.scenefile.intake import json_prompts, plain_text, spreadsheet

    text = text.removeprefix("\ufeff")
    if text_form is not None:
        return _whole(plain_text.read(text, file, text_form))
    if json_prompts.looks_like(text):
        return _whole(json_prompts.read(text, file))
    if spreadsheet.looks_like(text):
        return _whole(spreadsheet.read(text, file))
    return None


def _whole(taken: Taken) -> Taken:
    if any(problem.severity == "error" for problem in taken.problems):
        raise Invalid(taken.problems)
    return taken
