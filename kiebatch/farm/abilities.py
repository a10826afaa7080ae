"""Which units a machine can execute."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from kiebatch import files, media
from kiebatch.errors import Invalid
from kiebatch.units import KINDS, Kind

_DERIVED = ("thumb", "poster", "web", "peaks")
_BY_FFMPEG = {"web", "peaks", "segment"}


def doable(kinds: Collection[str]) -> tuple[Kind, ...]:
    """Return which kinds of units this machine executes, of those that were asked for (all where none was).

    `derive` stands for the four that are made from a result.  `Invalid` for a kind that is not known, or that needs
    what is not here.
    """
    unknown = [kind for kind in kinds if kind not in (*KINDS, "derive")]
    if unknown:
        raise Invalid(
            f"`{unknown[0]}` is not a kind of unit",
            hint=f"there are {', '.join(KINDS)}, and derive for four of them",
        )
    if "upload" in kinds:
        raise Invalid("uploads need the account's key, so runs do them", hint="leave `upload` out of --kinds")
    wanted = {*kinds, *(_DERIVED if "derive" in kinds else ())} - {"derive"}
    if _has_ffmpeg():
        return tuple(kind for kind in KINDS if kind != "upload" and kind in (wanted or KINDS))
    if wanted & _BY_FFMPEG:
        raise Invalid(
            "these units need ffmpeg", hint="install ffmpeg, or leave web, peaks and segment to others"
        )
    # A thumbnail may be that of a clip, so without ffmpeg all of them are left to others.
    return ("download",)


def _has_ffmpeg() -> bool:
    """Whether ffmpeg is here and runs: a worker that only believes so would fail one unit after the other."""
    found = media.find_ffmpeg()
    if found is None:
        return False
    try:
        said = media.ffmpeg_version()
    except OSError as error:
        raise Invalid(f"ffmpeg at {files.shown(Path(found))} does not run: {error.strerror}") from None
    if not said:
        raise Invalid(f"ffmpeg at {files.shown(Path(found))} does not say its version")
    return True
