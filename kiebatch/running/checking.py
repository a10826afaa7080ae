"""Checks results against what their shots expect, when they arrive; and what is there already, where it never was.

Nothing here submits, spends or makes a slot out of date: a check ends in a value beside the asset, and in a verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kiebatch.errors import plain
from kiebatch.media import checks
from kiebatch.media.checks import Measured, State, Target
from kiebatch.model import Alike, Asset, Expectation, LocalFile, Passes, Ref, ShotOutput, Slot
from kiebatch.planning import Entry, Plan, expected
from kiebatch.running import author_commands
from kiebatch.running.context import RunContext
from kiebatch.running.events import Noticed
from kiebatch.running.outcome import Outcome
from kiebatch.running.slots import SlotBook

_AT_ONCE = 2  # measuring is the machine's work, and the run goes on beside it
NOT_ALLOWED = (
    "the command did not run: a line `allow_commands` in your config.yaml, or --allow-commands, lets it"
)


class Measure(Protocol):
    """Measures one file; see `kiebatch.media.checks.measure`."""

    def __call__(
        self, path: Path, checks: Sequence[str], targets: Mapping[str, Target], /
    ) -> dict[str, Measured]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What checking needs beside the run: where local files lie, who measures, and whether commands may run."""

    local_path: Callable[[str], Path]
    measure: Measure
    commands: bool = False


class Checker:
    """The checks of one run.  A measurement that fails is a warning, never the run's failure."""

    def __init__(
        self, plan: Plan, context: RunContext, outcome: Outcome, slots: SlotBook, tools: Tools
    ) -> None:
        self._plan = plan
        self._context = context
        self._outcome = outcome
        self._slots = slots
        self._tools = tools
        self._expect = {entry.slot: entry.job.expect for entry in plan.entries if entry.job}
        self._digest = expected.Digest(plan.facts.media, lambda slot: self._slots[slot].line)
        self._places = asyncio.Semaphore(_AT_ONCE)
        self.tasks: set[asyncio.Task[None]] = set()

    def arrived(self, slot: Slot, assets: Sequence[Asset]) -> None:
        """Check a slot's new results beside the run.  Never blocks."""
        new = {asset.filename for asset in self._outcome.assets[-len(assets) :]} if assets else set()
        arrived = [asset for asset in assets if asset.filename in new]
        if not arrived or slot not in self._expect:
            return
        task = asyncio.get_running_loop().create_task(self._check_all(slot, arrived, new=True))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def finish(self, entries: Iterable[Entry]) -> None:
        """Wait for what is being measured, measure what lacks a value, and judge everything that was selected."""
        while self.tasks:
            await asyncio.gather(*self.tasks)
        asked = [e for e in entries if e.job and any(not one.by_default for one in e.job.expect)]
        await asyncio.gather(*(self._check_all(e.slot, self._there(e.slot), new=False) for e in asked))
        there_now = {asset.filename: asset for asset in self._context.manifest.manifest.assets}
        self._outcome.judged = expected.of_plan(
            self._plan, lambda slot: [there_now.get(a.filename, a) for a in self._slots[slot].line]
        )
        self._say_what_may_not_run()

    def _there(self, slot: Slot) -> list[Asset]:
        return [self._context.manifest.as_it_stands(asset) for asset in self._slots[slot].line]

    async def _check_all(self, slot: Slot, assets: Iterable[Asset], *, new: bool) -> None:
        for asset in assets:
            try:
                await self._check(slot, asset, new=new)
            except Exception as error:
                # Whatever a medium makes a measurement raise: the result is paid for, here, and entered.
                message = f"{slot}: {asset.filename} could not be checked: {plain(str(error))}"
                self._context.emit(Noticed(message=message, level="warning"))

    async def _check(self, slot: Slot, asset: Asset, *, new: bool) -> None:
        applying = expected.applying(self._expect[slot], asset)
        known = expected.values_of(asset)
        lacking = [one for one in applying if self._lacks(one, asset, known, new=new)]
        if not lacking and not new:
            return
        path = self._context.workspace.asset_path(asset.filename)
        if not path.is_file():
            return
        async with self._places:
            found = await self._measured(lacking, path)
        values = {**known, **found}
        kept = {}
        for one in applying:
            verdict = self._judged(one, asset, values)
            if one.check in values and (not one.by_default or verdict.state is State.UNMET):
                kept[one.check] = {"verdict": verdict.state.value, **values[one.check].as_json()}
        if kept:
            await self._context.manifest.annotate(asset, expected.KEY, kept)

    def _lacks(self, one: Expectation, asset: Asset, known: Mapping[str, Measured], *, new: bool) -> bool:
        """Whether something must be measured before an expectation can be judged."""
        if one.by_default and (asset.draft or not new):
            return False
        if isinstance(one.want, Passes) and not self._tools.commands:
            return False
        if isinstance(one.want, Alike) and not self._digest(one.want.ref):
            return False
        return self._judged(one, asset, known).state is State.UNJUDGED

    def _judged(self, one: Expectation, asset: Asset, values: Mapping[str, Measured]) -> checks.Verdict:
        against = self._digest.against(one)
        return checks.judge(one, values.get(one.check), length_s=asset.duration, against=against)

    async def _measured(self, lacking: Sequence[Expectation], path: Path) -> dict[str, Measured]:
        commands = [one for one in lacking if isinstance(one.want, Passes)]
        names = [one.check for one in lacking if one not in commands]
        found: dict[str, Measured] = {}
        if names:
            targets = {one.check: self._target(one.want) for one in lacking if isinstance(one.want, Alike)}
            found = await self._context.offload(self._tools.measure, path, names, targets)
        for one in commands:
            assert isinstance(one.want, Passes)
            root = self._context.workspace.root
            found[one.check] = await self._context.offload(
                author_commands.run, one.want.argv, path, root, one.text
            )
        return found

    def _target(self, want: Alike) -> Target:
        return Target(path=self._path(want.ref), sha256=self._digest(want.ref) or "", frame=_frame(want.ref))

    def _path(self, ref: Ref) -> Path:
        asset = self._digest.asset(ref)
        if asset is not None:
            return self._context.workspace.asset_path(asset.filename)
        assert isinstance(ref, LocalFile)
        return self._tools.local_path(ref.path)

    def _say_what_may_not_run(self) -> None:
        waits = [
            one
            for one in self._outcome.judged
            if any(v.check == "command" and v.state is State.UNJUDGED for v in one.verdicts)
        ]
        if waits and not self._tools.commands:
            self._context.emit(Noticed(message=f"{waits[0].slot}: {NOT_ALLOWED}", level="warning"))


def _frame(ref: Ref) -> checks.Frame | None:
    return ref.frame if isinstance(ref, ShotOutput) else None
