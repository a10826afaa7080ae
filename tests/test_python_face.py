"""Everything that a wrapper needs is exported, typed and documented, and the examples of docs/python.md run."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
from PIL import Image

import kiebatch
from kiebatch import testing
from support.film import Film
from support.places import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PROMISED = [
    "load",
    "validate",
    "plan",
    "preflight",
    "run",
    "prepare",
    "generate",
    "collect",
    "status",
    "resolve",
    "Manifest",
    "Derivatives",
]


def test_what_the_contract_promises_is_exported_and_listed_by_dir() -> None:
    assert set(PROMISED) <= set(kiebatch.__all__)
    assert set(kiebatch.__all__) <= set(dir(kiebatch))


def test_both_faces_offer_the_same() -> None:
    from kiebatch import api

    assert set(api.__all__) == set(kiebatch.__all__)


def test_every_exported_name_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE)) | set(re.findall(r"\b(\w+)\(", PAGE))

    assert [
        n for n in kiebatch.__all__ if n not in named and n not in PAGE
    ] == ["Confirm", "Edges", "Evidence", "ProjectStatus", "Question", "SettingsOptions", "SlotStatus"]  # fmt: skip


@pytest.mark.parametrize("name", [n for n in kiebatch.__all__ if inspect.isfunction(getattr(kiebatch, n))])
def test_every_function_is_typed_whole(name: str) -> None:
    function = getattr(kiebatch, name)

    hints = get_type_hints(function)

    assert "return" in hints
    assert set(inspect.signature(function).parameters) <= set(hints)
    assert function.__doc__


@pytest.mark.slow
def test_the_examples_of_the_page_run(film: Film) -> None:
    Image.new("RGB", (640, 360), "navy").save("boat.png")
    film.write("kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: a boat}\n")
    names: dict[str, object] = {"KEY": film.sim.key, "URL": film.sim.url}
    film.capture.readouterr()

    for block in BLOCKS[:2]:
        exec(compile(block, "docs/python.md", "exec"), names)

    said = film.capture.readouterr().out
    assert "success" in said
    assert "{'done': 1} success" in said
    assert [charge["model"] for charge in film.sim.charges()] == ["kling-3.0/video", "nano-banana-2"]
    assert re.search(r"assets/images/\S+ \S+derivatives\S+\.webp", said)


def test_the_flow_of_one_clip_fits_on_fifteen_lines() -> None:
    statements = [line for line in BLOCKS[0].splitlines() if line and not line.startswith((" ", ")"))]

    assert len(statements) <= 15


@pytest.mark.slow
def test_the_plugin_gives_a_simulator_to_tests_of_others(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(BLOCKS[2], encoding="utf-8")

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "kiebatch.testing.plugin",
            "-p",
            "no:cacheprovider",
            ".",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_there_is_a_request_for_every_model_and_an_answer_of_every_family() -> None:
    from kiebatch import catalogue

    samples = testing.requests()

    known = {f"{model.modality}:{model.id}" for model in catalogue.load([]).all()}
    assert set(samples) == known
    assert samples["image:nano-banana-2"].input["prompt"]
    assert any(rule["kind"] for sample in samples.values() for rule, _ in sample.refused)
    told = {exchange.family for exchange in testing.answers()}
    assert {"jobs", "veo", "suno", "runway", "gpt4o-image", "flux-kontext"} <= told
    assert {e.family for e in testing.answers("veo")} == {"veo"}
