"""Results are checked when they arrive: measured once, kept, judged anew, and never bought again for it."""

from __future__ import annotations

import json
import stat
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kiebatch import api
from kiebatch.errors import Exit
from kiebatch.media.checks import Measured, Target
from kiebatch.planning import expected
from kiebatch.running import author_commands, events
from support.film import Film

SECOND = "He listens at the door of the dark stair"
HEAD = "kiebatch: 1\ndefaults: {model: nano-banana-2, params: {aspect_ratio: '16:9', output_format: png}}\n"


def shot(expect: str = "", prompt: str = "A small boat nears the lighthouse", id: int = 1) -> str:
    line = f"  - {{id: {id}, prompt: {prompt}"
    return line + (f", expect: {expect}}}\n" if expect else "}\n")


def scenes(*shots: str) -> str:
    return HEAD + "scenes:\n" + "".join(shots)


def kept(film: Film, number: int = 0) -> dict[str, Any]:
    return dict(film.manifest[number].get("checks") or {})


def verdicts(outcome: Any) -> dict[str, str]:
    return {f"{one.slot} {v.check}": v.state.value for one in outcome.judged for v in one.verdicts}


def unchanged(film: Film) -> tuple[bytes, int]:
    manifest = film.assets / "manifest.json"
    return manifest.read_bytes(), manifest.stat().st_mtime_ns


def test_a_result_that_is_as_expected_says_so_and_keeps_the_value(film: Film) -> None:
    film.write(scenes(shot("{size: 16:9, bars: none}")))

    outcome = film.run(strict=True)

    assert outcome.exit_code == Exit.OK
    assert verdicts(outcome) == {"1 size": "met", "1 bars": "met"}
    entry = film.manifest[0]
    size = f"{entry['width']}x{entry['height']}"
    assert kept(film) == {"size": {"verdict": "met", "value": size}, "bars": {"verdict": "met", "value": 0}}


def test_an_entry_says_nothing_of_checks_that_nobody_wrote_and_that_are_met(film: Film) -> None:
    film.write(scenes(shot()))

    outcome = film.run()

    assert "checks" not in film.manifest[0]
    assert outcome.as_json(lambda _: {})["expectations"] == {
        "met": 0,
        "unmet": 0,
        "unjudged": 0,
        "verdicts": [],
        "strict": False,
    }


def test_nothing_is_ever_bought_again_for_an_unmet_expectation(film: Film) -> None:
    film.write(scenes(shot("{size: 1:1}"), shot("{bars: none}", SECOND, 2)))
    first = film.run()
    before = len(film.sim.charges()), unchanged(film)

    second = film.run()
    strict = film.run(strict=True)
    only = film.run(only=("unmet",))

    assert verdicts(first)["1 size"] == "unmet"
    assert (len(film.sim.charges()), unchanged(film)) == before
    assert [run.planned for run in (second, strict, only)] == [0, 0, 0]
    assert film.plan().status == "up-to-date"


def test_an_expectation_that_is_added_changed_or_taken_away_makes_nothing_out_of_date(film: Film) -> None:
    film.write(scenes(shot()))
    film.run()
    fingerprint = film.manifest[0]["fingerprint"]

    for expect in ("{bars: none}", "{bars: < 9px, like: '2'}", "off"):
        film.write(scenes(shot(expect), shot("", SECOND, 2)))
        assert film.reasons()["1"] == "keep: kept"

    film.run()
    assert film.manifest[0]["fingerprint"] == fingerprint
    assert len(film.sim.charges()) == 2


def test_an_unmet_expectation_is_a_failure_only_with_strict(film: Film) -> None:
    film.write(scenes(shot("{size: 1:1}")))

    lenient = film.run()
    strict = film.run(strict=True)

    assert (lenient.exit_code, lenient.status) == (Exit.OK, "success")
    assert (strict.exit_code, strict.status) == (Exit.FAILED, "failed")
    assert not strict.failures


def test_only_unmet_selects_and_with_force_makes_anew(film: Film) -> None:
    film.write(scenes(shot("{size: 1:1}"), shot("{size: 16:9}", SECOND, 2)))
    film.run()

    plan = film.plan(only=("unmet",))
    forced = film.plan(only=("unmet",), force=True)

    assert [str(e.slot) for e in plan.entries if e.selected] == ["1"]
    assert [str(e.slot) for e in forced.work] == ["1"]
    assert film.run(only=("unmet",), force=True).succeeded == 1
    assert len(film.sim.charges()) == 3


