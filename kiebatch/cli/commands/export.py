"""`kiebatch export`"""

from __future__ import annotations

import datetime as dt
import importlib
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence, Sized
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

from kiebatch import files, git
from kiebatch.cli import console, options, shared
from kiebatch.cli.panels import Command
from kiebatch.errors import Invalid, Refused, plain
from kiebatch.exports import ENDINGS, bundle, cut, otio, retime
from kiebatch.exports import csv as shot_list
from kiebatch.exports.cut import Progress
from kiebatch.exports.pdf import GRIDS
from kiebatch.media import Kind as Derivative
from kiebatch.model import JSON
from kiebatch.project import Opened, finding
from kiebatch.record import picks_file, runs
from kiebatch.record.picks import Decision
from kiebatch.record.store import open_store, times_of
from kiebatch.settings import settings
from kiebatch.team.environment import address
from kiebatch.units import OpenQueue, Parts, WorkQueue
from kiebatch.workspace import Workspace

app = typer.Typer()
Kind = Literal[
    "sheet",
    "characters",
    "pdf",
    "animatic",
    "otio",
    "edl",
    "fcp7",
    "fcpxml",
    "captions",
    "csv",
    "remotion",
    "web",
    "bundle",
]
_TIMELINES = ("otio", "edl", "fcp7", "fcpxml")
_WITHOUT_MEDIA = ("csv", "captions")
# What an export shows for a file that is not here, where others made it.
_COPIES: Mapping[str, Derivative] = {
    "web": "web",
    "sheet": "poster",
    "characters": "poster",
    "pdf": "poster",
}
_NAMED = 8  # shots that a message names; more of them are pulled all together


