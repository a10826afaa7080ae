"""A sheet per character: their references, then every picture in which they appear, in the order of the story.

Who appears is what the scene file says: `{Hanne}` in a prompt, or `characters: [Hanne]`.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from kiebatch import files
from kiebatch.errors import Invalid
from kiebatch.exports import cut
from kiebatch.exports.cut import Cut, Film, Options, Take
from kiebatch.exports.sheet import Page
from kiebatch.media import Derivatives
from kiebatch.model import Character, LocalFile, Project, Ref, ShotOutput, WebURL
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.workspace import Workspace

Draw = Callable[[Page, int], None]


def export(
    project: Project, manifest: Manifest, picks: Picks, workspace: Workspace, options: Options
) -> list[Path]:
    """Write one PNG per character, `<name>-hanne.png`; further pages are `<name>-hanne-2.png` and so on.

    `Invalid` when no shot shows a character.
    """
    film = cut.chosen(project, manifest, picks, workspace, options)
    shown = {
        name: replace(film, shots=tuple(shot for shot in film.shots if name in shot.characters))
        for name in project.characters
    }
    cast = [name for name, part in shown.items() if part.shots]
    if not cast:
        raise Invalid(
            "no shot shows a character",
            hint="name one under `characters:`, and put `{name}` into the prompts in which they appear",
        )
    written: list[Path] = []
    for number, name in enumerate(cast, 1):
        pictures = _pictures(project.characters[name], film, workspace, options.derivatives)
        written += _sheet(name, shown[name], pictures, workspace, options)
        options.progress(number, len(cast))
    return written


def _sheet(
    name: str, film: Film, references: list[tuple[str, Path | None]], workspace: Workspace, options: Options
) -> list[Path]:
    cells: list[Draw] = [partial(_reference, called, path) for called, path in references]
    for shot in film.shots:
        cells += [partial(_shot, shot, take) for take in shot.told(all_takes=options.all_takes)]
    per_page = options.columns * options.rows
    groups = [cells[n : n + per_page] for n in range(0, len(cells), per_page)]
    first = options.output.with_name(f"{options.output.stem}-{cut.file_name(name.lower())}.png")
    written = cut.pages(first, len(groups))
    for number, (path, group) in enumerate(zip(written, groups, strict=True), 1):
        page = Page(film, options, workspace, rows=-(-len(group) // options.columns))
        page.head(cut.page_number(number, len(groups)), title=f"{film.title}: {name}")
        for place, cell in enumerate(group):
            cell(page, place)
        out = io.BytesIO()
        page.image.save(out, "PNG", compress_level=6)
        files.replace(path, out.getvalue())
    return written


def _reference(called: str, path: Path | None, page: Page, place: int) -> None:
    page.reference(place, path, called)


def _shot(shot: Cut, take: Take | None, page: Page, place: int) -> None:
    page.cell(place, (shot, take))


def _pictures(
    character: Character, film: Film, workspace: Workspace, small: Derivatives | None
) -> list[tuple[str, Path | None]]:
    """Return the references of a character: what each is called, and its picture where it can be had."""
    return [(_called(ref), _path(ref, film, workspace, small)) for ref in character.pictures]


def _called(ref: Ref) -> str:
    match ref:
        case LocalFile():
            return ref.path
        case WebURL():
            return ref.url
        case ShotOutput():
            return f"shot {ref.slot.scene}" + (f", take {ref.slot.take}" if ref.slot.take > 1 else "")


def _path(ref: Ref, film: Film, workspace: Workspace, small: Derivatives | None) -> Path | None:
    match ref:
        case LocalFile():
            path = workspace.root / ref.path
            return path if workspace.contains(files.resolved(path)) else None  # a sheet is passed on
        case ShotOutput():
            shot = next((shot for shot in film.shots if shot.name == str(ref.slot.scene)), None)
            takes = shot.takes if shot else ()
            take = next((take for take in takes if take.number == ref.slot.take), None)
            return cut.poster(take, workspace.state, small)
        case WebURL():
            return None
