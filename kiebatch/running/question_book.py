"""The journal of questions to chat models: a line before each, and one after.  Local, append-only."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kiebatch import files
from kiebatch.prompts import Key

Over = Literal["answered", "refused", "lost"]


@dataclass(slots=True, kw_only=True)
class QuestionBook:
    """Which questions were asked and how each ended.  `lost` are those of which nobody knows the end."""

    path: Path
    lost: set[Key] = field(default_factory=set)
    _torn: bool = False  # a crash cut the last line

    @classmethod
    def read(cls, path: Path) -> QuestionBook:
        """Read the book; a question without an end, as after a crash, counts as lost.  A torn last line does not end one."""
        text = files.text_if_there(path)
        book = cls(path=path, _torn=bool(text) and not text.endswith("\n"))
        for line in text.splitlines():
            try:
                row = json.loads(line)
                key = Key(*row["key"])
            except (ValueError, KeyError, TypeError):
                continue
            if row.get("event") in ("answered", "refused"):
                book.lost.discard(key)
            else:
                book.lost.add(key)
        return book

    def asked(self, key: Key, model: str, time: str) -> None:
        """Write down a question, durably, before it is sent."""
        self.lost.add(key)
        self._append({"event": "asked", "key": list(key), "model": model, "time": time})

    def over(self, key: Key, how: Over) -> None:
        """Write down how a question ended."""
        if how != "lost":
            self.lost.discard(key)
        self._append({"event": how, "key": list(key)})

    def _append(self, row: dict[str, object]) -> None:
        files.private_folder(self.path.parent)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(("\n" if self._torn else "") + json.dumps(row, ensure_ascii=False) + "\n")
            self._torn = False
            stream.flush()
            os.fsync(stream.fileno())
