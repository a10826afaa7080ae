"""Answers that were paid for and could not be written into the team's ledger: kept in a local file until they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from kiebatch import files
from kiebatch.model import Output


class _Line(TypedDict):
    """One line of the file.  Of an output it has number, address, text, label and the provider's own id."""

    ledger: str
    attempt: int
    task_id: str
    outputs: list[tuple[int, str | None, str | None, str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The task that the provider made of an attempt, with the outputs that came in the answer."""

    attempt: int
    task_id: str
    outputs: tuple[Output, ...] = ()


class Unwritten:
    """The file `unwritten.jsonl` of one state folder: one line an answer, durable when `keep` returns."""

    def __init__(self, path: Path, ledger: str) -> None:
        self.path = path
        self._ledger = ledger

    def keep(self, answer: Answer) -> None:
        outputs = [(o.number, o.url, o.text, o.label, o.id) for o in answer.outputs]
        line: _Line = {
            "ledger": self._ledger,
            "attempt": answer.attempt,
            "task_id": answer.task_id,
            "outputs": outputs,
        }
        with self._alone():
            self._put([*self._lines(), line])

    def answers(self) -> list[Answer]:
        """Return what is kept for this ledger, oldest first."""
        return [_answer(line) for line in self._lines() if line["ledger"] == self._ledger]

    def written(self, answer: Answer) -> None:
        """Drop an answer that is in the ledger now."""
        gone = (self._ledger, answer.attempt)
        with self._alone():
            self._put([line for line in self._lines() if (line["ledger"], line["attempt"]) != gone])

    def _alone(self) -> AbstractContextManager[None]:
        return files.lock(self.path.with_suffix(".lock"), wait=True, holder="`kiebatch run`")

    def _put(self, lines: Sequence[_Line]) -> None:
        if lines:
            files.replace(self.path, "".join(json.dumps(line) + "\n" for line in lines), private=True)
        else:
            self.path.unlink(missing_ok=True)

    def _lines(self) -> list[_Line]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in files.read_text(self.path).splitlines()]


def _answer(line: _Line) -> Answer:
    return Answer(
        attempt=line["attempt"],
        task_id=line["task_id"],
        outputs=tuple(
            Output(number=number, url=url, text=text, label=label, id=output_id)
            for number, url, text, label, output_id in line["outputs"]
        ),
    )
