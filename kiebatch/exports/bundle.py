"""One run as a folder that a person and a script can read: requests, answers, prompts, inputs, results, notes."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiebatch import files, formats
from kiebatch.errors import Invalid
from kiebatch.media import Derivatives
from kiebatch.model import JSON, Asset
from kiebatch.record.manifest import Manifest
from kiebatch.record.picks import Picks
from kiebatch.record.runs import JobRecord, RunRecord
from kiebatch.workspace import Workspace

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """Where a bundle lies, and how many files it holds."""

    path: Path
    files: int


def export(
    record: RunRecord,
    recorded: Manifest,
    picks: Picks,
    workspace: Workspace,
    target: Path,
    *,
    as_zip: bool = False,
) -> Bundled:
    """Write one run to `target`, a folder that is not there yet, or a zip file.

    `run.json` says what happened and names every other file; `schemas/run.schema.json` describes it.  `Invalid` where
    `target` is there.
    """
    if target.exists():
        raise Invalid(
            f"{files.shown(target)} is there already", hint="name another with --output, or remove it"
        )
    folder = target.with_name(f".{target.name}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        count = _Bundle(record, recorded, picks, workspace, folder).write()
        if as_zip:
            _zipped(folder, target)
        else:
            folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Bundled(path=target, files=count)


def _zipped(folder: Path, target: Path) -> None:
    # Media are packed already, and only stored: deflating them again takes long and wins nothing.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """The files of one result by their names in the bundle; empty for a derivative that could not be made."""

    asset: str
    original: str
    web: str
    thumb: str

    def as_json(self) -> dict[str, JSON]:
        found = {"asset": self.asset, "original": self.original, "web": self.web, "thumb": self.thumb}
        return {key: name for key, name in found.items() if name}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One job with its files: `files` are those of its request and its inputs."""

    record: JobRecord
    files: Mapping[str, JSON]
    results: Sequence[_Result]

    def as_json(self) -> dict[str, JSON]:
        results = [result.as_json() for result in self.results]
        return {**self.record.as_json(), "files": {**self.files, "results": results}}


@dataclass(slots=True)
class _Bundle:
    record: RunRecord
    recorded: Manifest
    picks: Picks
    workspace: Workspace
    folder: Path

    def write(self) -> int:
        jobs = [self._job(job) for job in self.record.jobs]
        value = {**self.record.as_json(), "jobs": [job.as_json() for job in jobs]}
        self._text("run.json", json.dumps(value, ensure_ascii=False, indent=2) + "\n")
        self._text("notes.md", self._notes(jobs))
        return sum(1 for path in self.folder.rglob("*") if path.is_file())

    # -- one job

    def _job(self, job: JobRecord) -> _Job:
        name = _UNSAFE.sub("-", job.slot).strip("-") or "job"
        written: dict[str, JSON] = {}
        for key, part in (("request", job.request), ("answer", job.answer), ("record", job.record)):
            if part is not None:
                written[key] = self._text(
                    f"{key}s/{name}.json", json.dumps(part, ensure_ascii=False, indent=2) + "\n"
                )
        if job.prompt:
            written["prompt"] = self._text(f"prompts/{name}.sent.txt", job.prompt + "\n")
            written["prompt_raw"] = self._text(
                f"prompts/{name}.raw.txt", (job.prompt_raw or job.prompt) + "\n"
            )
        written["inputs"] = [shown for asset in self._assets(job) for shown in self._inputs(asset)]
        results = [shown for asset in self._assets(job) for shown in self._results(asset)]
        return _Job(record=job, files=written, results=results)

    def _assets(self, job: JobRecord) -> Iterator[Asset]:
        """Yield the job's assets as the manifest knows them now: by their bytes, since a merge may renumber ids."""
        wanted = {str(entry.get("sha256")) for entry in job.assets}
        yield from (a for a in self.recorded.assets if a.sha256 in wanted and a.task_id == job.task_id)

    def _inputs(self, asset: Asset) -> Iterator[str]:
        """Copy the local files that a job was made from, where they are still in the project."""
        for text in dict.fromkeys(formats.texts_in(asset.parameters.get("input"))):
            if not text.startswith("file:"):
                continue
            path = self.workspace.root / text.removeprefix("file:")
            if self._is_medium(path):
                yield self._copy(path, f"inputs/{path.name}")

    def _is_medium(self, path: Path) -> bool:
        """Whether a path that the manifest names, which a pull request can change, is a medium of this project."""
        root = self.workspace.root
        try:
            within = path.resolve().relative_to(root)
            found = formats.sniff(files.head(path))
        except (OSError, ValueError):
            return False
        hidden = any(part.startswith(".") for part in within.parts)
        return bool(found and found[0] != "text" and not hidden and not files.tracked_link(path, root))

    def _results(self, asset: Asset) -> Iterator[_Result]:
        """Copy a result with its web size and its thumbnail."""
        path = self.workspace.asset_file(asset.filename, asset.type)
        if path is None:
            return
        original = self._copy(path, f"originals/{path.name}")
        derivatives = Derivatives(self.workspace.state)
        web = derivatives.of(asset, path, "web")
        thumb = derivatives.of(asset, path, "thumb")
        yield _Result(
            asset=asset.id,
            original=original,
            web=self._copy(web, f"web/{path.stem}{web.suffix}") if web else "",
            thumb=self._copy(thumb, f"thumbs/{path.stem}{thumb.suffix}") if thumb else "",
        )

    # -- files

    def _copy(self, source: Path, name: str) -> str:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return name

    def _text(self, name: str, text: str) -> str:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
        return name

    def _notes(self, jobs: Sequence[_Job]) -> str:
        """Return a page for people: what the run was, and what was decided about its results."""
        run = self.record.run
        lines = [
            f"# Run {run.id}",
            "",
            f"{run.film}, {run.started_at}, by {run.by}: {run.status}",
            "",
            f"`{run.command}`" if run.command else "",
            "",
            f"Spent {run.spent:g} credits, estimated {run.estimated:g}.",
            "",
        ]
        for bundled in jobs:
            job = bundled.record
            lines += [f"## {job.slot}", "", f"{job.model}: {job.state or 'submitted'}", ""]
            if job.message:
                lines += [f"> {job.message}", ""]
            if job.prompt:
                lines += [job.prompt, ""]
            lines += [f"![{job.slot}]({one.thumb})" for one in bundled.results if one.thumb]
            lines += self._said(job)
        return "\n".join(lines).rstrip() + "\n"

    def _said(self, job: JobRecord) -> list[str]:
        decision = self.picks.decision(job.slot)
        if decision.choice == "none":
            return [""]
        return ["", f"{decision.choice}: {decision.note}" if decision.note else str(decision.choice), ""]
