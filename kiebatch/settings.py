"""Flags, environment, the key of .env, the user's config.yaml and `run:` become one Settings object."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypedDict

from kiebatch._dataclass import dataclass
from kiebatch.addresses import is_loopback
from kiebatch.errors import Invalid
from kiebatch.model import JSON, USD_PER_CREDIT, Rate


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable, the setting that it fills (empty where it is none), and what it means."""

    name: str
    setting: str
    meaning: str


# `docs/commands.md` shows this table.  API paths are not settings: they would be a way to send the key elsewhere.
VARIABLES = (
    Variable("KIE_API_KEY", "api_key", "the API key; else the line KIE_API_KEY=… of the project's `.env`"),
    Variable("KIE_BASE_URL", "base_url", "the API [https://api.kie.ai]"),
    Variable("KIE_UPLOAD_URL", "upload_url", "the upload host [the documented one]"),
    Variable("KIE_WEBHOOK_KEY", "webhook_key", "the key that callbacks are signed with"),
    Variable(
        "KIEBATCH_ACCOUNT", "account", "the account's name: keys with the same name share its rate limit"
    ),
    Variable(
        "KIEBATCH_STORE",
        "store",
        "where results are kept for everybody: `s3://bucket/prefix`, `gs://…`, `az://…`, `file:///…`",
    ),
    Variable(
        "KIEBATCH_TEAM", "", "the team's PostgreSQL, which keeps the money and the rate window (docs/team.md)"
    ),
    Variable("KIEBATCH_UPLOAD_FOLDER", "upload_folder", "the folder of the upload host [kiebatch]"),
    Variable("KIEBATCH_CONNECT_TIMEOUT", "connect_timeout_s", "seconds to connect [10]"),
    Variable("KIEBATCH_READ_TIMEOUT", "read_timeout_s", "seconds between two pieces of an answer [60]"),
    Variable("KIEBATCH_CALL_TIMEOUT", "call_timeout_s", "seconds for one attempt of one call [90]"),
    Variable("KIEBATCH_DOWNLOAD_TIMEOUT", "download_timeout_s", "seconds for one result's download [3600]"),
    Variable(
        "KIEBATCH_STALL_TIMEOUT",
        "stall_timeout_s",
        "seconds without a byte until a download begins another connection [8]",
    ),
    Variable("KIEBATCH_AUTHOR", "by", "who runs it, in the record of a run [git's name]"),
    Variable("KIEBATCH_NOTIFY", "notify", "what tells of a run's end: a command, or `desktop`"),
    Variable("KIEBATCH_YES", "", "`1`: do not ask before spending; a threshold or the balance still asks"),
    Variable("KIEBATCH_SPEED", "", "how many times faster than the provider a simulator on this machine is"),
    Variable("KIEBATCH_CONFIG_HOME", "", "the user's config folder: `config.yaml`, `models/`, `prompts/`"),
    Variable("KIEBATCH_STATE_HOME", "", "where the bookings of all processes on this machine lie"),
)
ENVIRONMENT: Mapping[str, str] = {v.setting: v.name for v in VARIABLES if v.setting}
# What a scene file may say under `run:`. Never hosts, keys or consent: those are the user's alone.
RUN_KEYS: Mapping[str, str] = {
    "rate": "rate",
    "poll_rate": "poll_rate",
    "in_flight": "in_flight",
    "order": "order",
    "timeout": "timeout_s",
    "max_credits": "film_cap",
}
OVERCHARGE_FROM = (
    50.0  # credits of a plan from which on a run stops at the first job that costs more than its price
)
THRESHOLDS = ("warn_above", "confirm_above", "reject_above")
TIMEOUTS_S: Mapping[str, float] = {"image": 600.0, "video": 3600.0, "audio": 1200.0, "text": 1200.0}


READING = ("variables", "model", "image_model", "video_model", "audio_model")


