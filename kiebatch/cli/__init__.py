"""The command line: arguments in, one call, text out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.cli.app import main as main

__getattr__, __dir__ = face(__name__, {"main": "app"})
