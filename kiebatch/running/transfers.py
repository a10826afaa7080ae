"""Brings files from the store and takes local ones there; never a file over another, and nothing that is not checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from kiebatch import files
from kiebatch.errors import Invalid, KieBatchError, plain
from kiebatch.model import JSON, Asset, Slot, parse_slot
from kiebatch.planning import Action, Plan, Reason, plan
from kiebatch.project import Opened, finding
from kiebatch.record import Key, ManifestWriter, Results, StoreFailed, Whereabouts, manifest
from kiebatch.record.manifest import Manifest
from kiebatch.record.store import open_store, times_of
from kiebatch.running.previews import store_preview
from kiebatch.settings import Settings
from kiebatch.workspace import Workspace

_AT_ONCE = 8
What = Literal["moved", "already", "absent", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """What became of one file.

    moved: brought or stored now; already: it was there; absent: nobody has it; failed: `message` says why.
    """

    what: What
    slot: str
    asset: Asset
    message: str = ""

    def as_json(self) -> dict[str, JSON]:
        found: dict[str, JSON] = {
            "slot": self.slot,
            "asset": self.asset.id,
            "file": self.asset.filename,
            "bytes": self.asset.bytes,
        }
        return found | ({"message": self.message} if self.message else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What came of `pull` or `push`: each file once, in the manifest's order."""

    store: str
    files: tuple[Transferred, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    def of(self, what: What) -> tuple[Transferred, ...]:
        return tuple(one for one in self.files if one.what == what)

    @property
    def complete(self) -> bool:
        return not self.of("absent") and not self.of("failed")

    def as_json(self, moved: str) -> dict[str, JSON]:
        """Return the answer; `moved` is what the command calls the files that it moved."""
        return {
            "status": "success" if self.complete else "failed",
            "store": self.store,
            moved: [one.as_json() for one in self.of("moved")],
            "already": len(self.of("already")),
            "absent": [one.as_json() for one in self.of("absent")],
            "failed": [one.as_json() for one in self.of("failed")],
        }


def chosen_store(settings: Settings, recorded: Manifest) -> Results:
    """Return the person's own store; `Invalid` where none is set.  What the manifest names is only told."""
    if settings.store:
        return open_store(settings.store, times_of(settings))
    named = f"the manifest names {plain(recorded.store, 200)}: " if recorded.store else ""
    raise Invalid(
        "there is no store: KIEBATCH_STORE is not set",
        hint=f"{named}set it to a store that you trust, such as s3://bucket/prefix or file:///mnt/results",
    )


def pull(
    workspace: Workspace,
    settings: Settings,
    slots: Sequence[str] = (),
    *,
    every: bool = False,
    done: Callable[[], object] = lambda: None,
) -> Transfer:
    """Bring the files of slots (all of them without any) that are not here; with `every` those of older versions too.

    `done` is called after each file.  What lies under a file's name stays, whatever it is.
    """
    recorded = finding.read_manifest(workspace)
    store = chosen_store(settings, recorded)

    def bring(slot: str, asset: Asset) -> Transferred:
        path = workspace.asset_path(asset.filename)
        if files.is_there(path):
            return Transferred(what="already", slot=slot, asset=asset)
        if store.fetch(asset, path):
            return Transferred(what="moved", slot=slot, asset=asset)
        if files.is_there(path):
            return Transferred(what="already", slot=slot, asset=asset)
        message = "the store does not have it, or has other bytes under its name"
        return Transferred(what="absent", slot=slot, asset=asset, message=message)

    wanted = [(s, a) for s, a in _of_slots(recorded, slots) if every or a.current]
    found = _each(bring, wanted, done)
    _note(workspace, recorded, found)
    return Transfer(store=store.address, files=found, notes=_other_store(recorded, store, "looked in"))


def push(
    opened: Opened,
    settings: Settings,
    slots: Sequence[str] = (),
    *,
    done: Callable[[], object] = lambda: None,
) -> Transfer:
    """Take the files of slots (all versions of all of them without any) to the store, and what they were paid for.

    When all files of the film are there, the manifest names the store from then on.
    """
    workspace, recorded = opened.workspace, opened.manifest
    store = chosen_store(settings, recorded)

    def take(slot: str, asset: Asset) -> Transferred:
        there = store.holds(asset)
        path = workspace.asset_path(asset.filename)
        if not there and not files.is_there(path):
            message = "it is neither here nor in the store"
            return Transferred(what="absent", slot=slot, asset=asset, message=message)
        if not there:
            store.keep(asset.sha256 or "", path)
            store_preview(store, asset, path, workspace.state)
        return Transferred(what="already" if there else "moved", slot=slot, asset=asset)

    found = _each(take, _of_slots(recorded, slots), done)
    transfer = Transfer(store=store.address, files=found, notes=_other_store(recorded, store, "they go to"))
    _note(workspace, recorded, found)
    _enter_results(opened, store, transfer)
    if transfer.complete and not slots and found:
        _name_store(workspace, store.address)
    return transfer


def _of_slots(recorded: Manifest, names: Sequence[str]) -> list[tuple[str, Asset]]:
    """Return the assets of slots that a store can have, all of them where none is named."""
    by_slot = manifest.slots(recorded.assets)
    chosen: dict[Slot, None] = {} if names else dict.fromkeys(by_slot)
    for name in names:
        found = parse_slot(name, by_slot)
        if not found:
            known = ", ".join(map(str, list(by_slot)[:12]))
            raise Invalid(f"the manifest has no slot `{plain(name, 80)}`", hint=f"its slots are {known}")
        chosen |= dict.fromkeys(found)
    return [
        (str(slot), asset)
        for slot, assets in by_slot.items()
        for asset in assets
        if slot in chosen and asset.sha256 and not asset.draft
    ]


def _each(
    work: Callable[[str, Asset], Transferred],
    wanted: Iterable[tuple[str, Asset]],
    done: Callable[[], object],
) -> tuple[Transferred, ...]:
    """Do the work for each file, several at once.  A store that does not answer ends what has not begun."""
    silent: list[StoreFailed] = []

    def guarded(slot: str, asset: Asset) -> Transferred:
        if silent:
            return Transferred(what="failed", slot=slot, asset=asset, message="not tried: the store failed")
        try:
            return work(slot, asset)
        except StoreFailed as failed:
            silent.append(failed)
            return Transferred(what="failed", slot=slot, asset=asset, message=plain(failed.message))
        except KieBatchError as error:
            return Transferred(what="failed", slot=slot, asset=asset, message=plain(error.message))

    found = []
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for one in pool.map(lambda pair: guarded(*pair), wanted):
            found.append(one)
            done()
    return tuple(found)


def _note(workspace: Workspace, recorded: Manifest, found: Iterable[Transferred]) -> None:
    """Write down what the store was seen to have and to lack."""
    whereabouts = Whereabouts(recorded, workspace.state)
    there = [one.asset.sha256 for one in found if one.what in ("moved", "already") and one.asset.sha256]
    whereabouts.note(there, there=True)
    whereabouts.note([o.asset.sha256 for o in found if o.what == "absent" and o.asset.sha256], there=False)


def _other_store(recorded: Manifest, store: Results, verb: str) -> tuple[str, ...]:
    if recorded.store in (None, store.address):
        return ()
    return (
        f"the manifest names {plain(recorded.store, 200)}; {verb} {store.address}, as KIEBATCH_STORE says",
    )


# --- what files were paid for --------------------------------------------------------------------------


def _enter_results(opened: Opened, store: Results, transfer: Transfer) -> None:
    """Say in the store which content each stored result was paid for, so that no other project buys it."""
    stored = {one.asset.id for one in transfer.files if one.what in ("moved", "already")}
    for key, assets in _results(plan(opened)):
        if all(asset.id in stored for asset in assets):
            store.enter(key, assets)


def _results(todo: Plan) -> Iterator[tuple[Key, tuple[Asset, ...]]]:
    """Yield the results that stand for what today's file asks for; a file that was adopted was bought by nobody."""
    for entry in todo.entries:
        prints = {asset.fingerprint for asset in entry.current}
        bought = entry.action is Action.KEEP and entry.cause in (Reason.KEPT, Reason.MOVED)
        if bought and len(prints) == 1 and None not in prints:
            yield Key(prints.pop() or "", entry.slot.take, entry.twin), entry.current


def _name_store(workspace: Workspace, address: str) -> None:
    writer = ManifestWriter(workspace.manifest_path, lock=workspace.write_lock, now=lambda: 0.0)
    if writer.manifest.store != address:
        writer.update(lambda recorded: recorded.stored_at(address))
