"""What a test of a program on kiebatch needs: the simulator, requests, answers, and fixtures for pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.testing.fixtures import Exchange as Exchange
    from kiebatch.testing.fixtures import Sample as Sample
    from kiebatch.testing.fixtures import answers as answers
    from kiebatch.testing.fixtures import requests as requests
    from kiebatch.testing.running import Sim as Sim
    from kiebatch.testing.running import environment as environment
    from kiebatch.testing.running import start as start

__getattr__, __dir__ = face(
    __name__,
    {
        "Exchange": "fixtures",
        "Sample": "fixtures",
        "Sim": "running",
        "answers": "fixtures",
        "environment": "running",
        "requests": "fixtures",
        "start": "running",
    },
)
