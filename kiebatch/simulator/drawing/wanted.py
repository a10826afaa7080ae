"""What the simulator is asked to draw: one output of one task, as a value.

`panels.draw(wanted) -> bytes` makes the medium of it: the same for the same value, never equal pixels for two
prompts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One output of one task.

    - `width` and `height` are pixels (stills and clips), `seconds` the length (clips and sound)
    - `format` is `png`, `jpeg` or `webp`; `mp4`; `mp3` or `wav`
    - `number` counts the outputs of one task from 1; two numbers never show the same
    - `label` is what the scene calls it, and behind a comma its camera move (`2b, slow push-in`), where the
      simulator was told, else empty
    - `take` counts the times that the same request was made, from 1
    - `part` is what the provider calls an output unlike the others (`last_frame`, `drums`), else empty
    - `key` is a digest of the whole request: other settings give another picture
    """

    kind: Literal["image", "video", "audio"]
    format: str
    model: str
    prompt: str
    key: str
    width: int = 1024
    height: int = 1024
    seconds: float = 5.0
    number: int = 1
    label: str = ""
    take: int = 1
    part: str = ""

    @property
    def media_type(self) -> str:
        """The Content-Type of the medium."""
        return {"mp3": "audio/mpeg", "wav": "audio/wav"}.get(self.format) or f"{self.kind}/{self.format}"

    @property
    def extension(self) -> str:
        """The ending of a file name, without the dot, as the provider spells it (`.jpeg`, protocol 3.5)."""
        return self.format
