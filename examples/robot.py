"""Follow `next`: a run is carried through its troubles by a loop that understands none of them.

python examples/robot.py kiebatch run scenes.yaml --max-credits 50

It does what each answer calls safe, in that order, and ends when an answer is success, or when only a person can go on.
What is safe stays within the cap of the first command; that is kiebatch's promise, so nothing is counted here.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

ENOUGH = 4  # times the same command, before the robot gives up

Do = Callable[[Sequence[str]], tuple[int, Any]]


def follow(first: Sequence[str], do: Do) -> tuple[bool, Any]:
    """Carry a command through; return whether it succeeded, and its last answer."""
    done: Counter[str] = Counter()
    code, answer = do(first)
    while code:
        steps = [step["command"] for step in answer.get("next", []) if step["safe"]]
        steps = [command for command in steps if done[command] < ENOUGH]
        if not steps:
            return False, answer
        for command in steps:
            done[command] += 1
            code, said = do(shlex.split(command))
        answer = said
    return True, answer


def ask(command: Sequence[str]) -> tuple[int, Any]:
    """Run a command and read its answer."""
    done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True)
    return done.returncode, json.loads(done.stdout)


if __name__ == "__main__":
    succeeded, last = follow(sys.argv[1:], ask)
    print(json.dumps(last, indent=2))
    sys.exit(not succeeded)
