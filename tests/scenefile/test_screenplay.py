"""Scripts in: Fountain, Final Draft and shot lists become scenes, and the next draft changes only what changed."""

from __future__ import annotations

import contextlib
import difflib
import random
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kiebatch import api
from kiebatch.cli import app
from kiebatch.errors import Invalid
from kiebatch.scenefile import convert, screenplay, screenplay_update
from kiebatch.scenefile.screenplay import Script
from support.scenes import values

FOUNTAIN = """\
Title:
    **The Last Bus**
    _A short film_
Credit: Written by
Author: Ann Author
Draft date: 1/1/2026

FADE IN:

# Act One

= Hanne waits.

EXT. MARSH ROAD - DAWN #1#

A flat road. *Nothing* moves. [[maybe fog]]

HANNE (80), in a grey coat, sits on a bench.

HANNE
(to herself)
It will come.

GIRL (O.S.)
Who?

CUT TO:

INT. BUS - CONTINUOUS #2#

The DRIVER looks up.
THE DOOR HISSES.

@McAVOY
Where to?

HANNE (CONT'D)
To the sea.
~A song of the sea

===

.FLASHBACK #2A#

!SHE IS YOUNG.

> THE END <

/* cut this
INT. NOWHERE - DAY
*/
"""

FDX = """\
<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<FinalDraft DocumentType="Script" Template="No" Version="5">
  <Content>
    <Paragraph Type="Scene Heading" Number="7"><Text>EXT. MARSH ROAD - DAWN</Text></Paragraph>
    <Paragraph Type="Action"><Text>A flat road. </Text><Text Style="Italic">Nothing</Text><Text> moves.</Text></Paragraph>
    <Paragraph Type="Character"><Text>HANNE (CONT'D)</Text></Paragraph>
    <Paragraph Type="Parenthetical"><Text>(to herself)</Text></Paragraph>
    <Paragraph Type="Dialogue"><Text>It will come.</Text></Paragraph>
    <Paragraph Type="Transition"><Text>DISSOLVE TO:</Text></Paragraph>
    <Paragraph Type="Scene Heading" Number="8"><Text>INT. BUS - NIGHT</Text>
      <ScriptNote><Paragraph><Text>which bus?</Text></Paragraph></ScriptNote></Paragraph>
  </Content>
  <TitlePage><Content><Paragraph><Text>THE LAST BUS</Text></Paragraph></Content></TitlePage>
</FinalDraft>
"""


def script(text: str, name: str = "a.fountain") -> Script:
    return screenplay.read(Path(name), text)


def scenes(text: str, name: str = "a.fountain", **options: Any) -> list[dict[str, Any]]:
    value = yaml.safe_load(convert.to_yaml(screenplay.as_document(script(text, name), name, **options)))
    return list(value["scenes"])


# --- Fountain ------------------------------------------------------------------------------------------


def test_a_fountain_script_becomes_scenes_with_sluglines_action_and_dialogue() -> None:
    one, two, back = scenes(FOUNTAIN)

    assert one == {
        "id": 1,
        "title": "Marsh road",
        "group": "Act One",
        "location": "EXT. MARSH ROAD",
        "time_of_day": "DAWN",
        "action": "A flat road. Nothing moves.\n\nHANNE (80), in a grey coat, sits on a bench.",
        "dialogue": "HANNE: (to herself) It will come.\nGIRL (O.S.): Who?",
        "transition": "CUT TO",
        "notes": "FADE IN:\n\nHanne waits.\n\nmaybe fog",
    }
    assert (two["id"], two["location"], two["time_of_day"]) == (2, "INT. BUS", "CONTINUOUS")
    assert two["action"] == "The DRIVER looks up.\nTHE DOOR HISSES."
    assert two["dialogue"] == "McAVOY: Where to?\nHANNE: To the sea. A song of the sea"
    assert (back["id"], back["action"]) == ("2A", "SHE IS YOUNG.\n\nTHE END")


def test_title_author_and_cast_are_the_films() -> None:
    value = values(screenplay.as_document(script(FOUNTAIN), "a.fountain"))

    assert value["title"] == "The Last Bus A short film"
    assert value["notes"] == "Written by Ann Author"
    assert list(value["characters"]) == ["Hanne", "Girl", "McAVOY"]


def test_a_script_without_numbers_counts_its_scenes() -> None:
    assert [s["id"] for s in scenes(re.sub(r" #\w+#", "", FOUNTAIN))] == [1, 2, 3]


def test_a_scaffold_has_a_shot_for_each_paragraph_and_line() -> None:
    shots = scenes(FOUNTAIN, shots=True)[0]["shots"]

    assert [shot["id"] for shot in shots] == ["a", "b", "c", "d"]
    assert shots[1] == {"id": "b", "action": "HANNE (80), in a grey coat, sits on a bench."}
    assert shots[2] == {"id": "c", "dialogue": "HANNE: (to herself) It will come."}


