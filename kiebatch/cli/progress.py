"""Shows a run while it goes on: a bar on a terminal, lines elsewhere, one a minute in CI, and `--events` for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from kiebatch import files
from kiebatch.cli import console, streams
from kiebatch.cli.logbook import Logbook
from kiebatch.cli.tally import Expected, Tally, median
from kiebatch.errors import plain
from kiebatch.model import JSON
from kiebatch.planning import Entry
from kiebatch.project import peek
from kiebatch.running import events
from kiebatch.workspace import Workspace

_MINUTE_S = 60.0


def expected(workspace: Workspace, work: Iterable[Entry], scale: float) -> dict[str, Expected]:
    """Return what is known of the jobs of a plan: how long their models took here, else what the catalogue expects."""
    learnt: dict[str, float | None] = {}
    found = {}
    with peek(workspace) as journal:
        for entry in work:
            if entry.job is None:
                found[str(entry.slot)] = Expected(model="restored", usual_s=0.0)
                continue
            model = entry.job.model
            if model not in learnt:
                learnt[model] = median(journal.notebook.durations(model)) if journal else None
            usual_s = learnt[model]
            if usual_s is None:
                usual_s = entry.job.expected_s * scale
            found[str(entry.slot)] = Expected(model=model, usual_s=usual_s)
    return found


def event_line(event: events.Event) -> dict[str, JSON]:
    """Return an event as the line of `--events` that says it; nothing for those that are talk alone."""
    more: dict[str, JSON]
    match event:
        case events.Submitted():
            name, more = "submitted", {"credits": event.credits}
        case events.Waiting():
            name, more = "running", {"state": plain(event.state), "progress": event.progress}
        case events.Downloaded():
            name, more = "downloaded", {"bytes": event.size_bytes}
        case events.Saved():
            name, more = "saved", {"asset": event.asset.id, "filename": event.asset.filename}
        case events.JobFailed():
            name = "failed"
            more = {"code": event.code, "message": event.message, "retryable": event.retryable}
        case events.JobHeld():
            name, more = "held", {"reason": event.reason}
        case events.Skipped():
            name, more = "skipped", {"reason": event.reason}
        case events.Finished():
            of_no_slot = {"event": "finished", "slot": None, "task_id": None}
            return {**of_no_slot, "status": event.status, "unmet": event.unmet}
        case _:
            return {}
    return {"event": name, "slot": str(event.slot), "task_id": getattr(event, "task_id", None), **more}


class Transcript:
    """Writes the events of a run into the files that were named: `--events` for programs, `--log` for log collectors."""

    def __init__(self, events_file: Path | None = None, log: Logbook | None = None) -> None:
        self._stream: TextIO | None = events_file.open("a", encoding="utf-8") if events_file else None
        self._log = log

    def write(self, event: events.Event) -> None:
        """Write one event into each of the files, as far as it has a line there."""
        line = event_line(event)
        if self._log:
            self._log.write(event, line)
        if self._stream and line:
            moment = datetime.now().astimezone().isoformat(timespec="milliseconds")
            self._stream.write(json.dumps({"time": moment, **line}, ensure_ascii=False) + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Close the files."""
        if self._stream:
            self._stream.close()
        if self._log:
            self._log.__exit__()


class Progress:
    """Takes the events of a run and shows them."""

    def __init__(
        self,
        jobs: Mapping[str, Expected],
        *,
        bar: bool,
        by_model: bool = False,
        quiet: bool = False,
        folder: Path | None = None,
        transcript: Transcript | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder` is where the names of assets begin, so that a person sees a path that opens from here.

        `by_model` shows each model apart; `quiet` shows nothing, and leaves all to `transcript`.
        """
        self._clock = clock
        self.tally = Tally(jobs=jobs, began=clock())
        self._said_at = clock()
        self._folder = folder
        self._transcript = transcript or Transcript()
        self._quiet = quiet
        self._by_model = by_model
        self._bars: dict[str, Any] = {}
        if bar and jobs and not quiet:
            self._bars = _bars(self.tally, by_model=by_model)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars.values():
            bar.close()
        self._transcript.close()

    def __call__(self, event: events.Event) -> None:
        self._transcript.write(event)
        self.tally.note(event, self._clock())
        self._say(event)
        if self._bars:
            self._redraw()
        elif self.tally.jobs and self._clock() - self._said_at >= _MINUTE_S:
            self._said_at = self._clock()
            lines = self.tally.model_lines() if self._by_model else []
            self._print("\n".join([self.tally.line(self._clock()), *lines]))

    def _say(self, event: events.Event) -> None:
        match event:
            case events.Saved() if event.asset.output == 1 and self._names_files:
                self._print(f"saved {event.slot}: {plain(self._path_of(event.asset.filename))}")
            case events.JobFailed():
                self._print(f"failed {event.slot}: {event.message or event.code}")
            case events.JobHeld():
                self._print(f"held {event.slot}: {event.reason}")
            case events.Skipped():
                self._print(f"not sent {event.slot}: {event.reason}")
            case events.Noticed() if event.level != "debug":
                label = "warning: " if event.level == "warning" else ""
                self._print(f"{label}{event.message}")
            case _:
                pass

    @property
    def _names_files(self) -> bool:
        """Whether each file that is there is named: not in the log of a CI job."""
        return bool(self._bars) or not console.in_ci()

    def _redraw(self) -> None:
        counts = {"": self.tally.all, **self.tally.models}
        for name, bar in self._bars.items():
            bar.n = counts[name].over
        self._bars[""].set_postfix_str(self.tally.brief(self._clock()), refresh=False)
        for bar in self._bars.values():
            bar.refresh()

    def _path_of(self, filename: str) -> str:
        return files.shown(self._folder / filename) if self._folder else filename

    def _print(self, text: str) -> None:
        if self._quiet:
            return
        if self._bars:
            self._bars[""].write(streams.harmless(text), file=sys.stderr)
        else:
            console.say(text)


def _bars(tally: Tally, *, by_model: bool) -> dict[str, Any]:
    """Return the bar of the batch, and on demand one for each of its models."""
    from tqdm import tqdm

    look: dict[str, Any] = {"file": sys.stderr, "dynamic_ncols": True, "unit": "job"}
    whole = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}]{postfix}"
    bars = {"": tqdm(total=tally.all.total, bar_format=whole, **look)}
    if by_model:
        widest = max(len(name) for name in tally.models)
        for number, (name, count) in enumerate(sorted(tally.models.items()), start=1):
            form = f"  {plain(name):{widest}} " + "{bar}| {n_fmt}/{total_fmt}"
            bars[name] = tqdm(total=count.total, bar_format=form, position=number, leave=False, **look)
    return bars
