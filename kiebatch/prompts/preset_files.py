"""Reads presets from the project's `prompts/`, the user's config folder, and those that ship."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kiebatch import files
from kiebatch.errors import Invalid, Problem, Where
from kiebatch.prompts import presets
from kiebatch.prompts.choosing import Presets
from kiebatch.prompts.presets import Preset

SHIPPED = Path(__file__).parent / "shipped"
_LONGEST = 256 * 1024  # bytes


def load(project: Path | None = None, config_home: Path | None = None) -> Presets:
    """Return every preset there is.  The project's beat the user's of the same key, which beat the shipped ones.

    `Invalid` with every problem of every file.
    """
    found: dict[str, Preset] = {}
    problems: list[Problem] = []
    for origin, folder in (("shipped", SHIPPED), ("user", config_home), ("project", project)):
        if folder is None:
            continue
        own = folder if origin == "shipped" else folder / "prompts"
        for preset in _folder(own, origin, problems):
            found[preset.key] = preset
    if problems:
        raise Invalid(problems)
    return Presets(tuple(sorted(found.values(), key=lambda preset: preset.key)))


def _folder(folder: Path, origin: str, problems: list[Problem]) -> Sequence[Preset]:
    by_key: dict[str, Preset] = {}
    if not folder.is_dir():
        return ()
    for path in sorted(folder.glob("*.md")):
        shown = files.shown(path) if origin != "shipped" else path.name
        try:
            preset = presets.parse(files.read_text(path, longest=_LONGEST), shown, origin=origin)
        except Invalid as invalid:
            problems += invalid.problems
            continue
        if preset.key in by_key:
            problems.append(
                Problem(
                    where=Where(shown, 1, 1),
                    message=f"the key `{preset.key}` is also that of {by_key[preset.key].file}",
                    code="duplicate",
                )
            )
        by_key[preset.key] = preset
    return tuple(by_key.values())
