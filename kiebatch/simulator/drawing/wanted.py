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
    - `label` is what the scene calls it, with its take, behind a comma its camera move, and on the next lines the words
      to draw (`2b#3, slow push-in`, `He listens`), where the simulator was told, else empty
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
    def shot(self) -> str:
        """What the scene calls the shot, `2b`; empty where the simulator was not told."""
        return self._head[0].partition("#")[0].strip()

    @property
    def take_number(self) -> int:
        """The take that the scene asks for, else the count of equal requests."""
        said = self._head[0].partition("#")[2].strip()
        return int(said) if said.isdecimal() else self.take

    @property
    def camera(self) -> str:
        """What the scene says of the camera."""
        return self._head[1].strip()

    @property
    def words(self) -> str:
        """What is to be drawn: the author's words where they are known, without those of a style, else the prompt."""
        return self.label.partition("\n")[2].strip() or self.prompt

    @property
    def _head(self) -> tuple[str, str]:
        name, _, camera = self.label.partition("\n")[0].partition(",")
        return name, camera

    @property
    def media_type(self) -> str:
        """The Content-Type of the medium."""
        return {"mp3": "audio/mpeg", "wav": "audio/wav"}.get(self.format) or f"{self.kind}/{self.format}"

    @property
    def extension(self) -> str:
        """The ending of a file name, without the dot, as the provider spells it (`.jpeg`, protocol 3.5)."""
        return self.format
