"""Writes the record of a run while it goes on: what was asked, what was answered, what became of each job."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from kiebatch import formats
from kiebatch.errors import KieBatchError
from kiebatch.git import Repository
from kiebatch.model import JSON, Job, Reply, Request, as_text, canonical_url, stamp
from kiebatch.planning import Plan
from kiebatch.project import Opened
from kiebatch.provider.policy import Answer
from kiebatch.record import picks_file
from kiebatch.record.manifest import entry
from kiebatch.record.runs import Run, RunFile, RunStatus
from kiebatch.running import events
from kiebatch.running.outcome import Outcome
from kiebatch.settings import Settings

_HIDDEN = "(cut)"
_URL = re.compile(r"https?://[^\s\"'<>\\]+")
_NOT_BOUGHT = ("saved", "made before", "paid for already")


@dataclass(slots=True)
class _Talk:
    """What was sent and answered about one task, until somebody says which slot it is for."""

    path: str = ""
    body: JSON = None
    answer: JSON = None
    record: JSON = None

    @property
    def request(self) -> JSON:
        """The submission as the record shows it; None where it was another run that sent it."""
        return {"path": self.path, "body": self.body} if self.path else None


class Recorder:
    """Listens to a run.  A context: however the block ends, the record says how."""

    def __init__(self, opened: Opened, settings: Settings, run_id: str, now: Callable[[], float]) -> None:
        self._opened = opened
        self._settings = settings
        self._now = now
        self._run = _begun(opened, settings, run_id, stamp(now()))
        self._file: RunFile | None = None
        self._jobs: dict[str, Job] = {}
        self._models: dict[str, None] = {}
        self.empty: dict[str, JSON] = {}  # the records of tasks that ended without an output
        self._by_task: dict[str, _Talk] = {}  # by the provider's task id
        self._nameless: list[_Talk] = []  # submissions that made no task that is known
        self.outcome: Outcome | None = None

    # -- the run

    def __enter__(self) -> Self:
        # A record that cannot be written does not stop a run: what was paid for goes into journal and manifest.
        with contextlib.suppress(OSError):
            self._file = RunFile(self._opened.workspace.state / "runs", self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status, reason = _how(self.outcome, error)
        run = replace(
            self._run,
            ended_at=stamp(self._now()),
            status=status,
            reason=self._plain(reason),
            models=tuple(self._models),
        )
        if self.outcome:
            run = _with_outcome(run, self.outcome)
        if self._file:
            with contextlib.suppress(OSError):
                self._file.end(run)

    def planned(self, todo: Plan) -> None:
        """Take the plan: its jobs' words, and what it need not buy."""
        for entry_ in todo.work:
            if entry_.job:
                self._jobs[str(entry_.slot)] = entry_.job
        saved = sum(
            e.job.price.amount or 0.0
            for e in todo.work
            if e.job and e.action == "restore" and e.reason in _NOT_BOUGHT
        )
        self._run = replace(self._run, estimated=round(todo.credits(), 4), saved=round(saved, 4))

    # -- what happens

    def listening(self, emit: Callable[[events.Event], object]) -> Callable[[events.Event], object]:
        """Return an `emit` that writes each event down before it passes it on."""

        def both(event: events.Event) -> object:
            self.event(event)
            return emit(event)

        return both

    def event(self, event: events.Event) -> None:
        """Write down one change of state."""
        match event:
            case events.Submitted():
                talk = self._talk_of(event.slot, event.task_id)
                sent = {"request": talk.request, "answer": talk.answer, "credits": event.credits}
                self._job(event.slot, "submitted", event.task_id, **sent)
            case events.Saved():
                asset = self._safe(entry(event.asset))
                record = self._record_of(event.task_id)
                self._job(event.slot, "saved", event.task_id, asset=asset, record=record, state="saved")
            case events.JobFailed():
                talk = self._talk_of(event.slot, event.task_id)
                told = {"code": event.code, "message": event.message, "billed": event.billed}
                said = {"request": talk.request, "answer": talk.answer, "record": talk.record}
                if event.code == "no-output" and event.task_id:
                    self.empty[event.task_id] = talk.record
                self._job(event.slot, "failed", event.task_id, state="failed", **told, **said)
            case events.JobHeld():
                talk = self._talk_of(event.slot, None)
                said = {"request": talk.request, "answer": talk.answer, "message": event.reason}
                self._job(event.slot, "held", None, state="held", **said)
            case events.Skipped():
                self._job(event.slot, "skipped", None, state="skipped", message=event.reason)
            case events.Noticed() if event.level != "debug":
                self._line("notice", {"text": self._plain(event.message)})
            case _:
                pass

    def exchange(self, request: Request, answer: Answer, task_id: str | None) -> None:
        """Take one call to the API and its answer.  `task_id` is that of a submission that was accepted."""
        told = answer.body if isinstance(answer, Reply) else {"no_answer": answer.reason}
        if request.method == "POST" and request.body is not None:
            talk = _Talk(path=request.path, body=self._safe(request.body), answer=self._safe(told))
            if task_id:
                self._by_task[task_id] = talk
            else:
                self._nameless.append(talk)
            return
        for value in request.query.values():
            if value:  # the task that is read; one of an earlier run has no request here
                self._by_task.setdefault(value, _Talk()).record = self._safe(told)

    def _talk_of(self, slot: object, task_id: str | None) -> _Talk:
        """Return what was said about a slot's task, or about its submission that made none, found by its words."""
        if task_id and task_id in self._by_task:
            return self._by_task[task_id]
        job = self._jobs.get(str(slot))
        for talk in self._nameless if job else ():
            if job and _is_of(talk, job):
                self._nameless.remove(talk)
                return talk
        return _Talk()

    def _record_of(self, task_id: str | None) -> JSON:
        talk = self._by_task.pop(task_id, None) if task_id else None
        return talk.record if talk else None

    # -- lines

    def _job(self, slot: object, what: str, task_id: str | None, **facts: JSON) -> None:
        name = str(slot)
        job = self._jobs.get(name)
        row: dict[str, JSON] = {"slot": name, "event": what, "task_id": task_id, **facts}
        if job and what in ("submitted", "failed", "held", "saved"):
            self._models[job.model] = None
            row |= {"model": job.model, "prompt": job.prompt, "prompt_raw": job.prompt_raw or job.prompt}
        message = as_text(row.get("message"))
        if message is not None:
            row["message"] = self._plain(message)
        self._line("job", {key: value for key, value in row.items() if value is not None})

    def _line(self, kind: str, value: Mapping[str, JSON]) -> None:
        if self._file:
            with contextlib.suppress(OSError):
                self._file.line(kind, {"time": stamp(self._now()), **value})

    # -- secrets

    def _safe(self, value: JSON) -> JSON:
        """Return a value without keys and without what signs a link."""
        if isinstance(value, Mapping):
            return {str(key): self._safe(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._safe(one) for one in value]
        return self._plain(value) if isinstance(value, str) else value

    def _plain(self, text: str) -> str:
        for secret in (self._settings.api_key, self._settings.webhook_key):
            if secret:
                text = text.replace(secret, _HIDDEN)
        return _plain_urls(text)


def _is_of(talk: _Talk, job: Job) -> bool:
    """Whether a submission was that of a job: it says the same words to the same model, or at the same endpoint."""
    texts = set(formats.texts_in(talk.body))
    prompt = not job.prompt or _plain_urls(job.prompt) in texts
    return prompt and (job.model in texts or talk.path == job.endpoint)


def _plain_urls(text: str) -> str:
    """Return a text in which no address is signed; answers hold some inside JSON that is text."""
    if "://" not in text or "?" not in text:
        return text
    return _URL.sub(lambda found: canonical_url(found.group(0)), text)


def _begun(opened: Opened, settings: Settings, run_id: str, time: str) -> Run:
    workspace = opened.workspace
    repository = Repository.around(workspace.root)
    commit = repository.commit("HEAD") if repository else None
    return Run(
        id=run_id,
        started_at=time,
        command=settings.command,
        by=settings.by or picks_file.author(workspace),
        machine=platform.node(),
        film=workspace.scene_name,
        assets=os.path.relpath(workspace.assets, workspace.root),
        commit=commit or "",
        draft=workspace.draft,
        tags=tuple(dict.fromkeys((*settings.tags, *opened.project.tags))),
    )


def _how(outcome: Outcome | None, error: BaseException | None) -> tuple[RunStatus, str]:
    """Return how a run ended, and why it stopped."""
    if isinstance(error, KieBatchError):
        return RunStatus(error.status), error.message
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return RunStatus.INTERRUPTED, "interrupted"
    if error is not None:
        return RunStatus.ERROR, f"{type(error).__name__}: {error}"
    if outcome is None:
        return RunStatus.UNFINISHED, ""
    return RunStatus(outcome.status), outcome.stopped_because


def _with_outcome(run: Run, outcome: Outcome) -> Run:
    return replace(
        run,
        counts=outcome.counts(),
        spent=round(outcome.spent, 4),
        billed_for_failures=round(outcome.billed_for_failures, 4),
    )
