"""The table of commands, loaded when called; errors become exit codes.

What only errors need is imported where they come: `--help` and each small command waits for the rest.
"""

from __future__ import annotations

import functools
import gc
import importlib
import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from kiebatch import __version__
from kiebatch.cli import command_line, streams
from kiebatch.errors import Exit, KieBatchError

if TYPE_CHECKING:
    from kiebatch.cli import next_steps
    from kiebatch.model import JSON  # with 26 dataclasses, which `--help` does without

# name: (module in `kiebatch.cli.commands`, first line of its help), in the order that people meet them.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Start a project that runs at once with --draft."),
    "validate": ("validate", "Check scene files and lint their prompts; nothing is sent."),
    "explain": ("explain", "Show what a line became, what will be sent, and what would change it."),
    "plan": ("plan", "Show what a run would do, why, and what it would cost."),
    "presets": ("presets", "List and check the prompt presets; which one a model gets."),
    "enhance": ("enhance", "Ask a chat model for better prompts, and pin them."),
    "run": ("run", "Submit, poll, download, record. Also how to resume."),
    "status": ("status", "Show what is done, in flight, held or failed, and what expires soon."),
    "resolve": ("resolve", "Decide a held job."),
    "accept": ("accept", "Keep the asset there is, although the plan calls it changed."),
    "adopt": ("adopt", "Enter a file made elsewhere into the manifest, at no cost."),
    "pick": ("pick", "Choose a take, or reject one."),
    "generate": ("generate", "Make one picture, clip or sound from one prompt, without a scene file."),
    "schema": ("schema", "Print the scene file's JSON schema, for editors."),
    "models": ("models", "List, search and explain the models."),
    "migrate": (
        "migrate",
        "Replace models that are closed, or close within 30 days, by those that take their place.",
    ),
    "convert": ("convert", "Turn a Markdown scene file into YAML, or back."),
    "verify": ("verify", "Check that the files match the manifest."),
    "pull": ("pull", "Bring files that are not here from the store."),
    "push": ("push", "Take the files that are here to the store."),
    "log": ("log", "Show the versions of a slot, with what changed."),
    "diff": ("diff", "Show what changed between two manifests, in words."),
    "report": ("report", "Write what changed as Markdown with pictures, for a pull request."),
    "board": ("board", "Write the storyboard as one self-contained HTML page."),
    "review": ("review", "Serve the storyboard, with picks and notes that are saved."),
    "export": ("export", "Write a contact sheet, PDF, animatic, cut list, shot list or Remotion data."),
    "runs": ("runs", "List what was run, by whom, when and with what result."),
    "assets": ("assets", "List results by model, tag, run and time; the latest of each."),
    "costs": ("costs", "Show what the film has cost, what failed, what was not used, what was saved."),
    "audit": ("audit", "Say what each credit was that left the account."),
    "clean": ("clean", "Remove run records, unfinished downloads and derivatives."),
    "credits": ("credits", "Show the account's balance."),
    "doctor": ("doctor", "Look at everything that a run needs: ffmpeg, fonts, key, network, state folder."),
    "team": ("team", "Share one account between several machines: ledger, rate window and cap."),
    "mcp": ("mcp", "Serve the project to an agent over stdin and stdout, under a cap that you set."),
    "worker": (
        "worker",
        "Fetch and check results for a team, and derive from them, on any number of machines.",
    ),
    "sim": ("sim", "Run the bundled simulator of the kie.ai API as a server."),
    "git": ("git", "Install diff and merge drivers for the manifest in this repository."),
}


# Typer carries a click of its own and does not export the base of its usage errors.
UsageError: Any = typer.BadParameter.__bases__[0]


class Commands(TyperGroup):
    """Loads a command's module when it is called, so that `--help` and small commands start fast."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"kiebatch.cli.commands.{COMMANDS[cmd_name][0]}")
        module.app.rich_markup_mode = None  # plain help, in half the time
        module.app._add_completion = False  # that is the whole program's
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        _check_paths(command)
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except UsageError as error:
            near = meant(args[0]) if args else ""
            if near:
                error.message = f"no such command `{args[0]}`; did you mean `{near}`?"
            raise


# What other programs call our commands.
_ELSEWHERE = {
    "check": "validate",
    "lint": "validate",
    "apply": "run",
    "resume": "run",
    "retry": "run",
    "repro": "run",
    "new": "init",
    "create": "init",
    "balance": "credits",
    "history": "log",
    "preview": "board",
    "serve": "review",
    "watch": "status",
    "price": "plan",
    "estimate": "plan",
}


def meant(word: str) -> str:
    """Return the command that a misspelt word, or that of another program, means; nothing where none is near."""
    import difflib  # only where a command is misspelt

    known = {name: name for name in COMMANDS} | _ELSEWHERE
    found = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.7)
    return known[found[0]] if found else ""


def _check_paths(command: Any) -> None:
    """Let every option and argument that is a path refuse what no file can be called, before anything looks for it."""
    for inner in getattr(command, "commands", {}).values():
        _check_paths(inner)
    for parameter in command.params:
        if parameter.type.name in ("path", "file", "directory"):
            parameter.callback = functools.partial(_checked, parameter.callback)


def _checked(then: Any, ctx: Any, parameter: Any, value: Any) -> Any:
    from kiebatch import files

    for one in value if isinstance(value, list | tuple) else [value]:
        problem = files.name_problem(str(one)) if one is not None and str(one) else ""
        if problem:
            raise typer.BadParameter(f"`{str(one)[:60]}`: {problem}", ctx=ctx, param=parameter)
    return then(ctx, parameter, value) if then is not None else value


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # its tracebacks print locals, and locals hold keys
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="Turn a scene file into pictures, clips and sound with the kie.ai API, without paying twice.",
    epilog="Start with: kiebatch init film && kiebatch run film/scenes.yaml --draft",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"kiebatch {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Turn a scene file into pictures, clips and sound with the kie.ai API, without paying twice."""


