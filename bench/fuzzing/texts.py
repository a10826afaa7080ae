"""Texts that people write: scene files in both forms, picks."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import yaml

from bench.fuzzing.kind import HOSTILE, JSON, Kind, Verdict, changed, few
from kiebatch import api
from kiebatch.errors import Invalid, KieBatchError
from kiebatch.record import picks

WORDS = [
    "a",
    "boat",
    "nears",
    "the",
    "lighthouse",
    "at",
    "dusk",
    "while",
    "rain",
    "falls",
    "on",
    "wet",
    "stone",
    "and",
    "nobody",
    "looks",
    "up",
]
IMAGE_MODELS = ("nano-banana-2", "z-image", "seedream/4.5-text-to-image", "flux-2/pro-text-to-image")
VIDEO_MODELS = ("kling-2.6/text-to-video", "kling-3.0/video")


def prompt(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randrange(3, 20)))


def film(rng: random.Random) -> dict[str, JSON]:
    """Return an honest scene file as values: scenes, shots, takes, styles, characters, references to shots."""
    scenes = []
    for number in range(1, rng.randrange(2, 5)):
        scene: dict[str, JSON] = {"id": number, "title": prompt(rng)[:30], "duration": rng.randrange(1, 20)}
        if rng.random() < 0.5:
            scene |= {"prompt": prompt(rng), "takes": rng.randrange(1, 4)}
        else:
            scene["shots"] = [shot(rng, letter) for letter in "abc"[: rng.randrange(1, 4)]]
        scenes.append(scene)
    found: dict[str, JSON] = {
        "kiebatch": 1,
        "title": "The Lighthouse",
        "defaults": {"model": "nano-banana-2", "params": {"aspect_ratio": "16:9"}},
        "styles": {"storm": "storm light, heavy grain"},
        "characters": {"keeper": {"text": "a grey-bearded keeper"}},
        "run": {"rate": "20/10s", "in_flight": 100, "max_credits": 500},
        "scenes": scenes,
    }
    if rng.random() < 0.3:
        found["moved"] = {"9": "1"}
    return found


def shot(rng: random.Random, letter: str) -> dict[str, JSON]:
    found: dict[str, JSON] = {"id": letter, "prompt": prompt(rng)}
    if rng.random() < 0.4:
        found |= {"style": "storm", "camera": "slow push-in"}
    if rng.random() < 0.3:
        found["model"] = rng.choice(IMAGE_MODELS)
    if rng.random() < 0.2:
        found |= {"model": rng.choice(VIDEO_MODELS), "duration": 5}
    if rng.random() < 0.2:
        found["seed"] = rng.choice((7, "stable"))
    return found


def planned(path: Path) -> Verdict:
    """Load and plan a scene file as a run would, and check what is accepted."""
    try:
        opened = api.load(path)
        todo = api.plan(opened)
    except KieBatchError:
        return Verdict.REFUSED
    assert math.isfinite(todo.credits()), "a price that is not a number"
    assert todo.credits() >= 0, "a price below nothing"
    for entry in todo.entries:
        json.dumps(entry.as_json(), allow_nan=False)
        json.dumps(entry.as_json(), ensure_ascii=False).encode(
            "utf-8"
        )  # what cannot be written cannot be sent
    return Verdict.ACCEPTED


def _yaml(rng: random.Random, folder: Path) -> Verdict:
    value = changed(film(rng), rng, few(rng))
    path = folder / "scenes.yaml"
    if rng.random() < 0.5:
        path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8", errors="backslashreplace")
    else:
        path.write_text(
            yaml.safe_dump(value, allow_unicode=True), encoding="utf-8", errors="backslashreplace"
        )
    return planned(path)


_LABELS = (
    "Prompt", "Model", "Duration", "Takes", "Seed", "Camera", "Negative prompt", "Style", "Aspect ratio", "Voiceover", "Notes", "Start frame",
    "References", "Transition", "Dialogue", "Take 2 prompt", "Shot size", "Type", "Visual", "Tags", "Prompt (Kling)",
)  # fmt: skip
_VALUES = (
    "5s",
    "0:05",
    "3",
    "16:9",
    "1a take 2",
    "slow push-in",
    "nano-banana-2",
    "x2",
    "image",
    "dusk, rain",
    "`true`",
    '"No one."',
)


def _markdown_line(rng: random.Random) -> str:
    label = rng.choice(_LABELS) if rng.random() < 0.9 else str(rng.choice(HOSTILE))[:200]
    value: Any = rng.choice(_VALUES)
    if rng.random() < 0.08:
        value = rng.choice(HOSTILE)
    return rng.choice(("- **{}**: {}", "**{}:** {}", "{}: {}", "* {}: {}")).format(label, value)


def _markdown(rng: random.Random, folder: Path) -> Verdict:
    lines = ["# A film", "", "## Defaults", "- **Model**: nano-banana-2", ""]
    for number in range(1, rng.randrange(2, 6)):
        lines += [f"## Scene {number}: {prompt(rng)[:20]}", "", f"- **Prompt**: {prompt(rng)}"]
        if rng.random() < 0.25:
            lines += [_markdown_line(rng) for _ in range(rng.randrange(1, 4))]
        if rng.random() < 0.3:
            lines[-1:] = ["", "### Shot a: wide", f"> {prompt(rng)}", "", "### Shot b", f"> {prompt(rng)}"]
        if rng.random() < 0.1:
            lines += ["", "| id | prompt |", "| --- | --- |", f"| x{number} | {prompt(rng)} |"]
        lines.append("")
    if rng.random() < 0.1:
        lines.insert(rng.randrange(len(lines)), str(rng.choice(HOSTILE))[:5000])
    (folder / "SCENES.md").write_text("\n".join(lines), encoding="utf-8", errors="backslashreplace")
    return planned(folder / "SCENES.md")


def _picks(rng: random.Random, folder: Path) -> Verdict:
    rows = []
    for number in range(rng.randrange(1, 6)):
        row = {
            "slot": f"{number}a#{rng.randrange(1, 4)}",
            "decision": rng.choice(("pick", "reject", "none")),
            "note": prompt(rng),
            "time": f"2026-03-0{number + 1}T10:00:00.000Z",
            "author": "Ann",
        }
        row = changed(row, rng, few(rng))
        rows.append("- " + json.dumps(row, ensure_ascii=rng.random() < 0.5))
    text = "\n".join(rows) + "\n"
    try:
        found = picks.parse(text, "picks.yaml")
    except Invalid:
        return Verdict.REFUSED
    again = picks.parse(picks.dump(found.decisions), "picks.yaml")
    for decision in found.decisions:
        assert again.decision(decision.slot).choice == found.decision(decision.slot).choice, (
            "a decision was lost"
        )
    return Verdict.ACCEPTED


KINDS = (Kind("yaml", _yaml), Kind("markdown", _markdown), Kind("picks", _picks))
