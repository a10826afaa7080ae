"""Makes one thing from one prompt, without a scene file: what `kiebatch generate` does."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import rfc8785

from kiebatch import files
from kiebatch.catalogue import Model
from kiebatch.errors import Exit, Invalid, Where
from kiebatch.model import JSON, Document, Job, Slot, as_mapping, job_record
from kiebatch.project import Opened, billed, finding, open_film, opening, team_here
from kiebatch.record import Claimed, Intent, Journal, Key
from kiebatch.running import roles, session
from kiebatch.running.edges import Edges
from kiebatch.running.events import Event, Noticed
from kiebatch.running.outcome import Outcome
from kiebatch.scenefile import document
from kiebatch.scenefile.build import Options, is_json_object
from kiebatch.settings import Settings, SettingsOptions
from kiebatch.workspace import Workspace

TEXT_MODEL = "gpt-image-2-text-to-image"
IMAGE_MODEL = "gpt-image-2-image-to-image"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one prompt came to; `as_json` has just the keys of contract section 2."""

    model: str
    task_id: str | None
    urls: tuple[str, ...]
    files: tuple[Path, ...]
    status: str
    error: str = ""
    exit_code: Exit = Exit.OK
    record: JSON = None  # the provider's, of a task that ended without an output

    def as_json(self) -> dict[str, JSON]:
        found: dict[str, JSON] = {
            "task_id": self.task_id,
            "model": self.model,
            "image_urls": list(self.urls),
            "downloaded_files": [str(p) for p in self.files],
            "status": self.status,
        }
        if self.error:
            found["error"] = self.error
        if self.record is not None:
            found["record"] = self.record
        return found


def workspace(
    output: Path, *, draft: bool = False, project: Path | None = None, state: Path | None = None
) -> Workspace:
    """Return the assets folder of single prompts as a workspace; its journal lies inside.

    `project` is the folder with `.env` and `models/`, the current one by default.
    """
    folder = output.resolve()
    home = state.resolve() if state else folder / ".kiebatch"
    return Workspace(root=(project or Path.cwd()).resolve(), assets=folder, state=home, draft=draft)


def parse_sets(pairs: Sequence[str]) -> dict[str, JSON]:
    """Return `--set key=value …` as parameters; values are read as in a scene file."""
    found: dict[str, JSON] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise Invalid(f"--set takes key=value, found `{pair}`")
        try:
            found[key.strip()] = as_mapping(document.read(f"value: {value}", "--set").value)["value"]
        except (Invalid, KeyError):
            found[key.strip()] = value
    return found


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The media of one prompt: paths, which are uploaded, or URLs.

    `images`, `videos` and `audio` go to the role that the model needs for such a medium; the others name theirs.
    """

    images: Sequence[str] = ()
    videos: Sequence[str] = ()
    audio: Sequence[str] = ()
    references: Sequence[str] = ()
    source: Sequence[str] = ()
    start_frame: str | None = None
    end_frame: str | None = None
    mask: str | None = None

    @property
    def pictures(self) -> tuple[str, ...]:
        named = (self.start_frame, self.end_frame, self.mask)
        return (*self.images, *self.references, *self.source, *(path for path in named if path))


class PrepareOptions(TypedDict, total=False):
    """What `prepare` takes beside the prompt and the assets folder."""

    model: str | None
    mode: Literal["text2img", "img2img"] | None
    images: Sequence[str]
    inputs: Inputs | None
    params: Mapping[str, JSON] | None
    draft: bool
    project: Path | None
    state: Path | None
    settings: Settings | None
    allow_unknown_model: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One prompt, and everything that was said about it."""

    prompt: str
    model: str | None = None
    mode: Literal["text2img", "img2img"] | None = None
    images: Sequence[str] = ()
    inputs: Inputs | None = None
    params: Mapping[str, JSON] | None = None
    draft: bool = False
    project: Path | None = None
    state: Path | None = None
    settings: Settings | None = None
    allow_unknown_model: bool = False


