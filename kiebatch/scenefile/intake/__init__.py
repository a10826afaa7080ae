"""Prompts that were written elsewhere become a Document: tables, JSON, plain text; each says what it took as what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.scenefile.intake.reading import Taken as Taken
    from kiebatch.scenefile.intake.reading import TextForm as TextForm
    from kiebatch.scenefile.intake.reading import read as read
    from kiebatch.scenefile.intake.spreadsheet import is_table_of_prompts as is_table_of_prompts

__getattr__, __dir__ = face(
    __name__,
    {
        "Taken": "reading",
        "TextForm": "reading",
        "is_table_of_prompts": "spreadsheet",
        "read": "reading",
    },
)
