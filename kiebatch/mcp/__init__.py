"""A Model Context Protocol server: the commands as tools for an agent, under a cap that a person sets.

Needs the extra `kiebatch[mcp]`, which is imported when the server starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.mcp.purse import Purse as Purse
    from kiebatch.mcp.server import serve as serve

__getattr__, __dir__ = face(__name__, {"Purse": "purse", "serve": "server"})
