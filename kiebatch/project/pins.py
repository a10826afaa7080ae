"""Finds the pinned text of a prompt: presets and `prompts.lock.yaml` of a project, read when first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from kiebatch import files, prompts
from kiebatch.catalogue import Model
from kiebatch.errors import Invalid, Problem
from kiebatch.model import Job, Media, RoleMedia
from kiebatch.prompts import Key, Lock, Presets, lock
from kiebatch.scenefile.build import RawPrompt
from kiebatch.workspace import Workspace, config_home


class Pins:
    """The presets and the lock of one project.  A film that enhances nothing never reads them."""

    def __init__(self, workspace: Workspace, *, text: str | None = None) -> None:
        """`text` takes the place of the lock's file, to see what a change of it would do."""
        self._workspace = workspace
        self._text = text
        self._read_lock = False

    @cached_property
    def presets(self) -> Presets:
        return prompts.load(self._workspace.root, config_home())

    @cached_property
    def lock(self) -> Lock:
        self._read_lock = True
        path = lock_path(self._workspace)
        if self._text is not None:
            return lock.parse(self._text, files.shown(path))
        return lock.read(path)

    @property
    def problems(self) -> Sequence[Problem]:
        """What the lock warns about, if it was read."""
        return self.lock.problems if self._read_lock else ()

    def find(self, raw: RawPrompt) -> str | None:
        """Return the pinned text of a prompt; `Invalid` for a preset that is not there."""
        key = self.key(raw.text, raw.model, raw.media, raw.preset)
        entry = self.lock.get(key) if key else None
        return entry.text if entry else None

    def key(
        self, text: str, model: Model, media: Sequence[Media | RoleMedia], preset: str = ""
    ) -> Key | None:
        """Return what the text of a prompt is found by; None where no preset fits, so that there is none."""
        chosen = self.presets.choose(model, prompts.pattern_of(model, media), preset).preset
        if chosen is None:
            return None
        return Key(lock.digest(text), chosen.key, chosen.version, model.id)


def repinned(text: str, job: Job, words: str | None) -> str:
    """Return the lock's text with other words for a job's enhanced prompt, or without it where `words` is None.

    `Invalid` where the lock holds no such prompt.
    """
    found = lock.parse(text)
    raw = lock.digest(job.prompt_raw)
    entry = next(
        (e for e in found.entries if (e.key.raw, e.key.model, e.text) == (raw, job.model, job.prompt)), None
    )
    if entry is None:
        raise Invalid(f"`{job.slot}` has no enhanced prompt in {lock.NAME}")
    if words is None:
        return lock.dump(found.without([entry.key]))
    return lock.dump(
        found.with_entries([replace(entry, text=words, by="by hand", tokens=None, credits=None)])
    )


def presets(project: str | Path | None = None) -> Presets:
    """Return every prompt preset that a project sees: its own, the person's, and those that ship.

    `presets("film")["clip"]` is one, `.choose(model, pattern)` says which one a model gets and why.
    """
    return prompts.load(Path(project or ".").resolve(), config_home())


def lock_path(workspace: Workspace) -> Path:
    """Return where a project's enhanced prompts lie: beside its scene file."""
    return workspace.root / lock.NAME
