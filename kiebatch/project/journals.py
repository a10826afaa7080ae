"""Which journal a film has: the file of this machine, or the ledger of the team that KIEBATCH_TEAM names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from kiebatch import settings
from kiebatch.errors import Invalid, Refused
from kiebatch.model import Asset
from kiebatch.project import config
from kiebatch.record import Hook, Journal, SqliteJournal, no_hook, open_journal
from kiebatch.team import Team, account_of_key, address
from kiebatch.workspace import Workspace

Opener = Callable[..., SqliteJournal]


def team_here(
    root: Path, *, account: str = "", api_key: str = "", environ: Mapping[str, str] = os.environ
) -> Team | None:
    """Return the team that this person works with; None without KIEBATCH_TEAM.

    Its account is the one that is named, by the environment or the person's config, else that of the key.
    """
    url = address(environ)
    if not url:
        return None
    found = settings.settings({}, environ, {}, env_file=root / ".env")
    named = account or found.account or config.read().account
    key = api_key or found.api_key
    if not named and not key:
        raise Invalid(
            "neither an account nor a key says whose credits the team spends",
            hint="KIEBATCH_ACCOUNT=studio, or `account: studio` in your config.yaml; `kiebatch team` takes --account studio",
        )
    return Team(url, named or account_of_key(key))


def open_film(
    workspace: Workspace,
    *,
    now: Callable[[], float],
    team: Team | None,
    rebuild: Callable[[], Iterable[Asset]],
    hook: Hook = no_hook,
    read_only: bool = False,
    local: Opener = open_journal,
) -> Journal:
    """Open a film's journal.  Drafts are this machine's own, whatever the team.

    `Refused` where the attempts are kept by a team, and none is named: what is on its way would be sent again.
    """
    found = local(
        workspace.journal_path,
        now=now,
        film=workspace.owner,
        hook=hook,
        rebuild=rebuild,
        read_only=read_only,
    )
    try:
        if workspace.draft or (team is None and (read_only or not found.team)):
            return found
        if team is None:
            raise Refused(
                "this film's attempts are kept in the ledger of a team, and KIEBATCH_TEAM is not set; nothing was sent",
                hint="set it to the ledger's address: what is on its way is known there alone",
            )
        from kiebatch import team as teams  # its driver is loaded where there is a team

        return teams.open_journal(
            team, found, name=_name(workspace), state=workspace.state, hook=hook, read_only=read_only
        )
    except BaseException:
        found.close()
        raise


def _name(workspace: Workspace) -> str:
    """Return how colleagues call this project: its folder, and whose it is."""
    import getpass  # here alone: only a team asks
    import socket

    try:
        person = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without an entry, in a container
        person = "somebody"
    return f"{workspace.root.name} of {person} on {socket.gethostname()}"