def test_a_changed_threshold_is_judged_without_the_file(film: Film) -> None:
    film.write(scenes(shot("{blank: none}")))
    film.run()
    value = kept(film)["blank"]["value"]
    path = film.folder / film.manifest[0]["filename"]
    path.chmod(0)
    film.edit("blank: none", f'blank: "< {value / 2:.2f}%"')

    plan = film.plan()

    assert value > 0
    found = {v.check: v.state.value for one in expected.of_plan(plan) for v in one.verdicts}
    assert found == {"blank": "unmet"}


def test_a_new_check_of_an_old_file_is_made_by_the_next_run_and_only_once(film: Film) -> None:
    film.write(scenes(shot()))
    film.run()
    film.edit("lighthouse}", "lighthouse, expect: {bars: none}}")

    assert [str(v) for one in expected.of_plan(film.plan()) for v in one.verdicts] == [
        "bars: not judged: the next run measures it"
    ]
    film.run()
    before = unchanged(film)
    film.run()

    assert kept(film) == {"bars": {"verdict": "met", "value": 0}}
    assert unchanged(film) == before
    assert len(film.sim.charges()) == 1


def test_a_likeness_is_compared_when_both_are_there_and_again_when_the_other_has_changed(film: Film) -> None:
    film.write(scenes(shot("{like: '2 within 64'}"), shot("", SECOND, 2)))
    film.run()
    against = kept(film)["like"]["against"]
    film.edit("listens", "sleeps")

    outcome = film.run()

    assert verdicts(outcome)["1 like"] == "met"
    assert against != kept(film)["like"]["against"] == film.manifest[-1]["sha256"]
    assert len(film.sim.charges()) == 3


