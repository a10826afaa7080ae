"""The order of jobs: what another job starts from comes first."""

from __future__ import annotations

from collections.abc import Sequence

from kiebatch.model import (
    Asset,
    Job,
    ShotOutput,
    Slot,
)


def upstream_first(jobs: Sequence[Job]) -> list[Job]:
    """Return jobs so that each comes after those it starts from, else in file order.  There are no circles."""
    by_slot = {job.slot: job for job in jobs}
    done: dict[Slot, None] = {}

    def visit(job: Job) -> None:
        stack = [job]
        while stack:
            top = stack[-1]
            waiting = [by_slot[s] for s in top.needs if s in by_slot and s not in done]
            if waiting:
                stack.extend(waiting)
            else:
                done[stack.pop().slot] = None

    for job in jobs:
        if job.slot not in done:
            visit(job)
    return [by_slot[slot] for slot in done]


def levels(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return jobs in groups, each after those it starts from; in file order within a group."""
    if not any(job.needs for job in jobs):
        return [list(jobs)] if jobs else []
    depth: dict[Slot, int] = {}
    for job in upstream_first(jobs):
        depth[job.slot] = 1 + max((depth[s] for s in job.needs if s in depth), default=-1)
    found: list[list[Job]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for job in jobs:
        found[depth[job.slot]].append(job)
    return found


def output_of(assets: Sequence[Asset], ref: ShotOutput) -> Asset | None:
    """Return the asset that a reference to another slot means."""
    return next((a for a in assets if a.output == ref.output), None)
