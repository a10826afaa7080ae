"""What makes two jobs the same: the digest of what the author asked for (contract section 1)."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace

from kiebatch.model.canonical import canonical
from kiebatch.model.jobs import Job
from kiebatch.model.refs import Ref, ShotOutput, WebURL, canonical_url
from kiebatch.model.words import JSON


def fingerprint(job: Job, digest: Callable[[Ref], str]) -> str:
    """Return `sha256:...` over the canonical JSON (RFC 8785) of what the author asked for (contract section 1).

    `digest` names the content of a medium: the sha256 of a local file or of another slot's asset.
    URLs are named by their own text.  Words are normalised first.  ValueError where a number is beyond 2^53.
    """
    return _hashed(job, digest, {name: normal(text) for name, text in _texts(job).items()})


def fingerprint_as_written(
    job: Job, digest: Callable[[Ref], str], texts: Mapping[str, str] | None = None
) -> str:
    """Return the fingerprint of version 0.1, which hashed words as they were written; with other `texts` when given."""
    return _hashed(job, digest, texts or {})


def is_written_plainly(job: Job) -> bool:
    """Whether the words of a job are in normal form, so that both fingerprints are the same."""
    return all(normal(text) == text for text in _texts(job).values())


def as_before(job: Job) -> Job | None:
    """Return a job as 0.1 took it; None where that is the same."""
    return None if job.authored_before is None else replace(job, authored=job.authored_before)


def recorded_texts(job: Job, recorded: Mapping[str, JSON]) -> dict[str, str] | None:
    """Return the texts that were sent for the job's words, where each differs in form alone; None where one does not.

    `recorded` is the input as an asset (`parameters.input`) or the journal's job keeps it.
    """
    found = {}
    for name, text in _texts(job).items():
        then = recorded.get(name)
        if not isinstance(then, str) or normal(then) != normal(text):
            return None
        found[name] = then
    return found


def _texts(job: Job) -> dict[str, str]:
    words = ((name, job.authored.get(name)) for name in job.words)
    return {name: text for name, text in words if isinstance(text, str)}


def _hashed(job: Job, digest: Callable[[Ref], str], texts: Mapping[str, str]) -> str:
    roles: dict[str, list[str]] = {}
    for medium in job.media:
        ref = medium.ref
        if isinstance(ref, WebURL):
            named = canonical_url(ref.url)
        else:
            named = digest(ref)
            if isinstance(ref, ShotOutput) and ref.frame:
                named += f" frame:{ref.frame}"
        roles.setdefault(medium.role, []).append(named)
    wanted = {**job.authored, **texts, "model": job.model, "roles": roles}
    return "sha256:" + hashlib.sha256(canonical(wanted)).hexdigest()


# What an ASCII text that is in normal form already does not have.
_UNEVEN = re.compile(r"[\r\t]|  |\n | \n|\A[ \n]|[ \n]\Z")


def normal(text: str) -> str:
    """Return words in the form in which they are compared: what an editor changes unseen does not count.

    Unicode NFC; a no-break space and a tab are a blank, a run of blanks is one; blanks at the ends of lines
    and empty lines at either end of the text go.  Line breaks inside stay.
    """
    if text.isascii() and _UNEVEN.search(text) is None:
        return text
    plain = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\u00a0", " ").replace("\t", " "))
    lines = [" ".join(part for part in line.split(" ") if part) for line in plain.split("\n")]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines)


def same_words(a: str, b: str) -> bool:
    """Whether two prompts say the same, however they are broken into lines: entries of other tools are compared so."""
    return " ".join(normal(a).split()) == " ".join(normal(b).split())
