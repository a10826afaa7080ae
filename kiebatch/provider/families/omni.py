"""Gemini Omni's helpers: voices and characters, answered at once (protocol 5.5, last paragraph).

What they answer is not documented; the whole of it is kept as a text.
"""

from __future__ import annotations

from kiebatch.provider.families.endpoint import Endpoint, answered_at_once, made_at_once, values_of

ENDPOINTS = tuple(
    Endpoint(
        family="omni",
        path=path,
        record_path=None,
        callback="none",
        parse=values_of,
        find_task=made_at_once,
        judge=answered_at_once,
    )
    for path in ("/api/v1/omni/audio/create", "/api/v1/omni/character/create")
)
