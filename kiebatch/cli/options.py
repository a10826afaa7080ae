"""The options of small commands, and what all commands do with what was typed: settings, key, project, draft."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from kiebatch.catalogue import formula
from kiebatch.cli import console, streams
from kiebatch.cli.shared import Given
from kiebatch.errors import Invalid, Refused
from kiebatch.model import JSON, Job
from kiebatch.planning import statuses
from kiebatch.project import Opened, opening
from kiebatch.settings import Settings, settings
from kiebatch.workspace import Workspace

if TYPE_CHECKING:
    from kiebatch.cli.progress import Transcript
    from kiebatch.media import Derivatives

MaybeSceneFile = Annotated[
    Path | None,
    Argument(help="the scene file; without it the project in the current folder", show_default=False),
]
Json = Annotated[bool, Option("--json", help="print one JSON document on stdout, nothing else there")]
Project = Annotated[Path | None, Option("--project", help="the project folder, instead of the current one")]
Draft = Annotated[
    bool, Option("--draft", help="use the bundled simulator: no key, no credits; writes under draft/")
]
DraftFolder = Annotated[bool, Option("--draft", help="the draft/ folder instead of assets/")]
Assets = Annotated[
    Path | None, Option("--assets", help="the assets folder [default: assets beside the scene file]")
]
State = Annotated[
    Path | None, Option("--state", help="where the journal lives [default: .kiebatch in the project]")
]
ApiKey = Annotated[
    str | None,
    Option(
        "--api-key",
        help="the API key [env: KIE_API_KEY, then .env]. On the command line other users of this machine can see it",
        show_default=False,
    ),
]
BaseUrl = Annotated[
    str | None,
    Option("--base-url", help="the API [env: KIE_BASE_URL; default: https://api.kie.ai]", show_default=False),
]


DRAFT_SCALE = 0.002  # the simulator of a draft takes so much of the time that the provider takes

# It encodes a clip when the clip is asked for, on this machine, which may be slow or busy.
DRAFT_STALL_S = 120.0


def read_settings(opened_root: Path | None, run: dict[str, Any] | None = None, **flags: Any) -> Settings:
    """Return the settings of a command from its flags, the environment and the project."""
    env_file = opened_root / ".env" if opened_root is not None else None
    return settings(flags, os.environ, run or {}, env_file=env_file)


def check_callbacks(given: Given) -> None:
    """Refuse options about callbacks that do not go together."""
    if given["listen"] and not given["callback_url"]:
        raise Invalid("--listen takes callbacks, and --callback-url is not given")
    if given["no_listen"] and not given["callback_url"]:
        raise Invalid("--no-listen is for a receiver of your own, and --callback-url does not name it")
    if given["listen"] and given["no_listen"]:
        raise Invalid("give one of --listen and --no-listen")


def settings_for(given: Given, found: Opened) -> Settings:
    """Return the settings of a command that spends: its flags, the environment, the project and its file."""
    check_callbacks(given)
    workspace = found.workspace
    return settings(
        given.flags,
        os.environ,
        dict(found.project.run),
        env_file=workspace.root / ".env",
        config=found.config.chosen,
        film=workspace.scene_name or "the scene file",
    )


def open_given(
    given: Given,
    scene_file: Path | None,
    *,
    quiet: bool = False,
    each: bool = False,
    reading: Mapping[str, JSON] | None = None,
) -> tuple[Opened, Settings]:
    """Open the project that a command names, say its warnings, and return it with the command's settings.

    With `each` every warning is said, else one line counts them.  `reading` is what a saved plan kept of the settings by which its file was read.
    """
    chosen = settings({**given.flags, **(reading or {})}, {}, {})
    found = _opened(given, scene_file, chosen=chosen, lint=True, quiet=quiet, each=each)
    return found, settings_for(given, found)


def looked_at(given: Given, scene_file: Path | None) -> Opened:
    """Open a project for a command that sends nothing."""
    chosen = settings(given.flags, {}, {})
    return _opened(given, scene_file, chosen=chosen, quiet=given.as_json, allow=None)


def with_key(chosen: Settings) -> Settings:
    """Ask for the key on a terminal when none was found."""
    if chosen.api_key or chosen.draft:
        return chosen
    if console.on_terminal():
        key = typer.prompt("kie.ai API key", hide_input=True, err=True)
        return replace(chosen, api_key=key.strip())
    raise Refused(
        "there is no API key",
        hint="set KIE_API_KEY, or put a line KIE_API_KEY=... into the project's .env; --draft needs none",
        code="no-key",
    )


@contextlib.contextmanager
def simulator(chosen: Settings, opened: Opened | None = None, todo: Iterable[Job] = ()) -> Iterator[Settings]:
    """Run the bundled simulator for a draft, and yield the settings that lead to it.

    `todo` are the jobs of the coming run, by which its panels are called.
    """
    if not chosen.draft:
        yield chosen
        return
    from kiebatch.cli.draft_labels import labels
    from kiebatch.simulator import Settings as SimulatorSettings
    from kiebatch.simulator.server import background

    captions: Mapping[str, str | Sequence[str]] = {}
    own: tuple[str, ...] = ()
    if opened:
        captions = labels(opened.project, todo)
        own = (str(opened.workspace.root / "models"),)
    with background.start(SimulatorSettings.quick(model_files=own), captions=captions) as running:
        yield draft_settings(chosen, running.url, running.key)


def draft_settings(chosen: Settings, url: str, key: str) -> Settings:
    """Return settings for a simulator: its own limits, no patience needed, no budget."""
    from kiebatch.model import Rate

    return replace(
        chosen,
        api_key=key,
        base_url=url,
        upload_url=None,
        rate=Rate(starts=1000, window_s=1.0),
        poll_rate=Rate(starts=1000, window_s=1.0),
        poll_interval_s=0.05,
        expected_scale=DRAFT_SCALE,
        stall_timeout_s=DRAFT_STALL_S,
        max_credits=None,
        webhook_key="",
        canary=False,
    )


def _opened(
    given: Given,
    scene_file: Path | None,
    *,
    chosen: Settings,
    lint: bool = False,
    quiet: bool = False,
    each: bool = False,
    allow: Sequence[Path] | None = (),
) -> Opened:
    """Load a project and show its warnings: in one line, or one by one with `each`.  `allow` is that of `opening.load`: None where nothing is sent."""
    try:
        found = opening.load(scene_file, **given.where, settings=chosen, lint=lint, allow=allow)
    except Invalid as invalid:
        place = opening.located(scene_file, **given.where)
        raise statuses.with_waiting(invalid, place) from None
    # What a prompt lacks is for who writes: `validate` says it.
    told = [problem for problem in found.problems if problem.code != formula.CODE]
    if each and not quiet:
        console.warn(told)
    elif not quiet:
        console.warn_briefly(told, found.workspace.scene_file)
    return found


def derivatives(workspace: Workspace) -> Derivatives:
    """Return the small copies of a film's files, also those of the store that the person has named."""
    from kiebatch.running import previews  # brings Pillow along

    return previews.derivatives(workspace, settings({}, os.environ, {}), console.say)


def transcript(given: Given, chosen: Settings) -> Transcript:
    """Return what writes a run into the files of `--events` and `--log`, if they were named."""
    from kiebatch.cli.logbook import Logbook  # with the events of runs
    from kiebatch.cli.progress import Transcript

    log = Logbook(given["log"], chosen.api_key) if given["log"] else None
    return Transcript(given["events_file"], log)


def progress_bar(no_progress: bool) -> bool:
    """Whether to show a bar: on a terminal that can move its cursor, which a dumb one cannot."""
    return not no_progress and streams.is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"


def screen() -> bool:
    """Whether stdout is a terminal on which lines can be written over."""
    return streams.is_terminal(sys.stdout) and os.environ.get("TERM") != "dumb"
