"""The text of a scene file and how to change it, whatever form it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kiebatch import files
from kiebatch.board import edits, markdown_edits
from kiebatch.board.actions import Edit
from kiebatch.errors import Invalid, Problem
from kiebatch.model import Document, Job, Slot
from kiebatch.project import Opened, Pins, joined_files, lock_path, repinned
from kiebatch.scenefile import document, markdown

Reading = tuple[Document, list[Problem]]
Change = Callable[[str], str]


class CannotEdit(Invalid):
    """This shape of Markdown cannot be edited; the same film as YAML could be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A change of a scene file or of the enhanced prompts, and what reading the film with it gives."""

    edit: Edit
    reading: Reading
    pins: Pins | bool = True


class Source:
    """The scene file of a project, for changes of one value that leave every other character alone."""

    def __init__(self, opened: Opened) -> None:
        path = opened.workspace.scene_file
        if path is None:
            raise Invalid("this project has no scene file")
        self._workspace = opened.workspace
        self._document = opened.document
        self._path = path

    def prompt(self, slot: Slot) -> str:
        """Return a take's prompt as its author wrote it: its own words, else the shot's."""
        return edits.prompt_of(self._document.value, slot.scene, slot.shot, slot.take)

    def with_prompt(self, slot: Slot, prompt: str) -> Changed:
        """Return the file with other words for all takes of a shot."""
        if self._document.form == "markdown":
            return self._markdown(markdown_edits.prompt_edit(self._document, slot, prompt))
        return self._yaml(lambda text: edits.with_prompt(text, self._shown, slot.scene, slot.shot, prompt))

    def with_take(self, slot: Slot, takes: int, prompt: str = "") -> Changed:
        """Return the file with one more take of a shot that has `takes` of them, perhaps with words of its own."""
        if self._document.form == "markdown":
            return self._markdown(markdown_edits.take_edit(self._document, slot, takes, prompt))
        return self._yaml(
            lambda text: edits.with_take(text, self._shown, slot.scene, slot.shot, takes, prompt)
        )

    def with_enhanced(self, job: Job, words: str | None) -> Changed:
        """Return the enhanced prompts with other words for a job's, or without its: the author's are sent then."""
        path = lock_path(self._workspace)
        before = path.read_bytes().decode() if path.is_file() else ""
        after = repinned(before, job, words)
        return Changed(
            edit=Edit(path=path, before=before, after=after),
            reading=(self._document, []),
            pins=Pins(self._workspace, text=after),
        )

    @property
    def _shown(self) -> str:
        return files.shown(self._path)

    def _yaml(self, change: Change) -> Changed:
        before = self._path.read_bytes().decode()
        after = change(before)
        read = document.read(after.removeprefix("\ufeff"), self._document.file)
        return Changed(edit=Edit(path=self._path, before=before, after=after), reading=(read, []))

    def _markdown(self, wanted: markdown_edits.Wanted) -> Changed:
        """Try the shapes that the value may have, and keep the first change that reads back as exactly what is meant."""
        joined = joined_files(self._path)
        path = next((p for p in joined if files.shown(p) == wanted.where.file), self._path)
        before = path.read_bytes().decode()
        others = {p: files.read_text(p) for p in joined if p != path}
        for after in markdown_edits.candidates(before, wanted):
            reading = _read_markdown(joined, {**others, path: after})
            if reading[0].value == wanted.value and not _errors(reading):
                return Changed(edit=Edit(path=path, before=before, after=after), reading=reading)
        raise CannotEdit(
            f"{wanted.where}: this place in the Markdown file cannot be edited from here",
            hint="convert the file to YAML, or change it in your editor",
        )


def _read_markdown(paths: list[Path], texts: dict[Path, str]) -> Reading:
    readings = [markdown.read(texts[p].removeprefix("\ufeff"), files.shown(p)) for p in paths]
    return markdown.join(readings) if len(readings) > 1 else readings[0]


def _errors(reading: Reading) -> bool:
    return any(problem.severity == "error" for problem in reading[1])