class Consent(StrEnum):
    """Who agreed to spend before the question was asked.  What a scene file says is never consent."""

    NONE = "none"
    EXPORTED = "exported"  # KIEBATCH_YES: for every run, so that a threshold still asks
    TYPED = "typed"  # --yes, for this very run


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A flag beats the environment, which beats `run:` in the scene file, which beats these.

    Times are in seconds.  `timeout_s` holds a limit per modality.  The thresholds (`warn_above`, `confirm_above`,
    `reject_above`) are credits; `said_by` names the file that set each.
    """

    api_key: str = field(default="", repr=False)  # never printed, so never in a repr
    base_url: str = "https://api.kie.ai"
    upload_url: str | None = None
    account: str = (
        ""  # keys with the same name share the account's rate limit; by default each key has its own
    )
    draft: bool = False
    rate: Rate = field(default_factory=lambda: Rate(starts=20, window_s=10.0))
    poll_rate: Rate = field(default_factory=lambda: Rate(starts=8, window_s=1.0))
    poll_interval_s: float = 2.0
    in_flight: int = 300
    order: Literal["file", "fastest"] = "file"
    timeout_s: Mapping[str, float] = field(default_factory=lambda: dict(TIMEOUTS_S))
    max_credits: float | None = None  # the user's own cap, which is consent up to it
    film_cap: float | None = None  # the scene file's `max_credits`: it lowers the cap, and is not consent
    consent: Consent = Consent.NONE
    approved: str = ""  # the effect digest of what may be bought; consent to exactly that
    warn_above: float | None = None
    confirm_above: float | None = None
    reject_above: float | None = None
    said_by: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False
    canary: bool = True
    stop_on_overcharge: bool | None = None  # None: where the plan is above `OVERCHARGE_FROM`
    wait: bool = True
    until_picks: bool = False
    strict: bool = False
    allow_unpriced: bool = False
    allow_unknown_model: bool = False
    trust_prices: bool = False  # a cap goes by the project's own prices, even below the shipped ones
    fold_negative: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)  # they beat the file's `vars`
    model: str = ""  # for shots for which the file names no model; the next three for one modality
    image_model: str = ""
    video_model: str = ""
    audio_model: str = ""
    cache: Path | None = None
    store: str = ""  # the address of a store of results; from the person's environment alone
    allow_commands: bool = False  # the commands of the scene file's checks may run
    allow: tuple[Path, ...] = ()  # folders outside the project whose files may be sent
    callback_url: str | None = None  # where the provider sends callbacks, seen from outside
    listen: str = "127.0.0.1:8766"  # where this run takes them
    listens: bool = True  # else a receiver of the user's own takes them, and `callback_url` is sent as it is
    webhook_key: str = field(default="", repr=False)  # what they are signed with
    tags: tuple[str, ...] = ()  # kept with the run and its assets
    by: str = ""  # who runs it, in the run's record; git's name where it is empty
    notify: str = ""  # what tells of the end of a run: a command with its arguments, or `desktop`
    command: str = ""  # as typed, for the run's record
    expected_scale: float = 1.0  # a draft's server is faster than the provider
    upload_folder: str = "kiebatch"  # where the upload host files our pictures
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0  # between two pieces of an answer
    call_timeout_s: float = 90.0  # one attempt of one call
    download_timeout_s: float = 3600.0  # one result
    stall_timeout_s: float = 8.0  # without a byte of it

    @property
    def reading(self) -> dict[str, JSON]:
        """What decides how a scene file is read, beside the file; a saved plan keeps it.  Empty when nothing was said."""
        found = {name: getattr(self, name) for name in READING}
        return {name: value for name, value in found.items() if value}

    def __post_init__(self) -> None:
        numbers = [
            ("max_credits", self.max_credits),
            ("film_cap", self.film_cap),
            *((name, getattr(self, name)) for name in THRESHOLDS),
            ("poll_interval", self.poll_interval_s),
            *(("timeout", seconds) for seconds in self.timeout_s.values()),
            *((name, getattr(self, name)) for name in _TIMES),
        ]
        for name, value in numbers:
            if value is not None and not math.isfinite(value):  # `nan` is above no cap, and below none
                raise Invalid(f"`{name}` must be a number, found `{value}`")

    @property
    def cap(self) -> float | None:
        """The most that a run may submit: the lower of the user's cap and the scene file's."""
        caps = [cap for cap in (self.max_credits, self.film_cap) if cap is not None]
        return min(caps) if caps else None

    @property
    def loopback(self) -> bool:
        """Whether the API is on this machine."""
        match = re.match(r"https?://(\[[^\]]+\]|[^:/]+)", self.base_url)
        return bool(match and is_loopback(match.group(1)))


class SettingsOptions(TypedDict, total=False):
    """The fields of `Settings`, for functions that take them by name (`run(film, max_credits=200)`)."""

    api_key: str
    base_url: str
    upload_url: str | None
    draft: bool
    rate: Rate
    poll_rate: Rate
    poll_interval_s: float
    in_flight: int
    order: Literal["file", "fastest"]
    timeout_s: Mapping[str, float]
    max_credits: float | None
    film_cap: float | None
    consent: Consent
    approved: str
    warn_above: float | None
    confirm_above: float | None
    reject_above: float | None
    said_by: Mapping[str, str]
    partial: bool
    canary: bool
    stop_on_overcharge: bool | None
    wait: bool
    until_picks: bool
    strict: bool
    allow_unpriced: bool
    allow_unknown_model: bool
    trust_prices: bool
    fold_negative: bool
    variables: Mapping[str, str]
    model: str
    image_model: str
    video_model: str
    audio_model: str
    cache: Path | None
    store: str
    allow_commands: bool
    allow: tuple[Path, ...]
    callback_url: str | None
    listen: str
    listens: bool
    webhook_key: str
    expected_scale: float
    account: str
    tags: tuple[str, ...]
    by: str
    notify: str
    command: str
    upload_folder: str
    connect_timeout_s: float
    read_timeout_s: float
    call_timeout_s: float
    download_timeout_s: float
    stall_timeout_s: float


def parse_rate(text: str) -> Rate:
    """Return the rate that `20/10s` says; `Invalid` when it says none."""
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+(?:\.\d+)?)\s*s?\s*", text)
    if not match or int(match.group(1)) < 1 or float(match.group(2)) <= 0:
        raise Invalid(f"a rate looks like `20/10s`, found `{text}`")
    return Rate(starts=int(match.group(1)), window_s=float(match.group(2)))


def parse_credits(value: JSON, name: str) -> float:
    """Return the credits that `120`, `5$` or `$5` says; `Invalid` when it says none.  `name` is for the message."""
    known = isinstance(value, str | float) or (isinstance(value, int) and abs(value) < 10**15)
    text = str(value) if known and not isinstance(value, bool) else ""
    match = re.fullmatch(r"\s*(\$?)\s*(\d{1,15}(?:\.\d{1,15})?)\s*(\$?)\s*", text)
    dollar_signs = (match.group(1) + match.group(3)) if match else ""
    if not match or len(dollar_signs) > 1:
        found = f"`{text[:60]}`" if text else "something else"
        raise Invalid(f"`{name}` takes credits (`120`) or dollars (`5$`), found {found}")
    amount = float(match.group(2))
    return round(amount / USD_PER_CREDIT, 4) if dollar_signs else amount


def settings(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    run: Mapping[str, JSON],
    *,
    env_file: Path | None = None,
    config: Mapping[str, JSON] | None = None,
    film: str = "the scene file",
) -> Settings:
    """Return the settings of one command.

    `flags` are keyed by the names of `Settings`, None where the user gave none; rates may be text, `timeout_s`
    one number for all modalities.  Of `env_file` only KIE_API_KEY is read.  `config` holds the values of the user's
    config.yaml; `film` is how messages call the scene file that `run` is part of.  KIEBATCH_SPEED says how many times
    faster than the provider a simulator on this machine is, so that nobody waits for the usual durations.
    """
    found: dict[str, Any] = {
        **_of_film(run),
        **_thresholds({film: run, "config.yaml": config or {}}),
        **_of_config(config or {}),
        **_environment(environ),
    }
    if "api_key" not in found:
        found |= _key_of(env_file)
    known = {f.name for f in fields(Settings)}
    found |= {name: value for name, value in flags.items() if value is not None and name in known}
    found.setdefault("consent", _exported_consent(environ))
    found |= {name: read(found[name]) for name, read in _READERS.items() if found.get(name) is not None}
    for key in _NOT_NEGATIVE:
        if found.get(key) is not None and found[key] < 0:
            raise Invalid(f"`{key}` cannot be negative")
    return _at_speed(Settings(**found), environ.get("KIEBATCH_SPEED"))


_NOT_NEGATIVE = ("poll_interval_s", "in_flight", "max_credits", "film_cap")


def _of_film(run: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the settings that a scene file says under `run:`; the thresholds are read apart."""
    return {RUN_KEYS[key]: value for key, value in run.items() if key in RUN_KEYS}