def test_a_local_picture_outside_the_project_is_not_compared(film: Film, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    film.write(scenes(shot("{like: ../secret.png}")))

    said = film.command("validate", str(film.scene_file), "--json")
    ran = film.command("run", str(film.scene_file), "--yes", "--json")

    assert said.code in (Exit.OK, Exit.INVALID)
    assert ran.code == Exit.INVALID
    assert "outside the project" in ran.out
    assert film.sim.charges() == []


# --- measurements that fail ------------------------------------------------------------------------------


def test_a_measurement_that_fails_is_a_warning_and_the_result_stays(film: Film) -> None:
    def fails(path: Path, checks: Sequence[str], targets: Mapping[str, Target]) -> dict[str, Measured]:
        raise RuntimeError(f"no memory for {path.name}")

    film.write(scenes(shot("{bars: none}")))

    outcome = film.run(edges=api.Edges(measure=fails))

    assert outcome.exit_code == Exit.OK
    assert outcome.succeeded == 1
    assert any("no memory" in e.message for e in film.events if isinstance(e, events.Noticed))
    assert verdicts(outcome) == {"1 bars": "unjudged"}


def test_a_chain_does_not_wait_for_what_is_being_measured(film: Film) -> None:
    downstream = threading.Event()

    def slow(path: Path, checks: Sequence[str], targets: Mapping[str, Target]) -> dict[str, Measured]:
        assert "scene-02" in path.name or downstream.wait(30)
        downstream.set()
        return {name: Measured(value=0) for name in checks}

    film.write(
        HEAD
        + "scenes: [{id: 1, prompt: a boat at sea}, {id: 2, prompt: the boat lands, references: [{shot: 1}]}]\n"
    )

    outcome = film.run(edges=api.Edges(measure=slow))

    assert outcome.succeeded == 2


def test_text_without_tesseract_is_said_to_be_unjudged(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(film.folder))
    film.write(scenes(shot("{text: none}")))

    outcome = film.run(strict=True)

    assert outcome.exit_code == Exit.OK
    assert [str(v) for one in outcome.judged for v in one.verdicts] == ["text: not judged: needs tesseract"]


# --- commands of the author's own -------------------------------------------------------------------------


def script(film: Film, body: str) -> None:
    path = film.folder / "check.sh"
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


COMMAND = '{command: "./check.sh {file}"}'


def test_a_command_of_a_scene_file_runs_only_where_the_person_lets_it(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(film, f"touch {film.folder}/ran; exit 3")
    film.write(scenes(shot(COMMAND)))

    first = film.run()

    assert not (film.folder / "ran").exists()
    assert verdicts(first) == {"1 command": "unjudged"}
    assert any("allow_commands" in e.message for e in film.events if isinstance(e, events.Noticed))

    home = film.folder.parent / "home"
    home.mkdir()
    (home / "config.yaml").write_text(
        f"kiebatch-config: 1\nallow_commands: [{film.folder}]\n", encoding="utf-8"
    )
    monkeypatch.setenv("KIEBATCH_CONFIG_HOME", str(home))
    second = film.run()

    assert (film.folder / "ran").exists()
    assert verdicts(second) == {"1 command": "unmet"}
    assert kept(film)["command"]["value"] == 3
    assert len(film.sim.charges()) == 1


@pytest.mark.slow
def test_the_option_lets_commands_run_and_neither_file_nor_variable_does(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(film, 'echo "looked at $1"; test -z "$KIE_API_KEY"')
    film.write(scenes(shot(COMMAND)))
    monkeypatch.setenv("KIEBATCH_ALLOW_COMMANDS", "1")
    refused = film.command("run", str(film.scene_file), "--yes", "--json").json

    allowed = film.command("run", str(film.scene_file), "--yes", "--json", "--allow-commands").json

    assert refused["expectations"]["unjudged"] == 1
    assert allowed["expectations"]["met"] == 1
    name = film.manifest[0]["filename"].rpartition("/")[2]
    assert kept(film)["command"]["said"] == f"looked at {name}"


def test_a_command_is_no_shell(film: Film) -> None:
    script(film, 'test "$#" = 2 && test "$2" = "; touch stolen"')
    film.write(scenes(shot("{command: \"./check.sh {file} '; touch stolen'\"}")))

    outcome = film.run(allow_commands=True)

    assert verdicts(outcome) == {"1 command": "met"}
    assert not (film.folder / "stolen").exists()


def test_a_command_that_hangs_is_ended_with_what_it_started(film: Film) -> None:
    script(film, "sleep 600 & echo $! > pid; wait")

    found = author_commands.run(
        ["./check.sh"], film.folder / "x.png", film.folder, "./check.sh", timeout_s=0.5
    )

    assert found.value is None
    assert "longer than 0.5 s" in found.why
    child = Path("/proc") / (film.folder / "pid").read_text(encoding="utf-8").strip() / "stat"
    deadline = time.monotonic() + 10
    while child.exists() and child.read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_of_what_a_command_prints_only_the_end_is_kept_and_nothing_that_drives_a_terminal(film: Film) -> None:
    script(film, "yes x | head -c 3000000; printf '\\n\\033[31mred\\033[0m\\n'")

    found = author_commands.run(["./check.sh"], film.folder / "x.png", film.folder, "w")

    assert found.value == 0
    assert "red" in found.said
    assert "\x1b" not in found.said


def test_a_command_that_cannot_be_started_says_so(film: Film) -> None:
    found = author_commands.run(["./nothing"], film.folder / "x.png", film.folder, "w")

    assert found.value is None
    assert "cannot be started" in found.why


# --- what is told ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_summary_and_the_json_count_what_is_unmet(film: Film) -> None:
    film.write(scenes(shot("{size: 1:1}"), shot("{size: 16:9}", SECOND, 2)))

    said = film.command("run", str(film.scene_file), "--yes")
    document = film.command("run", str(film.scene_file), "--json")

    assert "1 not as expected" in said.out
    assert "unmet 1: size: " in said.out
    assert document.json["expectations"]["met"] == 1
    assert document.json["expectations"]["unmet"] == 1
    assert document.json["expectations"]["verdicts"][0] == {
        "slot": "1",
        "asset": "img-001",
        "check": "size",
        "verdict": "unmet",
        "expected": "1:1",
        "value": kept(film)["size"]["value"],
        "found": kept(film)["size"]["value"],
        "by_default": False,
    }
    assert json.loads((film.assets / "manifest.json").read_text(encoding="utf-8"))["kiebatch"] == 1


def test_the_plan_and_the_status_name_what_is_not_as_expected(film: Film) -> None:
    film.write(scenes(shot("{size: 1:1}"), shot("{size: 16:9}", SECOND, 2)))
    film.run()

    planned = film.command("plan", str(film.scene_file))
    plan = film.command("plan", str(film.scene_file), "--json").json
    said = film.command("status", str(film.scene_file))
    status = film.command("status", str(film.scene_file), "--json").json

    assert "nothing to do" in planned.out
    assert "not as expected: 1 (" in planned.out
    assert (plan["expectations"]["met"], plan["expectations"]["unmet"]) == (1, 1)
    assert [len(slot["unmet"]) for slot in status["slots"]] == [1, 0]
    assert status["expectations"] == {"met": 1, "unmet": 1, "unjudged": 0}
    assert "unmet 1: size: " in said.out


def test_a_likeness_to_a_file_that_shows_nothing_is_an_error_at_its_place(film: Film) -> None:
    (film.folder / "words.png").write_text("no picture", encoding="utf-8")
    film.write(scenes(shot("{like: ./words.png}"), shot("{like: ./scenes.yaml}", id=2)))

    said = film.command("run", "scenes.yaml", "--yes")

    assert said.code == Exit.INVALID
    assert "scenes.yaml:4:71: shot `1`: `./words.png` is not a picture" in said.err
    assert "shot `2`: `./scenes.yaml` is not a picture" in said.err
    assert film.sim.charges() == []
