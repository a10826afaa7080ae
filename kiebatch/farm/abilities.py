"""Which units a machine can execute."""

from __future__ import annotations

from collections.abc import Collection

from kiebatch import media
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
    if media.find_ffmpeg() is not None:
        return tuple(kind for kind in KINDS if kind != "upload" and kind in (wanted or KINDS))
    if wanted & _BY_FFMPEG:
        raise Invalid(
            "these units need ffmpeg", hint="install ffmpeg, or leave web, peaks and segment to others"
        )
    # A thumbnail may be that of a clip, so without ffmpeg all of them are left to others.
    return ("download",)
