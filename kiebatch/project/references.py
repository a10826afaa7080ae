"""Reads the local files that jobs refer to, and checks them against the models' limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from kiebatch import catalogue as models
from kiebatch import files, formats, media
from kiebatch._dataclass import dataclass
from kiebatch.catalogue import formula, media_limits
from kiebatch.errors import Finding, Invalid, Problem, Where
from kiebatch.model import Alike, Job, LocalFile, MediaFacts, Project, Scene, Shot
from kiebatch.project import config
from kiebatch.project.finding import local_path
from kiebatch.scenefile import leading
from kiebatch.workspace import Workspace

MOST_BYTES = 2 * 2**30  # of one reference: more than any model takes
OUTSIDE = "outside-project"  # the code of the notice that a file from elsewhere is sent
QUIET = frozenset({OUTSIDE, formula.CODE})  # notices that --strict does not count
# What lies in git's own folder is its settings, but for the content that git-annex and Git LFS keep there.
_GIT_CONTENT = ("annex", "lfs")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Whose files a scene file may name: the project's, its repository's, and what the person allows.

    `allow` are folders, links resolved; None allows everything, for what is not sent or was typed by hand.  `always` are
    those of the person's config, which count for a sound that is played, too.
    """

    workspace: Workspace
    allow: Sequence[Path] | None = ()
    always: Sequence[Path] = ()

    def problem(self, path: Path, what: str = "sent") -> tuple[str, str]:
        """Return why a local file may not be sent, or played, and what would allow it, or two empty texts."""
        target = files.resolved(path)
        if _is_private(target):
            return f"{files.shown(target)} is a settings file and is never {what}", ""
        if files.is_there(target) and not target.is_file():
            return "", ""  # what is not a regular file is refused wherever it lies, with its own words
        if self.allow is None or self.workspace.contains(target) or _is_in(target, self.allow):
            return "", ""
        config_file = config.path()
        shown = files.shown(config_file) if config_file else f"config.yaml in {_CONFIG_HOME}"
        return (
            f"{target} lies outside the project and is not {what}",
            f"if it may be {what}: the line `allow: [{target.parent}]` in {shown}, or `--allow {target.parent}`",
        )


_CONFIG_HOME = "the folder that KIEBATCH_CONFIG_HOME names"


def _is_in(target: Path, folders: Iterable[Path]) -> bool:
    return any(target.is_relative_to(folder) for folder in folders)


def _is_private(target: Path) -> bool:
    """Whether a file holds settings or keys by its name: a dotfile that is not a medium, or part of git's own folder."""
    if ".git" in target.parts:
        below = target.parts[target.parts.index(".git") + 1 :]
        return not below or below[0] not in _GIT_CONTENT
    if not target.name.startswith("."):
        return False
    try:
        found = formats.sniff(files.head(target))
    except OSError:
        return False
    return found is None or found[0] == "text"


def media_facts(
    project: Project,
    bounds: Bounds,
    catalogue: models.Catalogue,
    digest: Callable[[Path], str],
) -> tuple[dict[str, tuple[str, MediaFacts]], list[Problem]]:
    """Return digest and facts of every local reference, and what is wrong with them at their places."""
    facts: dict[str, tuple[str, MediaFacts]] = {}
    problems: list[Problem] = []
    seen: set[str] = set()
    shots = {job.slot.shot_name for job in project.jobs}
    for job, ref, where in _named(project):
        if ref.path in seen:
            continue
        seen.add(ref.path)
        read = _read(ref.path, bounds, digest)
        if isinstance(read, Finding):
            hint = f"for the result of that shot: {{shot: {ref.path}}}" if ref.path in shots else read.hint
            said = replace(read, message=f"shot `{job.slot.shot_name}`: {read.message}", hint=hint)
            problems.append(_problem(said, where))
            continue
        facts[ref.path] = read
        target = files.resolved(local_path(bounds.workspace, ref.path))
        if bounds.allow is not None and not bounds.workspace.contains(target):
            problems.append(_problem(_notice(ref.path, target), where))
    for shot in _sounds(project):
        if shot.file not in facts:
            heard = _read_sound(shot.file, bounds, digest)
            if isinstance(heard, Finding):
                problems.append(_problem(heard, shot.where))
            else:
                facts[shot.file] = heard
    return facts, [*problems, *_unseen(project, facts), *_unfit(project, catalogue, facts)]