@app.command(cls=Command)
@shared.takes(shared.LOOKING)
def export(
    given: shared.Given,
    kind: Annotated[Kind, Argument(help="what to write")],
    scene_file: Annotated[
        Path | None,
        Argument(
            help="the scene file; without it the project in the current folder. bundle: the run [default: the latest]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, Option("--output", "-o", help="another file [default: export/<folder>.<ending>]")
    ] = None,
    columns: Annotated[
        int, Option("--columns", min=1, max=12, help="sheet, characters: pictures in a row")
    ] = 4,
    rows: Annotated[int, Option("--rows", min=1, max=40, help="sheet, characters: rows on a page")] = 6,
    all_takes: Annotated[
        bool,
        Option(
            "--all-takes",
            help="sheet, characters, csv, web: every take, not only the one that stands for its shot",
        ),
    ] = False,
    layout: Annotated[
        str,
        Option("--layout", metavar="N or CxR", help="pdf: 1 to 12 panels on a page, or columns x rows: 3x2"),
    ] = "4",
    paper: Annotated[Literal["a4", "letter"], Option("--paper", help="pdf: the paper")] = "a4",
    portrait: Annotated[bool, Option("--portrait", help="pdf: upright paper")] = False,
    fields: Annotated[
        str | None,
        Option(
            "--fields",
            help="pdf: what is printed beside a panel: action,dialogue,camera,…",
            show_default=False,
        ),
    ] = None,
    author: Annotated[
        str | None, Option("--author", help="pdf: who it is by [default: git's name]", show_default=False)
    ] = None,
    mark: Annotated[
        str | None, Option("--mark", help="pdf: a version [default: git's commit]", show_default=False)
    ] = None,
    fps: Annotated[str, Option("--fps", help="frames a second: 24, 25, 30, 23.976, 30000/1001")] = "24",
    size: Annotated[
        str | None,
        Option(
            "--size", help="animatic, remotion: WIDTHxHEIGHT [default: by the pictures]", show_default=False
        ),
    ] = None,
    slate: Annotated[bool, Option("--slate", help="animatic: shot, take and time in the picture")] = False,
    only: Annotated[
        list[str] | None,
        Option(
            "--only",
            help="2, 2b, 2-5 or model:kling*: these shots alone; repeat for more",
            show_default=False,
        ),
    ] = None,
    picked: Annotated[
        bool, Option("--picked", help="only shots of which somebody has picked a take")
    ] = False,
    captions: Annotated[bool, Option("--captions", help="animatic: what is said, in the picture")] = False,
    web_size: Annotated[
        int | None,
        Option(
            "--web-size",
            min=64,
            max=8192,
            metavar="PIXELS",
            help="web: longest side [default: 1600, clips 1280]",
            show_default=False,
        ),
    ] = None,
    thumb_size: Annotated[
        int | None,
        Option(
            "--thumb-size",
            min=16,
            max=2048,
            metavar="PIXELS",
            help="web: longest side of thumbnails [default: 384]",
            show_default=False,
        ),
    ] = None,
    import_: Annotated[
        Path | None,
        Option("--import", help="timelines, csv: read an edited file back and show what is different"),
    ] = None,
    write: Annotated[
        bool,
        Option("--write", help="with --import: put it into the scene file (timelines) or picks.yaml (csv)"),
    ] = False,
    as_zip: Annotated[bool, Option("--zip", help="bundle: one zip file, not a folder")] = False,
    no_progress: Annotated[bool, Option("--no-progress", help="no bar on stderr")] = False,
) -> None:
    """Write a contact sheet, storyboard PDF, animatic, timeline, cut list, shot list or Remotion data.

    Shows the picked take of each shot, else the first that nobody rejected.

    Example: kiebatch export animatic scenes.yaml --slate
    """
    if kind == "bundle":
        workspace = finding.find(**given.where)
        _bundle(workspace, str(scene_file or ""), output, as_zip=as_zip, as_json=given.as_json)
        return
    if as_zip:
        raise Invalid("--zip goes with `export bundle`")
    opened = options.looked_at(given, scene_file)
    if import_:
        in_part = bool(only or picked)
        _import(kind, opened, import_, fps, in_part=in_part, write=write, as_json=given.as_json)
        return
    if write:
        raise Invalid("--write goes with --import")
    chosen = cut.Options(
        output=(output or opened.workspace.root / "export" / _name(kind, opened)).absolute(),
        columns=columns,
        rows=rows,
        all_takes=all_takes,
        grid=_grid(layout, portrait=portrait),
        paper=paper,
        portrait=portrait,
        fields=tuple(filter(None, map(str.strip, (fields or "").split(",")))),
        date=dt.date.today().isoformat(),
        fps=_fps(fps),
        size=_size(size),
        slate=slate,
        captions=captions,
        web_side=web_size,
        thumb_side=thumb_size,
        only=tuple(only or ()),
        picked=picked,
    )
    if kind == "pdf":
        chosen = _signed(chosen, opened, author, mark)
    bar = options.progress_bar(no_progress) and not given.as_json
    _export(kind, opened, chosen, bar=bar, as_json=given.as_json)


def _name(kind: Kind, opened: Opened) -> str:
    """Return what an export is called where nobody named it."""
    if kind == "web":
        return "web"
    return f"{opened.workspace.root.name}{ENDINGS[kind]}"


def _signed(chosen: cut.Options, opened: Opened, author: str | None, mark: str | None) -> cut.Options:
    """Return the options with who it is by and which version it is; git knows what was not typed."""
    if author is None:
        author = picks_file.author(opened.workspace)
    if mark is None:
        mark = _commit(opened)
    return replace(chosen, author=author or "", mark=mark)


def _export(kind: Kind, opened: Opened, chosen: cut.Options, *, bar: bool, as_json: bool) -> None:
    """Write an export, and say which files it has become and what it could not show."""
    module = importlib.import_module(f"kiebatch.exports.{kind}")
    with _bar(kind, show=bar) as progress:
        chosen = replace(
            chosen,
            progress=progress,
            queue=_encoders(opened.workspace) if kind == "animatic" else None,
            derivatives=options.derivatives(opened.workspace),
        )
        files.check_writable(chosen.output.parent)
        written: list[Path] = module.export(
            opened.project, opened.manifest, opened.picks, opened.workspace, chosen
        )
    away = [] if kind in _WITHOUT_MEDIA else _away(opened, chosen, _COPIES.get(kind))
    names = [files.shown(path) for path in written]
    value: dict[str, JSON] = {"status": "success", "file": names[0], "files": names, "not_here": away}
    shown = [f"{files.shown(chosen.output)}: {len(written)} files"] if kind == "web" else names
    console.answer(value, "\n".join(shown), as_json=as_json)


def _import(
    kind: str, opened: Opened, path: Path, fps: str, *, in_part: bool, write: bool, as_json: bool
) -> None:
    """Read an edited file back: a timeline's lengths and order, or a shot list's notes."""
    if in_part:
        raise Invalid("--import reads the whole film; leave out --only and --picked")
    if kind in _TIMELINES:
        _import_timeline(opened, path, _fps(fps), write=write, as_json=as_json)
    elif kind == "csv":
        _import_notes(opened, path, write=write, as_json=as_json)
    else:
        raise Invalid(
            f"--import reads a timeline ({', '.join(_TIMELINES)}) or a shot list (csv), not `{kind}`"
        )


def _encoders(workspace: Workspace) -> OpenQueue | None:
    """Return how to reach the workers of the person's team; None where there is no team or no store."""
    url, chosen = address(), settings({}, os.environ, {})
    if not url or not chosen.store or workspace.draft:
        return None
    store, here = open_store(chosen.store, times_of(chosen)), min(4, os.cpu_count() or 1)

    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[tuple[WorkQueue, Parts] | None]:
        from kiebatch.farm import asking  # its driver is loaded where there is a team

        async with AsyncExitStack() as stack:
            try:
                found = await stack.enter_async_context(asking(url, store, "segment", here, folder))
            except Refused as refused:
                console.say(f"without the team's workers: {plain(refused.message)}")
                found = None
            yield found

    return opened


def _away(opened: Opened, chosen: cut.Options, copy: Derivative | None) -> list[str]:
    """Return the shots that an export shows and whose files are in the store alone; say what brings them."""
    film = cut.chosen(opened.project, opened.manifest, opened.picks, opened.workspace, chosen)
    small = chosen.derivatives if copy and not (chosen.web_side or chosen.thumb_side) else None
    away = cut.away(film, lambda asset: bool(small and copy and small.kept(asset, copy)))
    if not away:
        return []
    whose, pull = f"{len(away)} shots", "kiebatch pull"
    if len(away) <= _NAMED:
        whose, pull = ", ".join(away), " ".join(["kiebatch pull", *away])
    console.say(
        f"the files of {whose} are in the store and not here: {plain(opened.manifest.store, 200)}\n"
        f"hint: with KIEBATCH_STORE set to it `{pull}` brings them; then export again"
    )
    return away


@contextmanager
def _bar(kind: str, *, show: bool) -> Iterator[Progress]:
    if not show:
        yield cut.silent
        return
    from tqdm import tqdm

    with tqdm(
        desc=kind, unit="", leave=False, bar_format="{desc} {bar} {n_fmt}/{total_fmt} [{elapsed}]"
    ) as bar:

        def progress(done: int, total: int) -> None:
            bar.total, bar.n = total, done
            bar.refresh()

        yield progress


def _grid(text: str, *, portrait: bool) -> tuple[int, int]:
    """Return columns and rows of a page: `3x2` as it says, a number of panels as it fits the paper."""
    found = re.fullmatch(r"(\d{1,2})(?:[x*](\d{1,2}))?", text.strip().lower())
    if not found:
        raise Invalid(f"--layout takes 1 to 12 panels or columns x rows such as 3x2, found `{plain(text)}`")
    if found[2]:
        return int(found[1]), int(found[2])
    count = int(found[1])
    columns, rows = GRIDS.get(count, (count, 1))
    return (rows, columns) if portrait else (columns, rows)


def _commit(opened: Opened) -> str:
    """Return git's short name of the commit that the project is at; empty outside of git."""
    repository = git.Repository.around(opened.workspace.root)
    if repository is None:
        return ""
    commit = repository.commit("HEAD")
    return repository.describe(commit) if commit else ""


def _fps(text: str) -> Fraction:
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise Invalid(f"--fps takes a number such as 24 or 30000/1001, found `{plain(text)}`") from None
    if not 1 <= value <= 240:
        raise Invalid(f"--fps is between 1 and 240, found `{plain(text)}`")
    # Broadcast rates are written with three digits and mean thousandths of 1001.
    near = Fraction(round(value * 1001 / 1000) * 1000, 1001)
    if value.denominator not in (1, 1001) and abs(near - value) < Fraction(1, 1000):
        return near
    return value


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{2,4})[x*](\d{2,4})", text.strip().lower())
    if not found:
        raise Invalid(f"--size takes WIDTHxHEIGHT such as 1920x1080, found `{plain(text)}`")
    wide, high = int(found[1]), int(found[2])
    if wide % 2 or high % 2:
        raise Invalid(f"--size takes even numbers, found `{wide}x{high}`")
    return wide, high


