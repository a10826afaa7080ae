"""The file names of assets."""

from __future__ import annotations

import re
from collections.abc import Callable

from kiebatch.model import ASSET_FOLDERS, Job, Modality, Slot

_VERSION = re.compile(r"\.v\d+-[0-9a-f]{8}(?=(\.[^./]*)?$)")


def version_name(filename: str, version: int, sha256: str) -> str:
    """Return the name of a later version's file (contract section 6): `scene-02-a.v2-1f3a9c2e.png`."""
    folder, slash, name = first_name(filename).rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = ending, ""
    return f"{folder}{slash}{stem}.v{version}-{sha256[:8]}{dot}{ending}"


def first_name(filename: str) -> str:
    """Return the name of the first version's file."""
    return _VERSION.sub("", filename)


# --- names of files ------------------------------------------------------------------------------------


def _shot_stem(slot: Slot) -> str:
    """Return what the files of a shot are called where the author gives no name: `scene-02-a`."""
    scene = f"{slot.scene:02d}" if isinstance(slot.scene, int) else _word(slot.scene)
    return f"scene-{scene}" if slot.shot is None else f"scene-{scene}-{_word(slot.shot)}"


def asset_name(
    job: Job,
    *,
    output: int,
    version: int,
    sha256: str,
    extension: str,
    taken: Callable[[str], bool],
    kind: Modality | None = None,
) -> str:
    """Return the path of an asset inside the assets folder, `images/scene-02-a-t3.png` (contract section 6).

    A later version carries its number and the first 8 hex digits of its sha256, and so does a first one
    whose plain name is taken.  `kind` is what the bytes are, where that is not what the model makes.
    """
    slot = job.slot
    folder, _, stem = (job.output or _shot_stem(slot)).rpartition("/")
    folder = folder or ASSET_FOLDERS[kind or job.modality]
    if slot.model:
        stem += f"-{_word(slot.model)}"
    if slot.take > 1:
        stem += f"-t{slot.take}"
    if output > 1:
        stem += f"-o{output}"
    name = f"{folder}/{stem}{extension}"
    if version == 1 and not taken(name):
        return name
    return f"{folder}/{stem}.v{version}-{sha256[:8]}{extension}"


def _word(text: object) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", str(text)).strip(".-") or "x"
