"""What CI systems read from a run."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kiebatch import ci
from kiebatch.model import JSON, Slot
from support.filmrepo import Film, Said
from support.simulated import Sim

EVIL = "::stop-commands::x\n::error::boo\n ##[add-path]/evil | <img src=http://x> ![a](http://x) @team `x` %0A::set-env\x1b[2J\u202e"


def an_outcome(**more: Any) -> dict[str, Any]:
    return {
        "status": "failed",
        "run_id": "1f3a",
        "jobs": {"planned": 3, "succeeded": 1, "failed": 1, "held": 1, "kept": 4, "skipped": 0},
        "credits": {"estimated": 12, "spent": 8.5, "billed_for_failures": 4},
        "assets": [
            {"id": "img-001", "filename": "assets/images/scene-02-a-t3.png", "scene_id": 2, "shot": "a", "take": 3,
             "model": "nano-banana-2", "version": 2, "credits": 4},
        ],
        "failures": [
            {"slot": "2b", "scene_id": 2, "shot": "b", "take": 1, "model": "kling-3.0/video", "task_id": "t-9", "code": "422",
             "message": EVIL, "retryable": False, "hint": "say it otherwise"},
        ],
        "held": [{"slot": "3", "reason": "the program ended before the answer"}],
        **more,
    }  # fmt: skip


def commands(text: str) -> list[str]:
    """Return what GitHub's runner takes for a command, by its own two rules."""
    return [
        line
        for line in re.split(r"\r\n|[\r\n]", text)
        if line.lstrip().startswith("::") or re.search(r"##\w*\[", line)
    ]


def test_a_summary_shows_counts_credits_failures_and_how_to_decide_a_held_job() -> None:
    text = ci.summary(an_outcome())

    assert text.startswith(
        "## ❌ kiebatch run: failed\n\n1 succeeded, 1 failed, 1 held, 4 kept of 3 planned jobs"
    )
    assert "**8.5 credits** spent, 12 estimated, 4 billed for failed jobs" in text
    assert "| `2a#3` | `assets/images/scene-02-a-t3.png` | `nano-banana-2` | 2 | 4 |" in text
    assert "`kiebatch resolve '3'`" in text


def test_what_the_provider_says_stays_text_in_a_summary() -> None:
    html = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(ci.summary(an_outcome()))

    assert "<img" not in html
    assert "<a " not in html
    assert html.count("<td") == 5 + 3 + 5
    assert commands(ci.summary(an_outcome())) == []


@given(
    st.text(max_size=60)
    | st.sampled_from(
        ["# x", "1. x", "- x", "+ x", "--- ", "> x", "![a](b)", "www.example.org/x", "a\\|b", "`x", "=="]
    )
)
@settings(deadline=None)
def test_foreign_text_has_no_markup_of_its_own(text: str) -> None:
    def tags(markdown: str) -> list[str]:
        return re.findall(
            r"</?\w+", MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(markdown)
        )

    assert tags(f"- {ci.markdown(text)}x") == ["<ul", "<li", "</li", "</ul"]
    assert tags(f"|a|b|\n|-|-|\n|{ci.markdown(text)}|{ci.code(text)}|").count("<td") == 2


def test_a_summary_is_bounded() -> None:
    many = [dict(an_outcome()["failures"][0], slot=str(n), message="x" * 5000) for n in range(5000)]

    text = ci.summary(an_outcome(failures=many))

    assert len(text.encode()) < ci.SUMMARY_BYTES
    assert "… and 4800 more." in text


def test_a_plan_has_a_summary_too() -> None:
    plan: dict[str, JSON] = {
        "status": "work",
        "jobs": [
            {"slot": "2b", "action": "generate", "reason": "prompt", "model": "veo-3-1", "credits": {"amount": 60, "kind": "exact"}},
            {"slot": "1", "action": "keep", "reason": "kept", "model": "veo-3-1", "credits": {"amount": 0}},
        ],
        "totals": {"jobs": 1, "credits": 60, "usd": 0.3, "unpriced": 0},
    }  # fmt: skip

    text = ci.summary(plan)

    assert "1 jobs, **60 credits** (about 0.3 USD)" in text
    assert "| `2b` | generate | prompt | `veo-3-1` | 60 |" in text
    assert "| `1` |" not in text


def test_a_problem_becomes_an_annotation_at_its_line() -> None:
    problem = {
        "file": "dawn.yaml",
        "line": 6,
        "column": 19,
        "severity": "error",
        "message": "100%, sure",
        "hint": "a: b",
    }

    assert ci.annotations([problem], "film") == [
        "::error file=film/dawn.yaml,line=6,col=19,title=kiebatch::100%25, sure%0Ahint: a: b"
    ]
    assert ci.annotations(
        [{**problem, "severity": "warning", "file": "a,b:c.yaml", "line": None, "column": None}]
    )[0].startswith("::warning file=a%2Cb%3Ac.yaml,title=kiebatch::")


