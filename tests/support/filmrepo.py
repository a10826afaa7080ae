"""A small project in a real git repository, with real pictures, made without a run."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from kiebatch.cli import app
from kiebatch.model import Asset
from kiebatch.record import manifest
from kiebatch.record.manifest import Manifest
from support.places import ROOT
from support.records import an_asset

PACKAGE = ROOT


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Film:
    """A project folder; `git init` unless told otherwise."""

    def __init__(self, root: Path, *, git: bool = True) -> None:
        self.root = root
        self.assets = root / "assets"
        self.manifest_path = self.assets / "manifest.json"
        self.assets.mkdir(parents=True, exist_ok=True)
        if not self.manifest_path.exists():
            self.write(Manifest(source="scenes.yaml"))
        if git:
            self.git("init", "--quiet", "--initial-branch=main")
            self.git("config", "user.email", "ann@example.org")
            self.git("config", "user.name", "Ann")
            self.git("config", "commit.gpgsign", "false")
            (root / ".gitignore").write_text(".kiebatch/\n", encoding="utf-8")

    @property
    def record(self) -> Manifest:
        return manifest.parse(self.manifest_path.read_text(encoding="utf-8"), "manifest.json")

    def write(self, record: Manifest) -> None:
        self.manifest_path.write_text(manifest.dump(record), encoding="utf-8")

    def make(
        self, scene: int, shot: str | None = None, minute: int = 0, *, colour: str = "navy", **facts: Any
    ) -> Asset:
        """Make a picture as a run would: a file, and an entry that supersedes the one before."""
        out = io.BytesIO()
        Image.new("RGB", (64, 36), colour).save(out, "PNG")
        content = out.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        if not self.manifest_path.exists():
            self.assets.mkdir(exist_ok=True)
            self.write(Manifest(source="scenes.yaml"))
        record = self.record
        replaces = record.current(scene, shot, facts.get("take", 1))
        version = manifest.version_after(replaces)
        name = f"assets/images/scene-{scene:02d}{f'-{shot}' if shot else ''}.png"
        name = manifest.version_name(name, version, digest) if version > 1 else name
        asset = an_asset(
            scene, shot, minute, **{"filename": name, "sha256": digest, "bytes": len(content), **facts}
        )
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        record, (entered,) = manifest.record(record, [asset], replaces)
        self.write(record)
        return entered

    def git(self, *args: str, check: bool = True) -> str:
        done = subprocess.run(
            ["git", *args],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(PACKAGE), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"git {args}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def commit(self, message: str = "work") -> None:
        self.git("add", "--all", ":/")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)

    def branch(self, name: str, start: str = "main") -> None:
        self.git("switch", "--quiet", "-c", name, start)

    def kiebatch(self, *args: str) -> Said:
        """Call a command in this folder, in this process."""
        before = Path.cwd()
        out, err = io.StringIO(), io.StringIO()
        os.chdir(self.root)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = app.exit_code(list(args))
        finally:
            os.chdir(before)
        return Said(code, out.getvalue(), err.getvalue())


def shell_environment(**more: str) -> dict[str, str]:
    """Return an environment in which `kiebatch` is a command."""
    return {
        **os.environ,
        "PYTHONPATH": str(PACKAGE),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **more,
    }
