"""The author's own names for files, and names that no file can have."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

# With any ending; see "Naming Files, Paths, and Namespaces" in the documentation of Windows.
_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³]|conin\$|conout\$)")


def output_stem(text: str, assets: str) -> str | None:
    """Return an author's file name as a path in the assets folder without ending, or None when it leaves it."""
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        return None
    parts = _inside(list(path.parts), list(PurePosixPath(assets).parts))
    if not parts:
        return None
    parts[-1] = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", parts[-1])
    safe = [re.sub(r"[^\w.-]+", "-", part).strip(".-") for part in parts]
    return "/".join(safe) if all(safe) else None


def _inside(parts: list[str], folder: list[str]) -> list[str]:
    """Return a path's parts without the assets folder in front; `public/` may be left out or said twice."""
    for start in (folder, folder[1:] if folder[:1] == ["public"] else folder, ["public", *folder]):
        if start and parts[: len(start)] == start:
            return parts[len(start) :]
    return parts


def reserved_name(path: str) -> str:
    """Return the part of a path that Windows keeps for a device, such as `AUX`, empty where there is none."""
    for part in PurePosixPath(path).parts:
        if _RESERVED.fullmatch(part.split(".")[0]):
            return part
    return ""