def _of_config(config: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the settings that the user's config.yaml says; the thresholds are read apart."""
    notify = config.get("notify")
    return {"notify": notify} if notify else {}


def _exported_consent(environ: Mapping[str, str]) -> Consent:
    said = environ.get("KIEBATCH_YES", "").strip().lower() in _TRUE
    return Consent.EXPORTED if said else Consent.NONE


def _key_of(env_file: Path | None) -> dict[str, str]:
    """Return the API key that a project's `.env` names; nothing without one."""
    if env_file is None or not env_file.is_file():
        return {}
    import dotenv  # few projects have the file

    key = dotenv.dotenv_values(env_file, interpolate=False).get("KIE_API_KEY")
    return {"api_key": key} if key else {}


_TRUE = ("1", "true", "yes", "on")
_TIMES = ("connect_timeout_s", "read_timeout_s", "call_timeout_s", "download_timeout_s", "stall_timeout_s")


def _environment(environ: Mapping[str, str]) -> dict[str, str | float]:
    """Return the settings that the environment gives."""
    found: dict[str, str | float] = {}
    for name, variable in ENVIRONMENT.items():
        value = environ.get(variable)
        if not value:
            continue
        found[name] = _seconds(variable, value) if name in _TIMES else value
    return found


def _seconds(variable: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds <= 0:
        raise Invalid(f"{variable} takes seconds, found `{text}`")
    return seconds


def _thresholds(sources: Mapping[str, Mapping[str, JSON]]) -> dict[str, JSON]:
    """Return the strictest of each threshold, and who said it."""
    found: dict[str, float] = {}
    said_by: dict[str, str] = {}
    for source, values in sources.items():
        for name in THRESHOLDS:
            if values.get(name) is None:
                continue
            credits = parse_credits(values[name], name)
            if name not in found or credits < found[name]:
                found[name] = credits
                said_by[name] = source
    return {**found, "said_by": said_by} if found else {}


def _rate(value: Rate | str) -> Rate:
    return parse_rate(value) if isinstance(value, str) else value


def _timeouts(value: float | Mapping[str, float]) -> Mapping[str, float]:
    return dict.fromkeys(TIMEOUTS_S, float(value)) if isinstance(value, int | float) else value


def _callback_url(value: str) -> str:
    if not re.match(r"https?://[^\s/]", value):
        raise Invalid(
            f"`{value}` is not an address for callbacks", hint="for instance https://me.example/kie"
        )
    return value


def _notify(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise Invalid(f"`{value}` cannot be read as a command: {error}") from None
    if not words:
        raise Invalid("--notify takes a command with its arguments, or `desktop`")
    return value


def _upload_folder(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", value):
        raise Invalid(
            f"KIEBATCH_UPLOAD_FOLDER takes a folder of letters, digits, `-` and `_`, found `{value}`"
        )
    return value


def _effect_digest(value: str) -> str:
    match = re.fullmatch(r"\s*(?:sha256:)?([0-9a-f]{64})\s*", value)
    if not match:
        raise Invalid(
            f"`{value[:80]}` cannot be an effect digest",
            hint="`kiebatch plan` ends with it: `sha256:` and 64 digits",
        )
    return f"sha256:{match[1]}"


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "rate": _rate,
    "poll_rate": _rate,
    "timeout_s": _timeouts,
    "callback_url": _callback_url,
    "notify": _notify,
    "upload_folder": _upload_folder,
    "approved": _effect_digest,
}


def _at_speed(chosen: Settings, speed: str | None) -> Settings:
    if not speed or not chosen.loopback:
        return chosen
    try:
        return replace(chosen, expected_scale=1 / float(speed))
    except (ValueError, ZeroDivisionError):
        raise Invalid(f"KIEBATCH_SPEED is how many times faster a simulator is, found `{speed}`") from None
