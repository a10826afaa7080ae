"""Project + Manifest -> sheet, pdf, animatic, timelines, csv, remotion; one file and one function each.

Each module has `export(project, manifest, picks, workspace, options) -> list[Path]`: the files it wrote.
"""

from __future__ import annotations

from collections.abc import Mapping

# The kinds, and how their files end.
ENDINGS: Mapping[str, str] = {
    "sheet": ".png",
    "characters": ".png",
    "pdf": ".pdf",
    "animatic": ".mp4",
    "otio": ".otio",
    "edl": ".edl",
    "fcp7": ".xml",
    "fcpxml": ".fcpxml",
    "captions": ".srt",
    "csv": ".csv",
    "remotion": ".ts",
    "web": "",  # a folder
}
