"""The options that commands share: one definition each, with the setting it becomes.

    @app.command(cls=panels.Command)
    @shared.takes(shared.ALL)
    def run(given: shared.Given, scene_file: options.MaybeSceneFile = None) -> None: ...

`takes` adds the options to what Typer reads from a command's signature; the command gets their values as `given`.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kiebatch import files, settings
from kiebatch._dataclass import dataclass
from kiebatch.cli.panels import Panel
from kiebatch.errors import Invalid
from kiebatch.settings import ENVIRONMENT, Consent


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One option that commands share.

    `setting` is the field of `Settings` that it fills, empty where the command uses it itself; `value` turns what
    was typed into what the field takes, None where nothing was said.
    """

    name: str
    type: Any
    flags: tuple[str, ...]
    help: str
    panel: Panel
    default: Any = None
    setting: str = ""
    value: Callable[[Any], Any] = lambda typed: typed
    more: Mapping[str, Any] = field(default_factory=dict)

    def parameter(self) -> inspect.Parameter:
        """Return the option as Typer reads it from a signature."""
        variable = ENVIRONMENT.get(self.setting)
        text = f"{self.help} [env: {variable}]" if variable and variable not in self.help else self.help
        option = typer.Option(
            *self.flags, help=text, rich_help_panel=self.panel, show_default=False, **self.more
        )
        return inspect.Parameter(
            self.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=self.default,
            annotation=Annotated[self.type, option],
        )


def _flag(value: bool) -> Any:
    """A switch that was not given says nothing."""
    return value or None


def _off(value: bool) -> Any:
    """A switch that turns a setting off."""
    return False if value else None


def until(value: str | None) -> bool | None:
    """Read `--until picks`."""
    if value in (None, "picks"):
        return True if value else None
    raise Invalid(f"--until takes `picks`, found `{value}`")


def tags(typed: Sequence[str] | None) -> tuple[str, ...] | None:
    """Read `--tag WORD`, given once or more.  `Invalid` for one that is not a word."""
    if not typed:
        return None
    for word in typed:
        if not re.fullmatch(r"[^\s,]{1,64}", word):
            raise Invalid(f"--tag takes a word without blanks and commas, found `{word}`")
    return tuple(dict.fromkeys(typed))


def folders(typed: Sequence[Path] | None) -> tuple[Path, ...] | None:
    """Return the folders of `--allow`, links resolved.  `Invalid` for one that is not there."""
    if not typed:
        return None
    found = tuple(files.resolved(files.expanded(str(folder))) for folder in typed)
    for folder in found:
        if not folder.is_dir():
            raise Invalid(f"--allow: there is no folder {files.shown(folder)}")
    return found


def _variables(values: Sequence[str] | None) -> dict[str, str] | None:
    """Read `--var NAME=VALUE`, given once or more."""
    found: dict[str, str] = {}
    for text in values or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise Invalid(
                f"--var takes NAME=VALUE, found `{text}`", hint='for instance --var light="blue hour"'
            )
        found[name.strip()] = value
    return found or None


def _consent(value: bool) -> Any:
    return Consent.TYPED if value else None


_WHERE = (
    Shared(
        name="allow_commands",
        type=bool,
        flags=("--allow-commands",),
        help="let the scene file's checks run their commands here [default: the config's `allow_commands`]",
        panel=Panel.FILES,
        default=False,
        setting="allow_commands",
        value=_flag,
    ),
    Shared(
        name="draft",
        type=bool,
        flags=("--draft",),
        help="use the bundled simulator: no key, no credits; writes under draft/",
        panel=Panel.FILES,
        default=False,
        setting="draft",
        value=_flag,
    ),
    Shared(
        name="project",
        type=Path | None,
        flags=("--project",),
        help="the project folder, instead of the current one",
        panel=Panel.FILES,
    ),
    Shared(
        name="assets",
        type=Path | None,
        flags=("--assets",),
        help="the assets folder [default: assets beside the scene file]",
        panel=Panel.FILES,
    ),
    Shared(
        name="state",
        type=Path | None,
        flags=("--state",),
        help="where the journal lives [default: .kiebatch in the project]",
        panel=Panel.FILES,
    ),
    Shared(
        name="cache",
        type=Path | None,
        flags=("--cache",),
        help="a folder of results that fills itself; what is there is not bought again",
        panel=Panel.FILES,
        setting="cache",
    ),
)


