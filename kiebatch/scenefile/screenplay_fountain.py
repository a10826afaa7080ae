"""Reads Fountain (fountain.io/syntax): the plain-text form of screenplays."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kiebatch.errors import Invalid, Problem, Where
from kiebatch.scenefile.screenplay import Beat, Script, ScriptScene, Speech, heading

_BONEYARD = re.compile(r"/\*.*?\*/", re.S)
_NOTE = re.compile(r"\[\[(.*?)\]\]", re.S)
_HEADING = re.compile(r"^(?:INT|EXT|EST|INT\.?/EXT|EXT\.?/INT|I/E)[. ]", re.I)
_NUMBER = re.compile(r"\s*#([\w.-]+)#\s*$")
_TITLE_KEY = re.compile(r"^([A-Za-z][A-Za-z ]{0,30}):\s*(.*)$")
_TRANSITION = re.compile(r"^[^a-z]*TO:$")
_EMPHASIS = re.compile(r"(?<!\\)(\*{1,3}|_)(?=\S)(.+?)(?<=\S)\1")
_CHARACTER = re.compile(
    r"^(?P<name>[^a-z(]*[A-Z\u00c0-\u00de\u0400-\u042f][^a-z(]*)(?P<more>\([^)]*\)\s*)*\^?\s*$"
)
_AUTHORS = ("author", "authors", "written by")


def parse(text: str, file: str) -> Script:
    """Return the script.  Action before the first heading is the notes of the first scene.

    `Invalid` when there is no scene heading in it.
    """
    clean = _BONEYARD.sub(lambda m: "\n" * m[0].count("\n"), text.removeprefix("\ufeff"))
    lines = clean.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    told, first = _title_page(lines)
    reader = _Reader()
    number = first
    while number < len(lines):
        number = reader.take(lines, number)
    reader.close()
    if not reader.scenes:
        hint = "a heading is a line such as `INT. LIGHTHOUSE - NIGHT`, with an empty line before it"
        raise Invalid([Problem(where=Where(file, 1), message="this script has no scene heading", hint=hint)])
    author = next((told[key] for key in _AUTHORS if told.get(key)), "")
    return Script(title=told.get("title", ""), author=author, scenes=tuple(reader.scenes))


def _title_page(lines: list[str]) -> tuple[dict[str, str], int]:
    """Return the keys of the title page, and the line behind it; a script may have none."""
    found: dict[str, str] = {}
    key = ""
    for number, line in enumerate(lines):
        match = _TITLE_KEY.match(line)
        if not line.strip():
            return found, number
        if match and not _HEADING.match(line) and not line.strip().endswith("TO:"):
            key = match[1].strip().lower()
            found[key] = _plain(match[2].strip())
        elif key and line[:1] in (" ", "\t"):
            found[key] = " ".join(filter(None, (found[key], _plain(line.strip()))))
        else:
            return {}, 0
    return found, len(lines)


@dataclass(slots=True)
class _Reader:
    scenes: list[ScriptScene] = field(default_factory=list)
    group: str = ""
    before: list[str] = field(default_factory=list)  # action before any heading
    title: str = ""
    number: str = ""
    line: int = 0
    notes: list[str] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    transition: str = ""
    depth: int = 0

    def take(self, lines: list[str], at: int) -> int:
        """Read the element that begins at a line, and return the line behind it."""
        line = lines[at].strip()
        if not line or re.fullmatch(r"={3,}", line):
            return at + 1
        if line.startswith("#"):
            self._section(line)
        elif line.startswith("=") and not line.startswith("=="):
            self.notes.append(_plain(line[1:].strip()))
        elif self._is_heading(lines, at):
            self._open(line, at + 1)
        elif self._is_transition(lines, at):
            self.transition = line.removeprefix(">").strip().rstrip(":")
        elif self._is_character(lines, at):
            return self._speech(lines, at)
        else:
            return self._action(lines, at)
        return at + 1

    def close(self) -> None:
        """End the scene that is open."""
        if not self.line:
            return
        location, time_of_day = heading(self.title)
        notes = [*self.before, *self.notes] if not self.scenes else self.notes
        scene = ScriptScene(
            number=self.number,
            location=location,
            time_of_day=time_of_day,
            group=self.group,
            notes="\n\n".join(notes),
            transition=self.transition,
            beats=tuple(self.beats),
            line=self.line,
        )
        self.scenes.append(scene)
        self.notes, self.beats, self.transition = [], [], ""

    # -- what a line is

    def _is_heading(self, lines: list[str], at: int) -> bool:
        line = lines[at].strip()
        if re.match(r"\.(?!\.)\S", line):
            return True
        alone = at == 0 or not lines[at - 1].strip()
        return alone and bool(_HEADING.match(line))

    def _is_transition(self, lines: list[str], at: int) -> bool:
        line = lines[at].strip()
        if line.startswith(">"):
            return not line.endswith("<")
        around = (lines[at - 1] if at else "", lines[at + 1] if at + 1 < len(lines) else "")
        return bool(_TRANSITION.match(line)) and not any(text.strip() for text in around)

    def _is_character(self, lines: list[str], at: int) -> bool:
        line = lines[at].strip()
        if at + 1 >= len(lines) or not lines[at + 1].strip() or (at and lines[at - 1].strip()):
            return False
        return line.startswith("@") or (not line.startswith("!") and bool(_CHARACTER.match(line)))

    # -- what becomes of it

    def _section(self, line: str) -> None:
        depth = len(line) - len(line.lstrip("#"))
        if self.depth == 0 or depth <= self.depth:
            self.close()
            self.line = 0
            self.group, self.depth = _plain(line.lstrip("#").strip()), depth
        else:
            self.notes.append(_plain(line.lstrip("#").strip()))

    def _open(self, line: str, number: int) -> None:
        pending = [] if self.line else self.notes
        self.close()
        self.notes = pending
        text = line.removeprefix(".")
        found = _NUMBER.search(text)
        self.number = found[1] if found else ""
        self.title = _plain(_NUMBER.sub("", text).strip())
        self.line = number

    def _speech(self, lines: list[str], at: int) -> int:
        speaker = lines[at].strip().removeprefix("@").rstrip("^").strip()
        speaker = re.sub(r"\s*\(CONT['’]?D\)", "", speaker, flags=re.I).strip()
        words: list[str] = []
        direction = ""
        at += 1
        # Two blanks on an otherwise empty line go on with the speech.
        while at < len(lines) and (lines[at].strip() or lines[at] == "  "):
            line = lines[at].strip()
            if line.startswith("(") and line.endswith(")"):
                if words:
                    self._say(speaker, words, direction)
                    words = []
                direction = _plain(line[1:-1].strip())
            elif line:
                words.append(_plain(line.removeprefix("~").strip()))
            at += 1
        self._say(speaker, words, direction)
        return at

    def _say(self, speaker: str, words: list[str], direction: str) -> None:
        text = " ".join(" ".join(words).split())
        notes = _NOTE.findall(text)
        self.notes += [note.strip() for note in notes]
        text = " ".join(_NOTE.sub("", text).split())
        if text:
            self.beats.append(Beat(speech=Speech(speaker=speaker, words=text, direction=direction)))

    def _action(self, lines: list[str], at: int) -> int:
        found: list[str] = []
        while at < len(lines) and lines[at].strip() and not (found and self._is_heading(lines, at)):
            found.append(lines[at].strip().removeprefix("!"))
            at += 1
        text = "\n".join(found)
        self.notes += [" ".join(note.split()) for note in _NOTE.findall(text)]
        centred = re.sub(r"^>\s*(.*?)\s*<$", r"\1", _NOTE.sub("", text), flags=re.M)
        text = _plain("\n".join(filter(None, (" ".join(line.split()) for line in centred.split("\n")))))
        if text and self.line:
            self.beats.append(Beat(action=text))
        elif text:
            self.before.append(text)
        return at


def _plain(text: str) -> str:
    """Return a text without the marks of emphasis."""
    before = ""
    while before != text:
        before, text = text, _EMPHASIS.sub(r"\2", text)
    return re.sub(r"\\([*_])", r"\1", text)