def main(args: list[str] | None = None) -> None:
    """Run the program and leave with the exit code of the contract."""
    # httpx would import its own command line and with it Rich, a tenth of what a run imports; it does without it.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None: this import fails
    # A film is kept while it is planned: to look through it for cycles again and again took a fifth of the time.
    gc.set_threshold(50_000, 20, 20)
    sys.exit(exit_code(sys.argv[1:] if args is None else args))


def exit_code(args: list[str]) -> int:
    """Run the program and return its exit code.  Whatever happens, `--json` prints one JSON document."""
    streams.make_tolerant()
    command_line.asked.set(functools.partial(_typed, args))
    said = functools.partial(_said, as_json="--json" in args, junit=_path_after("--junit", args))
    try:
        command = typer.main.get_command(app)
        result = command.main(args=args, prog_name="kiebatch", standalone_mode=False)
        return int(result) if isinstance(result, int) else 0
    except KieBatchError as error:
        return said(error.status, error.problems_as_json(), str(error), int(error.exit_code))
    except UsageError as error:
        message = error.format_message()
        usage = error.ctx.get_usage() if error.ctx else ""
        return said("invalid", [_problem(message)], f"{usage}\n{message}".strip(), int(Exit.INVALID))
    except (typer.Abort, KeyboardInterrupt):
        return said("interrupted", [_problem("interrupted")], "interrupted", int(Exit.INTERRUPTED))
    except typer.Exit as leave:
        return leave.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _disk(error, said)
    except Exception:
        return _bug(said)


def _disk(error: OSError, said: Callable[..., int]) -> int:
    """Say what the disk refused: a folder of somebody else's, a name too long, links in a circle."""
    if error.filename is None:
        return _bug(said)
    from kiebatch import files

    message = f"cannot use {files.shown(str(error.filename))}: {error.strerror or error}"
    return said("invalid", [_problem(message)], message, int(Exit.INVALID))


def _typed(args: list[str]) -> next_steps.Typed | None:
    """Return how a command line was read; None where it names no command."""
    if not args or args[0] not in COMMANDS:
        return None
    from kiebatch.cli import next_steps  # only where something went wrong

    return next_steps.typed(Commands(name="kiebatch").get_command(None, args[0]), args[1:])


def _bug(said: Callable[..., int]) -> int:
    """Say that the exception which is being handled is a bug of ours, with a log to attach."""
    import traceback

    path = _log(traceback.format_exc())
    text = f"a bug in kiebatch, sorry; please report it and attach {path}"
    return said("error", [_problem(text)], text, int(Exit.BUG))


def _problem(message: str) -> dict[str, str | int | None]:
    return {
        "file": None,
        "line": None,
        "column": None,
        "severity": "error",
        "code": "usage",
        "message": message,
        "hint": None,
    }


def _path_after(option: str, args: list[str]) -> Path | None:
    """Return the path that an option of the command names, also when the command never came to read it."""
    for arg, following in itertools.pairwise([*args, ""]):
        if arg == option and following:
            return Path(following)
        if arg.startswith(f"{option}="):
            return Path(arg.partition("=")[2])
    return None


def _said(
    status: str,
    problems: Sequence[Mapping[str, str | int | None]],
    text: str,
    code: int,
    *,
    as_json: bool,
    junit: Path | None,
) -> int:
    from kiebatch.cli import next_steps  # only where something went wrong

    value: dict[str, JSON] = {"status": status, "problems": problems}
    steps: list[next_steps.Step] = []
    if code != Exit.BUG:  # a program with a bug may not even know its own commands
        steps = next_steps.after(value, succeeded=False) or []
    if as_json:
        streams.json_document({**value, "next": [step.as_json() for step in steps]})
    from kiebatch.ci import announce  # only where something went wrong: it costs a start some milliseconds

    announce.outcome(value, junit=junit)
    prefix = "" if status == "invalid" and not text.startswith("kiebatch") else "kiebatch: "
    streams.say(f"{prefix}{text}")
    for step in next_steps.unsaid(value) if steps else ():
        streams.say(str(step))
    return code


def _log(trace: str) -> str:
    import tempfile

    try:
        handle, path = tempfile.mkstemp(prefix="kiebatch-", suffix=".log")
    except OSError:  # no folder for temporary files can be written
        streams.say(trace)
        return "what is said above"
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(f"kiebatch {__version__}, Python {sys.version}, {sys.platform}\n{trace}")
    return path