def _model_option(kind: str, what: str) -> Shared:
    name = f"{kind}_model" if kind else "model"
    return Shared(
        name=name,
        type=str | None,
        flags=(f"--{name.replace('_', '-')}",),
        help=f"the model of {what} for which the file names none",
        panel=Panel.FILES,
        setting=name,
    )


MODELS: tuple[Shared, ...] = (
    _model_option("", "shots"),
    _model_option("image", "pictures"),
    _model_option("video", "clips"),
    _model_option("audio", "sounds"),
)

READING: tuple[Shared, ...] = (
    *MODELS,
    Shared(
        name="variables",
        type=list[str] | None,
        flags=("--var",),
        help="NAME=VALUE: words for {NAME} in prompts; repeat for more",
        panel=Panel.FILES,
        setting="variables",
        value=_variables,
        more={"metavar": "NAME=VALUE"},
    ),
    Shared(
        name="allow",
        type=list[Path] | None,
        flags=("--allow",),
        help="let files of this folder outside the project be sent; repeat for more [default: the config's `allow`]",
        panel=Panel.FILES,
        setting="allow",
        value=folders,
        more={"metavar": "DIR"},
    ),
    Shared(
        name="strict",
        type=bool,
        flags=("--strict",),
        help="warnings are errors, the same ones in every command",
        panel=Panel.FILES,
        default=False,
        setting="strict",
        value=_flag,
    ),
    Shared(
        name="fold_negative",
        type=bool,
        flags=("--fold-negative",),
        help="put negative prompts into the prompt where a model has no field for them",
        panel=Panel.FILES,
        default=False,
        setting="fold_negative",
        value=_flag,
    ),
)

_SPENDING = (
    Shared(
        name="only",
        type=list[str] | None,
        flags=("--only",),
        help="2, 2b, 2b#3, 2-5, model:kling*, changed, failed or unmet; repeat for more",
        panel=Panel.SPENDING,
    ),
    Shared(
        name="force",
        type=bool,
        flags=("--force",),
        help="make the selected slots once more although they are up to date",
        panel=Panel.SPENDING,
        default=False,
    ),
    Shared(
        name="yes",
        type=bool,
        flags=("--yes", "-y"),
        help="do not ask before spending [env: KIEBATCH_YES, which a threshold still asks]",
        panel=Panel.SPENDING,
        default=False,
        setting="consent",
        value=_consent,
    ),
    Shared(
        name="max_credits",
        type=float | None,
        flags=("--max-credits",),
        help="hard cap on what this run may submit",
        panel=Panel.SPENDING,
        setting="max_credits",
        more={"min": 0},
    ),
    Shared(
        name="approved",
        type=str | None,
        flags=("--approved",),
        help="buy exactly the plan with this effect digest, or nothing; consent to that, up to its total. "
        "`github`: that of the reviewed commit, in a job on GitHub",
        panel=Panel.SPENDING,
        setting="approved",
        more={"metavar": "DIGEST|github"},
    ),
    Shared(
        name="partial",
        type=bool,
        flags=("--partial",),
        help="go up to --max-credits, then stop (exit 4)",
        panel=Panel.SPENDING,
        default=False,
        setting="partial",
        value=_flag,
    ),
    Shared(
        name="until",
        type=str | None,
        flags=("--until",),
        help="`picks`: stop before shots that wait for a pick",
        panel=Panel.SPENDING,
        setting="until_picks",
        value=until,
    ),
    Shared(
        name="allow_unpriced",
        type=bool,
        flags=("--allow-unpriced",),
        help="let jobs go whose price is not known",
        panel=Panel.SPENDING,
        default=False,
        setting="allow_unpriced",
        value=_flag,
    ),
    Shared(
        name="trust_prices",
        type=bool,
        flags=("--trust-prices",),
        help="let a cap go by the prices of the project's models/*.yaml, even below the shipped ones",
        panel=Panel.SPENDING,
        default=False,
        setting="trust_prices",
        value=_flag,
    ),
    Shared(
        name="allow_unknown_model",
        type=bool,
        flags=("--allow-unknown-model",),
        help="send models that the catalogue does not know",
        panel=Panel.SPENDING,
        default=False,
        setting="allow_unknown_model",
        value=_flag,
    ),
    Shared(
        name="stop_on_overcharge",
        type=bool | None,
        flags=("--stop-on-overcharge/--no-stop-on-overcharge",),
        help="send nothing more once a job has cost more than its price, and exit 4 "
        f"[default: for plans above {settings.OVERCHARGE_FROM:g} credits]",
        panel=Panel.SPENDING,
        setting="stop_on_overcharge",
    ),
    Shared(
        name="no_canary",
        type=bool,
        flags=("--no-canary",),
        help="do not let the first job of a large batch go alone",
        panel=Panel.SPENDING,
        default=False,
        setting="canary",
        value=_off,
    ),
)