def test_a_failed_and_a_held_job_are_annotated_by_slot() -> None:
    outcome = an_outcome()

    lines = ci.annotations([*outcome["failures"], *outcome["held"]])

    assert len(lines) == 2
    assert all("\n" not in line and line.count("\n") == 0 for line in lines)
    assert lines[1] == "::error title=kiebatch 3::the program ended before the answer"


def test_more_annotations_than_github_shows_are_counted() -> None:
    lines = ci.annotations([{"message": str(n), "severity": "error"} for n in range(25)])

    assert len(lines) == 10
    assert lines[-1] == "::error title=kiebatch::and 16 more, see the log"


@given(st.text())
@settings(deadline=None)
def test_no_line_of_foreign_text_is_a_command(text: str) -> None:
    assert commands(ci.harmless(text)) == []
    assert commands(ci.harmless(EVIL + text)) == []
    assert len(commands("\n".join(ci.annotations([{"message": text, "file": text, "slot": text}])))) == 1
    ET.fromstring(ci.junit(an_outcome(held=[{"slot": text, "reason": text}])))


def test_junit_has_a_case_for_every_job() -> None:
    suite = ET.fromstring(ci.junit(an_outcome()))[0]

    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3", "failures": "1", "errors": "1", "skipped": "0",
    }  # fmt: skip
    assert [case.get("name") for case in suite.iter("testcase")] == ["2a#3", "2b", "3"]
    assert (suite.find("testcase/failure") or ET.Element("x")).get("type") != "x"


@pytest.mark.parametrize("scene", [1, "12A", "intro"])
def test_slots_are_written_as_everywhere(scene: int | str) -> None:

    for shot in (None, "a", "vo", 1):
        for take in (1, 2):
            asset = {"scene_id": scene, "shot": shot, "take": take, "filename": "x"}
            assert f"`{Slot(scene, shot, None, take)}`" in ci.summary(
                {"status": "success", "assets": [asset]}
            )


# --- through the program -------------------------------------------------------------------------------


