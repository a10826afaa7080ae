"""How much of the account's window is used beside somebody else, and how many submissions are refused.

    python -m bench.neighbour

Another user of the account, of whom we know nothing, starts jobs at random: 5 of the 20 in any 10 s on average.  Virtual
time; the service counts both.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.lives import EPOCH, VirtualLoop
from bench.makespan import RATE, Account, stills, write
from kiebatch.simulator.wire import Refusal

OTHERS = 5  # starts in a window, on average
WINDOWS = 10


@dataclass(frozen=True, slots=True)
class Shared:
    """What came of a shared window: of all `WINDOWS`."""

    taken: int  # starts of ours that the service took
    refused: int
    others: int  # starts of the other user that it took

    @property
    def share(self) -> float:
        """Our part of the starts that the other one leaves."""
        return self.taken / (WINDOWS * (RATE.starts - OTHERS))

    @property
    def refused_share(self) -> float:
        return self.refused / (self.taken + self.refused)


async def neighbour(account: Account, seed: int, taken: list[float]) -> None:
    """Start jobs at random until the end; what is refused is not tried again."""
    lot = random.Random(seed)
    while True:
        await asyncio.sleep(lot.expovariate(OTHERS / RATE.window_s))
        with contextlib.suppress(Refusal):
            account.sim.admit()
            taken.append(account.loop.time())


def shared(folder: Path, seed: int) -> Shared:
    """Run a batch that is longer than `WINDOWS` windows beside a neighbour."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        account = Account(loop, folder)
        others: list[float] = []
        path = write(folder, stills(RATE.starts * (WINDOWS + 2)))

        async def both() -> None:
            busy = asyncio.create_task(neighbour(account, seed, others))
            await asyncio.sleep(RATE.window_s)  # the other one was there before us
            try:
                await account.run(path, canary=False)
            finally:
                busy.cancel()

        runner.run(both())
        first = min(at for at, operation, _ in account.sim.calls if operation == "submit")
        end = first + WINDOWS * RATE.window_s
        taken = sum(task.made_at < end for task in account.sim.tasks.values())
        sent = sum(operation == "submit" and at < end for at, operation, _ in account.sim.calls)
        return Shared(taken, sent - taken, sum(first <= EPOCH + at < end for at in others))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="neighbour-") as name:
        found = [shared(Path(name) / str(seed), seed) for seed in range(3)]
    for one in found:
        print(
            f"beside a neighbour: {one.share:.0%} of the starts that are left, {one.refused_share:.1%} refused "
            f"({one.taken} and {one.others} starts in {WINDOWS} windows)"
        )


if __name__ == "__main__":
    main()
