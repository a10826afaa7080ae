"""Flags, environment, the key of .env and `run:` become one Settings object."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import dotenv

from kiebatch.addresses import is_loopback
from kiebatch.errors import Invalid
from kiebatch.model import JSON, Rate

TIMEOUTS_S: Mapping[str, float] = {"image": 600.0, "video": 3600.0, "audio": 1200.0, "text": 1200.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A flag beats the environment, which beats `run:` in the scene file, which beats these.

    Times are in seconds.  `timeout_s` holds a limit per modality.
    """

    api_key: str = field(default="", repr=False)  # never printed, so never in a repr
    base_url: str = "https://api.kie.ai"
    upload_url: str | None = None
    draft: bool = False
    rate: Rate = field(default_factory=lambda: Rate(starts=20, window_s=10.0))
    poll_rate: Rate = field(default_factory=lambda: Rate(starts=8, window_s=1.0))
    poll_interval_s: float = 2.0
    in_flight: int = 300
    order: Literal["file", "fastest"] = "file"
    timeout_s: Mapping[str, float] = field(default_factory=lambda: dict(TIMEOUTS_S))
    max_credits: float | None = None
    confirm_above: float | None = None
    partial: bool = False
    canary: bool = True
    wait: bool = True
    until_picks: bool = False
    strict: bool = False
    allow_unpriced: bool = False
    allow_unknown_model: bool = False
    fold_negative: bool = False
    cache: Path | None = None
    callback_url: str | None = None  # where the provider sends callbacks, seen from outside
    listen: str = "127.0.0.1:8766"  # where this run takes them
    webhook_key: str = field(default="", repr=False)  # what they are signed with
    expected_scale: float = 1.0  # a draft's server is faster than the provider

    def __post_init__(self) -> None:
        numbers = [
            ("max_credits", self.max_credits),
            ("confirm_above", self.confirm_above),
            ("poll_interval", self.poll_interval_s),
            *(("timeout", seconds) for seconds in self.timeout_s.values()),
        ]
        for name, value in numbers:
            if value is not None and not math.isfinite(value):  # `nan` is above no cap, and below none
                raise Invalid(f"`{name}` must be a number, found `{value}`")

    @property
    def loopback(self) -> bool:
        """Whether the API is on this machine."""
        match = re.match(r"https?://(\[[^\]]+\]|[^:/]+)", self.base_url)
        return bool(match and is_loopback(match.group(1)))


def parse_rate(text: str) -> Rate:
    """Return the rate that `20/10s` says; `Invalid` when it says none."""
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+(?:\.\d+)?)\s*s?\s*", text)
    if not match or int(match.group(1)) < 1 or float(match.group(2)) <= 0:
        raise Invalid(f"a rate looks like `20/10s`, found `{text}`")
    return Rate(starts=int(match.group(1)), window_s=float(match.group(2)))


def settings(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    run: Mapping[str, JSON],
    *,
    env_file: Path | None = None,
) -> Settings:
    """Return the settings of one command.

    `flags` are keyed by the names of `Settings`, None where the user gave none; rates may be text, `timeout_s`
    one number for all modalities.  Of `env_file` only KIE_API_KEY is read.  KIEBATCH_SPEED says how many times
    faster than the provider a simulator on this machine is, so that nobody waits for the usual durations.
    """
    found: dict[str, Any] = {}
    for key, value in run.items():
        found["timeout_s" if key == "timeout" else key] = value
    for key, name in (
        ("api_key", "KIE_API_KEY"),
        ("base_url", "KIE_BASE_URL"),
        ("upload_url", "KIE_UPLOAD_URL"),
        ("webhook_key", "KIE_WEBHOOK_KEY"),
    ):
        if environ.get(name):
            found[key] = environ[name]
    if "api_key" not in found and env_file is not None and env_file.is_file():
        kept = dotenv.dotenv_values(env_file, interpolate=False).get("KIE_API_KEY")
        if kept:
            found["api_key"] = kept
    known = {f.name for f in fields(Settings)}
    found |= {k: v for k, v in flags.items() if v is not None and k in known}
    for key in ("rate", "poll_rate"):
        if isinstance(found.get(key), str):
            found[key] = parse_rate(found[key])
    timeout = found.get("timeout_s")
    if isinstance(timeout, int | float):
        found["timeout_s"] = dict.fromkeys(TIMEOUTS_S, float(timeout))
    for key in ("poll_interval_s", "in_flight", "max_credits"):
        if found.get(key) is not None and found[key] < 0:
            raise Invalid(f"`{key}` cannot be negative")
    callback_url = found.get("callback_url")
    if callback_url and not re.match(r"https?://[^\s/]", callback_url):
        raise Invalid(
            f"`{callback_url}` is no address for callbacks", hint="for instance https://me.example/kie"
        )
    chosen = Settings(**found)
    speed = environ.get("KIEBATCH_SPEED")
    if speed and chosen.loopback:
        try:
            return replace(chosen, expected_scale=1 / float(speed))
        except (ValueError, ZeroDivisionError):
            raise Invalid(
                f"KIEBATCH_SPEED is how many times faster a simulator is, found `{speed}`"
            ) from None
    return chosen
