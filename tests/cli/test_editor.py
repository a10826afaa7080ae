"""The schema in an editor: the YAML language server that editors use completes models, params, styles, slots."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kiebatch.model import as_mapping
from kiebatch.scenefile import editor_names
from support.film import Film
from support.places import ROOT

SERVER = "yaml-language-server@1.15.0"
FILE = """
kiebatch: 1
styles: {storm: dark, dawn: pink}
characters: {keeper: {text: a keeper}}
references: {lamp: lamp.png}
scenes:
  - id: 1
    shots:
      - {id: a, model: nano-banana-2, prompt: x}
  - id: 2
    model: nano-banana-2
    prompt: y
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the language server in it."""
    folder = tmp_path_factory.mktemp("editor")
    done = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), SERVER],
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        pytest.skip(f"needs {SERVER}: {done.stderr[:200]}")
    return folder


def _asked(server: Path, schema: Path, *texts: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["node", str(ROOT / "tests" / "support" / "complete.mjs"), str(schema)],
        input=json.dumps(texts),
        cwd=server,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.needs("npm")
def test_an_editor_completes_models_params_styles_characters_references_and_slots(
    film: Film, server: Path
) -> None:
    film.write(FILE)
    schema = film.folder / "scenes.schema.json"
    schema.write_text(film.command("schema", "--for", "scenes.yaml").out, encoding="utf-8")
    scene = FILE + "  - id: 3\n    prompt: z\n"

    model, param, value, style, character, slot, reference, key = _asked(
        server,
        schema,
        scene + "    model: |",
        scene + "    model: bytedance/seedance-2\n    params:\n      |",
        scene + "    model: nano-banana-2\n    params:\n      resolution: |",
        scene + "    style: |",
        scene + "    characters:\n      - |",
        scene + "    start_frame:\n      shot: |",
        scene + "    references:\n      - |",
        scene + "    |",
    )

    assert {"nano-banana-2", "kling-3.0/video"} <= set(model["labels"])
    assert "generate_audio" in param["labels"]
    assert "image_input" not in param["labels"], "a field of another model"
    assert {"1K", "2K", "4K"} <= set(value["labels"])
    assert {"storm", "dawn"} <= set(style["labels"])
    assert "keeper" in character["labels"]
    assert {"1a", "2"} <= set(slot["labels"])
    assert "lamp" in reference["labels"]
    assert {"style", "voiceover", "params"} <= set(key["labels"])
    assert Counter(key["labels"])["model"] == 1, "offered once, not once for each model"


@pytest.mark.slow
@pytest.mark.needs("npm")
def test_an_editor_finds_nothing_wrong_with_the_examples_and_sees_a_misspelt_key(server: Path) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("examples/*/scenes.yaml"))]
    wrong = FILE + "  - {id: 3, promt: z}\n"

    *examples, misspelt = _asked(server, ROOT / "schemas" / "scenes.schema.json", *texts, wrong)

    assert [answer["problems"] for answer in examples] == [[] for _ in texts]
    assert any("promt" in problem for problem in misspelt["problems"])


def test_names_of_a_file_are_proposals_and_no_limits(film: Film) -> None:
    film.write(FILE)

    schema = film.command("schema", "--for", "scenes.yaml").json

    style = schema["$defs"]["shot"]["properties"]["style"]["anyOf"][0]
    assert style == {"type": "string", "examples": ["storm", "dawn"]}
    assert schema["$defs"]["shot_output"]["properties"]["shot"]["examples"] == ["1a", "2"]


@pytest.mark.slow
def test_a_file_that_is_still_being_written_gives_the_names_that_it_has() -> None:
    schema = json.loads((ROOT / "schemas" / "scenes.schema.json").read_text(encoding="utf-8"))

    unfinished: list[Any] = [None, [], {"scenes": 3}, {"scenes": [None, {"id": 4, "shots": [{}]}]}]
    for value in unfinished:
        found = as_mapping(editor_names.with_names(schema, value)["$defs"])
        assert found.keys() == schema["$defs"].keys()


def test_no_reference_of_the_schema_needs_an_escape() -> None:
    text = (ROOT / "schemas" / "scenes.schema.json").read_text(encoding="utf-8")

    assert "~1" not in text, "language servers do not all undo it"