def prepare(
    *,
    prompt: str,
    output: Path,
    emit: Callable[[Event], object] = lambda _event: None,
    **options: Unpack[PrepareOptions],
) -> Opened:
    """Check one prompt and return it as a project of one job, for `generate`.

    `images` are paths or URLs for the role that the model needs; `inputs` names roles.  Media without a mode and a
    model mean img2img.  `output` is the assets folder.  Of `settings` only what concerns reading is used (`strict`,
    `fold_negative`, `allow_unknown_model`).  `Invalid` with everything that is wrong, before anything is sent.
    """
    asked = _Asked(prompt=prompt, **options)
    place = workspace(output, draft=asked.draft, project=asked.project, state=asked.state)
    shot = _shot(asked, place, emit)
    mark = hashlib.sha256(rfc8785.dumps(shot)).hexdigest()[:8]
    if is_json_object(prompt):
        shot["prompt"] = prompt  # sent as it is; the mark stays that of the form with doubled braces
    words = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:40].strip("-") or "untitled"
    scene: dict[str, JSON] = {"id": f"generate-{mark}", "output": f"{words}-{mark}", **shot}
    value: dict[str, JSON] = {"kiebatch": 1, "scenes": [scene]}
    chosen = asked.settings or Settings()
    try:
        return opening.open_project(
            place,
            options=Options(
                allow_unknown_model=asked.allow_unknown_model or chosen.allow_unknown_model,
                fold_negative=chosen.fold_negative,
            ),
            strict=chosen.strict,
            lint=chosen.strict,
            measured=billed.read(billed.account_of(chosen, place.root)),
            document_read=(Document(value=value, places={}, file=""), []),
            allow=None,  # the pictures are named by the person, on the command line
        )
    except Invalid as invalid:
        prefix = f"shot `generate-{mark}`: "
        raise Invalid(
            [replace(p, where=Where(), message=p.message.removeprefix(prefix)) for p in invalid.problems]
        ) from None


def _shot(asked: _Asked, place: Workspace, emit: Callable[[Event], object]) -> dict[str, JSON]:
    """Return what was asked for as a shot of a scene file, still without an id."""
    mode, media = asked.mode, _split(asked.inputs or Inputs(), asked.images)
    if mode is None and asked.model is None:
        mode = "img2img" if media.pictures else "text2img"
    media = _fitting(media, mode, asked.model, emit)
    if not asked.prompt.strip() and mode is not None:
        raise Invalid(
            "the prompt is empty", hint="give one with --prompt, or --prompt - to read it from stdin"
        )
    name = asked.model or (IMAGE_MODEL if mode == "img2img" else TEXT_MODEL)
    shot: dict[str, JSON] = {"model": name}
    if asked.prompt.strip():
        shot["prompt"] = asked.prompt.replace("{", "{{")
    known = opening.load_catalogue(place).get(name) or _resolved(place, name)
    placed = roles.place(known, media)
    if asked.params or placed.params:
        shot["params"] = {**(asked.params or {}), **placed.params}
    return shot | dict(placed.roles)


def _split(inputs: Inputs, images: Sequence[str]) -> Inputs:
    """Return the inputs with lists that were joined by commas taken apart."""

    def parts(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())

    return replace(inputs, images=(*parts(inputs.images), *parts(images)))


def _fitting(media: Inputs, mode: str | None, model: str | None, emit: Callable[[Event], object]) -> Inputs:
    """Return the media that a mode sends; say which it does not."""
    if model is None and (media.videos or media.audio):
        raise Invalid("a clip or a sound needs a model", hint="name it with --model; see `kiebatch models`")
    if mode == "img2img" and not media.pictures:
        raise Invalid("img2img needs a picture", hint="name one or more with --image")
    if mode == "text2img" and media.pictures:
        ignored = ", ".join(media.pictures)
        emit(Noticed(message=f"text2img sends no pictures; not sent: {ignored}", level="warning"))
        return Inputs(videos=media.videos, audio=media.audio)
    return media


def _resolved(place: Workspace, name: str) -> Model | None:
    """Return the model of a name; None where reading the project will say what is wrong with it."""
    with contextlib.suppress(Invalid):
        return opening.load_catalogue(place).resolve(name)
    return None


def generate(
    opened: Opened,
    *,
    settings: Settings | None = None,
    only: Sequence[str] = (),
    force: bool = False,
    emit: Callable[[Event], object] = lambda _event: None,
    confirm: session.Confirm | None = None,
    edges: Edges | None = None,
    **options: Unpack[SettingsOptions],
) -> Result:
    """Make what `prepare` checked, or return what the same request made before.

    `options` are fields of `Settings`.  `confirm` is asked before the first credit is spent; without it a call is
    consent.
    """
    outcome = session.run(
        opened,
        settings=replace(settings or Settings(), **options),
        only=only,
        force=force,
        emit=emit,
        confirm=confirm,
        edges=edges,
    )
    job = opened.project.jobs[0]
    return _result(opened.workspace, job.model, outcome, job.slot)


