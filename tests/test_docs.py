"""Every command and every key is documented, and the documents say what the program says."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from kiebatch import formats, settings
from kiebatch.cli import app, shared
from support import transcripts
from support.places import ROOT

DOCS = ROOT / "docs"


def help_of(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert app.exit_code([*command, "--help"]) == 0
    return "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines()).strip()


def subcommands(name: str) -> list[str]:
    command = get_command(app.app).get_command(None, name)  # type: ignore[attr-defined]
    return list(getattr(command, "commands", {}))


def environment() -> str:
    """Return the table of environment variables, with the option that beats each."""

    def beats(option: shared.Shared, variable: settings.Variable) -> bool:
        same = variable.setting != "" and option.setting == variable.setting
        return same or f"env: {variable.name}" in option.help

    rows = []
    for v in settings.VARIABLES:
        flags = [f"`{option.flags[0]}`" for option in shared.ALL if beats(option, v)]
        rows.append(f"| `{v.name}` | {', '.join(flags)} | {v.meaning} |")
    head = "## Environment\n\nAn option beats its variable.\n\n| variable | option | meaning [default] |\n| --- | --- | --- |\n"
    return head + "\n".join(rows) + "\n"


def test_the_page_of_commands_is_what_help_says(
    capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    parts = [
        "# Commands\n",
        "What `kiebatch COMMAND --help` prints. `--json` prints one JSON document on stdout, errors included. Exit codes: 0"
        " done,\n1 one or more jobs failed, 2 bad usage or an invalid file (nothing was sent), 3 `plan --check`,"
        " `diff --check` or `verify`\nfound something, 4 refused (key, credits, budget), 5 held jobs need a decision, 70 a"
        " bug of ours, 130 interrupted.\n",
    ]
    for name in app.COMMANDS:
        parts.append(f"## {name}\n\n```text\n{help_of([name], capsys)}\n```\n")
        for inner in subcommands(name):
            parts.append(f"### {name} {inner}\n\n```text\n{help_of([name, inner], capsys)}\n```\n")
    parts.append(environment())
    text = "\n".join(parts)
    page = DOCS / "commands.md"
    if request.config.getoption("--update-golden"):
        page.write_text(text, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == text, "pytest --update-golden rewrites docs/commands.md"


@pytest.mark.parametrize("name", list(app.COMMANDS))
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = " ".join(help_of([name], capsys).split())

    first = " ".join(app.COMMANDS[name][1].lower().split()[:3]).rstrip(".,;")
    assert "Example:" in said
    assert f"kiebatch {name}" in said
    assert first in said.lower()


def test_every_key_of_the_scene_file_is_documented() -> None:
    text = (DOCS / "scenes.md").read_text(encoding="utf-8")
    written = set(re.findall(r"`([a-z_]+)[:`]", text)) | set(re.findall(r"\b([a-z_]+):", text))
    keys: set[str] = set()

    def collect(schema: object) -> None:
        if isinstance(schema, dict):
            keys.update(schema.get("properties", {}))
            for inner in schema.values():
                collect(inner)
        elif isinstance(schema, list):
            for inner in schema:
                collect(inner)

    collect(formats.load("scenes.base"))
    assert keys - written - {"image", "video", "audio", "as"} == set()


def test_every_link_between_the_documents_leads_somewhere() -> None:
    broken = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]:
        text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


@pytest.mark.slow
def test_the_schemas_that_ship_are_valid_schemas() -> None:
    import jsonschema

    for path in (ROOT / "schemas").glob("*.json"):
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


def test_nothing_in_the_project_names_a_machine_or_a_package_host() -> None:
    hosts = "|".join(["pyp" + r"i\.org", "debia" + r"n\.org", "pythonhoste" + "d", r"registry\.np" + "m"])
    paths = "(^|[^A-Za-z0-9_.-])/(wor" + "k|roo" + "t|far" + "m)/"
    found = []
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT).parts
        if (
            not path.is_file()
            or inside[0] in (".git", ".venv", "demo", "node_modules")
            or "__pycache__" in inside
        ):
            continue
        if path.suffix in (".png", ".mp4", ".mp3", ".webp", ".jpg", ".sqlite", ".gz", ".wav") or inside[
            0
        ].startswith("."):
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {m.group(0)}" for m in re.finditer(f"{hosts}|{paths}", text)]
    assert found == []


def test_the_first_film_of_the_readme_goes_as_it_says(tmp_path: Path) -> None:
    section = (
        (ROOT / "README.md")
        .read_text(encoding="utf-8")
        .split("## A first film")[1]
        .split("\nA scene file is")[0]
    )
    page = tmp_path / "page.md"
    page.write_text(section, encoding="utf-8")
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)  # as `make demo` leaves it
    elsewhere = [p for p in os.environ["PATH"].split(":") if not Path(p, "kiebatch").exists()]
    environment = {**os.environ, "PATH": ":".join(elsewhere), "COLUMNS": "110"}

    results = transcripts.run(page, folder, environment)

    assert len(results) > 4
    for command, printed in results:
        # The day comes on which the catalogue's prices are old.
        printed = [re.sub(r"; that is over 60 days ago.*? for review", "", line) for line in printed]
        assert transcripts.alike(printed) == transcripts.alike(command.expected), command.text
