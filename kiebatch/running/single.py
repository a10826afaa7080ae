"""Makes one thing from one prompt, without a scene file: what `kiebatch generate` does."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import rfc8785

from kiebatch.errors import Exit, Invalid, Where
from kiebatch.model import JSON, Asset, Document, Job, Slot, job_record
from kiebatch.project import Opened, finding, opening
from kiebatch.record import open_journal
from kiebatch.running import session
from kiebatch.running.events import Event, Noticed
from kiebatch.running.outcome import Outcome
from kiebatch.scenefile import document
from kiebatch.settings import Settings
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
        return found


def workspace(output: Path, *, draft: bool = False) -> Workspace:
    """Return the assets folder of single prompts as a workspace; its journal lies inside."""
    folder = output.resolve()
    return Workspace(root=Path.cwd(), assets=folder, state=folder / ".kiebatch", draft=draft)


def parse_sets(pairs: Sequence[str]) -> dict[str, JSON]:
    """Return `--set key=value …` as parameters; values are read as in a scene file."""
    found: dict[str, JSON] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise Invalid(f"--set takes key=value, found `{pair}`")
        try:
            found[key.strip()] = document.read(f"value: {value}", "--set").value["value"]
        except (Invalid, KeyError, TypeError):
            found[key.strip()] = value
    return found


def prepare(
    *,
    prompt: str,
    output: Path,
    model: str | None = None,
    mode: Literal["text2img", "img2img"] | None = None,
    images: Sequence[str] = (),
    params: Mapping[str, JSON] | None = None,
    draft: bool = False,
    allow_unknown_model: bool = False,
    emit: Callable[[Event], object] = lambda _event: None,
) -> Opened:
    """Check one prompt and return it as a project of one job.

    Images without a mode mean img2img.  `Invalid` with everything that is wrong, before anything is sent.
    """
    pictures = [part.strip() for image in images for part in image.split(",") if part.strip()]
    if mode is None and model is None:
        mode = "img2img" if pictures else "text2img"
    if mode == "img2img" and not pictures:
        raise Invalid("img2img needs a picture", hint="name one or more with --image")
    if mode == "text2img" and pictures:
        ignored, pictures = pictures, []
        emit(Noticed(message=f"text2img sends no pictures; not sent: {', '.join(ignored)}", level="warning"))
    chosen = model or (IMAGE_MODEL if mode == "img2img" else TEXT_MODEL)
    if not prompt.strip() and mode is not None:
        raise Invalid(
            "the prompt is empty", hint="give one with --prompt, or --prompt - to read it from stdin"
        )
    shot: dict[str, JSON] = {"model": chosen}
    if prompt.strip():
        shot["prompt"] = prompt.replace("{", "{{")
    if params:
        shot["params"] = dict(params)
    if pictures:
        shot["references"] = pictures
    mark = hashlib.sha256(rfc8785.dumps(shot)).hexdigest()[:8]
    words = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:40].strip("-") or "untitled"
    scene = {"id": f"generate-{mark}", "output": f"{words}-{mark}", **shot}
    value = {"kiebatch": 1, "scenes": [scene]}
    place = workspace(output, draft=draft)
    try:
        return opening.open_project(
            replace(place, scene_file=Path("generate")),
            allow_unknown_model=allow_unknown_model,
            document_read=(Document(value=value, places={}, file=""), []),
        )
    except Invalid as invalid:
        name = f"shot `generate-{mark}`: "
        raise Invalid(
            [replace(p, where=Where(), message=p.message.removeprefix(name)) for p in invalid.problems]
        ) from None


def generate(
    opened: Opened,
    *,
    settings: Settings,
    force: bool = False,
    emit: Callable[[Event], object] = lambda _event: None,
    edges: session.Edges | None = None,
) -> Result:
    """Make what `prepare` checked, or return what the same request made before."""
    opened = replace(opened, workspace=replace(opened.workspace, scene_file=None))
    outcome = session.run(opened, settings=settings, force=force, emit=emit, edges=edges)
    job = opened.project.jobs[0]
    return _result(opened.workspace, job.model, outcome, job.slot)


def collect(
    task_id: str,
    model_name: str,
    *,
    output: Path,
    settings: Settings,
    emit: Callable[[Event], object] = lambda _event: None,
    edges: session.Edges | None = None,
) -> Result:
    """Collect a task made earlier or elsewhere, at no cost."""
    place = workspace(output)
    catalogue = opening.load_catalogue(place)
    model = catalogue.resolve(model_name)
    mark = hashlib.sha256(task_id.encode()).hexdigest()[:8]
    slot = Slot(f"task-{mark}")
    job = Job(
        slot=slot,
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
    with open_journal(place.journal_path, now=time.time) as journal:
        known = [a for a in journal.attempts() if a.task_id == task_id]
        if not known:
            attempt = journal.intend(
                run_id="collect",
                slot=slot,
                model=model.id,
                family=model.family,
                fingerprint="sha256:" + hashlib.sha256(f"task {task_id}".encode()).hexdigest(),
                job=job_record(job),
                credits=None,
            )
            journal.submitted(attempt, task_id)
        else:
            slot = known[-1].slot
            if known[-1].state in ("failed", "held", "forgotten"):
                journal.decide(known[-1].id, "task-id", task_id)
    empty = Document(value={"kiebatch": 1, "scenes": [{"id": f"task-{mark}"}]}, places={}, file="")
    opened = opening.open_project(replace(place, scene_file=Path("generate")), document_read=(empty, []))
    opened = replace(opened, workspace=place)
    outcome = session.run(opened, settings=settings, emit=emit, edges=edges)
    return _result(place, model.id, outcome, slot, task_id)


def _result(place: Workspace, model: str, outcome: Outcome, slot: Slot, task_id: str | None = None) -> Result:
    recorded = finding.read_manifest(place)
    assets: list[Asset] = [
        a
        for a in recorded.assets
        if a.current and a.scene_id == slot.scene and (not task_id or a.task_id == task_id)
    ]
    failure = outcome.failures[0] if outcome.failures else None
    held = outcome.held[0] if outcome.held else None
    urls: list[str] = []
    with open_journal(place.journal_path, now=time.time) as journal:
        for attempt in journal.attempts():
            if attempt.slot == slot and attempt.task_id:
                task_id = attempt.task_id
                urls = [s.output.url for s in journal.outputs_of(attempt.id) if s.output.url]
    return Result(
        model=assets[0].model if assets else model,
        task_id=(failure.task_id if failure else None) or (assets[0].task_id if assets else task_id),
        urls=tuple(urls),
        files=tuple(place.asset_path(a.filename) for a in assets) if not failure and not held else (),
        status=outcome.status,
        error=(failure.message or failure.code)
        if failure
        else held.reason
        if held
        else outcome.stopped_because,
        exit_code=outcome.exit_code,
    )
