"""What a terminal, a pipe and a CI log are given: no escape sequences, no broken documents, whatever the locale."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiebatch.cli import app, streams
from support.film import Film
from support.places import ROOT

OBEYED = ("\x1b", "\x00", "\x07", "\x9b", "\u202e", "\u2066", "\u200f", "\r", "\x08")
QUOTED = "a\\e[31m\\u202eb\\x07\\x9bc\\u2066d\\u200f\\r\\b"  # as YAML writes it in double quotes


def kiebatch(folder: Path, *args: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run the program as a process with its streams in pipes."""
    return subprocess.run(
        [sys.executable, "-m", "kiebatch", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        check=False,
        timeout=120,
    )


PLACES = [
    f'"{QUOTED}": 1',
    f'title: "{QUOTED}"\nunknown: 1',
    f'scenes: [{{id: 1, "{QUOTED}": 1, prompt: a}}]',
    f'scenes: [{{id: "{QUOTED}", prompt: a}}]',
    f'scenes: [{{id: 1, prompt: a, model: "{QUOTED}"}}]',
    f'scenes: [{{id: 1, prompt: a, params: {{"{QUOTED}": 1}}}}]',
    f'scenes: [{{id: 1, prompt: a, references: ["{QUOTED}.png"]}}]',
    f'scenes: [{{id: 1, prompt: "{{{QUOTED}}}"}}]',
    f'scenes: [{{id: 1, prompt: a, output: "../{QUOTED}"}}]',
    f'scenes: [{{id: 1, prompt: a, duration: "{QUOTED}"}}]',
    f'assets: "../{QUOTED}"',
    f'moved: {{"{QUOTED}": "{QUOTED}"}}',
    f'scenes: [{{id: 1, prompt: a, style: "{QUOTED}"}}]',
]


@pytest.mark.slow
@pytest.mark.parametrize("text", PLACES, ids=range(len(PLACES)))
@pytest.mark.parametrize("ci", ["", "true"])
def test_what_a_file_says_is_shown_and_never_obeyed(
    film: Film, text: str, ci: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ci:
        monkeypatch.setenv("CI", ci)
    scenes = "" if "scenes:" in text else "scenes: [{id: 1, prompt: a}]\n"
    film.scene_file.write_text(
        f"kiebatch: 1\ndefaults: {{model: nano-banana-2}}\n{scenes}{text}\n", encoding="utf-8"
    )

    for command in (("validate",), ("plan",), ("run", "--draft"), ("validate", "--json"), ("plan", "--json")):
        said = film.command(command[0], "scenes.yaml", *command[1:])

        assert said.code != 70, said
        for sign in OBEYED:
            assert sign not in said.out + said.err, (command, sign)


def test_bad_usage_is_not_obeyed_either(film: Film) -> None:
    for args in (["validate", "\x1b[31m\u202ex.yaml"], ["\x1b]0;x\x07"], ["run", "--rate", "\x1b[2J"]):
        said = film.command(*args)

        assert said.code == 2
        assert not any(sign in said.out + said.err for sign in OBEYED)


SCENES = (
    'kiebatch: 1\ntitle: "“Hafen” 港 🎬"\nscenes:\n'
    '- {id: 1, title: "港 é", prompt: "é 港 a boat in the harbour at night, seen from the pier", model: nano-banana-2}\n'
)


def with_streams(encoding: str, *args: str) -> tuple[int, bytes]:
    """Run the program in this process with streams of an encoding; return its exit code and what stdout took."""
    name, _, errors = encoding.partition(":")
    kept = sys.stdout, sys.stderr
    out, err = (io.TextIOWrapper(io.BytesIO(), name, errors or "strict") for _ in kept)
    sys.stdout, sys.stderr = out, err
    try:
        code = app.exit_code([*args])
        out.flush()
        return code, out.buffer.getvalue()
    finally:
        sys.stdout, sys.stderr = kept


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "utf-8", "cp1252:strict", "utf-16"])
def test_json_is_utf_8_whatever_the_encoding_of_the_stream(film: Film, encoding: str) -> None:
    film.write(SCENES)

    for command in (("plan", "scenes.yaml"), ("validate", "scenes.yaml"), ("run", "scenes.yaml", "--yes")):
        code, out = with_streams(encoding, *command, "--json")

        assert code == 0
        assert isinstance(json.loads(out.decode("utf-8")), dict)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252:strict", "utf-16"])
def test_json_is_utf_8_whatever_the_locale(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "scenes.yaml").write_text(SCENES, encoding="utf-8")

    done = kiebatch(tmp_path, "plan", "scenes.yaml", "--json", PYTHONIOENCODING=encoding)

    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout.decode("utf-8")), dict)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_text_is_replaced_where_the_stream_lacks_it(film: Film, encoding: str) -> None:
    film.write(SCENES)

    for command in (("plan", "scenes.yaml"), ("run", "scenes.yaml", "--yes"), ("status", "scenes.yaml")):
        assert with_streams(encoding, *command)[0] == 0
    converted = with_streams(encoding, "convert", "scenes.yaml", "--to", "md")[1]
    assert "港" in converted.decode("utf-8")  # a document is the same bytes everywhere


@pytest.mark.slow
def test_text_is_replaced_where_the_locale_lacks_it(tmp_path: Path) -> None:
    (tmp_path / "scenes.yaml").write_text(SCENES, encoding="utf-8")

    assert kiebatch(tmp_path, "plan", "scenes.yaml", PYTHONIOENCODING="ascii").returncode == 0
    converted = kiebatch(tmp_path, "convert", "scenes.yaml", "--to", "md", PYTHONIOENCODING="ascii")
    assert "港" in converted.stdout.decode("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_stream_ends_nothing(tmp_path: Path, closed: str) -> None:
    (tmp_path / "scenes.yaml").write_text(SCENES, encoding="utf-8")
    number = {"stdout": 1, "stderr": 2}[closed]

    done = subprocess.run(
        ["bash", "-c", f'exec "$0" -m kiebatch run scenes.yaml --draft {number}>&-', sys.executable],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr


def test_a_json_document_escapes_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"a": "x\u202ey\x9b\ud800\u2028", "ü": "港"}

    streams.json_document(value)

    out = capsys.readouterr().out
    assert "\u202e" not in out
    assert "港" in out
    assert json.loads(out) == value


def test_talk_keeps_lines_tabs_and_honest_letters() -> None:
    assert streams.harmless("a\tb\nç 港 é\n") == "a\tb\nç 港 é\n"
