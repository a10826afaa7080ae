"""What a tool's arguments become on the command line.

There is no way to write `--force`, `--allow-unpriced` or `resolve --resubmit` here: those are for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kiebatch.errors import Invalid

Choice = Literal["pick", "reject", "none"]
_CHOICES: dict[Choice, list[str]] = {"pick": [], "reject": ["--reject"], "none": ["--none"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which scene file of the project a tool is about, and which part of it."""

    root: Path
    scene_file: str
    only: Sequence[str] = ()
    draft: bool = False

    @property
    def path(self) -> Path:
        """Return the scene file's path.  `Invalid` for one outside the folder that the server was started for."""
        path = (self.root / self.scene_file).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise Invalid(f"`{self.scene_file}` is outside the project of this server")
        return path

    @property
    def folder(self) -> list[str]:
        return ["--draft"] if self.draft else []

    @property
    def selection(self) -> list[str]:
        return [f"--only={selector}" for selector in self.only]


def validate(chosen: Chosen) -> list[str]:
    return ["validate", "--json", "--", str(chosen.path)]


def plan(chosen: Chosen) -> list[str]:
    return ["plan", "--json", *chosen.selection, *chosen.folder, "--", str(chosen.path)]


def run(chosen: Chosen, spending: Sequence[str]) -> list[str]:
    """Return the command of a run; `spending` is what `draft` or `within` return."""
    return ["run", "--json", "--no-progress", *spending, *chosen.selection, "--", str(chosen.path)]


def draft() -> list[str]:
    return ["--draft"]


def within(allowance: float, *, partial: bool) -> list[str]:
    """Return the options of a run that may reserve so many credits."""
    words = [f"--max-credits={allowance!r}"]
    if partial:
        words.append("--partial")
    return words


def status(chosen: Chosen) -> list[str]:
    return ["status", "--json", *chosen.folder, "--", str(chosen.path)]


def board(chosen: Chosen) -> list[str]:
    return ["board", "--json", *chosen.folder, "--", str(chosen.path)]


def pick(chosen: Chosen, slot: str, choice: Choice, note: str | None) -> list[str]:
    words = ["pick", "--json", *_CHOICES[choice]]
    if note is not None:
        words.append(f"--note={note}")
    return [*words, f"--file={chosen.path}", *chosen.folder, "--", slot]


def models(model: str | None, *, task: str | None, modality: str | None) -> list[str]:
    words = ["models", "--json"]
    if task:
        words.append(f"--task={task}")
    if modality:
        words.append(f"--modality={modality}")
    if model:
        words += ["--", model]
    return words
