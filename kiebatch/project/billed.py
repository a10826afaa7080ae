"""Reads and writes `prices.yaml`, what jobs were billed on the person's accounts.

    kiebatch-prices: 1
    measured:
      - {account: 3f2a91c0d4e5b6a7, host: https://api.kie.ai, model: z-image, params: {}, listed: 0.8,
         credits: 1.2, kind: exact, as_of: 2026-11-27, jobs: 14}

It lies beside `config.yaml` in the user's config folder.  Runs write it; a line that is removed is forgotten.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from kiebatch import files
from kiebatch._dataclass import dataclass
from kiebatch.addresses import is_loopback
from kiebatch.catalogue import Measured
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.model import JSON, Row, row_of
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
    return tuple(row.measured for row in rows if row.is_of(account))


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
            same_account = row.account == account
            another_simulator = _is_simulator(row.account.host) and not same_account
            if not another_simulator and not (same_account and row.measured.about in about):
                kept.append(row.written)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One row of the file, and `written`, the same as the file has it: a later version may say more there."""

    account: Account
    measured: Measured
    written: Mapping[str, JSON]

    def is_of(self, account: Account) -> bool:
        """Whether it counts for an account; where its key is not known, every account with its API does."""
        return self.account.host == account.host and account.digest in ("", self.account.digest)


def _rows(path: Path | None) -> list[_Row]:
    """Return the rows of the file, checked.  `Invalid` where one of them cannot be read."""
    rows = _value(path).get("measured") or [] if path else []
    found = []
    for number, written in enumerate(rows if isinstance(rows, list) else [None], 1):
        try:
            found.append(_read(row_of(written)))
        except (KeyError, TypeError, ValueError):
            why = f"row {number} is not one that a run has written"
            raise _unreadable(path or Path(NAME), why) from None
    return found


def _read(row: Row) -> _Row:
    """Return a row as a value; KeyError, TypeError or ValueError where it is not one of ours."""
    if row.text("kind") not in ("exact", "estimate"):
        raise ValueError("the kind of a price that was billed is exact or estimate")
    measured = Measured(
        model=row.text("model"),
        params=row.mapping("params"),
        listed=_amount(row, "listed"),
        credits=_amount(row, "credits"),
        kind="exact" if row.text("kind") == "exact" else "estimate",
        as_of=row.text("as_of"),
        jobs=int(_amount(row, "jobs")),
    )
    account = Account(digest=row.text("account"), host=row.text("host"))
    return _Row(account=account, measured=measured, written=row.values)


def _amount(row: Row, key: str) -> float:
    amount = row.number(key)
    if not 0 <= amount < 1e6:
        raise ValueError(f"`{key}` is out of bounds")
    return amount


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
