"""Reads a timeline in a process of its own, which may crash, hang or grow without harm.

OpenTimelineIO is C++ and ends the whole program on some files (`tracks: null` is a segmentation fault); XML and EDL come
from editing programs, and from whoever sends one.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import TypedDict

from kiebatch import files
from kiebatch.errors import Invalid, plain

MAX_BYTES = 64 * 2**20  # of a timeline: one of 5,000 shots has 20 MB
_MEMORY = 2 * 2**30
_TIMEOUT_S = 120.0
# The child finds the package where we found it; last in the path, and without the current folder (-P), so that
# nothing that lies beside a timeline is taken for a module of Python's.
_ROOT = str(Path(__file__).parents[2])
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from kiebatch.exports.apart import main; main()"


class Answer(TypedDict, total=False):
    """What the process says: `fps` and `clips` (shot, start, seconds, rate), or why the file cannot be read."""

    fps: str
    clips: list[tuple[str, float, float, float]]
    problem: str
    hint: str


def read(path: Path, fps: Fraction) -> Answer:
    """Return `fps` and `clips` of a timeline as `main` writes them.  `Invalid` when the file cannot be read."""
    shown = files.shown(path)
    try:
        with files.open_regular(path, longest=MAX_BYTES):
            pass
    except OSError as error:
        raise Invalid(f"cannot read {shown}: {error.strerror}") from None
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _PROGRAM, _ROOT, str(path.absolute()), str(fps)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Invalid(f"{shown} is not a timeline: reading it took over {_TIMEOUT_S:g} s") from None
    if done.returncode < 0:
        ended = signal.Signals(-done.returncode).name
        raise Invalid(f"{shown} is not a timeline: the library that reads it was ended by {ended}")
    try:
        found: Answer = json.loads(done.stdout)
    except ValueError:
        last = plain(done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or "", 200)
        raise Invalid(f"{shown} is not a timeline: reading it failed ({last})") from None
    if "problem" in found:
        raise Invalid(f"{shown} is not a timeline: {plain(found['problem'], 300)}", hint=plain(found["hint"]))
    return found


def main() -> None:
    """Read the timeline that the command line names and print what it holds as JSON: the process's whole task."""
    _limit_memory()
    path, fps = Path(sys.argv[2]), Fraction(sys.argv[3])
    from kiebatch.exports import otio

    answer: Answer
    try:
        edited = otio.read_here(path, fps)
    except Invalid as invalid:
        answer = {"problem": invalid.message, "hint": invalid.hint}
    except Exception as error:
        # The library's adapters raise nearly anything on a broken file.
        answer = {"problem": f"{type(error).__name__}: {error}", "hint": ""}
    else:
        clips = [(clip.shot, clip.start_s, clip.seconds, clip.rate) for clip in edited.clips]
        answer = {"fps": str(edited.fps), "clips": clips}
    sys.stdout.write(json.dumps(answer))


def _limit_memory() -> None:
    try:
        import resource  # not on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