def _named(project: Project) -> Iterator[tuple[Job, LocalFile, Where]]:
    """Yield the local files that jobs send, then those that their results are compared with, with their places."""
    for job in project.jobs:
        for medium in job.media:
            if isinstance(medium.ref, LocalFile):
                yield job, medium.ref, medium.where
    yield from _compared(project)


def _compared(project: Project) -> Iterator[tuple[Job, LocalFile, Where]]:
    """Yield the local files that results are compared with, with their places."""
    for job in project.jobs:
        for one in job.expect:
            if isinstance(one.want, Alike) and isinstance(one.want.ref, LocalFile):
                yield job, one.want.ref, one.where


def with_sounds(project: Project, facts: Mapping[str, tuple[str, MediaFacts]]) -> Project:
    """Return a project in which the author's own sounds have their lengths."""
    if not _sounds(project):
        return project

    def timed(shot: Shot) -> Shot:
        found = facts.get(shot.file)
        return replace(shot, file_s=found[1].duration_s) if found else shot

    def led(scene: Scene) -> Scene:
        shots = tuple(map(timed, scene.shots))
        seconds = next((shot.file_s for shot in shots if shot.kind == "vo"), None)
        if seconds is None:
            return replace(scene, shots=shots)
        return replace(scene, shots=tuple(_lasting(shot, seconds) for shot in shots))

    return replace(project, scenes=tuple(map(led, project.scenes)))


def _lasting(shot: Shot, voice_s: float) -> Shot:
    """Return a shot whose jobs last as long as a voice of the author's own; one that is too long stays open."""

    def timed(job: Job) -> Job:
        if job.led is None:
            return job
        return job.lasting(voice_s) or replace(job, led=replace(job.led, estimated_s=voice_s))

    return replace(shot, jobs=tuple(map(timed, shot.jobs)))


def _sounds(project: Project) -> list[Shot]:
    return [shot for scene in project.scenes for shot in scene.shots if shot.file]


def _read_sound(name: str, bounds: Bounds, digest: Callable[[Path], str]) -> tuple[str, MediaFacts] | Finding:
    # It goes into films and pages that are passed on, also where nothing is sent.
    own = replace(bounds, allow=(*bounds.always, *(bounds.allow or ())))
    read = _read(name, own, digest, "played")
    if isinstance(read, Finding) or read[1].kind in ("audio", "video"):
        return read
    return Finding(field="file", message=f"`{name}` is not a sound", code="bad-file")


def _notice(name: str, target: Path) -> Finding:
    message = f"`{name}` lies outside the project and will be sent: {target}"
    return Finding(field="references", message=message, severity="warning", code=OUTSIDE)


def _problem(finding: Finding, where: Where) -> Problem:
    return Problem(
        where=where,
        message=finding.message,
        hint=finding.hint,
        severity=finding.severity,
        code=finding.code,
    )


