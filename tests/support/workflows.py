"""Runs the steps of a workflow file as its CI system would: real bash, real git, caches and artifacts as folders.

Only what the example files use: `if:`, `env:`, `with:`, `${{ }}`, `uses:` of five well-known actions, and a composite
action's inputs and outputs.  What a file uses beyond that is an error.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.filmrepo import PACKAGE

GIT_ENV = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "LC_ALL": "C"}


def load(path: Path) -> dict[str, Any]:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if True in document:  # YAML 1.1 takes the key `on` for a truth
        document["on"] = document.pop(True)
    assert isinstance(document, dict)
    return document


@dataclass
class Ran:
    """What came of one step."""

    name: str
    code: int
    output: str


@dataclass
class Machine:
    """One CI system: its repository, its caches, its artifacts, and the machines that come and go."""

    folder: Path
    origin: Path
    environment: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict)
    runs: int = 0
    kill_when: Callable[[Path], bool] | None = (
        None  # asked while a step runs; True kills the step with SIGKILL
    )

    def __post_init__(self) -> None:
        for name in ("cache", "artifacts", "bin"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        # The program as an installation gives it: without the current folder on its path (-P), and a `pip` that installs nothing.
        self._command("kiebatch", f'export PYTHONPATH={PACKAGE}\nexec {sys.executable} -P -m kiebatch "$@"')
        self._command("pip", f'echo "$@" >> {self.folder}/pip.log')
        self._command("python", f'exec {sys.executable} "$@"')

    def _command(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    # --- GitHub --------------------------------------------------------------------------------------

    def github_job(
        self,
        workflow: Path,
        job: str,
        *,
        event: str = "push",
        ref: str = "refs/heads/main",
        base: str = "",
        head: str = "",
    ) -> list[Ran] | None:
        """Run a job on a new machine; None when its `if:` says no.  A fork's pull request has no secrets.

        `base` is that of a pull request, `head` its last commit where the job goes by a run for it.
        """
        document = load(workflow)
        definition = document["jobs"][job]
        context = self._github(event, ref, base)
        context["github"]["event"]["workflow_run"] = {"event": "pull_request", "head_sha": head}
        if not _truth(definition.get("if", "true"), context, failed=False):
            return None
        env = {**document.get("env", {}), **definition.get("env", {})}
        return self._steps(definition["steps"], context, env, self._workspace())

    def github_action(
        self, action: Path, inputs: Mapping[str, str], *, event: str = "push", ref: str = "refs/heads/main"
    ) -> list[Ran]:
        """Run a composite action in a fresh checkout."""
        document = load(action)
        context = self._github(event, ref, "")
        context["inputs"] = {
            name: _filled(spec.get("default", ""), context) for name, spec in document["inputs"].items()
        } | dict(inputs)
        context["github"]["action_path"] = str(action.parent)
        workspace = self._workspace()
        self._checkout(workspace, context["github"]["sha"], {})
        return self._steps(document["runs"]["steps"], context, {}, workspace)

    def _github(self, event: str, ref: str, base: str) -> dict[str, Any]:
        self.runs += 1
        sha = self.git("rev-parse", ref).strip()
        github = {"event_name": event, "ref": ref, "ref_name": ref.removeprefix("refs/heads/"), "sha": sha, "run_id": str(self.runs), "run_attempt": "1",
                  "token": "a token", "event": {"pull_request": {"base": {"sha": base}}}}  # fmt: skip
        return {
            "github": github,
            "secrets": {} if event == "pull_request" else dict(self.secrets),
            "steps": {},
        }

    def _steps(
        self, steps: list[dict[str, Any]], context: dict[str, Any], env: Mapping[str, str], workspace: Path
    ) -> list[Ran]:
        ran: list[Ran] = []
        for step in steps:
            failed = any(one.code for one in ran)
            if not _truth(str(step.get("if", "success()")), context, failed=failed):
                continue
            name = step.get("name") or step.get("uses", "")
            if "uses" in step:
                given = {key: _filled(str(value), context) for key, value in step.get("with", {}).items()}
                code = self._use(step["uses"].partition("@")[0], given, context, workspace)
                ran.append(Ran(name, code, ""))
                continue
            summary, outputs = (self.folder / f"{kind}-{self.runs}" for kind in ("summary", "outputs"))
            summary.touch()
            outputs.write_text("", encoding="utf-8")
            local = {
                key: _filled(str(value), context) for key, value in {**env, **step.get("env", {})}.items()
            }
            told = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs),
                    "GITHUB_WORKSPACE": str(workspace), "RUNNER_TEMP": str(self.folder), "GITHUB_REPOSITORY": "ann/film",
                    "GITHUB_SHA": context["github"]["sha"], "GITHUB_REF_NAME": context["github"]["ref_name"]}  # fmt: skip
            ran.append(self._bash(name, step["run"], {**told, **local}, workspace))
            pairs = (
                row.split("=", 1) for row in outputs.read_text(encoding="utf-8").splitlines() if "=" in row
            )
            context["steps"][step.get("id", "")] = {"outputs": dict(pairs)}
        self.last = context
        return ran

    def _use(self, action: str, given: Mapping[str, str], context: Mapping[str, Any], workspace: Path) -> int:
        match action:
            case "actions/checkout":
                self._checkout(workspace, given.get("ref") or context["github"]["sha"], given)
            case "actions/setup-python":
                pass
            case "actions/cache/restore":
                self.restore(given["key"], given.get("restore-keys", ""), workspace / given["path"])
            case "actions/cache/save":
                self.save(given["key"], workspace / given["path"])
            case "actions/upload-artifact":
                target = self.folder / "artifacts" / given["name"]
                shutil.rmtree(target, ignore_errors=True)
                for row in given["path"].split():
                    found = workspace / row.rstrip("/")
                    if found.is_dir():
                        shutil.copytree(found, target / found.name)
                    elif found.exists():
                        target.mkdir(parents=True, exist_ok=True)
                        shutil.copy(found, target)
            case _:
                raise AssertionError(f"this test knows no action {action}")
        return 0

    def restore(self, key: str, prefix: str, path: Path) -> None:
        caches = sorted((self.folder / "cache").iterdir(), key=lambda p: p.stat().st_mtime_ns, reverse=True)
        for found in caches:
            if found.name == key or (prefix and found.name.startswith(prefix)):
                shutil.copytree(found, path, dirs_exist_ok=True)
                return

    def save(self, key: str, path: Path) -> None:
        if path.is_dir():
            shutil.copytree(path, self.folder / "cache" / key, dirs_exist_ok=True)

    # --- GitLab --------------------------------------------------------------------------------------

    def gitlab_job(self, file: Path, job: str, *, branch: str = "main", **variables: str) -> list[Ran]:
        """Run a GitLab job: before_script and script in one shell, then after_script in another."""
        document = load(file)
        definition = document[job]
        base = document[definition.get("extends", "")] if "extends" in definition else {}
        self.runs += 1
        workspace = self._workspace()
        self._checkout(workspace, self.git("rev-parse", branch).strip(), {})
        cache = definition.get("cache")
        if cache:
            self.restore(cache["key"], cache["key"], workspace / cache["paths"][0])
        env = {**document["variables"], "CI": "true", "GITLAB_CI": "true", "CI_COMMIT_BRANCH": branch, "CI_DEFAULT_BRANCH": "main", "CI_SERVER_HOST": "git.example.org"}  # fmt: skip
        env |= {"PUSH_URL": str(self.origin), **variables}
        script = [*base.get("before_script", []), *definition["script"]]
        ran = [self._bash(job, "\n".join(script), env, workspace)]
        if definition.get("after_script"):
            env["CI_JOB_STATUS"] = "failed" if ran[0].code else "success"
            ran.append(self._bash("after_script", "\n".join(definition["after_script"]), env, workspace))
        if cache and (cache.get("when") == "always" or not ran[0].code):
            self.save(f"{cache['key']}-{self.runs}", workspace / cache["paths"][0])
        return ran

    # --- both ----------------------------------------------------------------------------------------

    def git(self, *args: str) -> str:
        done = subprocess.run(["git", *args], cwd=self.origin, env={**os.environ, **GIT_ENV}, capture_output=True, text=True, check=True)  # fmt: skip
        return done.stdout

    def _workspace(self) -> Path:
        workspace = self.folder / f"machine-{self.runs}" / "work"
        workspace.mkdir(parents=True, exist_ok=True)
        self.workspace = workspace
        return workspace

    def _checkout(self, workspace: Path, sha: str, given: Mapping[str, str]) -> None:
        env = {**os.environ, **GIT_ENV}
        subprocess.run(["git", "clone", "--quiet", str(self.origin), "."], cwd=workspace, env=env, check=True)
        subprocess.run(
            ["git", "switch", "--quiet", "--force-create", "main", sha], cwd=workspace, env=env, check=True
        )
        if given.get("persist-credentials") == "false":
            subprocess.run(
                ["git", "remote", "set-url", "origin", "/nowhere"], cwd=workspace, env=env, check=True
            )

    def _bash(self, name: str, script: str, env: Mapping[str, str], workspace: Path) -> Ran:
        keep = {key: os.environ[key] for key in ("TMPDIR", "LANG") if key in os.environ}
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        home = self.folder / f"home-{self.runs}"
        home.mkdir(exist_ok=True)
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=workspace,
            env={**keep, **GIT_ENV, "PATH": path, "HOME": str(home), **self.environment, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        while self.kill_when is not None:
            try:
                process.wait(timeout=0.02)
                break
            except subprocess.TimeoutExpired:
                if self.kill_when(workspace):
                    os.killpg(process.pid, signal.SIGKILL)
                    self.kill_when = None
        output, _ = process.communicate(timeout=120)
        return Ran(name, process.returncode, output)


# --- expressions ---------------------------------------------------------------------------------------


def _filled(text: str, context: Mapping[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        found = _value(match[1], context, failed=False)
        return "" if found is None else str(found).lower() if isinstance(found, bool) else str(found)

    return re.sub(r"\$\{\{\s*(.+?)\s*\}\}", value, text)


def _truth(expression: str, context: Mapping[str, Any], *, failed: bool) -> bool:
    value = bool(_value(expression, context, failed=failed))
    # Without a word about the status a step runs only after success.
    return value and (not failed or "always()" in expression)


def _value(expression: str, context: Mapping[str, Any], *, failed: bool) -> Any:
    """Evaluate an expression of GitHub Actions by way of Python's, for the few operators that the files use."""
    texts = re.split(r"('[^']*')", expression)
    for index in range(0, len(texts), 2):
        part = texts[index].replace("&&", " and ").replace("||", " or ").replace("always()", "True")
        part = part.replace("success()", str(not failed)).replace("true", "True")
        texts[index] = re.sub(
            r"\b(?:github|secrets|inputs|steps)(?:\.[\w-]+)+", lambda m: repr(_looked_up(m[0], context)), part
        )
    python = "".join(texts)
    assert re.fullmatch(r"(?:'[^']*'|True|False|None|and|or|==|!=|[()\s])*", python), python
    return eval(python, {"__builtins__": {}})


def _looked_up(path: str, context: Mapping[str, Any]) -> Any:
    value: Any = context
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    return value
