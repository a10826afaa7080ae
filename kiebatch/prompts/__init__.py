"""Prompt presets, the prompts that a chat model made better, and the file that pins them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.prompts.choosing import Choice as Choice
    from kiebatch.prompts.choosing import Presets as Presets
    from kiebatch.prompts.choosing import pattern_of as pattern_of
    from kiebatch.prompts.lock import Entry as Entry
    from kiebatch.prompts.lock import Key as Key
    from kiebatch.prompts.lock import Lock as Lock
    from kiebatch.prompts.preset_files import load as load
    from kiebatch.prompts.presets import InputPattern as InputPattern
    from kiebatch.prompts.presets import Preset as Preset
    from kiebatch.prompts.presets import instruction as instruction

__getattr__, __dir__ = face(
    __name__,
    {
        "Choice": "choosing",
        "Entry": "lock",
        "InputPattern": "presets",
        "Key": "lock",
        "Lock": "lock",
        "Preset": "presets",
        "Presets": "choosing",
        "instruction": "presets",
        "load": "preset_files",
        "pattern_of": "choosing",
    },
)
