"""Reads and writes `prices.yaml`, what jobs were billed on the person's accounts.

    kiebatch-prices: 1
    measured:
      - {account: 3f2a91c0d4e5b6a7, host: https://api.kie.ai, model: z-image, params: {}, listed: 0.8,
         credits: 1.2, kind: exact, as_of: 2026-11-27, jobs: 14}

It lies beside `config.yaml` in the user's config folder.  Runs write it; a line that is removed is forgotten.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from kiebatch import files
from kiebatch._dataclass import dataclass
from kiebatch.addresses import is_loopback
from kiebatch.catalogue import Measured
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON
from kiebatch.project import config
from kiebatch.scenefile import document
from kiebatch.settings import ENVIRONMENT, Settings, settings
from kiebatch.workspace import account_digest, config_home

NAME = "prices.yaml"
FORMAT = 1
_HEAD = "kiebatch-prices"
_LONGEST = 2 * 2**20  # bytes
_COMMENT = "# What jobs were billed. Runs write this file; a line that you remove is forgotten.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose prices count: a digest of the account, empty where no key is known, and the API that it is with."""

    digest: str
    host: str


def account_of(chosen: Settings, root: Path, environ: Mapping[str, str] = os.environ) -> Account:
    """Return the account that a run with these settings would use: they beat the environment, which beats `.env`."""
    names = ("api_key", "base_url", "account")
    usual = Settings()
    flags = {name: getattr(chosen, name) for name in names if getattr(chosen, name) != getattr(usual, name)}
    exported = {ENVIRONMENT[n]: environ[ENVIRONMENT[n]] for n in names if ENVIRONMENT[n] in environ}
    full = settings(flags, exported, {}, env_file=root / ".env")
    account = full.account or config.read().account
    known = bool(full.api_key or account)
    return Account(
        digest=account_digest(full.api_key, full.base_url, account) if known else "", host=full.base_url
    )


def read(account: Account, where: Path | None = None) -> tuple[Measured, ...]:
    """Return what jobs of an account were billed; of every account with its API where the key is not known."""
    rows = _rows(where or _path())
    return tuple(_measured(row) for row in rows if _is_of(row, account))


def add(account: Account, found: Sequence[Measured], where: Path | None = None) -> None:
    """Write measured prices down, in place of those about the same jobs of this account.

    Of accounts with a simulator only this one is kept: the next simulator is another one.
    """
    path = where or _path()
    if path is None or not found:
        return
    about = {one.about for one in found}
    with files.lock(path.with_suffix(".lock"), wait=True, holder="`kiebatch run`", timeout_s=30):
        kept = []
        for row in _rows(path):
            same_account = row["account"] == account.digest and row["host"] == account.host
            another_simulator = _is_simulator(row["host"]) and not same_account
            if not another_simulator and not (same_account and _measured(row).about in about):
                kept.append(row)
        rows = [*kept, *(_row(one, account) for one in found)]
        text = yaml.safe_dump(
            {**_value(path), _HEAD: FORMAT, "measured": rows},
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=None,
            width=110,
        )
        files.replace(path, _COMMENT + text, private=True)


def _path() -> Path | None:
    folder = config_home()
    return folder / NAME if folder else None


def _is_of(row: Mapping[str, JSON], account: Account) -> bool:
    return row["host"] == account.host and account.digest in ("", row["account"])


def _is_simulator(host: str) -> bool:
    return is_loopback(host.partition("//")[2].rpartition(":")[0])


def _value(path: Path) -> dict[str, JSON]:
    """Return what the file holds, nothing where it is not there.  `Invalid` for one that is not ours."""
    if not files.is_there(path):
        return {}
    value = document.read(files.read_text(path, longest=_LONGEST), files.shown(path)).value
    if not isinstance(value, dict) or value.get(_HEAD) != FORMAT or isinstance(value[_HEAD], bool):
        raise _unreadable(path, f"it must begin with `{_HEAD}: {FORMAT}`")
    return value


def _rows(path: Path | None) -> list[dict[str, JSON]]:
    """Return the rows of the file, checked.  `Invalid` where one of them cannot be read."""
    rows = _value(path).get("measured") or [] if path else []
    for number, row in enumerate(rows if isinstance(rows, list) else [None], 1):
        if not _is_row(row):
            raise _unreadable(path or Path(NAME), f"row {number} is not one that a run has written")
    return rows


def _is_row(row: JSON) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("params"), dict):
        return False
    words = all(isinstance(row.get(key), str) for key in ("account", "host", "model", "as_of"))
    numbers = all(_is_amount(row.get(key)) for key in ("listed", "credits", "jobs"))
    return words and numbers and row.get("kind") in ("exact", "estimate")


def _is_amount(value: JSON) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value < 1e6
        and math.isfinite(value)
    )


def _unreadable(path: Path, why: str) -> Invalid:
    return Invalid(
        [
            Problem(
                where=Where(files.shown(path), 1),
                message=f"cannot be read: {why}",
                hint="restore it, or remove it: the catalogue's prices count then, until a run has learnt again",
                code="prices",
            )
        ]
    )


def _measured(row: Mapping[str, JSON]) -> Measured:
    names = ("model", "params", "listed", "credits", "kind", "as_of", "jobs")
    return Measured(**{name: row[name] for name in names})


def _row(one: Measured, account: Account) -> dict[str, JSON]:
    return {
        "account": account.digest,
        "host": account.host,
        "model": one.model,
        "params": dict(one.params),
        "listed": one.listed,
        "credits": one.credits,
        "kind": one.kind,
        "as_of": one.as_of,
        "jobs": one.jobs,
    }