def _import_status(found: Sized, *, written: bool) -> str:
    if not found:
        return "same"
    return "written" if written else "different"


def _import_timeline(opened: Opened, path: Path, fps: Fraction, *, write: bool, as_json: bool) -> None:
    if not path.is_file():
        raise Invalid(f"there is no file {files.shown(path)}")
    edited = otio.read(path, fps)
    film = cut.film(opened.project, opened.manifest, opened.picks, opened.workspace, edited.fps)
    edit = otio.compare(edited, film)
    changed = any(change.what in ("duration", "order") for change in edit.changes)
    written = _retimed(opened, film, edit) if write and changed else None
    lines = [plain(change) for change in edit.changes] or ["the timeline is as the scene file says"]
    if written:
        lines.append(f"written to {files.shown(written)}")
    elif changed:
        lines.append("nothing was written; --write puts lengths and order into the scene file")
    if _drops(edit):
        lines.append("a shot that was dropped stays in the scene file; give it `skip: cut` to leave it out")
    value: dict[str, JSON] = {
        "status": _import_status(edit.changes, written=written is not None),
        "changes": [change.as_json() for change in edit.changes],
    }
    console.answer(value, "\n".join(lines), as_json=as_json)


def _drops(edit: otio.Edit) -> bool:
    return any(change.what == "dropped" for change in edit.changes)


