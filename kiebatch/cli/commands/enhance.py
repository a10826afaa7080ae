"""`kiebatch enhance`"""

from __future__ import annotations

import itertools
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from kiebatch.cli import consenting, console, options, shared
from kiebatch.cli.panels import Command
from kiebatch.errors import Exit, Refused, plain
from kiebatch.model import JSON
from kiebatch.planning import Verdict, planning
from kiebatch.project import Opened, opening
from kiebatch.running import enhancing
from kiebatch.running.enhancing import Asking, Enhanced, State
from kiebatch.settings import Consent, Settings, settings

app = typer.Typer()

_SHARED = shared.named(
    *("only", "yes", "max_credits", "api_key", "base_url", "draft", "project", "assets", "state", "as_json"),
    *("variables", "allow_unknown_model"),
)


@app.command(cls=Command)
@shared.takes(_SHARED)
def enhance(
    given: shared.Given,
    scene_file: options.MaybeSceneFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show what would be asked, of whom, and the most it costs")
    ] = False,
    preset: Annotated[
        str, typer.Option("--preset", help="this preset for all, in place of the file's", show_default=False)
    ] = "",
    chat_model: Annotated[
        str | None,
        typer.Option("--chat-model", help="the model to ask [default: gpt-5-6-luna]", show_default=False),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--command", metavar="CMD", help="ask a program: JSON in, text out", show_default=False),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="ask once more where the answer was lost; it may be charged twice")
    ] = False,
) -> None:
    """Ask a chat model for better prompts, and pin them in prompts.lock.yaml.

    It asks for shots with `enhance: ask` or `required` that are not made yet; --only names others.  A run sends the pinned
    text as long as the author's prompt is the same, and calls no chat model.

    Example: kiebatch enhance scenes.yaml --dry-run
    """
    reading = settings(given.flags, {}, {})
    opened = opening.load(scene_file, **given.where, settings=reading, pinned=False)
    chosen = options.settings_for(given, opened)
    whom = enhancing.asking(chat_model, command)
    todo = planning.plan(opened, only=given.only)
    wanted = enhancing.wanted(opened, todo if given.only else todo.unmade(), preset=preset)
    found: Sequence[Enhanced] = enhancing.look(opened, wanted, whom)
    if not dry_run:
        found = _ask(opened, found, whom, chosen, again=again)
    value = _value(found, whom)
    failed = any(one.state in (State.FAILED, State.LOST) for one in found)
    code = Exit.FAILED.when(failed and not dry_run)
    console.answer(value, lambda: _text(found, whom, draft=given.draft), as_json=given.as_json, code=code)
    console.leave(code)


def _ask(
    opened: Opened, found: Sequence[Enhanced], whom: Asking, chosen: Settings, *, again: bool
) -> Sequence[Enhanced]:
    open_ones = [one for one in found if one.state is State.OPEN or (again and one.state is State.LOST)]
    if not open_ones:
        return found
    if whom.model:
        chosen = options.with_key(chosen)
        _consent(open_ones, whom, chosen)
    with options.simulator(chosen, opened) as ready:
        return enhancing.enhance(opened, found, whom, ready, again=again)


def _consent(asked: Sequence[Enhanced], whom: Asking, chosen: Settings) -> None:
    """Ask before the first question is sent, unless the person said so already and no threshold speaks."""
    most = enhancing.most_for(asked)
    rules = enhancing.rules_about(most, chosen)
    verdicts = {rule.verdict for rule in rules}
    if chosen.draft or Verdict.REJECT in verdicts:
        return  # it costs nothing, or is refused without a question
    for rule in rules:
        console.say(consenting.said(rule))
    agreed = chosen.consent is not Consent.NONE or chosen.max_credits is not None
    if agreed and Verdict.CONFIRM not in verdicts:
        return
    _ask_before(asked, whom, most)


def _ask_before(asked: Sequence[Enhanced], whom: Asking, most: float) -> None:
    """Ask whether so many questions may be sent, for so many credits at most; `Refused` where they may not."""
    question = f"Ask {whom.name} {len(asked)} time(s), for up to {console.number(most)} credits"
    if not console.on_terminal():
        raise Refused(
            f"{question}: there is no terminal to confirm it on; nothing was asked",
            hint="add --yes, or better a cap with --max-credits N",
            code="no-consent",
        )
    if not console.ask(f"{question}?"):
        raise Refused("not confirmed; nothing was asked")


def _value(found: Sequence[Enhanced], whom: Asking) -> dict[str, JSON]:
    return {
        "by": whom.name,
        "prompts": [one.as_json() for one in found],
        "credits": {"spent": _credits(found, State.MADE), "open": _credits(found, State.OPEN)},
    }


def _text(found: Sequence[Enhanced], whom: Asking, *, draft: bool) -> str:
    """Return each prompt with its better one beside it, and what it cost."""
    if not found:
        return "nothing to do: no shot that is still to be made says `enhance: ask` or `enhance: required`"
    counts = Counter(one.state for one in found)
    parts = [f"{counts[state]} {state}" for state in State if counts[state]]
    spent = _credits(found, State.MADE)
    if spent:
        parts.append(f"spent {console.number(spent)} credits")
    if counts[State.OPEN]:
        parts.append(f"up to {console.number(_credits(found, State.OPEN))} credits by {whom.name}")
    if draft:
        parts.append("a draft pins nothing")
    return "\n\n".join([*map(_block, found), "; ".join(parts)])


def _credits(found: Sequence[Enhanced], state: State) -> float:
    return round(sum(one.credits or 0.0 for one in found if one.state is state), 4)


def _block(one: Enhanced) -> str:
    wanted = one.wanted
    head = f"{', '.join(wanted.slots)}  {wanted.key.model}  preset {wanted.preset.key}: {wanted.why}"
    text = plain(one.text, limit=20_000) or one.message or "(not asked yet)"
    left = textwrap.wrap(plain(wanted.raw, limit=20_000), 52)
    right = textwrap.wrap(text, 52)
    rows = [f"  {a:<52}  | {b}".rstrip() for a, b in itertools.zip_longest(left, right, fillvalue="")]
    return "\n".join([head, *rows])
