"""Asks for better prompts and pins them: what `kiebatch enhance` does.

A question costs credits and has no id that could be asked for again, so it is written down before it is sent; an answer
that was lost is not asked for again by itself.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from kiebatch import files, prompts
from kiebatch.catalogue.chat_models import DEFAULT, ChatModel, chat_model
from kiebatch.errors import Invalid, Refused, plain
from kiebatch.model import JSON, Job, Project, Scene, Shot, stamp
from kiebatch.planning import Plan, Rule, Verdict, thresholds
from kiebatch.project import Opened, Pins, lock_path
from kiebatch.prompts import Entry, Key, Preset, chat, lock
from kiebatch.prompts.choosing import counts
from kiebatch.provider import Client
from kiebatch.provider.policy import SubmitVerdict
from kiebatch.running.question_book import QuestionBook
from kiebatch.settings import Settings

_AT_ONCE = 4
_ATTEMPTS = 5  # of a question that certainly was not taken
_COMMAND_TIMEOUT_S = 300.0


class State(StrEnum):
    """What became of one prompt."""

    PINNED = "pinned"  # its text is in the lock
    OPEN = "open"  # it would be asked for
    MADE = "made"  # asked for now
    LOST = "lost"  # asked for earlier, and the answer was lost
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One prompt that a better one is wanted for, and the shots that say it."""

    key: Key
    slots: tuple[str, ...]
    raw: str
    question: str
    preset: Preset
    why: str  # why this preset
    values: Mapping[str, str]  # the preset's variables


