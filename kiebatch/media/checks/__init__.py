"""What a result is like, measured here: its bars, cuts, black and silent parts, and whether that is as expected.

`grammar` reads what an author expects, `measuring` measures a file, `judging` compares the two.  A file is read only
to measure it: what was measured is kept, so that a changed threshold is judged without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiebatch._lazy import face

if TYPE_CHECKING:
    from kiebatch.media.checks.grammar import CHECKS as CHECKS
    from kiebatch.media.checks.grammar import LIKENESSES as LIKENESSES
    from kiebatch.media.checks.grammar import Asked as Asked
    from kiebatch.media.checks.grammar import Check as Check
    from kiebatch.media.checks.grammar import Unreadable as Unreadable
    from kiebatch.media.checks.grammar import by_default as by_default
    from kiebatch.media.checks.grammar import read as read
    from kiebatch.media.checks.grammar import read_alike as read_alike
    from kiebatch.media.checks.grammar import read_command as read_command
    from kiebatch.media.checks.judging import Measured as Measured
    from kiebatch.media.checks.judging import State as State
    from kiebatch.media.checks.judging import Verdict as Verdict
    from kiebatch.media.checks.judging import judge as judge
    from kiebatch.media.checks.judging import kept as kept
    from kiebatch.media.checks.likeness import Frame as Frame
    from kiebatch.media.checks.likeness import Target as Target
    from kiebatch.media.checks.measuring import measure as measure

__getattr__, __dir__ = face(
    __name__,
    {
        "Asked": "grammar",
        "CHECKS": "grammar",
        "Check": "grammar",
        "LIKENESSES": "grammar",
        "Frame": "likeness",
        "Measured": "judging",
        "State": "judging",
        "Target": "likeness",
        "Unreadable": "grammar",
        "Verdict": "judging",
        "by_default": "grammar",
        "judge": "judging",
        "kept": "judging",
        "measure": "measuring",
        "read": "grammar",
        "read_alike": "grammar",
        "read_command": "grammar",
    },
)