@pytest.fixture
def on_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a GitHub job; the file of its summary."""
    for name, value in {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def test_every_problem_of_a_scene_file_is_annotated_from_the_top_of_the_checkout(
    on_github: Path, tmp_path: Path
) -> None:
    film = Film(tmp_path / "film", git=False)
    (film.root / "scenes.yaml").write_text(
        "kiebatch: 1\nscenes:\n  - {id: 1, promt: x}\n  - {id: 1}\n", encoding="utf-8"
    )

    said = film.kiebatch("validate", "scenes.yaml", "--json")

    assert said.json["status"] == "invalid"
    assert len(said.json["problems"]) > 1
    assert all(line.startswith("::error file=film/scenes.yaml,line=") for line in commands(said.err))
    assert len(commands(said.err)) == len(said.json["problems"])


def test_a_run_that_never_began_leaves_word_too(on_github: Path, tmp_path: Path) -> None:
    film = Film(tmp_path / "film", git=False)

    said = film.kiebatch("run", "nowhere.yaml", "--junit=out/j.xml")

    assert said.code == 2
    assert "there is no file nowhere.yaml" in on_github.read_text(encoding="utf-8")
    assert ET.parse(film.root / "out" / "j.xml").getroot().get("errors") == "1"


def test_nothing_is_annotated_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    assert commands(Film(tmp_path, git=False).kiebatch("run", "nowhere.yaml").err) == []


TWO = "kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes:\n  - {id: 1, prompt: A boat}\n  - {id: 2, prompt: A ship}\n"


def run_of_two(film: Film, sim: Sim, *more: str, text: str = TWO) -> Said:
    (film.root / "scenes.yaml").write_text(text, encoding="utf-8")
    return film.kiebatch(
        "run", "scenes.yaml", "--yes", "--base-url", sim.url, "--api-key", sim.key, "--no-progress", *more
    )


@pytest.mark.slow
def test_a_failed_job_is_annotated_at_the_line_of_its_shot(on_github: Path, tmp_path: Path, sim: Sim) -> None:
    sim.fault("submit@2=fail:422 No faces")

    said = run_of_two(Film(tmp_path / "film", git=False), sim)

    assert said.code == 1
    slot = "2" if "title=kiebatch 2" in said.err else "1"
    line = {"1": 4, "2": 5}[slot]
    [found] = [c for c in commands(said.err) if c.startswith("::error")]
    assert found.startswith(f"::error file=film/scenes.yaml,line={line},col=5,title=kiebatch {slot}::")


@pytest.mark.slow
def test_junit_says_how_long_each_job_took(tmp_path: Path, sim: Sim) -> None:
    film = Film(tmp_path / "film", git=False)

    assert run_of_two(film, sim, "--junit", "j.xml").code == 0

    suite = ET.parse(film.root / "j.xml").getroot()[0]
    times = [float(case.get("time") or 0) for case in suite.iter("testcase")]
    assert len(times) == 2
    assert all(seconds > 0 for seconds in times)
    assert float(suite.get("time") or 0) == pytest.approx(sum(times), abs=0.01)


def test_a_quiet_check_answers_by_its_exit_code_alone(tmp_path: Path) -> None:
    film = Film(tmp_path / "film", git=False)
    (film.root / "scenes.yaml").write_text(TWO, encoding="utf-8")

    said = film.kiebatch("plan", "scenes.yaml", "--check", "--quiet")

    assert (said.code, said.out, said.err) == (3, "", "")


def test_other_commands_than_validate_and_plan_say_in_one_line_that_there_are_warnings(
    tmp_path: Path,
) -> None:
    film = Film(tmp_path / "film", git=False)
    (film.root / "scenes.yaml").write_text(
        TWO.replace("prompt: A boat", 'prompt: "A [STYLE] boat"').replace("A ship", '"A <hero> ship"'),
        encoding="utf-8",
    )

    plan = film.kiebatch("plan", "scenes.yaml")
    board = film.kiebatch("board", "scenes.yaml")

    assert plan.err.count("scenes.yaml:4:") == plan.err.count("scenes.yaml:5:") > 0
    assert re.fullmatch(r"scenes.yaml: \d warnings; `kiebatch validate scenes.yaml` shows them\n", board.err)


# --- what is not as expected ---------------------------------------------------------------------------


def judged(*, strict: bool) -> dict[str, Any]:
    size = {"slot": "2a#3", "check": "size", "verdict": "unmet", "expected": "10x10", "found": "1024x1024"}
    command = {"slot": "4", "check": "command", "verdict": "unmet", "expected": "./a {file}", "found": EVIL}
    met = {"slot": "5", "check": "bars", "verdict": "met", "expected": "none", "found": "0 px"}
    verdicts = {"met": 1, "unmet": 2, "unjudged": 0, "verdicts": [size, command, met], "strict": strict}
    return an_outcome(failures=[], held=[], expectations=verdicts)


def test_what_is_not_as_expected_is_in_the_summary_of_a_run_and_of_a_plan() -> None:
    run = judged(strict=False)
    plan = {"status": "work", "totals": {"jobs": 1}, "jobs": [], "expectations": run["expectations"]}

    for text in (ci.summary(run), ci.summary(plan)):
        assert "| `2a#3` | `size` | 1024x1024 | `10x10` |" in text
        assert "`bars`" not in text
        assert commands(text) == []


def test_what_is_not_as_expected_is_in_junit_and_a_failure_in_a_strict_run_alone() -> None:
    lenient, strict = (ET.fromstring(ci.junit(judged(strict=one)).encode()) for one in (False, True))

    assert (lenient.get("tests"), lenient.get("failures"), strict.get("failures")) == ("2", "0", "2")
    (told,) = (case.findtext("system-out") for case in lenient.iter("testcase") if case.get("name") == "2a#3")
    assert "not as expected: size: 1024x1024; expected 10x10" in str(told)
    assert [one.get("type") for one in strict.iter("failure")] == ["expect", "expect"]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "severity"), [((), "warning"), (("--strict",), "error")])
def test_a_run_annotates_what_is_not_as_expected_at_its_shot(
    on_github: Path, tmp_path: Path, sim: Sim, options: tuple[str, ...], severity: str
) -> None:
    film = Film(tmp_path / "film", git=False)
    sized = (
        "kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes:\n"
        "  - {id: 1, prompt: A small boat nears the old lighthouse at dusk, expect: {size: 10x10}}\n"
    )

    said = run_of_two(film, sim, "--events", "events.jsonl", *options, text=sized)

    assert (
        f"::{severity} file=film/scenes.yaml,line=4,col=5,title=kiebatch 1::size: 128x128; expected 10x10"
        in said.err
    )
    assert "| `1` | `size` | 128x128 | `10x10` |" in on_github.read_text(encoding="utf-8")
    assert '"unmet": 1' in (film.root / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1]
