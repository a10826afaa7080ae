"""What `kiebatch doctor` looks at: one function for each thing that a run needs, each with a way out."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from kiebatch import __version__, files
from kiebatch.addresses import STATUS_PAGE
from kiebatch.errors import KieBatchError, install_hint, plain
from kiebatch.git import Repository
from kiebatch.model import JSON
from kiebatch.settings import Settings

OLDEST = (3, 11)
CLOCK_S = 60.0  # a clock that is further off makes the ages of links and uploads wrong
ROOM_BYTES = 1_000_000_000
NETWORK_DISKS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs"}
)
EXTRAS: Mapping[str, tuple[str, str]] = {
    "pdf": ("reportlab", "export pdf"),
    "otio": ("opentimelineio", "export otio, edl, fcp7, fcpxml"),
    "qr": ("segno", "the QR code of review"),
    "mcp": ("mcp", "kiebatch mcp"),
}


class Level(StrEnum):
    """`problem`: a run cannot work. `note`: something that a run can do without is missing."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: what was found, and what to do about it."""

    name: str
    level: Level
    found: str
    hint: str = ""

    def as_json(self) -> dict[str, JSON]:
        return {
            "name": self.name,
            "level": str(self.level),
            "found": self.found,
            "hint": self.hint or None,
        }


def good(name: str, found: str) -> Check:
    return Check(name=name, level=Level.OK, found=found)


def note(name: str, found: str, hint: str) -> Check:
    return Check(name=name, level=Level.NOTE, found=found, hint=hint)


def problem(name: str, found: str, hint: str) -> Check:
    return Check(name=name, level=Level.PROBLEM, found=found, hint=hint)


# --- this machine --------------------------------------------------------------------------------------


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Check:
    text = ".".join(map(str, version))
    if version[:2] < OLDEST:
        return problem("python", text, f"install Python {OLDEST[0]}.{OLDEST[1]} or newer")
    return good("python", f"{text} on {platform.system()} {platform.machine()}")


def versions() -> Check:
    libraries = ("httpx", "pillow", "typer", "pyyaml")
    named = ", ".join(f"{name} {metadata.version(name)}" for name in libraries)
    return good("kiebatch", f"{__version__} ({named})")


def ffmpeg() -> Check:
    from kiebatch import media

    try:
        return good("ffmpeg", f"{media.find_ffmpeg()} ({media.ffmpeg_version()})")
    except KieBatchError:
        return note(
            "ffmpeg",
            "not found: no last frames, no posters of clips, no animatic",
            f"install ffmpeg with your package manager, or: {install_hint('video')}",
        )


def fonts() -> Check:
    from kiebatch.media import lettering

    scripts = {"Latin": "a", "Greek": "λ", "Chinese": "灯", "Arabic": "س", "Devanagari": "क"}
    faces = lettering.faces()
    lacking = [
        name for name, letter in scripts.items() if not any(lettering.covers(face, letter) for face in faces)
    ]
    if lacking:
        return note(
            "fonts",
            f"{len(faces)} found, none of them with {', '.join(lacking)} letters",
            "such words are drawn as boxes; install Noto or DejaVu fonts",
        )
    return good("fonts", f"{len(faces)} found")


def extras() -> Iterable[Check]:
    for extra, (module, what) in EXTRAS.items():
        if importlib.util.find_spec(module) is None:
            yield note(f"extra {extra}", f"not installed: no {what}", install_hint(extra))


def git(folder: Path) -> Check:
    if shutil.which("git") is None:
        return note("git", "not found: no diff of revisions", "install git")
    repository = Repository.around(folder)
    if repository is None:
        return good("git", "found; this folder is in no repository")
    attributes = repository.root / ".gitattributes"
    text = attributes.read_text(encoding="utf-8", errors="replace") if attributes.is_file() else ""
    if "merge=kiebatch" not in text:
        return note("git", "the drivers for the manifest are not installed here", "kiebatch git install")
    return good("git", "found, with the drivers for the manifest")


# --- the project ---------------------------------------------------------------------------------------


