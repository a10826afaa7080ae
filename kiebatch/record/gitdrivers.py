"""The diff and merge drivers that git calls, and their installation."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from kiebatch import files
from kiebatch.errors import Invalid, plain
from kiebatch.git import Repository
from kiebatch.model import ASSET_FOLDERS, JSON, Asset, Slot
from kiebatch.record import manifest
from kiebatch.record.manifest import merging
from kiebatch.record.manifest.differences import inputs
from kiebatch.record.manifest.merging import Conflict

_BEGIN = "# kiebatch: begin (`kiebatch git uninstall` removes these lines)"
_END = "# kiebatch: end"
_LFS = "filter=lfs diff=lfs merge=lfs -text"
_LFS_FOLDERS = tuple(folder for kind, folder in ASSET_FOLDERS.items() if kind != "text")


# --- what git calls ------------------------------------------------------------------------------------


def readable(text: str) -> str:
    """Return a manifest as lines that `git diff` shows well: a block per entry, a sentence per line.

    Text that is not a manifest is returned as it is: a diff must not fail.
    """
    try:
        recorded = manifest.parse(text, "manifest.json")
    except Invalid:
        return text
    slots = {asset.id: slot for slot, line in manifest.slots(recorded.assets).items() for asset in line}
    head = [
        f"{key}: {_flat(value)}"
        for key, value in {"source": recorded.source, **recorded.extra}.items()
        if value
    ]
    blocks = ["\n".join(_block(asset, slots[asset.id])) for asset in recorded.assets]
    return "\n\n".join(["\n".join(head), *blocks] if head else blocks) + "\n"


def _block(asset: Asset, slot: Slot) -> list[str]:
    name = (
        f"output {asset.output}, version {asset.version}" if asset.output > 1 else f"version {asset.version}"
    )
    rows = [f"{slot}, {name}: {asset.id}"]
    facts: list[tuple[str, JSON]] = [
        ("superseded by", asset.superseded_by),
        ("file", asset.filename),
        ("model", asset.model),
        *((key, value) for key, value in inputs(asset).items()),
        ("made from", ", ".join(asset.made_from) or None),
        ("made", asset.created_at),
        ("task", asset.task_id),
        ("credits", asset.credits),
        ("draft", asset.draft or None),
        ("sha256", asset.sha256 and asset.sha256[:16]),
        ("asked for", asset.fingerprint and asset.fingerprint.removeprefix("sha256:")[:16]),
        *asset.extra.items(),
    ]
    rows += [f"    {key}: {_flat(value)}" for key, value in facts if value not in (None, "")]
    if asset.prompt:
        sentences = re.split(r"(?<=[.!?;:])\s+|\n+", plain(asset.prompt.replace("\n", " "), limit=20_000))
        rows += ["    prompt:", *(f"        {sentence}" for sentence in sentences if sentence)]
    return rows


def _flat(value: JSON) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return plain(str(value), limit=2000)


def merge(base: Path, ours: Path, theirs: Path, name: str) -> list[Conflict] | None:
    """Merge three versions of a manifest into `ours`, as git's merge drivers do.

    Returns the conflicts that a person has to decide (the entries hold both values).  None when a side is not
    a manifest: then the lines were merged as git does it, with conflict markers.
    """
    try:
        old, mine, yours = (
            manifest.parse(files.read_text(p), f"{name} ({p.name})") for p in (base, ours, theirs)
        )
    except Invalid:
        subprocess.run(
            ["git", "merge-file", "-L", "ours", "-L", "base", "-L", "theirs", ours, base, theirs], check=False
        )
        return None
    merged, conflicts = merging.merge(old, mine, yours)
    ours.write_text(manifest.dump(merged), encoding="utf-8", newline="\n")
    return conflicts


# --- installation --------------------------------------------------------------------------------------


def install(repository: Repository, assets: Iterable[str] = (), *, lfs: bool = False) -> list[str]:
    """Write the attributes (`.gitattributes`, to be committed) and this clone's settings; return what was done.

    `assets` are assets folders, from the top of the repository, that are not called `assets`.
    """
    if lfs:
        repository.install_lfs()
    path = repository.root / ".gitattributes"
    before = files.text_if_there(path)
    lfs = lfs or _LFS in _between(before)  # what was chosen once stays chosen
    lines = _attributes(["**/assets", *assets], lfs=lfs)
    text = _without(before)
    text += ("" if not text or text.endswith("\n") else "\n") + "\n".join([_BEGIN, *lines, _END]) + "\n"
    done = []
    if text != before:
        files.replace(path, text)
        done.append(f"wrote {files.shown(path)}: commit it")
    command = _command()
    for key, value in (
        ("diff.kiebatch.textconv", f"{command} git textconv"),
        ("merge.kiebatch.name", "kiebatch manifest, slot by slot"),
        ("merge.kiebatch.driver", f"{command} git merge-driver %O %A %B %P"),
        ("merge.kiebatch-prompts.name", "kiebatch prompts, prompt by prompt"),
        ("merge.kiebatch-prompts.driver", f"{command} git merge-prompts %O %A %B %P"),
    ):
        if repository.config(key) != value:
            repository.set_config(key, value)
            done.append(f"set {key} in this clone")
    if lfs:
        done.append("media go to Git LFS from the next `git add` on")
    return done or ["everything was installed already"]


def uninstall(repository: Repository) -> list[str]:
    """Undo what `install` wrote; return what was done."""
    done = []
    path = repository.root / ".gitattributes"
    before = files.text_if_there(path)
    after = _without(before)
    if after != before:
        if after.strip():
            files.replace(path, after)
        else:
            path.unlink()
        done.append(f"removed the lines from {files.shown(path)}: commit it")
    for section in ("diff.kiebatch", "merge.kiebatch", "merge.kiebatch-prompts"):
        if repository.forget_section(section):
            done.append(f"removed {section} from this clone's settings")
    return done or ["nothing of kiebatch was installed here"]


def _attributes(folders: Sequence[str], *, lfs: bool) -> list[str]:
    lines = ["prompts.lock.yaml merge=kiebatch-prompts text eol=lf"]
    for folder in folders:
        lines.append(f"{_pattern(folder + '/manifest.json')} diff=kiebatch merge=kiebatch text eol=lf")
        # Both only grow, line by line: git's own `union` merges them, also in a clone without our drivers.
        for name in ("picks.yaml", "notes.yaml"):
            lines.append(f"{_pattern(f'{folder}/{name}')} merge=union text eol=lf")
        if lfs:
            lines += [f"{_pattern(f'{folder}/{kind}/**')} {_LFS}" for kind in _LFS_FOLDERS]
    return lines


def _pattern(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if re.search(r'[\s"\\]', text) else text


def _between(text: str) -> str:
    match = re.search(rf"^{re.escape(_BEGIN)}$.*?^{re.escape(_END)}$", text, re.MULTILINE | re.DOTALL)
    return match.group() if match else ""


def _without(text: str) -> str:
    return re.sub(
        rf"^{re.escape(_BEGIN)}\n.*?^{re.escape(_END)}\n?", "", text, flags=re.MULTILINE | re.DOTALL
    )


def _command() -> str:
    """Return how git shall call us: by name where that is on the PATH, so that it outlives an environment."""
    return "kiebatch" if shutil.which("kiebatch") else f"{shlex.quote(sys.executable)} -m kiebatch"


def conflict_text(conflicts: Sequence[Conflict], name: str) -> str:
    """Return what a person should know after a merge with conflicts."""
    lines = [f"{name}: both branches changed"]
    for c in conflicts:
        what = (
            "was removed on one side, and stays"
            if c.key == "deleted"
            else f"`{c.key}`: kept {_flat(c.kept)!r}, other {_flat(c.other)!r}"
        )
        lines.append(f"  {c.asset or 'the manifest'}: {what}")
    lines.append(
        f"hint: `kiebatch verify` shows them; keep one value, remove `{manifest.MARK}`, then git add {name}"
    )
    return "\n".join(lines)
