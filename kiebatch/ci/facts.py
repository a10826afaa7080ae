"""Looks up what the document of a run does not say of its jobs: their lines and how long they took."""

from __future__ import annotations

from kiebatch.ci.announce import JobFacts
from kiebatch.project import Opened, opening


def facts_of(opened: Opened, run_id: str) -> JobFacts:
    """Return the places of a project's jobs, and the times of one run as the journal has them."""
    places = {str(job.slot): job.where for job in opened.project.jobs if job.where.line}
    attempts = opening.attempts_of(opened.workspace)
    seconds = {
        a.task_id: a.ended_at - (a.submitted_at or a.intended_at)
        for a in attempts
        if a.run_id == run_id and a.task_id and a.ended_at is not None
    }
    return JobFacts(places=places, seconds=seconds)