ACCESS = (
    Shared(
        name="api_key",
        type=str | None,
        flags=("--api-key",),
        help="the API key [env: KIE_API_KEY, then .env]. On the command line other users of this machine can see it",
        panel=Panel.NETWORK,
        setting="api_key",
    ),
    Shared(
        name="base_url",
        type=str | None,
        flags=("--base-url",),
        help="the API [env: KIE_BASE_URL; default: https://api.kie.ai]",
        panel=Panel.NETWORK,
        setting="base_url",
    ),
    Shared(
        name="upload_url",
        type=str | None,
        flags=("--upload-url",),
        help="the upload host",
        panel=Panel.NETWORK,
        setting="upload_url",
    ),
)

_NETWORK = (
    *ACCESS,
    Shared(
        name="rate",
        type=str | None,
        flags=("--rate",),
        help="submissions in any window [default: 20/10s]",
        panel=Panel.NETWORK,
        setting="rate",
    ),
    Shared(
        name="poll_rate",
        type=str | None,
        flags=("--poll-rate",),
        help="status reads of all tasks together [default: 8/1s]",
        panel=Panel.NETWORK,
        setting="poll_rate",
    ),
    Shared(
        name="poll_interval",
        type=float | None,
        flags=("--poll-interval",),
        help="shortest time between two reads of one task [default: 2]",
        panel=Panel.NETWORK,
        setting="poll_interval_s",
        more={"min": 0},
    ),
    Shared(
        name="in_flight",
        type=int | None,
        flags=("--in-flight",),
        help="tasks running at once [default: 300]",
        panel=Panel.NETWORK,
        setting="in_flight",
        more={"min": 1},
    ),
    Shared(
        name="order",
        type=Literal["file", "fastest"] | None,
        flags=("--order",),
        help="submit in the file's order, or so that it ends soonest [default: file]",
        panel=Panel.NETWORK,
        setting="order",
    ),
    Shared(
        name="timeout",
        type=float | None,
        flags=("--timeout",),
        help="seconds to wait for one task [default: image 600, video 3600, audio 1200]",
        panel=Panel.NETWORK,
        setting="timeout_s",
        more={"min": 0},
    ),
    Shared(
        name="no_wait",
        type=bool,
        flags=("--no-wait",),
        help="exit 4 when another run holds this project",
        panel=Panel.NETWORK,
        default=False,
        setting="wait",
        value=_off,
    ),
    Shared(
        name="callback_url",
        type=str | None,
        flags=("--callback-url",),
        help="where the provider sends callbacks: tasks are then read when it calls, and seldom else",
        panel=Panel.NETWORK,
        setting="callback_url",
        more={"metavar": "URL"},
    ),
    Shared(
        name="listen",
        type=str | None,
        flags=("--listen",),
        help="where callbacks are taken [default: 127.0.0.1:8766]",
        panel=Panel.NETWORK,
        setting="listen",
        more={"metavar": "HOST:PORT"},
    ),
    Shared(
        name="no_listen",
        type=bool,
        flags=("--no-listen",),
        help="a receiver of your own takes the callbacks: --callback-url is sent as it is",
        panel=Panel.NETWORK,
        default=False,
        setting="listens",
        value=_off,
    ),
)