def collect(
    task_id: str,
    model_name: str,
    *,
    output: Path,
    settings: Settings,
    project: Path | None = None,
    state: Path | None = None,
    emit: Callable[[Event], object] = lambda _event: None,
    edges: Edges | None = None,
) -> Result:
    """Collect a task made earlier or elsewhere, at no cost."""
    place = workspace(output, project=project, state=state)
    catalogue = opening.load_catalogue(place)
    model = catalogue.resolve(model_name)
    mark = hashlib.sha256(task_id.encode()).hexdigest()[:8]
    job = Job(
        slot=Slot(f"task-{mark}"),
        model=model.id,
        asked=model_name,
        family=model.family,
        endpoint=model.endpoint,
        modality=model.modality,
        prompt="",
        input={},
        authored={},
        output=f"task-{mark}",
        expected_s=model.expected_s,
    )
    with _journal(place, settings) as journal:
        slot = _taken_in(journal, job, task_id)
    empty = Document(value={"kiebatch": 1, "scenes": [{"id": f"task-{mark}"}]}, places={}, file="")
    opened = opening.open_project(place, document_read=(empty, []))
    outcome = session.run(opened, settings=settings, emit=emit, edges=edges)
    return _result(place, model.id, outcome, slot, task_id)


def _taken_in(journal: Journal, job: Job, task_id: str) -> Slot:
    """Let the next run collect a task; return its slot, which is that of `job` where the task was not known."""
    known = [a for a in journal.attempts() if a.task_id == task_id]
    if known:
        if known[-1].state in ("failed", "held", "forgotten"):
            journal.decide(known[-1].id, "task-id", task_id)
        return known[-1].slot
    claimed = journal.claim(
        Intent(
            run_id="collect",
            slot=job.slot,
            key=Key("sha256:" + hashlib.sha256(f"task {task_id}".encode()).hexdigest()),
            model=job.model,
            family=job.family,
            job=job_record(job),
            credits=None,
        )
    )
    if isinstance(claimed, Claimed):
        journal.submitted(claimed.attempt, task_id)
    return job.slot


def _journal(place: Workspace, settings: Settings) -> Journal:
    team = None
    if not settings.draft:
        team = team_here(place.root, account=settings.account, api_key=settings.api_key)
    return open_film(place, now=time.time, team=team, rebuild=lambda: finding.read_manifest(place).assets)


def _result(place: Workspace, model: str, outcome: Outcome, slot: Slot, task_id: str | None = None) -> Result:
    """Return the answer about one slot, whatever became of older tasks of the same folder."""
    current = (a for a in finding.read_manifest(place).assets if a.current and a.scene_id == slot.scene)
    assets = [a for a in current if not task_id or a.task_id == task_id]
    last_task, urls = _last_task(place, slot)
    found = Result(
        model=model,
        task_id=last_task or task_id,
        urls=urls,
        files=tuple(place.asset_path(a.filename) for a in assets),
        status=outcome.status,
        error=outcome.stopped_because,
        exit_code=outcome.exit_code,
    )
    if assets:
        found = replace(found, model=assets[0].model, task_id=assets[0].task_id)
    return _judged(found, slot, outcome, place)


def _last_task(place: Workspace, slot: Slot) -> tuple[str | None, tuple[str, ...]]:
    """Return the slot's latest task by the journal, and where its outputs lie."""
    with opening.peek(place) as journal:
        assert journal is not None  # the run has made it
        tasks = [a for a in journal.attempts() if a.slot == slot and a.task_id]
        if not tasks:
            return None, ()
        outputs = journal.outputs_of(tasks[-1].id)
    return tasks[-1].task_id, tuple(saved.output.url for saved in outputs if saved.output.url)


def _judged(found: Result, slot: Slot, outcome: Outcome, place: Workspace) -> Result:
    """Return a result with what the run says of its slot: failed, held or made."""
    failure = next((f for f in outcome.failures if f.slot == slot), None)
    held = next((h for h in outcome.held if h.slot == slot), None)
    if failure:
        return replace(
            found,
            task_id=failure.task_id or found.task_id,
            files=(),
            status="failed",
            error=failure.message or failure.code,
            record=outcome.records.get(failure.task_id or ""),
            exit_code=_exit_code(outcome, Exit.FAILED),
        )
    if held:
        decide = f"kiebatch resolve {slot} --project {files.shown(place.assets)}"
        return replace(
            found,
            files=(),
            status="held",
            error=f"{held.reason}; decide with `{decide}` and --task-id T, --resubmit or --forget",
            exit_code=_exit_code(outcome, Exit.HELD),
        )
    if found.files and not outcome.stopped:
        return replace(found, status="success", error="", exit_code=Exit.OK)
    return found


def _exit_code(outcome: Outcome, usual: Exit) -> Exit:
    """Return how a command ends whose job came to nothing: as what stopped the run says, where something did."""
    return outcome.exit_code if outcome.stopped else usual
