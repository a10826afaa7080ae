"""`kiebatch migrate`: closed models are replaced, slots stay, and nothing that was made is made again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from kiebatch import catalogue
from kiebatch.catalogue.inputs import build
from kiebatch.errors import Exit
from kiebatch.model import Ask
from support.film import Film

TODAY = date.today()

OLD = """\
models:
  - {{id: z-image, last_day: "{last_day}", status: {status}, superseded_by: nano-banana-2-lite,
     migration: {{drop: {{nsfw_checker: the new one always checks}}, source: my list}}}}
"""
FILM = """\
kiebatch: 1
defaults: {model: z-image, params: {aspect_ratio: "16:9"}}   # the cheap one
scenes:
  - {id: 1, prompt: A small wooden boat nears a white lighthouse}
  - id: 2
    shots:
      - {id: a, model: z-image, prompt: A keeper climbs the stairs, params: {aspect_ratio: "1:1", nsfw_checker: true}}
      - id: b
        model: nano-banana-2
        prompt: He stops and listens   # stays
"""


def closing(film: Film, days: int, status: str = "superseded") -> None:
    (film.folder / "models").mkdir(exist_ok=True)
    text = OLD.format(last_day=TODAY + timedelta(days=days), status=status)
    (film.folder / "models/mine.yaml").write_text(text, encoding="utf-8")


def reasons(film: Film) -> dict[str, str]:
    jobs = film.command("plan", "scenes.yaml", "--json").json["jobs"]
    return {job["slot"]: job["action"] for job in jobs}


@pytest.mark.parametrize(
    ("days", "code"), [(31, "superseded"), (30, "closing"), (0, "closing"), (-1, "withdrawn")]
)
def test_a_model_is_warned_about_for_thirty_days_and_refused_after_its_last(days: int, code: str) -> None:
    shipped = catalogue.load().resolve("flux-kontext-pro")
    model = replace(shipped, last_day=(TODAY + timedelta(days=days)).isoformat())

    findings = build(model, Ask(prompt="A boat"), on=TODAY).findings

    assert [f.code for f in findings if f.field == "model"] == [code]


def test_a_closed_model_says_when_it_closed_what_takes_its_place_and_what_is_lost(film: Film) -> None:
    film.write(
        "kiebatch: 1\nscenes:\n  - {id: 1, model: sora-2-text-to-video, prompt: A boat nears a lighthouse}\n"
    )

    (problem,) = film.command("validate", "scenes.yaml", "--json").json["problems"]

    assert "closed it on 2026-09-24" in problem["message"]
    assert "`veo-3-1` takes its place" in problem["hint"]
    assert "kiebatch migrate FILE" in problem["hint"]


@pytest.mark.slow
def test_nothing_that_was_made_becomes_stale_and_every_other_character_stays(film: Film) -> None:
    film.write(FILM.replace(", nsfw_checker: true", ""))
    film.run()
    closing(film, 10)
    before = film.scene_file.read_text(encoding="utf-8")

    said = film.command("migrate", "scenes.yaml")

    after = film.scene_file.read_text(encoding="utf-8")
    assert said.code == Exit.OK
    assert after == before.replace("z-image", "nano-banana-2-lite")
    assert set(reasons(film).values()) == {"keep"}
    film.run()
    assert len(film.sim.charges()) == 3


def test_what_cannot_be_carried_over_is_said_with_its_reason(film: Film) -> None:
    film.write(FILM)
    closing(film, 10)

    said = film.command("migrate", "scenes.yaml", "--json").json

    assert [c["lost"] for c in said["changes"] if c["lost"]] == [
        {"nsfw_checker": "the new one always checks"}
    ]
    assert "nsfw_checker" not in film.scene_file.read_text(encoding="utf-8")


def test_check_writes_nothing_and_ends_with_3(film: Film) -> None:
    film.write(FILM)
    closing(film, 10)
    before = film.scene_file.read_bytes()

    said = film.command("migrate", "scenes.yaml", "--check")

    assert said.code == Exit.DIFFERS
    assert "z-image -> nano-banana-2-lite" in said.out
    assert film.scene_file.read_bytes() == before


def test_a_file_of_open_models_has_nothing_to_migrate(film: Film) -> None:
    film.write(FILM)

    said = film.command("migrate", "scenes.yaml")

    assert (said.code, said.out.strip()) == (
        Exit.OK,
        "nothing to migrate: every model of the file takes jobs",
    )


def test_older_forms_move_with_their_tier_when_asked_for(film: Film) -> None:
    film.write(
        "kiebatch: 1\nscenes:\n  - {id: 1, model: veo3_fast, prompt: A boat nears a lighthouse, duration: 8}\n"
    )

    film.command("migrate", "scenes.yaml", "--all")

    text = film.scene_file.read_text(encoding="utf-8")
    assert "model: veo-3-1, params: {model: veo3_fast}" in text


def test_names_in_markdown_are_replaced(film: Film) -> None:
    path = Path("SCENES.md")
    path.write_text(
        "# Film\n\n## Scene 1: Arrival\n\n- **Model**: Sora 2 text to video\n- **Prompt**: A boat nears a lighthouse\n",
        encoding="utf-8",
    )
    title = next(m for m in catalogue.load().all() if m.id == "sora-2-text-to-video").title
    path.write_text(path.read_text(encoding="utf-8").replace("Sora 2 text to video", title), encoding="utf-8")

    said = film.command("migrate", "SCENES.md")

    assert said.code == Exit.OK, said.err
    assert "- **Model**: veo-3-1" in path.read_text(encoding="utf-8")


def test_a_file_that_would_not_be_valid_is_left_as_it_was(film: Film) -> None:
    film.write(
        "kiebatch: 1\nscenes:\n  - {id: 1, model: sora-2-text-to-video, prompt: A boat, referenzes: [a.png]}\n"
    )
    before = film.scene_file.read_bytes()

    said = film.command("migrate", "scenes.yaml")

    assert said.code == Exit.INVALID
    assert film.scene_file.read_bytes() == before
