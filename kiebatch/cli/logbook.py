"""`--log FILE`: a run as JSON lines with levels, for whoever collects logs.  `--events` is for programs that follow it."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from kiebatch.model import JSON
from kiebatch.running import events

# The level of each kind of event; what is noticed brings its own.
_LEVELS: dict[type, str] = {
    events.Submitted: "info",
    events.Waiting: "debug",
    events.Downloaded: "debug",
    events.Saved: "info",
    events.JobFailed: "error",
    events.JobHeld: "warning",
    events.Skipped: "warning",
    events.Finished: "info",
}


class Logbook(AbstractContextManager["Logbook"]):
    """Appends one JSON object a line: time, level, message, and the keys of the event.

    `-` writes to stderr.  `secret` is the API key: should the text of an answer ever repeat it, `***` is written.
    """

    def __init__(self, target: Path, secret: str = "") -> None:
        self._secret = secret
        self._ours = str(target) != "-"
        self._stream: TextIO = target.open("a", encoding="utf-8") if self._ours else sys.stderr

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self._stream.close()

    def write(self, event: events.Event, keys: dict[str, JSON]) -> None:
        """Write one event; `keys` are those of `--events`, empty where that has no line for it."""
        if isinstance(event, events.Noticed):
            level, message = event.level, event.message
        else:
            level = _LEVELS[type(event)]
            parts = (keys.get("event"), keys.get("slot"), keys.get("message") or keys.get("reason"))
            message = " ".join(str(part) for part in parts if part)
        moment = datetime.now().astimezone().isoformat(timespec="milliseconds")
        line = json.dumps(
            {"time": moment, "level": level, "message": message, **_others(keys)}, ensure_ascii=False
        )
        if self._secret:
            line = line.replace(self._secret, "***")
        self._stream.write(line + "\n")
        self._stream.flush()


def _others(keys: dict[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in keys.items() if name != "message" and value is not None}