@pytest.mark.parametrize(
    ("slugline", "place", "time"),
    [
        ("INT. BUS - NIGHT", "INT. BUS", "NIGHT"),
        ("INT. HOUSE - KITCHEN - LATER THAT NIGHT", "INT. HOUSE - KITCHEN", "LATER THAT NIGHT"),
        ("EXT./INT. CAR – MOVING – DAY", "EXT./INT. CAR - MOVING", "DAY"),
        ("INT. A-B CORRIDOR", "INT. A-B CORRIDOR", ""),
        ("EXT. NIGHT CLUB", "EXT. NIGHT CLUB", ""),
    ],
)
def test_sluglines(slugline: str, place: str, time: str) -> None:
    assert screenplay.heading(slugline) == (place, time)


@given(st.text("INT. HOUSE-\nDAY#/*[]=>@!~().abcÄ ", max_size=300))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(Invalid):
        convert.to_yaml(screenplay.as_document(script(text), "x"))


# --- Final Draft ---------------------------------------------------------------------------------------


def test_final_draft_becomes_the_same_kind_of_scenes() -> None:
    one, two = scenes(FDX, "a.fdx")

    assert (one["id"], one["location"], one["time_of_day"]) == (7, "EXT. MARSH ROAD", "DAWN")
    assert one["action"] == "A flat road. Nothing moves."
    assert one["dialogue"] == "HANNE: (to herself) It will come."
    assert one["transition"] == "DISSOLVE TO"
    assert two["notes"] == "which bus?"
    assert script(FDX, "a.fdx").title == "The Last Bus"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<FinalDraft><Content>", r"a\.fdx:1:\d+: this is not XML"),
        ("<html/>", "not a Final Draft document"),
        ("<FinalDraft><Content/></FinalDraft>", "no scene heading"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><FinalDraft/>', "defines entities"),
    ],
)
def test_what_is_not_final_draft_is_refused_at_its_place(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        script(text, "a.fdx")


# --- shot lists ----------------------------------------------------------------------------------------

LIST = """\
Scene;Shot;Location;Time of Day;Description;Shot Size;Camera Movement;Length;Dialogue;Budget
1;a;EXT. MARSH ROAD;DAWN;A flat road.;wide;slow push-in;4;;100
;b;;;HANNE sits.;close-up;;0:02,5;HANNE: It will come.;
2;;INT. BUS;;The door hisses.;;;3 s;;
"""


def test_a_shot_list_becomes_scenes_and_shots_by_the_names_of_its_columns() -> None:
    one, two = scenes(LIST.replace("0:02,5", "2,5"), "a.csv")

    assert (one["location"], one["time_of_day"]) == ("EXT. MARSH ROAD", "DAWN")
    assert one["shots"] == [
        {"id": "a", "action": "A flat road.", "shot_size": "wide", "camera": "slow push-in", "duration": 4},
        {"id": "b", "action": "HANNE sits.", "dialogue": "HANNE: It will come.", "shot_size": "close-up", "duration": 2.5},
    ]  # fmt: skip
    assert (two["id"], two["action"], two["duration"]) == (2, "The door hisses.", 3)
    assert script(LIST.replace("0:02,5", "3"), "a.csv").unread == ("Budget",)


@pytest.mark.parametrize("name", ["Dur. (s)", "Duration [sec]", "Length (seconds)"])
def test_a_unit_in_brackets_is_not_part_of_a_columns_name(name: str) -> None:
    read = script(f"Scene;Shot;Description;{name}\n1;A;A lighthouse.;2,5\n", "a.csv")
    assert (read.scenes[0].beats[0].keys["duration"], read.unread) == (2.5, ())


def test_a_length_that_is_no_number_is_refused_at_its_row() -> None:
    for length in ("two beats", "0", "1:00:01", "9" * 400, "9" * 400 + ":00"):
        with pytest.raises(Invalid, match=r"a\.csv:3: `duration` must be seconds, found"):
            script(LIST.replace("0:02,5", length), "a.csv")
    with pytest.raises(Invalid, match="no column `scene`"):
        script("a,b\n1,2\n", "a.csv")


# --- the next draft ------------------------------------------------------------------------------------


def film_of(text: str) -> str:
    """Return the scene file of a script, with somebody's work in it."""
    made = convert.to_yaml(screenplay.as_document(script(text), "a.fountain"))
    return made.replace("  - id: 2\n", "  # the bus\n  - id: 2\n    prompt: 'A bus' # keep this\n", 1)


def test_the_next_draft_changes_only_what_changed() -> None:
    before = film_of(FOUNTAIN)
    draft = FOUNTAIN.replace("Where to?", "Where to, love?")

    done = screenplay_update.update(before, "scenes.yaml", script(draft), script(FOUNTAIN))

    diff = [row for row in difflib.ndiff(before.splitlines(), done.text.splitlines()) if row[0] in "+-"]
    assert diff == ["-       McAVOY: Where to?", "+       McAVOY: Where to, love?"]
    assert [str(c) for c in done.changes] == ["scene 2: dialogue changed"]


def test_what_a_person_changed_stays_and_is_said_where_the_script_changed_it_too() -> None:
    before = film_of(FOUNTAIN).replace("McAVOY: Where to?", "McAVOY: Whither?")
    same = screenplay_update.update(before, "scenes.yaml", script(FOUNTAIN), script(FOUNTAIN))
    draft = FOUNTAIN.replace("Where to?", "Where to, love?")

    both = screenplay_update.update(before, "scenes.yaml", script(draft), script(FOUNTAIN))

    assert same.changes == ()
    assert [str(c) for c in both.changes] == [
        "scene 2: dialogue changed in the script and here; yours is kept"
    ]
    assert both.text == before


def test_new_scenes_come_in_between_and_lost_ones_are_skipped() -> None:
    plain = re.sub(r" #\w+#", "", FOUNTAIN)
    draft = plain.replace(".FLASHBACK", "INT. KITCHEN - NIGHT\n\nA kettle sings.\n\n.FLASHBACK")
    draft = re.sub(r"EXT\. MARSH ROAD.*?(?=INT\. BUS)", "", draft, flags=re.S)

    done = screenplay_update.update(film_of(plain), "scenes.yaml", script(draft), script(plain))
    again = screenplay_update.update(done.text, "scenes.yaml", script(plain), script(draft))

    found = yaml.safe_load(done.text)["scenes"]
    assert [(s["id"], s.get("skip")) for s in found] == [
        (1, "no longer in the script"),
        (2, None),
        ("2A", None),
        (3, None),
    ]
    assert "# the bus" in done.text
    assert "scene 1: is back in the script" in [str(c) for c in again.changes]


def test_a_scene_that_moved_takes_its_comments_and_its_id_along() -> None:
    plain = re.sub(r" #\w+#", "", FOUNTAIN)
    bus = re.search(r"INT\. BUS.*?(?====)", plain, re.S)
    assert bus
    draft = plain.replace(bus[0], "").replace("EXT. MARSH ROAD", f"{bus[0]}\nEXT. MARSH ROAD")

    done = screenplay_update.update(film_of(plain), "scenes.yaml", script(draft), script(plain))

    assert [s["id"] for s in yaml.safe_load(done.text)["scenes"]] == [2, 1, 3]
    assert "# the bus\n  - id: 2\n    prompt: 'A bus' # keep this" in done.text


def test_a_file_that_cannot_be_edited_is_refused_with_its_place() -> None:
    flow = "kiebatch: 1\nscenes:\n  - {id: 1, location: EXT. MARSH ROAD, time_of_day: DAWN, action: A road}\n"

    with pytest.raises(Invalid, match=r"scenes\.yaml:3:5: this entry is written on one line"):
        screenplay_update.update(flow, "scenes.yaml", script(FOUNTAIN))


WORDS = [
    "road",
    "marsh",
    "bus",
    "door",
    "wind",
    "coat",
    "bench",
    "sea",
    "light",
    "rain",
    "window",
    "hand",
    "letter",
    "clock",
    "dog",
    "bridge",
    "stair",
    "lamp",
    "boat",
]


def long_script(seed: int, scenes: int = 56) -> list[str]:
    """Return the scenes of a script of some 20 pages: a page is about 55 lines."""
    chance = random.Random(seed)

    def sentence(least: int, most: int) -> str:
        words = " ".join(chance.choice(WORDS) for _ in range(chance.randint(least, most)))
        return f"{words.capitalize()}."

    found = []
    for number in range(scenes):
        place, time = chance.choice(WORDS).upper(), chance.choice(("DAY", "NIGHT", "DAWN"))
        lines = [
            f"{chance.choice(('INT', 'EXT'))}. {place} - {time}",
            "",
            f"{sentence(8, 30)} ({number})",
            "",
        ]
        for _ in range(chance.randint(2, 5)):
            lines += [chance.choice(("HANNE", "DRIVER", "GIRL")), sentence(4, 20), ""]
        found.append("\n".join([*lines, sentence(8, 30), ""]))
    return found


@pytest.mark.slow
def test_a_second_draft_of_twenty_pages_renames_nothing(tmp_path: Path) -> None:
    first = long_script(1)
    second = list(first)
    second[3] = second[3].replace("HANNE", "OLD HANNE")
    second[10] += "\nThe bus burns.\n"
    removed = second.pop(20)
    second.insert(30, "INT. LIGHTHOUSE - NIGHT\n\nNobody.\n")
    (tmp_path / "one.fountain").write_text("Title: Long\n\n" + "\n".join(first))
    (tmp_path / "two.fountain").write_text("Title: Long\n\n" + "\n".join(second))
    assert app.exit_code(["init", str(tmp_path / "film"), "--from", str(tmp_path / "one.fountain")]) == 0
    path = tmp_path / "film" / "scenes.yaml"
    before = path.read_text().splitlines()

    assert app.exit_code(["init", str(tmp_path / "film"), "--from", str(tmp_path / "two.fountain")]) == 0

    ids = [scene.id for scene in api.load(path).project.scenes]
    changed = [line for line in difflib.ndiff(before, path.read_text().splitlines()) if line[0] in "+-"]
    lines = sum(len(textwrap.wrap(line, 60)) or 1 for line in "\n".join(first).splitlines())
    assert lines / 55 >= 20
    assert ids == [*range(1, 32), "31A", *range(32, 57)]
    assert len(changed) < 20
    assert removed.splitlines()[2] in path.read_text()  # nothing is lost


# --- the commands --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_init_makes_a_film_of_a_script_that_validates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "last bus.fountain").write_text(FOUNTAIN, encoding="utf-8")
    folder = tmp_path / "film"

    assert app.exit_code(["init", str(folder), "--from", str(tmp_path / "last bus.fountain"), "--shots"]) == 0
    assert app.exit_code(["validate", str(folder)]) == 0
    assert app.exit_code(["export", "pdf", str(folder)]) == 0

    assert (folder / "script.fountain").read_text(encoding="utf-8") == FOUNTAIN
    assert "valid: 3 scenes, 0 jobs" in capsys.readouterr().out


def test_init_again_puts_the_next_draft_in_and_says_what_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = tmp_path / "a.fountain", tmp_path / "film"
    source.write_text(FOUNTAIN, encoding="utf-8")
    app.exit_code(["init", str(folder), "--from", str(source)])
    source.write_text(FOUNTAIN.replace("@McAVOY", "CONDUCTOR"), encoding="utf-8")
    capsys.readouterr()

    assert app.exit_code(["init", str(folder), "--from", str(source)]) == 0
    out = capsys.readouterr().out
    assert app.exit_code(["init", str(folder), "--from", str(source)]) == 0

    assert "scene 2: dialogue changed" in out
    assert "not under `characters` yet: Conductor" in out
    assert capsys.readouterr().out.startswith("the scene file is as the script says")


def test_a_writer_may_edit_the_projects_own_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, folder = tmp_path / "a.fountain", tmp_path / "film"
    source.write_text(FOUNTAIN, encoding="utf-8")
    app.exit_code(["init", str(folder), "--from", str(source)])
    for command in (
        ["init", "-q"],
        ["config", "user.name", "Ann"],
        ["config", "user.email", "ann@example.com"],
        ["add", "."],
        ["commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    scene_file, own = folder / "scenes.yaml", folder / "script.fountain"
    scene_file.write_text(scene_file.read_text().replace("The DRIVER looks up.", "The driver sleeps."))
    own.write_text(FOUNTAIN.replace("Where to?", "Where to, love?"), encoding="utf-8")

    assert app.exit_code(["init", str(folder), "--from", str(own)]) == 0

    assert "Where to, love?" in scene_file.read_text()
    assert "The driver sleeps." in scene_file.read_text()


def test_convert_reads_scripts_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.fdx").write_text(FDX, encoding="utf-8")

    assert app.exit_code(["convert", str(tmp_path / "a.fdx"), "--to", "md"]) == 0

    assert "## Scene 7: Marsh road" in capsys.readouterr().out


def test_a_markdown_film_is_not_edited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.fountain").write_text(FOUNTAIN, encoding="utf-8")
    (tmp_path / "SCENES.md").write_text("## Scene 1: A\n\n- **Model**: nano-banana-2\n\n> A boat\n")

    assert app.exit_code(["init", str(tmp_path), "--from", str(tmp_path / "a.fountain")]) == 2
    assert "--to yaml makes one of it" in capsys.readouterr().err


def test_columns_that_no_key_takes_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text(LIST.replace("0:02,5", "2"), encoding="utf-8")

    assert app.exit_code(["init", str(tmp_path / "film"), "--from", str(tmp_path / "a.csv")]) == 0
    assert "left out: `Budget`" in capsys.readouterr().err
