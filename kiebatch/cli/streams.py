"""Writes to stdout and stderr: documents as UTF-8 whatever the locale, talk without what a terminal would obey.

Imports nothing heavy: the last words of a failing program go through here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from typing import Any, TextIO

from kiebatch.errors import plain

# A JSON reader takes these escaped as it takes them plain; a terminal obeys the plain ones.
_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def make_tolerant() -> None:
    """Let no character that the locale cannot write end a command: it is replaced.

    Windows gives a pipe cp1252, and a container without a locale gives ASCII.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def json_document(value: Any) -> None:
    """Print one JSON document on stdout, as UTF-8."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    document(_OBEYED.sub(lambda found: f"\\u{ord(found.group()):04x}", text) + "\n")


def document(text: str) -> None:
    """Write a document on stdout as it is, as UTF-8: a file of ours that is piped on is not changed by a locale."""
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        print(text, end="")
        return
    sys.stdout.flush()
    binary.write(text.encode("utf-8", "backslashreplace"))
    binary.flush()


def answer(text: str) -> None:
    """Print an answer for a person on stdout."""
    print(harmless(text))


def write(text: str) -> None:
    """Write on a terminal what moves its cursor; the words in it are harmless already."""
    sys.stdout.write(text)
    sys.stdout.flush()


def say(message: str) -> None:
    """Say something to the person on stderr; without one (a closed stderr) it is lost, and nothing else."""
    if sys.stderr is None:
        return
    with contextlib.suppress(BrokenPipeError):
        print(harmless(message), file=sys.stderr)


def harmless(text: str) -> str:
    """Return text that a terminal and a CI system show and never obey: what it quotes comes from files and hosts."""
    if os.environ.get("CI"):
        from kiebatch import ci  # only where it matters

        return ci.harmless(text)
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "\n".join(
        "\t".join(plain(part, limit=len(part)) for part in line.split("\t")) for line in text.split("\n")
    )


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream leads to a person; False for one that is closed."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False
