"""Tables, JSON and plain text become a scene file: what was taken as what is said, what is ambiguous is refused."""

from __future__ import annotations

import json

import pytest

from kiebatch.errors import Invalid
from kiebatch.model import JSON
from kiebatch.scenefile import build, intake
from kiebatch.scenefile.intake import Taken, TextForm
from support.scenes import CATALOGUE, scenes, values


def taken(text: str, form: TextForm | None = None) -> Taken:
    found = intake.read(text, "list", form)
    assert found is not None
    return found


def made(text: str, form: TextForm | None = None) -> dict[str, str]:
    """Return the jobs that a file gives, by slot."""
    document = taken(text, form).document
    project, problems = build.build(document, CATALOGUE, build.Options(model="nano-banana-2"))
    assert [str(p) for p in problems if p.severity == "error"] == []
    return {str(job.slot): job.prompt for job in project.jobs}


def refused(text: str, form: TextForm | None = None) -> str:
    with pytest.raises(Invalid) as caught:
        intake.read(text, "list", form)
    return str(caught.value)


# --- tables --------------------------------------------------------------------------------------------

EXCEL = (
    "\ufeffNr;Bild;Dauer;Budget\r\n"
    '1;"Ein Boot; nah, im Regen";5 s;200 €\r\n'
    "2;Ein *Hund* schläft;0:04;\r\n"
)  # fmt: skip


def test_a_cell_or_a_head_that_no_list_has_is_refused_at_its_line() -> None:
    long = "x" * 200_000

    assert refused(f"id,prompt\n1,a boat\n2,{long}\n").startswith("list:3: this is not a list")
    assert refused(f"id,prompt,{long}\n1,a boat,\n").startswith("list:1: this is not a list")


def test_a_shot_list_of_excel_is_read_with_its_semicolons_and_its_mark() -> None:
    found = taken(EXCEL)
    assert made(EXCEL) == {"1": "Ein Boot; nah, im Regen", "2": "Ein *Hund* schläft"}
    assert [scene["duration"] for scene in scenes(found.document)] == [5, 4]
    assert "`Bild` is visual" in found.said
    assert "`Budget` is kept as a note" in found.said
    assert scenes(found.document)[0]["notes"] == "Budget: 200 €"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_each_separator_gives_the_same_jobs(separator: str) -> None:
    rows = [["Shot", "Prompt", "Aspect ratio"], ["a1", "a boat", "16:9"], ["a2", "a quay", ""]]

    assert made("\n".join(separator.join(row) for row in rows)) == {"a1": "a boat", "a2": "a quay"}


def test_a_scene_and_a_shot_column_give_scenes_with_shots() -> None:
    assert made("Scene,Shot,Prompt\n1,a,a boat\n1,b,a quay\n2,a,a hall\n") == {
        "1a": "a boat",
        "1b": "a quay",
        "2a": "a hall",
    }


def test_rows_without_ids_are_numbered_and_that_is_said() -> None:
    text = "Prompt,Model\na boat,z-image\na quay,z-image\n"

    assert made(text) == {"1": "a boat", "2": "a quay"}
    assert "no column holds ids: the rows are numbered from 1" in taken(text).said


def test_a_cell_with_a_line_break_is_one_prompt() -> None:
    assert made('Nr,Prompt\n1,"a boat\nat dusk"\n2,a quay\n') == {"1": "a boat at dusk", "2": "a quay"}


def test_a_table_without_prompts_names_its_columns() -> None:
    assert "the columns are `Scene`, `Action`" in refused("Scene,Action\n1,He waits\n")


def test_a_row_with_more_cells_than_columns_is_refused_at_its_line() -> None:
    assert refused("Nr,Prompt\n1,a boat, at dusk\n").startswith("list:2:1: this row has 3 cells")


def test_a_sentence_in_the_id_column_is_refused() -> None:
    assert "is not an id" in refused("Shot,Prompt\nThe wide one,a boat\n")