def _read(
    name: str, bounds: Bounds, digest: Callable[[Path], str], what: str = "sent"
) -> tuple[str, MediaFacts] | Finding:
    """Return digest and facts of one local reference, or why it cannot be used."""

    def refused(message: str, hint: str = "", code: str = "bad-file") -> Finding:
        return Finding(field="references", message=message, hint=hint, code=code)

    try:
        path = local_path(bounds.workspace, name)
        reason, hint = bounds.problem(path, what)
        if reason:
            return refused(f"`{name}`: {reason}", hint, OUTSIDE)
        with files.open_regular(path, longest=MOST_BYTES):
            pass
        if files.is_lfs_pointer(path):
            return refused(f"`{name}` is a Git LFS pointer: run `git lfs pull`")
        return digest(path), media.facts(path)
    except Invalid as error:
        return refused(error.message, error.hint)
    except media.Undecodable as error:
        return refused(f"`{name}` cannot be used: {error}")
    except FileNotFoundError:
        return refused(*_missing(name, local_path(bounds.workspace, name)))
    except IsADirectoryError:
        return refused(f"`{name}` is a folder")
    except OSError as error:
        return refused(f"cannot read `{name}`: {error.strerror}")


def _missing(name: str, path: Path) -> tuple[str, str]:
    """Return that a file is not there and where it was looked for, with the name that may be meant."""
    folder = path.parent
    if not folder.is_dir():
        return f"there is no file `{name}`: there is no folder {files.shown(folder)}", ""
    near = files.like(path)
    meant = str(PurePosixPath(name).with_name(near)) if near else ""
    return (
        f"there is no file `{name}` in {files.shown(folder)}",
        f"did you mean `{meant}`?" if near else "",
    )


def _unseen(project: Project, facts: Mapping[str, tuple[str, MediaFacts]]) -> list[Problem]:
    """Return where a result is to be compared with a file in which nothing can be seen, each place once."""
    problems: dict[Where, Problem] = {}
    for job, ref, where in _compared(project):
        if ref.path in facts and facts[ref.path][1].kind not in ("image", "video"):
            message = f"shot `{job.slot.shot_name}`: `{ref.path}` is not a picture"
            problems[where] = Problem(where=where, message=message, code="bad-file")
    return list(problems.values())


def _unfit(
    project: Project, catalogue: models.Catalogue, facts: Mapping[str, tuple[str, MediaFacts]]
) -> list[Problem]:
    """Return where the media of jobs break the limits of their models, each once."""
    problems: list[Problem] = []
    seen: set[tuple[Where, str]] = set()
    known = {f"file:{path}": found for path, (_, found) in facts.items()}
    for job in project.jobs:
        model = catalogue.get(job.model)
        if model is None or not job.media:
            continue
        for finding in media_limits.check_media(model, job.media, known, job.input):
            fields = [m.where for m in job.media if finding.field in (m.role, m.field)]
            where = fields[0] if fields else job.where
            if (where, finding.message) in seen:
                continue
            seen.add((where, finding.message))
            message = f"shot `{job.slot.shot_name}`: {finding.message}"
            problems.append(_problem(replace(finding, message=message), where))
    return problems


def repriced(
    project: Project, catalogue: models.Catalogue, facts: Mapping[str, tuple[str, MediaFacts]]
) -> Project:
    """Return the project with the prices that depend on local media, now that their lengths are known."""
    if not facts:
        return project
    known = {f"file:{path}": found for path, (_, found) in facts.items()}

    def shot(one: Shot) -> Shot:
        if not one.jobs:
            return one
        return replace(one, jobs=tuple(_priced(job, catalogue, known) for job in one.jobs))

    scenes_ = tuple(replace(scene, shots=tuple(map(shot, scene.shots))) for scene in project.scenes)
    return replace(project, scenes=scenes_)


def _priced(job: Job, catalogue: models.Catalogue, known: Mapping[str, MediaFacts]) -> Job:
    """Return a job with its price, where that depends on local media; `known` are their facts."""
    model = catalogue.get(job.model)
    if model is None or not any(isinstance(m.ref, LocalFile) for m in job.media):
        return job
    if not job.lengths:
        return replace(job, price=models.price(model, job.input, media=known, extra=job.extra_params))
    forms = tuple((length, _priced(one, catalogue, known)) for length, one in job.lengths)
    return replace(job, lengths=forms, price=leading.bound(job.led, forms) if job.led else job.price)
