"""The lines of a Markdown file, and the places in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kiebatch.errors import Where
from kiebatch.scenefile.markdown.prose import Block


@dataclass(frozen=True, slots=True)
class Page:
    """A file's name and lines.  Lines and columns count from 0 here, and from 1 in a `Where`."""

    file: str
    lines: Sequence[str]

    def place(self, line: int, column: int = 0) -> Where:
        return Where(self.file, line + 1, column + 1)

    def start(self, block: Block) -> Where:
        return self.start_of(block.first)

    def start_of(self, line: int) -> Where:
        text = self._line(line)
        return self.place(line, len(text) - len(text.lstrip()))

    def _line(self, line: int) -> str:
        return self.lines[line] if line < len(self.lines) else ""

    def indent(self, line: int) -> int:
        text = self._line(line).expandtabs(4)
        return len(text) - len(text.lstrip())

    def source(self, first: int, last: int) -> str:
        """Return the lines as written, without the indentation that they share."""
        lines = [line.expandtabs(4) for line in self.lines[first:last]]
        while lines and not lines[-1].strip():
            lines.pop()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        return "\n".join(line[indent:].rstrip() for line in lines)

    def content(self, block: Block) -> list[tuple[str, Where]]:
        """Return a paragraph's lines with the place of each."""
        found = []
        for i, text in enumerate(block.text.split("\n")):
            line = min(block.first + i, len(self.lines) - 1)
            text = text.strip()
            found.append((text, self.place(line, max(0, self.lines[line].find(text)))))
        return found