def _retimed(opened: Opened, film: cut.Film, edit: otio.Edit) -> Path:
    """Put a timeline's lengths and order into the scene file; return that file."""
    scene_file = opened.workspace.scene_file
    assert scene_file is not None
    if opened.document.form != "yaml":
        raise Invalid(
            f"{files.shown(scene_file)} is Markdown, and --write edits YAML",
            hint="kiebatch convert --to yaml makes one of it",
        )
    text = scene_file.read_bytes().decode("utf-8")
    files.replace(scene_file, retime.apply(text, files.shown(scene_file), film, edit))
    return scene_file


def _import_notes(opened: Opened, path: Path, *, write: bool, as_json: bool) -> None:
    found = shot_list.notes(files.read_text(path), files.shown(path), opened.picks)
    _check_known(opened, path, found)
    if write and found:
        who = picks_file.author(opened.workspace)
        picks_file.decide(opened.workspace, [replace(d, author=who) for d in found])
    value: dict[str, JSON] = {
        "status": _import_status(found, written=write),
        "notes": [{"slot": d.slot, "note": d.note} for d in found],
    }

    def said() -> str:
        if not found:
            return "the notes are the same"
        ending = "nothing was written; --write puts them into picks.yaml"
        if write:
            ending = f"written to {files.shown(opened.workspace.picks_path)}"
        return "\n".join([*(f"{d.slot}: {plain(d.note or '(no note)')}" for d in found), ending])

    console.answer(value, said, as_json=as_json)


def _check_known(opened: Opened, path: Path, found: Sequence[Decision]) -> None:
    """Refuse notes on shots that the scene file does not have."""
    known = {str(job.slot.shot_name) for job in opened.project.jobs}
    strangers = [d.slot for d in found if d.slot.partition("#")[0].partition("@")[0] not in known]
    if strangers:
        named = ", ".join(f"`{plain(slot)}`" for slot in strangers[:8])
        raise Invalid(f"{files.shown(path)} has notes on shots that the scene file has not: {named}")


def _of_run(workspace: Workspace, run: runs.Run) -> Workspace:
    """Return the film that a run made: a scene file may name an assets folder of its own."""
    assets = workspace.root / run.assets
    made = replace(workspace, assets=assets)
    return made if run.assets and made.manifest_path.exists() else workspace


def _bundle(workspace: Workspace, run: str, output: Path | None, *, as_zip: bool, as_json: bool) -> None:
    """Write one run as a folder or a zip file: the latest where none is named."""
    folder = workspace.state / "runs"
    known = runs.all_runs(folder)
    if not run and not known:
        raise Invalid("no run has left a record here", hint="`kiebatch run` leaves one")
    record = runs.read(folder, run or known[-1].id)
    name = f"run-{record.run.started_at[:10]}-{record.run.id}"
    if as_zip:
        name += ".zip"
    target = (output or workspace.root / "export" / name).absolute()
    files.check_writable(target.parent)
    workspace = _of_run(workspace, record.run)
    recorded, picks = finding.read_manifest(workspace), finding.read_picks(workspace)
    done = bundle.export(record, recorded, picks, workspace, target, as_zip=as_zip)
    value: dict[str, JSON] = {
        "status": "success",
        "run": record.run.id,
        "file": files.shown(done.path),
        "count": done.files,
    }
    console.answer(value, f"{files.shown(done.path)}: {done.files} files", as_json=as_json)
