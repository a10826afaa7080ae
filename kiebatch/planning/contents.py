"""What a job asks for, as contents: its own fingerprint and its fallback's, and what they are equal to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from kiebatch._dataclass import dataclass
from kiebatch.model import (
    JSON,
    Asset,
    Attempt,
    Job,
    Ref,
    as_before,
    as_mapping,
    fingerprint,
    fingerprint_as_written,
    is_written_plainly,
    normal,
    recorded_texts,
)


class NotMade(Exception):
    """Something that a job starts from has no content yet."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What would satisfy a job.  `content` is None while something that it starts from is not made.

    Where `content` is a plan's, `today` is the job's own.
    """

    job: Job
    content: str | None
    fallback: str | None
    digest: Callable[[Ref], str]
    today: str | None = None

    def as_planned(self, content: str | None) -> Wanted:
        """Return the same with the content that a plan named."""
        return replace(self, content=content, today=self.content if content else None)

    @property
    def contents(self) -> tuple[str, ...]:
        """The contents under which it may be recorded, today's first; that of its text as written was 0.1's."""
        found = [self.content, self.fallback, self.today]
        for job in self._forms():
            if job is not self.job and job is not self.job.fallback:
                found.append(_print(job, self.digest))
            if not is_written_plainly(job):
                found.append(_print(job, self.digest, fingerprint_as_written))
        return tuple(dict.fromkeys(p for p in found if p is not None))

    def met_by(self, asset: Asset) -> bool:
        """Whether an asset is what is asked for, or was accepted for it."""
        sent = asset.parameters.get("input")
        if self._met(asset.fingerprint, as_mapping(sent)):
            return True
        if asset.task_id and self._is_sent(asset.model, asset.parameters.get("endpoint"), sent):
            return True
        return self._met_before_it_was_better(asset.fingerprint, asset.prompt, asset.extra.get("prompt_raw"))

    def accepted(self, asset: Asset) -> bool:
        accepted = asset.extra.get("accepted")
        return isinstance(accepted, str) and accepted in self.contents

    def met_by_attempt(self, attempt: Attempt) -> bool:
        """Whether an attempt was made for what is asked for."""
        kept = attempt.job or {}
        sent = kept.get("input")
        if self._met(attempt.fingerprint, as_mapping(sent)):
            return True
        if self._is_sent(attempt.model, kept.get("endpoint"), sent):
            return True
        return self._met_before_it_was_better(
            attempt.fingerprint, str(kept.get("prompt") or ""), kept.get("prompt_raw")
        )

    def _is_sent(self, model: str, endpoint: JSON, sent: JSON) -> bool:
        """Whether the very request that was paid for would be sent: a default that is said aloud changes nothing.

        A request with media names them by their paths, whose content may be another today.
        """
        job = self.job
        if self.content is None or job.media or not isinstance(sent, Mapping):
            return False
        return (model, endpoint, dict(sent)) == (job.model, job.endpoint, dict(job.input))

    def _met_before_it_was_better(self, recorded: str | None, prompt: str, raw: JSON) -> bool:
        """Whether the author's prompt is still the same, and only the text that was pinned for it is gone.

        Another text in the lock is another prompt; a lock that lacks the text does not make anything out of date.
        """
        job = self.job
        if job.enhanced or not isinstance(raw, str) or recorded is None or self.content is None:
            return False
        if not job.prompt or normal(raw) != normal(job.prompt_raw or job.prompt):
            return False
        authored = {
            name: text.replace(job.prompt, prompt, 1) if name in job.words and isinstance(text, str) else text
            for name, text in job.authored.items()
        }
        return recorded == fingerprint(replace(job, authored=authored), self.digest)

    def _met(self, recorded: str | None, sent: Mapping[str, JSON]) -> bool:
        """Compare by today's fingerprint, then once more with the texts that were recorded (contract section 1)."""
        if recorded is None or self.content is None:
            return False
        if recorded in (self.content, self.fallback):
            return True
        for job in self._forms():
            if recorded == fingerprint(job, self.digest):
                return True
            texts = recorded_texts(job, sent)
            if texts and recorded == fingerprint_as_written(job, self.digest, texts):
                return True
        return False

    def _forms(self) -> Iterator[Job]:
        """Yield the jobs that would satisfy it: itself and its fallback, each also as 0.1 took it."""
        known = [(self.job, self.content), (self.job.fallback, self.fallback)]
        for job, content in known:
            if job is not None and content is not None:
                yield job
                before = as_before(job)
                if before is not None:
                    yield before


def wanted(job: Job, digest: Callable[[Ref], str]) -> Wanted:
    """Return what a job asks for.  `digest` raises `NotMade` for what has no content yet."""
    return Wanted(job, _print(job, digest), _print(job.fallback, digest) if job.fallback else None, digest)


def outlasts(job: Job, voice_s: float | None = None) -> str:
    """Return why a job cannot be made whose voice is longer than anything that its model makes."""
    longest = job.lengths[-1][0] if job.lengths else 0.0
    wanted_s = job.led.seconds(voice_s) if job.led else 0.0
    return f"its voice takes {wanted_s:.1f} s, and {job.model} makes at most {longest:g} s"


def _print(
    job: Job,
    digest: Callable[[Ref], str],
    form: Callable[[Job, Callable[[Ref], str]], str] = fingerprint,
) -> str | None:
    if job.led is not None:  # how long it will be nobody knows before the voice is made
        return None
    try:
        return form(job, digest)
    except NotMade:
        return None