_OUTPUT = (
    Shared(
        name="tag",
        type=list[str] | None,
        flags=("--tag",),
        help="a word that is kept with the run and its assets; repeat for more",
        panel=Panel.OUTPUT,
        setting="tags",
        value=tags,
    ),
    Shared(
        name="by",
        type=str | None,
        flags=("--by",),
        help="who runs it, in the run's record [default: git's name]",
        panel=Panel.OUTPUT,
        setting="by",
    ),
    Shared(
        name="events_file",
        type=Path | None,
        flags=("--events",),
        help="newline-delimited JSON, a line per change of state",
        panel=Panel.OUTPUT,
    ),
    Shared(
        name="log",
        type=Path | None,
        flags=("--log",),
        help="append a log as JSON lines with levels, without secrets; - for stderr",
        panel=Panel.OUTPUT,
        more={"metavar": "FILE"},
    ),
    Shared(
        name="no_progress",
        type=bool,
        flags=("--no-progress",),
        help="no bar",
        panel=Panel.OUTPUT,
        default=False,
    ),
    Shared(
        name="by_model",
        type=bool,
        flags=("--by-model",),
        help="show the progress of each model, too",
        panel=Panel.OUTPUT,
        default=False,
    ),
    Shared(
        name="notify",
        type=str | None,
        flags=("--notify",),
        help="at the end call this command, or show a notification: desktop",
        panel=Panel.OUTPUT,
        setting="notify",
        more={"metavar": "CMD"},
    ),
    Shared(
        name="as_json",
        type=bool,
        flags=("--json",),
        help="print one JSON document on stdout, nothing else there",
        panel=Panel.OUTPUT,
        default=False,
    ),
)

ALL: tuple[Shared, ...] = (*_SPENDING, *_NETWORK, *_WHERE, *READING, *_OUTPUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the user typed for the shared options of a command, under their names."""

    typed: Mapping[str, Any]
    options: Sequence[Shared]
    command: str = ""

    @property
    def words(self) -> str:
        """The command with its shared options, for the record of the run; never the key."""
        found = ["kiebatch", self.command]
        for option in self.options:
            value = self.typed.get(option.name)
            if value in (None, False, "") or option.name == "api_key":
                continue
            values = value if isinstance(value, list | tuple) else [value]
            found += [option.flags[0] if one is True else f"{option.flags[0]} {one}" for one in values]
        return " ".join(found)

    def __getitem__(self, name: str) -> Any:
        return self.typed.get(name)

    def but(self, **values: Any) -> Given:
        """Return the same with other values for some options."""
        return replace(self, typed={**self.typed, **values})

    @property
    def draft(self) -> bool:
        return bool(self["draft"])

    @property
    def only(self) -> Sequence[str]:
        return self["only"] or ()

    @property
    def force(self) -> bool:
        return bool(self["force"])

    @property
    def as_json(self) -> bool:
        return bool(self["as_json"])

    @property
    def flags(self) -> dict[str, Any]:
        """The values of those options that are settings, by the names of `Settings`; None where nothing was said."""
        found = {o.setting: o.value(self.typed.get(o.name)) for o in self.options if o.setting}
        return {**found, "command": self.words}

    @property
    def where(self) -> dict[str, Any]:
        """Where the project lies: what `project.load` takes."""
        return {name: self[name] for name in ("project", "assets", "state")} | {"draft": self.draft}


def named(*names: str) -> tuple[Shared, ...]:
    """Return some of the shared options, in the order of `ALL`."""
    return tuple(option for option in ALL if option.name in names)


def without(options: Iterable[Shared], *names: str) -> tuple[Shared, ...]:
    """Return shared options but those that a command has in a form of its own."""
    return tuple(option for option in options if option.name not in names)


# Of commands that look at a film and send nothing: where it lies, and how its file is read.
LOOKING: tuple[Shared, ...] = (
    Shared(
        name="draft",
        type=bool,
        flags=("--draft",),
        help="the draft/ folder instead of assets/",
        panel=Panel.FILES,
        default=False,
    ),
    *named(
        "project", "assets", "state", "as_json", "fold_negative", "allow_unknown_model", *settings.READING
    ),
)


def takes(options: Sequence[Shared]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the shared options; their values reach it as its parameter `given`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [
            parameter
            for name, parameter in inspect.signature(command, eval_str=True).parameters.items()
            if name != "given"
        ]
        names = {option.name for option in options}

        @functools.wraps(command)
        def called(**values: Any) -> None:
            typed = {name: values.pop(name) for name in names}
            given = Given(typed=typed, options=tuple(options), command=command.__name__)
            command(given=given, **values)

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        parameters += [option.parameter() for option in options]
        signature = inspect.Signature(parameters)
        called.__signature__ = signature  # type: ignore[attr-defined]  # what Typer reads
        called.__annotations__ = {p.name: p.annotation for p in parameters}
        return called

    return decorate
