"""`kiebatch generate`"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from kiebatch.cli import console, options
from kiebatch.errors import Invalid, KieBatchError
from kiebatch.running import single

app = typer.Typer()


@app.command()
def generate(
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
        list[str] | None,
        typer.Option("--image", help="a URL or a path, uploaded first; repeat, or join by commas"),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="one of the model's own fields, as key=value; repeat for more"),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="the assets folder to write to")] = Path(
        "generated"
    ),
    task_id: Annotated[
        str | None, typer.Option("--task-id", help="collect a task made earlier, at no cost; needs --model")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="make another, although this very one is there")
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="open the result")] = False,
    draft: options.Draft = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0, help="give up waiting after so many seconds")
    ] = None,
    api_key: options.ApiKey = None,
    base_url: options.BaseUrl = None,
    upload_url: options.UploadUrl = None,
    allow_unknown_model: options.AllowUnknown = False,
    as_json: Annotated[bool, typer.Option("--json", help="the answer is JSON in any case")] = False,
) -> None:
    """Make one picture, clip or sound from one prompt, without a scene file; prints JSON.

    Aspect ratios: 16:9 for film, 9:16 for phones, 1:1 for faces and objects, as in --set aspect_ratio=16:9.
    A prompt says subject, action, place, light and lens, in that order.

    Example: kiebatch generate --prompt "a boat at dusk, 35 mm" --set aspect_ratio=16:9 --draft
    """
    if draft and output == Path("generated"):
        output = Path("draft")
    chosen = options.read_settings(
        Path.cwd(),
        api_key=api_key,
        base_url=base_url,
        upload_url=upload_url,
        draft=draft or None,
        timeout_s=timeout,
        allow_unpriced=True,
        allow_unknown_model=allow_unknown_model or None,
    )
    if task_id:
        if not model:
            raise Invalid("--task-id needs --model: the model that made the task")
        chosen = options.with_key(chosen)
        _finish(single.collect(task_id, model, output=output, settings=chosen, emit=_talk), show=show)
        return
    text = sys.stdin.read() if prompt == "-" else prompt or ""
    name = model or ""
    try:
        opened = single.prepare(
            prompt=text,
            output=output,
            model=model,
            mode=mode,
            images=image or (),
            params=single.parse_sets(sets or ()),
            draft=draft,
            allow_unknown_model=allow_unknown_model,
            emit=_talk,
        )
        console.warn(opened.problems)
        name = opened.project.jobs[0].model
        chosen = options.with_key(chosen)
        with options.simulator(chosen, opened) as ready:
            result = single.generate(opened, settings=ready, force=force, emit=_talk)
    except KieBatchError as error:
        failed = single.Result(
            model=name,
            task_id=None,
            urls=(),
            files=(),
            status=error.status,
            error=error.message,
            exit_code=error.exit_code,
        )
        console.say(f"kiebatch: {error}")
        _finish(failed, show=False)
        return
    _finish(result, show=show)


_talk = console.Progress(total=0, bar=False)


def _finish(result: single.Result, *, show: bool) -> None:
    print(json.dumps(result.as_json(), ensure_ascii=False, indent=2))
    if show:
        for path in result.files:
            typer.launch(str(path))
    console.leave(result.exit_code)