def state_folder(folder: Path, mounts: str | None = None) -> Check:
    """Look at where the journal is: writable, with room, and not on a network disk, where SQLite's locks may fail.

    `mounts` is the text of /proc/mounts; other systems do not have it.
    """
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    name, shown = "state folder", files.shown(folder)
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        return problem(
            name, f"{shown}: {error.strerror}", "fix its permissions, or name another with --state"
        )
    free = shutil.disk_usage(there).free
    if free < ROOM_BYTES:
        return note(name, f"{shown}: {free / 1e6:.0f} MB left on its disk", "make room before a large run")
    kind = disk_of(there, _mounts() if mounts is None else mounts)
    if kind in NETWORK_DISKS:
        return note(
            name,
            f"{shown} is on a network disk ({kind}), where locks may not hold",
            "name a folder on a local disk with --state",
        )
    return good(name, f"{shown}, {free / 1e9:.0f} GB free")


def _mounts() -> str:
    path = Path("/proc/mounts")
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def disk_of(folder: Path, mounts: str) -> str:
    """Return the type of the file system that a folder is on, `ext4` or `nfs4`; empty where it is not known."""
    rows = [line.split() for line in mounts.splitlines()]
    above = [
        (len(row[1]), row[2])
        for row in rows
        if len(row) > 2 and folder.resolve().is_relative_to(row[1].replace("\\040", " "))
    ]
    return max(above)[1] if above else ""


def simulator() -> Check:
    from kiebatch.simulator import Settings as SimulatorSettings
    from kiebatch.simulator.server import background

    try:
        with background.start(SimulatorSettings.quick()) as running:
            return good("simulator", f"starts ({running.url})")
    except (KieBatchError, OSError) as error:
        return problem("simulator", f"does not start: {plain(error)}", "--draft needs a free loopback port")


# --- the provider --------------------------------------------------------------------------------------


def key(chosen: Settings, env_file: Path, *, typed: bool, environ: Mapping[str, str] = os.environ) -> Check:
    """Say where the key comes from; the key itself is never shown."""
    if not chosen.api_key:
        return problem(
            "key",
            "none",
            "set KIE_API_KEY, or put a line KIE_API_KEY=... into the project's .env; --draft needs none",
        )
    if typed:
        return good("key", "from --api-key, which other users of this machine can see")
    source = "the environment (KIE_API_KEY)" if environ.get("KIE_API_KEY") else files.shown(env_file)
    return good("key", f"from {source}")


def proxy(base_url: str, environ: Mapping[str, str] = os.environ) -> Check:
    from kiebatch.provider import network

    try:
        found = network.proxy_for(base_url, environ)
    except KieBatchError as error:
        return problem("proxy", plain(error.message), error.hint or "correct the variable, or unset it")
    if not found:
        return good("proxy", "none")
    parts = urlsplit(found)  # a proxy's address may hold a password
    return good("proxy", f"{parts.scheme}://{parts.hostname}:{parts.port}")


async def provider(chosen: Settings) -> Iterable[Check]:
    """Ask for the balance once: can the API be reached, does it take the key, and how far off is this clock?"""
    from kiebatch.provider import CallFailed, Client

    host = urlsplit(chosen.base_url).hostname
    async with Client(chosen.api_key, chosen.base_url, chosen.upload_url, attempts=1) as client:
        try:
            balance = await client.balance(attempts=1)
        except CallFailed as failure:
            return [
                problem(
                    "network",
                    f"{host} cannot be reached: {failure.message}",
                    failure.hint or f"look at the proxy and the firewall, or at {STATUS_PAGE}",
                )
            ]
        except KieBatchError as error:  # the key was refused
            return [good("network", f"{host} answers"), problem("account", plain(error.message), error.hint)]
    return [good("network", f"{host} answers"), good("account", f"{balance:,.2f} credits")]


async def clock(base_url: str) -> Check:
    """Compare this machine's clock with the date of the provider's answer."""
    import httpx

    from kiebatch.provider import network

    try:
        async with httpx.AsyncClient(timeout=10, proxy=network.proxy_for(base_url), trust_env=False) as web:
            answer = await web.head(base_url)
        said = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError, KieBatchError):
        return note("clock", "could not be compared: the provider told no date", "check it yourself")
    off = time.time() - said
    if abs(off) > CLOCK_S:
        return note(
            "clock", f"{off:+.0f} s off", "set this machine's clock: what expires when would be wrong"
        )
    return good("clock", "right")
