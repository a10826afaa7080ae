"""Reads the facts that a plan rests on: digests of files, attempts, what a store has, what models are the same."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from kiebatch.errors import Invalid
from kiebatch.model import Asset, Attempt
from kiebatch.planning.plans import Facts
from kiebatch.project import Digests, Opened
from kiebatch.provider import lifetimes
from kiebatch.record import Whereabouts

if TYPE_CHECKING:
    from kiebatch.record import Journal, ResultStore


def gathered(
    opened: Opened, journal: Journal | None, store: ResultStore | None, now: Callable[[], float]
) -> Facts:
    """Return what the disk, the journal and the catalogue say now."""
    digests = Digests(journal)
    found = _digests_of_current(opened, digests)
    digests.remember()
    models = _Models(opened)

    whereabouts = Whereabouts(opened.manifest, opened.workspace.state)
    if store is not None:
        store.distrust(whereabouts.damaged)

    def intact(asset: Asset) -> bool:
        try:
            path = opened.workspace.asset_path(asset.filename)
            return bool(asset.sha256) and digests(path) == asset.sha256
        except FileNotFoundError:
            return whereabouts.remote(asset)
        except (OSError, Invalid):
            return False

    def retrievable(asset: Asset) -> bool:
        if not asset.task_id or asset.draft:
            return False
        return now() - _seconds(asset.created_at) < lifetimes.RESULT.kept_s

    attempts = journal.attempts() if journal else []
    return Facts(
        digests=found,
        media={path: digest for path, (digest, _) in opened.media.items()},
        attempts=attempts,
        saved=_unrecorded(journal, attempts, opened) if journal else {},
        stored=store,
        others=_Others(journal) if journal is not None and journal.claims_first else None,
        retrievable=retrievable,
        collectable=lambda attempt: now() - (attempt.submitted_at or 0.0) < lifetimes.RESULT.kept_s,
        same_model=models.same,
        could_be=models.could_be,
        draft=opened.workspace.draft,
        intact=intact,
        remote=whereabouts.remote,
    )


def _digests_of_current(opened: Opened, digests: Digests) -> dict[str, str | None]:
    """Return the sha256 of each current asset's file; None where it is gone, nothing where it cannot be read."""
    found: dict[str, str | None] = {}
    for asset in opened.manifest.assets:
        if not asset.current or asset.filename in found:
            continue
        try:
            found[asset.filename] = digests(opened.workspace.asset_path(asset.filename))
        except FileNotFoundError:
            found[asset.filename] = None
        except OSError:
            found[asset.filename] = ""  # unreadable is not missing: it counts as altered
    return found


def _unrecorded(journal: Journal, attempts: Sequence[Attempt], opened: Opened) -> dict[tuple[str, int], str]:
    """Return the digests of results that were saved and that the manifest lacks."""
    recorded = {asset.task_id for asset in opened.manifest.assets}
    lacking = [a for a in attempts if a.state == "saved" and a.task_id and a.task_id not in recorded]
    return {
        (attempt.task_id, output.asset.output): output.asset.sha256
        for attempt in lacking
        for output in journal.outputs_of(attempt.id)
        if attempt.task_id and output.asset and output.asset.sha256
    }


class _Others:
    """What other films of the account have, each content asked about once."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[str, list[Attempt]] = {}

    def prepare(self, contents: Iterable[str]) -> None:
        new = [content for content in contents if content not in self._known]
        if not new:
            return
        self._known |= {content: [] for content in new}
        for attempt in self._journal.find(new):
            if attempt.elsewhere:
                self._known[attempt.fingerprint].append(attempt)

    def of(self, contents: Iterable[str]) -> list[Attempt]:
        wanted = list(contents)
        self.prepare(wanted)
        return [attempt for content in reversed(wanted) for attempt in self._known[content]]


class _Models:
    """Two questions about names: whether two mean one model, and whether another tool's name could mean it."""

    def __init__(self, opened: Opened) -> None:
        self._catalogue = opened.catalogue
        self.same = functools.cache(self._same)
        self.could_be = functools.cache(self._could_be)

    def _same(self, a: str, b: str) -> bool:
        return a == b or self._id(a) == self._id(b)

    def _could_be(self, name: str, model_id: str) -> bool:
        return self._same(name, model_id) or any(m.id == model_id for m in self._catalogue.named(name))

    def _id(self, name: str) -> str:
        model = self._catalogue.get(name)
        if model:
            return model.id
        try:
            return self._catalogue.resolve(name).id
        except Invalid:
            return name


def _seconds(created_at: str) -> float:
    try:
        return dt.datetime.fromisoformat(created_at.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
