"""What `kiebatch doctor` looks at where machines share: the store of results, and the team's ledger.  Reads alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kiebatch import files
from kiebatch.cli.checks import Check, good, note, problem
from kiebatch.errors import KieBatchError, Refused, plain
from kiebatch.project import team_here
from kiebatch.record import Results, StoreFailed
from kiebatch.record.store import StoreAddress, StoreTimes, open_store
from kiebatch.settings import Settings
from kiebatch.team import address, shown

_TIMES = StoreTimes(connect_s=5.0, read_s=5.0, whole_s=10.0, again_s=5.0, retries=1)
_KEYS = (
    "look at the network and at the store's keys in the environment (docs/store.md), or unset KIEBATCH_STORE"
)
_AWAY = (
    "look at the network, and at the file with the password that PGPASSFILE names; nothing is sent without it"
)


def store(chosen: Settings, times: StoreTimes = _TIMES) -> Check | None:
    """Look at the store that is set: whether a bucket answers, whether a folder can be read and written."""
    if not chosen.store:
        return None
    try:
        folder = StoreAddress.parse(chosen.store).folder
        return _bucket(open_store(chosen.store, times)) if folder is None else _folder(folder)
    except KieBatchError as error:
        return problem("store", plain(error.message), error.hint or "correct KIEBATCH_STORE, or unset it")


def _bucket(found: Results) -> Check:
    try:
        found.objects.names("doctor")
    except StoreFailed as failed:
        return problem("store", plain(failed.message), _KEYS)
    return good("store", f"{found.address} answers")


def _folder(folder: Path) -> Check:
    shown = files.shown(folder)
    if not folder.is_dir():
        hint = "mount its disk, or make the folder when it is a new store; or unset KIEBATCH_STORE"
        return problem("store", f"there is no folder {shown}", hint)
    if not _may(folder, os.R_OK | os.X_OK):
        return problem("store", f"{shown} cannot be read", "fix its permissions, or unset KIEBATCH_STORE")
    if not _may(folder, os.W_OK):
        hint = "fix its permissions; until then `kiebatch push` stores results later"
        return note("store", f"{shown} can be read, and not written", hint)
    return good("store", f"{shown} can be read and written")


def _may(folder: Path, mode: int) -> bool:
    return os.access(folder, mode, effective_ids=os.access in os.supports_effective_ids)


def team(chosen: Settings, root: Path, environ: Mapping[str, str] = os.environ) -> Check | None:
    """Ask the team's database what it is, and whether it knows the account."""
    url = address(environ)
    if not url:
        return None
    try:
        here = team_here(root, account=chosen.account, api_key=chosen.api_key, environ=environ)
        from kiebatch.team import accounts  # brings the driver along, or says that it is missing

        said = accounts.look(url, here.account if here else "")
    except Refused as away:
        return problem("team", plain(away.message), _AWAY)
    except KieBatchError as error:
        return problem("team", plain(error.message), error.hint or "correct KIEBATCH_TEAM")
    return good("team", f"{shown(url)} answers ({said})")