# --- JSON ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "jobs"),
    [
        (["a boat", "a quay"], {"1": "a boat", "2": "a quay"}),
        ([{"prompt": "a boat"}, {"prompt": "a quay"}], {"1": "a boat", "2": "a quay"}),
        ([{"scene": 4, "prompt": "a boat", "model": "z-image"}], {"4": "a boat"}),
        ([{"sceneId": "s1", "imagePrompt": "a boat"}], {"s1": "a boat"}),
        ([{"id": "x", "text": "a boat"}], {"x": "a boat"}),
        ({"scenes": [{"scene_number": 1, "prompt": "a boat"}]}, {"1": "a boat"}),
        ({"prompts": ["a boat"]}, {"1": "a boat"}),
        ({"title": "Film", "shots": [{"id": "a1", "Prompt": "a boat"}]}, {"a1": "a boat"}),
        ({"s1": "a boat", "s2": "a quay"}, {"s1": "a boat", "s2": "a quay"}),
        ({"scenes": {"s1": {"prompt": "a boat"}}}, {"s1": "a boat"}),
        (
            [{"scene": 1, "shot": "a", "prompt": "a boat"}, {"scene": 1, "shot": "b", "prompt": "b"}],
            {"1a": "a boat", "1b": "b"},
        ),
        ({"scenes": [{"id": 2, "shots": [{"id": "a", "prompt": "a boat"}]}]}, {"2a": "a boat"}),
        ([{"prompt": {"subject": "a boat"}}], {"1": '{"subject": "a boat"}'}),
    ],
)
def test_prompts_in_any_usual_spelling_are_read(value: JSON, jobs: dict[str, str]) -> None:
    assert made(json.dumps(value)) == jobs


def test_what_no_key_can_hold_is_a_note_and_is_said() -> None:
    found = taken(
        json.dumps({"title": "Film", "fps": 24, "scenes": [{"id": 1, "prompt": "x", "mood": "calm"}]})
    )

    film = values(found.document)
    assert (film["title"], film["notes"]) == ("Film", "fps: 24")
    assert scenes(found.document)[0]["notes"] == "mood: calm"
    assert "kept as notes: `fps`, `mood`" in found.said


def test_lengths_and_shapes_are_read_as_everywhere() -> None:
    text = '[{"prompt": "x", "duration": "5-13s", "aspectRatio": "1920x1080", "takes": 2}]'

    assert scenes(taken(text).document) == [
        {"id": 1, "prompt": "x", "duration": 8, "params": {"aspect_ratio": "16:9"}, "takes": 2}
    ]


def test_two_lists_are_ambiguous() -> None:
    assert "several lists may hold the prompts: `scenes`, `shots`" in refused(
        '{"scenes": ["a"], "shots": ["b"]}'
    )


@pytest.mark.parametrize("text", ["[]", "{}", '{"a": 1}', "[1, 2]"])
def test_json_without_prompts_is_refused(text: str) -> None:
    assert refused(text)


def test_a_scene_file_of_ours_in_json_is_left_to_its_own_reader() -> None:
    assert intake.read('{"kiebatch": 1, "scenes": []}', "scenes.json") is None


# --- plain text ----------------------------------------------------------------------------------------

TEXT = "a boat\nat dusk\n\n2. a quay\n"


def test_a_plain_text_is_read_only_when_its_form_is_named() -> None:
    assert intake.read(TEXT, "list") is None
    assert made(TEXT, TextForm.LINES) == {"1": "a boat", "2": "at dusk", "3": "a quay"}
    assert made(TEXT, TextForm.PARAGRAPHS) == {"1": "a boat at dusk", "2": "a quay"}


def test_a_line_that_may_be_a_comment_is_ambiguous() -> None:
    assert refused("a boat\n# the old one\n", TextForm.LINES).startswith("list:2:1: this may be a comment")


def test_an_empty_text_holds_nothing() -> None:
    assert "holds no text" in refused("\n\n", TextForm.LINES)


# --- by content ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "kiebatch: 1\nscenes: []\n",
        "# Film\n\n## Scene 1\n> a, b\n",
        "## Scene 1, the quay\n- **Prompt**: x\n",
        "| # | Prompt |\n|---|---|\n| 1 | x |\n",
        "Dear all, the prompt is below.\n",
        "---\ntitle: a, b\n---\n",
    ],
)
def test_other_files_are_left_to_their_own_readers(text: str) -> None:
    assert intake.read(text, "list") is None
