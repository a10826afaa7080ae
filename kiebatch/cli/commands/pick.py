"""`kiebatch pick`"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from kiebatch import files
from kiebatch.cli import console, options, shared
from kiebatch.cli.panels import Command
from kiebatch.errors import Invalid, plain
from kiebatch.model import JSON, Slot, parse_slot
from kiebatch.project import Opened
from kiebatch.record import picks, picks_file
from kiebatch.record.picks import Choice, Decision

app = typer.Typer()


@app.command(cls=Command)
@shared.takes(shared.LOOKING)
def pick(
    given: shared.Given,
    slots: Annotated[
        list[str] | None,
        typer.Argument(help="takes: 2a#3, or 2a where there is one take", show_default=False),
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="reject it instead")] = False,
    none: Annotated[bool, typer.Option("--none", help="take the decision back")] = False,
    note: Annotated[str | None, typer.Option("--note", help="a note on the take")] = None,
    star: Annotated[bool | None, typer.Option("--star/--no-star", help="a star on the take")] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", help="a list of decisions, as a board gives them; - reads them from stdin"),
    ] = None,
    author: Annotated[
        str | None, typer.Option("--author", help="who decides [default: git's user.name]")
    ] = None,
    scene_file: Annotated[Path | None, typer.Option("--file", help="the scene file")] = None,
) -> None:
    """Choose a take, or reject one.

    The pick is what chains and exports use.  Every decision is a line in picks.yaml, beside the assets.

    Example: kiebatch pick 2a#3 --note "the look back"
    """
    opened = options.looked_at(given, scene_file)
    if bool(slots) == bool(from_):
        raise Invalid("name a take such as `2a#3`, or a list with --from")
    choice = _choice(reject=reject, none=none)
    if author is None:
        author = picks_file.author(opened.workspace)
    if from_:
        if (choice, note, star) != ("pick", None, None):
            raise Invalid("with --from the list says what is decided")
        new = _new_of(opened, from_, author)
    else:
        named = [_named(opened, text) for text in slots or ()]
        new = [Decision(slot=slot, choice=choice, note=note, star=star, author=author) for slot in named]
    picks_file.decide(opened.workspace, new)
    value: dict[str, JSON] = {
        "status": "success",
        "file": files.shown(opened.workspace.picks_path),
        "decisions": list(map(_json, new)),
    }
    console.answer(value, lambda: "\n".join(map(_said, new)) or "nothing new", as_json=given.as_json)


def _choice(*, reject: bool, none: bool) -> Choice:
    if reject and none:
        raise Invalid("choose one of --reject and --none")
    if reject:
        return "reject"
    return "none" if none else "pick"


def _new_of(opened: Opened, path: Path, who: str) -> list[Decision]:
    """Return what a list decides and picks.yaml does not hold yet; `who` decides where the list does not say."""
    listed, film = _listed(path)
    _check_film(opened, film)
    signed = [decision if decision.author else replace(decision, author=who) for decision in listed]
    _check(opened, (decision.slot for decision in signed))
    known = set(opened.picks.decisions)
    return [decision for decision in signed if decision not in known]


def _listed(path: Path) -> tuple[tuple[Decision, ...], str]:
    """Return the decisions of a list, and the film that a board says it is about; empty where it does not say."""
    if str(path) == "-":
        text, name = sys.stdin.read(), "stdin"
    else:
        text, name = files.read_text(path), files.shown(path)
    film = re.search(r"^# film: (.+?)\s*$", text, re.MULTILINE)
    return picks.parse(text, name).decisions, film[1] if film else ""


def _check_film(opened: Opened, film: str) -> None:
    """Refuse a list that was made on the board of another film of this project, such as its draft."""
    ours = opened.workspace.film
    if film and film != ours:
        raise Invalid(
            f"these decisions are about the film in `{plain(film)}`, and this is the one in `{ours}`",
            hint="add --draft" if film == "draft" else f"name that film with --assets {plain(film)}",
        )


def _named(opened: Opened, text: str) -> str:
    """Return the one take that a text names, in its written form."""
    known = _known(opened)
    found = parse_slot(text, known)
    if not found:
        raise Invalid(f"there is no take `{plain(text)}`", hint=_nearest(text, known))
    if len(found) > 1:
        raise Invalid(
            f"`{plain(text)}` means several takes: {', '.join(map(picks.written, found))}", hint="name one"
        )
    return picks.written(found[0])


def _nearest(text: str, known: Iterable[Slot]) -> str:
    """Return which takes there are: those of the shot that was named, else the shots of the film."""
    shot = text.partition("#")[0]
    takes = sorted({slot.take for slot in known if slot.shot_name == shot})
    if len(takes) > 1:
        return f"{shot} has takes {takes[0]} to {takes[-1]}"
    if takes:
        return f"{shot} has one take"
    return f"the shots are {console.short(', '.join(dict.fromkeys(s.shot_name for s in known)), 200)}"


def _known(opened: Opened) -> list[Slot]:
    return list(dict.fromkeys(job.slot for job in opened.project.jobs))


def _check(opened: Opened, slots: Iterable[str]) -> None:
    """Refuse a list that names takes which this project does not have: it was made for another film."""
    known = {picks.written(slot) for slot in _known(opened)}
    known |= {
        picks.written(Slot(a.scene_id, a.shot, None, a.take)) for a in opened.manifest.assets if a.scene_id
    }
    unknown = [slot for slot in dict.fromkeys(slots) if slot not in known]
    if unknown:
        raise Invalid(f"there is no take {', '.join(f'`{s}`' for s in unknown[:8])}; nothing was written")


def _json(decision: Decision) -> dict[str, JSON]:
    found = {
        "slot": decision.slot,
        "decision": decision.choice,
        "note": decision.note,
        "star": decision.star,
        "author": decision.author,
    }
    return {key: value for key, value in found.items() if value is not None}


def _said(decision: Decision) -> str:
    parts = {"pick": ["picked"], "reject": ["rejected"], "none": ["undecided"], None: []}[decision.choice]
    if decision.star is not None:
        parts.append("starred" if decision.star else "no star")
    if decision.note is not None:
        parts.append(f"note: {console.short(decision.note)}" if decision.note else "no note")
    return f"{decision.slot}: {', '.join(parts)}"