@dataclass(frozen=True, slots=True, kw_only=True)
class Enhanced:
    """What became of one prompt.  `credits` are the most it costs while it is open, else what it cost."""

    wanted: Wanted
    state: State
    text: str = ""
    credits: float | None = None
    tokens: int | None = None
    message: str = ""

    def as_json(self) -> dict[str, JSON]:
        wanted = self.wanted
        return {
            "slots": list(wanted.slots),
            "model": wanted.key.model,
            "preset": wanted.key.preset,
            "version": wanted.key.version,
            "state": str(self.state),
            "raw": wanted.raw,
            "text": self.text or None,
            "credits": self.credits,
            "tokens": self.tokens,
            "message": self.message or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What is asked: a chat model of the account, or a command that reads JSON and prints text."""

    model: ChatModel | None = None
    command: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.model.id if self.model else Path(self.command[0]).name

    def bound(self, wanted: Wanted) -> float:
        """Return the most credits that one question can cost."""
        return self.model.bound(wanted.question) if self.model else 0.0


def asking(model: str | None = None, command: str | None = None) -> Asking:
    """Return who is asked; `Invalid` for a chat model that is not there, or an empty command."""
    if command is None:
        return Asking(model=chat_model(model or DEFAULT))
    words = tuple(shlex.split(command))
    if not words:
        raise Invalid("--command needs a program")
    if model:
        raise Invalid("give one of --chat-model and --command")
    return Asking(command=words)


# --- what is wanted ------------------------------------------------------------------------------------


def wanted(opened: Opened, todo: Plan, *, preset: str = "") -> list[Wanted]:
    """Return the prompts of a plan's selected shots that ask for a better one, each once, in the file's order.

    `opened` was read without the lock.  `preset` is taken for all of them in place of the file's.
    """
    pins = Pins(opened.workspace)
    selected = {entry.slot for entry in todo.entries if entry.selected and entry.job}
    found: dict[Key, Wanted] = {}
    for scene, shot, job in _jobs(opened.project):
        model = opened.catalogue.get(job.model)
        if job.slot not in selected or job.enhance == "off" or not _is_words(job) or model is None:
            continue
        pattern = prompts.pattern_of(model, job.media)
        choice = pins.presets.choose(model, pattern, preset or job.preset)
        if choice.preset is None:
            continue
        # With a preset for one call the entry is still found by what the file says, so that a run sends it.
        key = pins.key(job.prompt_raw, model, job.media, job.preset)
        key = key or Key(lock.digest(job.prompt_raw), choice.preset.key, choice.preset.version, model.id)
        if key in found:
            found[key] = replace(found[key], slots=(*found[key].slots, str(job.slot)))
            continue
        values = _values(scene, shot, job, model.task, str(pattern))
        found[key] = Wanted(
            key=key,
            slots=(str(job.slot),),
            raw=job.prompt_raw,
            question=prompts.instruction(choice.preset, values),
            preset=choice.preset,
            why=choice.why,
            values=values,
        )
    return list(found.values())


def _jobs(project: Project) -> Iterator[tuple[Scene, Shot, Job]]:
    for scene in project.scenes:
        for shot in scene.shots:
            for job in shot.jobs:
                yield scene, shot, job


def _is_words(job: Job) -> bool:
    raw = job.prompt_raw.strip()
    return bool(raw) and not (raw.startswith("{") and raw.endswith("}"))


def _values(scene: Scene, shot: Shot, job: Job, task: str, pattern: str) -> dict[str, str]:
    images, videos, sounds = counts(job.media)
    return {
        "user_prompt": job.prompt_raw,
        "model_key": job.model,
        "task_mode": task,
        "input_pattern": pattern,
        "image_count": str(images),
        "video_count": str(videos),
        "audio_count": str(sounds),
        "scene_title": scene.title,
        "camera": shot.camera or scene.camera,
        "style": job.style,
        "characters": ", ".join(job.characters),
    }


def look(opened: Opened, asked: Sequence[Wanted], whom: Asking) -> list[Enhanced]:
    """Return what is pinned, what was lost and what would be asked for, with the most that it costs.  Sends nothing."""
    pinned = lock.read(lock_path(opened.workspace))
    book = QuestionBook.read(_book_path(opened))
    found = []
    for one in asked:
        entry = pinned.get(one.key)
        if entry:
            found.append(
                Enhanced(
                    wanted=one,
                    state=State.PINNED,
                    text=entry.text,
                    credits=entry.credits,
                    tokens=entry.tokens,
                )
            )
        elif one.key in book.lost:
            message = "the answer was lost and may have been charged; --again asks once more"
            found.append(Enhanced(wanted=one, state=State.LOST, message=message, credits=whom.bound(one)))
        else:
            found.append(Enhanced(wanted=one, state=State.OPEN, credits=whom.bound(one)))
    return found


def _book_path(opened: Opened) -> Path:
    return opened.workspace.state / "questions.jsonl"


def most_for(asked: Sequence[Enhanced]) -> float:
    """Return the most credits that these questions can cost."""
    return round(sum(one.credits or 0.0 for one in asked), 4)


def rules_about(most: float, settings: Settings) -> Sequence[Rule]:
    """Return what the thresholds say of questions that cost so much; a draft costs nothing."""
    return () if settings.draft else tuple(thresholds(most, settings, who="the questions can cost"))


# --- asking --------------------------------------------------------------------------------------------


def enhance(
    opened: Opened,
    asked: Sequence[Enhanced],
    whom: Asking,
    settings: Settings,
    *,
    again: bool = False,
    on_done: Callable[[Enhanced], object] = lambda _one: None,
    now: Callable[[], float] = time.time,
) -> list[Enhanced]:
    """Ask for every prompt of `look` that is open, and pin each answer as it comes; a draft pins nothing.

    `again` also asks for those whose answer was lost.  `Refused` before the first question where all of them could
    cost more than the cap or `reject_above`, and where the key or the credits do not suffice.
    """
    take = {State.OPEN, State.LOST} if again else {State.OPEN}
    todo = [one for one in asked if one.state in take]
    _refuse_too_much(most_for(todo), settings)
    if not todo:
        return list(asked)
    with files.lock(opened.workspace.state / "enhance.lock", wait=False, holder="`kiebatch enhance`"):
        work = _Work(opened, whom, settings, on_done, now)
        done = {one.wanted.key: one for one in asyncio.run(work.all(todo))}
    return [done.get(one.wanted.key, one) for one in asked]


def _refuse_too_much(most: float, settings: Settings) -> None:
    """Raise `Refused` where questions that cost so much are above the cap, or above `reject_above`."""
    if settings.cap is not None and most > settings.cap and not settings.draft:
        raise Refused(
            f"the questions can cost up to {most:g} credits, and the cap is {settings.cap:g}; nothing was asked",
            hint="raise --max-credits, or choose with --only",
            code="over-cap",
        )
    rejected = [rule for rule in rules_about(most, settings) if rule.verdict is Verdict.REJECT]
    if rejected:
        raise Refused(f"{rejected[0].message}; nothing was asked", hint=rejected[0].hint, code="over-limit")


class _Work:
    """One round of questions."""

    def __init__(
        self,
        opened: Opened,
        whom: Asking,
        settings: Settings,
        on_done: Callable[[Enhanced], object],
        now: Callable[[], float],
    ) -> None:
        self.opened = opened
        self.whom = whom
        self.settings = settings
        self.on_done = on_done
        self.now = now
        self.book = QuestionBook.read(_book_path(opened))
        self.turns = asyncio.Semaphore(_AT_ONCE)
        self.stopped = ""

    async def all(self, todo: Sequence[Enhanced]) -> list[Enhanced]:
        async with Client(self.settings.api_key, self.settings.base_url, self.settings.upload_url) as client:
            tasks = [asyncio.create_task(self._one(client, one)) for one in todo]
            return list(await asyncio.gather(*tasks))

    async def _one(self, client: Client, one: Enhanced) -> Enhanced:
        async with self.turns:
            if self.stopped:
                return replace(one, state=State.FAILED, message=f"not asked: {self.stopped}")
            if self.whom.model is None:
                found = await asyncio.to_thread(_by_command, self.whom.command, one)
            else:
                found = await self._by_chat(client, self.whom.model, one)
            if found.state is State.MADE:
                self._pin(found)  # before the book: a crash between the two loses no answer
                if self.whom.model:
                    self.book.over(one.wanted.key, "answered")
            self.on_done(found)
            return found

    async def _by_chat(self, client: Client, model: ChatModel, one: Enhanced) -> Enhanced:
        key = one.wanted.key
        request = chat.request(model, one.wanted.question)
        for attempt in range(1, _ATTEMPTS + 1):
            self.book.asked(key, model.id, stamp(self.now()))
            verdict = await client.submit(
                request, lambda reply: "answered" if chat.answer(model, reply.body) else None
            )
            if verdict.kind == "accepted" and verdict.reply:
                answer = chat.answer(model, verdict.reply.body)
                assert answer
                return self._answered(one, model, answer)
            if verdict.kind == "unknown":
                self.book.over(key, "lost")
                return replace(one, state=State.LOST, message=f"{_said(verdict)}; it may have been charged")
            self.book.over(key, "refused")
            if verdict.kind != "later" or attempt == _ATTEMPTS:
                break
            await asyncio.sleep(verdict.retry_after_s or 2.0**attempt)
        if verdict.kind == "stop":
            self.stopped = _said(verdict)
        return replace(one, state=State.FAILED, credits=0.0, message=_said(verdict))

    def _answered(self, one: Enhanced, model: ChatModel, answer: chat.Answer) -> Enhanced:
        tokens = credits = None
        if answer.tokens_in is not None and answer.tokens_out is not None:
            tokens = answer.tokens_in + answer.tokens_out
            credits = model.credits(answer.tokens_in, answer.tokens_out)
        return replace(one, state=State.MADE, text=answer.text, tokens=tokens, credits=credits, message="")

    def _pin(self, found: Enhanced) -> None:
        if self.settings.draft:
            return
        wanted = found.wanted
        entry = Entry(
            key=wanted.key,
            text=found.text,
            by=self.whom.name,
            tokens=found.tokens,
            credits=found.credits,
            date=stamp(self.now())[:10],
            slot=" ".join(wanted.slots),
        )
        pin(self.opened, [entry])


def pin(opened: Opened, entries: Sequence[Entry]) -> None:
    """Write entries into the lock of a project, beside what somebody else wrote meanwhile."""
    path = lock_path(opened.workspace)
    with files.lock(opened.workspace.state / "prompts.lock.lock", wait=True, holder="`kiebatch enhance`"):
        files.replace(path, lock.dump(lock.read(lock_path(opened.workspace)).with_entries(entries)))


def _said(verdict: SubmitVerdict) -> str:
    """Return why the provider did not answer, in its own words where it has some."""
    return plain(verdict.message) or verdict.code


def _by_command(command: Sequence[str], one: Enhanced) -> Enhanced:
    """Have a program answer: it gets JSON on stdin and prints the prompt."""
    wanted = one.wanted
    question = {
        "prompt": wanted.raw,
        "instruction": wanted.question,
        "model": wanted.key.model,
        "preset": wanted.key.preset,
        "slots": list(wanted.slots),
        "variables": dict(wanted.values),
    }
    try:
        done = subprocess.run(
            command,
            input=json.dumps(question, ensure_ascii=False),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        return replace(one, state=State.FAILED, credits=0.0, message=plain(f"{command[0]}: {error}", 300))
    text = chat.cleaned(done.stdout)
    if done.returncode or not text:
        said = done.stderr.strip().splitlines()
        because = said[-1] if said else "it printed nothing"
        message = f"{command[0]} ended with {done.returncode}: {because}"
        return replace(one, state=State.FAILED, credits=0.0, message=plain(message, 300))
    return replace(one, state=State.MADE, text=text, credits=0.0, message="")
