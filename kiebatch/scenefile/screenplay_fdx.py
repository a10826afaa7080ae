"""Reads Final Draft's `.fdx`: XML whose paragraphs have a type."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field

from kiebatch.errors import Invalid, Problem, Where
from kiebatch.scenefile.screenplay import Beat, Script, ScriptScene, Speech, heading


def parse(text: str, file: str) -> Script:
    """Return the script.  `Invalid` when it is not Final Draft's XML, or holds no scene."""
    if "<!ENTITY" in text:
        raise _refused(file, 1, "this file defines entities, which Final Draft's do not")
    try:
        root = xml.fromstring(text.removeprefix("\ufeff").encode())
    except xml.ParseError as error:
        line, column = error.position
        raise _refused(file, line, f"this is not XML: {error}", column + 1) from None
    content = root.find("Content")
    if root.tag != "FinalDraft" or content is None:
        raise _refused(file, 1, "this is not a Final Draft document")
    reader = _Reader()
    for paragraph in content.iter("Paragraph"):
        reader.take(paragraph)
    reader.close()
    if not reader.scenes:
        raise _refused(file, 1, "this script has no scene heading")
    return Script(title=_title(root), scenes=tuple(reader.scenes))


def _refused(file: str, line: int, message: str, column: int = 1) -> Invalid:
    return Invalid([Problem(where=Where(file, line, column), message=message)])


def _title(root: xml.Element) -> str:
    for paragraph in root.iterfind("TitlePage/Content/Paragraph"):
        found = _text(paragraph)
        if found:
            return found.title() if found.isupper() else found
    return ""


def _text(paragraph: xml.Element) -> str:
    said = "".join(text.text or "" for text in paragraph.iterfind("Text"))
    return " ".join(said.split())


@dataclass(slots=True)
class _Reader:
    scenes: list[ScriptScene] = field(default_factory=list)
    group: str = ""
    slugline: str | None = None
    number: str = ""
    notes: list[str] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    transition: str = ""
    speaker: str = ""
    direction: str = ""

    def take(self, paragraph: xml.Element) -> None:
        kind, text = paragraph.get("Type", "Action"), _text(paragraph)
        if kind == "Scene Heading":
            self.close()
            self.slugline, self.number = text, paragraph.get("Number", "")
        elif text:
            self._take(kind, text)
        self.notes += [found for note in paragraph.iter("ScriptNote") if (found := _note(note))]

    def _take(self, kind: str, text: str) -> None:
        match kind:
            case "Character":
                self.speaker, self.direction = re.sub(r"\s*\(CONT['’]?D\)", "", text, flags=re.I), ""
            case "Parenthetical":
                self.direction = text.strip("() ")
            case "Dialogue" | "Singing":
                speech = Speech(speaker=self.speaker, words=text, direction=self.direction)
                self.beats.append(Beat(speech=speech))
                self.direction = ""
            case "Transition":
                self.transition = text.rstrip(":")
            case "New Act" | "Act Break":
                self.close()
                self.group = text.title() if text.isupper() else text
            case "End of Act":
                pass
            case _:
                self.beats.append(Beat(action=text))

    def close(self) -> None:
        """End the scene that is open; what comes before the first heading goes to its notes."""
        if self.slugline is None:
            return
        location, time_of_day = heading(self.slugline)
        self.scenes.append(
            ScriptScene(
                number=self.number,
                location=location,
                time_of_day=time_of_day,
                group=self.group,
                notes="\n\n".join(self.notes),
                transition=self.transition,
                beats=tuple(self.beats),
            )
        )
        self.slugline, self.notes, self.beats, self.transition = None, [], [], ""


def _note(note: xml.Element) -> str:
    return "\n".join(filter(None, (_text(paragraph) for paragraph in note.iter("Paragraph"))))
