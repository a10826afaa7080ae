"""`kiebatch generate`"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from kiebatch.cli import consenting, console, notifying, options, progress, shared
from kiebatch.cli.panels import Command
from kiebatch.cli.tally import Expected
from kiebatch.errors import Invalid, KieBatchError
from kiebatch.project import Opened, config
from kiebatch.running import single
from kiebatch.running.single import Inputs
from kiebatch.settings import READING, Settings, settings

app = typer.Typer()

_Paths = list[str] | None


@app.command(cls=Command)
@shared.takes(shared.without(shared.ALL, "approved", *READING))
def generate(
    given: shared.Given,
    prompt: Annotated[
        str | None, typer.Option("--prompt", "-p", help="the prompt; - reads it from stdin")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="the model; see `kiebatch models`")
    ] = None,
    mode: Annotated[
        Literal["text2img", "img2img"] | None,
        typer.Option("--mode", help="pick a default model; images mean img2img"),
    ] = None,
    image: Annotated[
        _Paths,
        typer.Option(
            "--image",
            help="a URL or a path, for the role that the model needs; repeat, or join by commas",
        ),
    ] = None,
    video: Annotated[_Paths, typer.Option("--video", help="a clip, likewise; repeat for more")] = None,
    audio: Annotated[_Paths, typer.Option("--audio", help="a sound, likewise; repeat for more")] = None,
    reference: Annotated[
        _Paths, typer.Option("--reference", help="what it should look or sound like; repeat for more")
    ] = None,
    source: Annotated[_Paths, typer.Option("--source", help="what is edited or extended")] = None,
    start_frame: Annotated[
        str | None, typer.Option("--start-frame", help="the picture that opens the clip")
    ] = None,
    end_frame: Annotated[
        str | None, typer.Option("--end-frame", help="the picture that ends the clip")
    ] = None,
    mask: Annotated[str | None, typer.Option("--mask", help="what may change")] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="one of the model's own fields, as key=value; repeat for more"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="the assets folder to write to [default: generated]"),
    ] = None,
    task_id: Annotated[
        str | None, typer.Option("--task-id", help="collect a task made earlier, at no cost; needs --model")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="open the result")] = False,
) -> None:
    """Make one picture, clip or sound from one prompt, without a scene file; prints JSON.

    Aspect ratios: 16:9 for film, 9:16 for phones, 1:1 for faces and objects, as in --set aspect_ratio=16:9.
    A prompt says subject, action, place, light and lens, in that order.

    Example: kiebatch generate --prompt "a boat at dusk, 35 mm" --set aspect_ratio=16:9 --draft
    """
    chosen = _settings(given)
    folder = _folder(given, output)
    if task_id:
        _finish(_collected(task_id, model, folder, given, chosen), chosen, show=show)
        return
    media = Inputs(
        images=_all(image),
        videos=_all(video),
        audio=_all(audio),
        references=_all(reference),
        source=_all(source),
        start_frame=start_frame,
        end_frame=end_frame,
        mask=mask,
    )
    name = model or ""
    try:
        opened = single.prepare(
            prompt=sys.stdin.read() if prompt == "-" else prompt or "",
            output=folder,
            model=model,
            mode=mode,
            inputs=media,
            params=single.parse_sets(sets or ()),
            draft=given.draft,
            project=given["project"],
            state=given["state"],
            settings=chosen,
            emit=_talk,
        )
        console.warn(opened.problems)
        name = opened.project.jobs[0].model
        result = _make(opened, chosen, given)
    except KieBatchError as error:
        console.say(f"kiebatch: {error}")
        _finish(_failed(name, error), chosen, show=False)
        return
    _finish(result, chosen, show=show)


def _all(typed: list[str] | None) -> Sequence[str]:
    return typed or ()


def _collected(
    task_id: str, model: str | None, folder: Path, given: shared.Given, chosen: Settings
) -> single.Result:
    """Return the result of a task that was made earlier."""
    if not model:
        raise Invalid("--task-id needs --model: the model that made the task")
    return single.collect(
        task_id,
        model,
        output=folder,
        project=given["project"],
        state=given["state"],
        settings=options.with_key(chosen),
        emit=_talk,
    )


def _settings(given: shared.Given) -> Settings:
    options.check_callbacks(given)
    root = given["project"] or Path.cwd()
    return settings(given.flags, os.environ, {}, env_file=root / ".env", config=config.read().chosen)


def _folder(given: shared.Given, output: Path | None) -> Path:
    """Return the assets folder: --output or --assets, which say the same here."""
    if output and given["assets"] and output != given["assets"]:
        raise Invalid("--output and --assets name the same folder here: give one of them")
    named: Path | None = output or given["assets"]
    if named:
        return named
    return (given["project"] or Path()) / ("draft" if given.draft else "generated")


def _make(opened: Opened, chosen: Settings, given: shared.Given) -> single.Result:
    chosen = options.with_key(chosen)
    bar = options.progress_bar(given["no_progress"])
    job = opened.project.jobs[0]
    shown = progress.Progress(
        {str(job.slot): Expected(model=job.model, usual_s=job.expected_s * chosen.expected_scale)},
        bar=bar,
        folder=opened.workspace.assets.parent,
        transcript=options.transcript(given, chosen),
    )
    with shown, options.simulator(chosen, opened) as ready:
        return single.generate(
            opened,
            settings=ready,
            only=given.only,
            force=given.force,
            emit=shown,
            confirm=None if chosen.draft else consenting.asks(chosen),
        )


_talk = progress.Progress({}, bar=False)


def _failed(model: str, error: KieBatchError) -> single.Result:
    return single.Result(
        model=model,
        task_id=None,
        urls=(),
        files=(),
        status=error.status,
        error=error.message,
        exit_code=error.exit_code,
    )


def _finish(result: single.Result, chosen: Settings, *, show: bool) -> None:
    value = result.as_json()
    console.answer(value, "", as_json=True, code=result.exit_code)
    if chosen.notify:
        notifying.tell(chosen.notify, value)
    if show:
        for path in result.files:
            typer.launch(str(path))
    console.leave(result.exit_code)
