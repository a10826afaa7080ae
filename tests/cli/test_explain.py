"""`explain`: what a line became, where each part of a prompt comes from, and what would change it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from support.film import Film

SCENES = """\
kiebatch: 1
# a comment
defaults: {model: nano-banana-2, params: {aspect_ratio: "16:9"}}
styles:
  storm: storm light
characters:
  ann: Ann in red
vars: {hour: dusk}
scenes:
  - id: 1
    notes: for us
    prompt: |
      {ann} waits
      at {hour}
    style: storm
  - id: 2
    shots:
      - {id: a, prompt: a boat, takes: 2}
    voiceover: {text: No one came., model: elevenlabs/text-to-speech-multilingual-v2, voice: Rachel}
"""


@pytest.fixture
def told(film: Film) -> Film:
    film.scene_file.write_text(SCENES)
    return film


def test_every_part_of_a_prompt_has_its_place(told: Film) -> None:
    (job,) = told.command("explain", "scenes.yaml:12", "--json").json["jobs"]

    assert job["prompt"] == "Ann in red waits\nat dusk, storm light"
    assert "".join(part["text"] for part in job["parts"]) == job["prompt"]
    assert [
        (part["from"], part["name"], part["line"]) for part in job["parts"] if part["from"] != "joint"
    ] == [
        ("character", "ann", 7),
        ("prompt", None, 12),
        ("variable", "hour", 8),
        ("style", "storm", 5),
    ]


@pytest.mark.parametrize(
    ("line", "kind", "slots"),
    [
        (2, "nothing", []),
        (3, "sent", ["1", "2a", "2a#2", "2.vo"]),
        (5, "words", ["1"]),
        (7, "words", ["1"]),
        (10, "structure", ["1"]),
        (11, "board", ["1"]),
        (12, "prompt", ["1"]),
        (14, "prompt", ["1"]),
        (15, "sent", ["1"]),
        (18, "prompt", ["2a", "2a#2"]),
        (19, "prompt", ["2.vo"]),
    ],
)
def test_a_line_says_what_it_became_and_whom_it_concerns(
    told: Film, line: int, kind: str, slots: list[str]
) -> None:
    found = told.command("explain", f"scenes.yaml:{line}", "--json").json["became"]

    assert (found["kind"], found["slots"]) == (kind, slots)


def test_the_text_says_price_reason_and_what_would_change_it(told: Film) -> None:
    said = told.command("explain", "scenes.yaml:18")

    assert said.code == 0
    assert "2a  nano-banana-2  generate (new), 8 credits" in said.out
    assert "changed by: model, prompt, aspect_ratio" in said.out
    assert "style storm" not in said.out


def test_without_a_line_the_whole_file_is_explained(told: Film) -> None:
    assert [job["slot"] for job in told.command("explain", "scenes.yaml", "--json").json["jobs"]] == [
        "1",
        "2a",
        "2a#2",
        "2.vo",
    ]


def test_a_note_of_a_markdown_file_is_never_sent_and_a_warning_of_its_line_is_shown(film: Film) -> None:
    path = film.folder / "SCENES.md"
    path.write_text(
        dedent(
            """\
            ## Scene 1
            He must look older.

            > A man on a quay

            - **Model**: nano-banana-2
            - **Mood**: calm
            """
        )
    )
    film.scene_file.unlink(missing_ok=True)

    assert film.command("explain", "SCENES.md:2", "--json").json["became"]["kind"] == "board"
    assert film.command("explain", "SCENES.md:4", "--json").json["became"]["kind"] == "prompt"
    assert "`Mood` is not a key kiebatch knows" in film.command("explain", "SCENES.md:7").out


def test_a_line_of_a_wrong_file_is_refused_with_its_problems(film: Film) -> None:
    film.scene_file.write_text("kiebatch: 1\nscenes: [{id: 1, promt: x}]\n")

    said = film.command("explain", "scenes.yaml:2", "--json")

    assert said.code == 2
    assert said.json["problems"][0]["hint"] == "did you mean `prompt`?"
