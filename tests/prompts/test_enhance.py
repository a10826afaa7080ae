"""`kiebatch enhance`: asked once, pinned in the lock, sent by every run as long as the author's prompt is the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kiebatch.catalogue.chat_models import Api, chat_models
from kiebatch.errors import Exit
from kiebatch.prompts import lock
from support.film import Film

FILM = """\
kiebatch: 1
defaults: {model: nano-banana-2, enhance: ask}
scenes:
  - {id: 1, prompt: A small boat nears the lighthouse}
  - {id: 2, prompt: A gull on the rail}
"""
FAST = ("--poll-interval", "0.01", "--yes")
BETTER = "A small boat nears the lighthouse. Slow push-in, soft side light, 35 mm film."


@pytest.fixture
def asked(film: Film) -> Film:
    film.write(FILM)
    said = film.command("enhance", "scenes.yaml", "--yes", "--json")
    assert said.code == 0, said.err
    return film


def pinned(film: Film) -> lock.Lock:
    return lock.parse((film.folder / "prompts.lock.yaml").read_text(encoding="utf-8"))


def media_charges(film: Film) -> list[str]:
    return [c["input"]["prompt"] for c in film.sim.charges() if c["family"] != "chat"]


def test_a_dry_run_prices_and_asks_nobody(film: Film) -> None:
    film.write(FILM)

    said = film.command("enhance", "scenes.yaml", "--dry-run", "--json")

    assert said.code == 0, said.err
    assert [p["state"] for p in said.json["prompts"]] == ["open", "open"]
    assert 0 < said.json["credits"]["open"] < 1
    assert film.sim.charges() == []
    assert not (film.folder / "prompts.lock.yaml").exists()


def test_the_answer_is_pinned_with_what_it_cost(asked: Film) -> None:
    first = pinned(asked).entries

    assert {e.text for e in first} == {
        BETTER,
        "A gull on the rail. Slow push-in, soft side light, 35 mm film.",
    }
    assert {(e.by, e.key.preset, e.key.version) for e in first} == {("gpt-5-6-luna", "image", 1)}
    charged = sum(c["credits"] for c in asked.sim.charges())
    assert sum(e.credits or 0 for e in first) == pytest.approx(charged, abs=0.001)
    assert all(e.tokens for e in first)


@pytest.mark.slow
def test_a_run_sends_the_pinned_text_and_asks_no_chat_model(asked: Film) -> None:
    chats = len(asked.sim.charges())

    assert asked.command("run", "scenes.yaml", *FAST).code == 0

    assert BETTER in media_charges(asked)
    assert len([c for c in asked.sim.charges() if c["family"] == "chat"]) == chats
    assert asked.command("plan", "scenes.yaml", "--check").code == 0


def test_asking_again_asks_nobody(asked: Film) -> None:
    before = len(asked.sim.charges())
    text = (asked.folder / "prompts.lock.yaml").read_bytes()

    said = asked.command("enhance", "scenes.yaml", "--json")

    assert said.code == 0, said.err
    assert {p["state"] for p in said.json["prompts"]} == {"pinned"}
    assert len(asked.sim.charges()) == before
    assert (asked.folder / "prompts.lock.yaml").read_bytes() == text


def test_a_changed_prompt_is_sent_raw_with_a_warning(asked: Film) -> None:
    asked.edit("A gull on the rail", "Two gulls on the rail")

    plan = asked.command("plan", "scenes.yaml", "--json").json

    warned = [p for p in plan["problems"] if p["code"] == "not-enhanced"]
    assert [(p["line"], p["severity"]) for p in warned] == [(5, "warning")]
    assert "kiebatch enhance scenes.yaml --only 2" in warned[0]["hint"]
    assert plan["jobs"][1]["input"]["prompt"] == "Two gulls on the rail"
    assert plan["jobs"][0]["input"]["prompt"] == BETTER


@pytest.mark.slow
def test_required_without_an_entry_is_an_error_and_enhance_mends_it(film: Film) -> None:
    film.write(FILM.replace("enhance: ask", "enhance: required"))

    refused = film.command("run", "scenes.yaml", *FAST, "--json")

    assert refused.code == Exit.INVALID
    assert [p["line"] for p in refused.json["problems"] if p["code"] == "not-enhanced"] == [4, 5]
    assert film.sim.charges() == []
    assert film.command("enhance", "scenes.yaml", "--yes").code == 0
    assert film.command("run", "scenes.yaml", *FAST).code == 0


def test_off_never_reads_the_lock(film: Film) -> None:
    film.write(FILM.replace(", enhance: ask", ""))
    (film.folder / "prompts.lock.yaml").write_text("not a lock", encoding="utf-8")

    plan = film.command("plan", "scenes.yaml", "--json")

    assert plan.code == 0, plan.err
    assert plan.json["jobs"][0]["input"]["prompt"] == "A small boat nears the lighthouse"


def test_a_preset_without_an_entry_changes_no_byte_and_no_fingerprint(film: Film) -> None:
    film.write(FILM.replace(", enhance: ask", ""))
    before = film.command("plan", "scenes.yaml", "--json").json["jobs"]

    film.edit("model: nano-banana-2", "model: nano-banana-2, preset: image-concise, enhance: ask")

    after = film.command("plan", "scenes.yaml", "--json").json["jobs"]
    assert [(j["input"], j["fingerprint"]) for j in after] == [(j["input"], j["fingerprint"]) for j in before]


def test_an_unknown_preset_is_an_error_at_its_place(film: Film) -> None:
    film.write(FILM.replace("enhance: ask", "preset: imgae"))

    said = film.command("validate", "scenes.yaml")

    assert said.code == Exit.INVALID
    assert "scenes.yaml:2:42" in said.err
    assert "did you mean `image`?" in said.err


@pytest.mark.slow
def test_editing_the_lock_by_hand_is_what_is_sent(asked: Film) -> None:
    path = asked.folder / "prompts.lock.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(BETTER, "My own words."), encoding="utf-8")

    asked.command("run", "scenes.yaml", *FAST)

    assert "My own words." in media_charges(asked)


def test_a_moved_scene_keeps_its_text(asked: Film) -> None:
    asked.edit("id: 1,", "id: 7,")

    plan = asked.command("plan", "scenes.yaml", "--json").json

    assert next(j for j in plan["jobs"] if j["slot"] == "7")["input"]["prompt"] == BETTER


def test_a_lost_answer_is_not_asked_for_again_by_itself(film: Film) -> None:
    film.write(FILM)
    film.sim.fault("chat@1=html:502+after")

    first = film.command("enhance", "scenes.yaml", "--only", "1", "--yes", "--json")

    assert first.code == Exit.FAILED
    assert [p["state"] for p in first.json["prompts"]] == ["lost"]
    again = film.command("enhance", "scenes.yaml", "--only", "1", "--yes", "--json")
    assert [p["state"] for p in again.json["prompts"]] == ["lost"]
    assert len(film.sim.charges()) == 1
    asked = film.command("enhance", "scenes.yaml", "--only", "1", "--yes", "--again")
    assert asked.code == 0, asked.err
    assert len(film.sim.charges()) == 2


def test_a_program_that_died_before_the_answer_counts_as_lost(film: Film) -> None:
    film.write(FILM)
    key = next(iter(_keys(film)))
    book = film.folder / ".kiebatch" / "questions.jsonl"
    book.parent.mkdir(exist_ok=True)
    book.write_text(json.dumps({"event": "asked", "key": key}) + '\n{"event": "answ', encoding="utf-8")

    said = film.command("enhance", "scenes.yaml", "--yes", "--json")

    assert sorted(p["state"] for p in said.json["prompts"]) == ["lost", "made"]


def _keys(film: Film) -> list[list[object]]:
    prompts = film.command("enhance", "scenes.yaml", "--dry-run", "--json").json["prompts"]
    return [[lock.digest(p["raw"]), p["preset"], p["version"], p["model"]] for p in prompts]


def test_a_busy_account_is_asked_again_and_a_refusal_is_not(film: Film) -> None:
    film.write(FILM)
    film.sim.fault(on="chat", kind="code", value="422 no such thing")

    said = film.command("enhance", "scenes.yaml", "--yes", "--json")

    assert said.code == Exit.FAILED
    assert sorted(p["state"] for p in said.json["prompts"]) == ["failed", "made"]
    assert film.command("enhance", "scenes.yaml", "--yes").code == 0


def test_enhance_is_capped_and_asks_first(film: Film) -> None:
    film.write(FILM)

    asked = film.command("enhance", "scenes.yaml")
    capped = film.command("enhance", "scenes.yaml", "--max-credits", "0.01")

    assert (asked.code, capped.code) == (Exit.REFUSED, Exit.REFUSED)
    assert "no terminal to confirm" in asked.err
    assert "the cap is 0.01" in capped.err
    assert film.sim.charges() == []


@pytest.mark.slow
def test_what_is_made_already_is_not_asked_for_unless_named(film: Film) -> None:
    film.write(FILM)
    film.command("run", "scenes.yaml", *FAST)

    said = film.command("enhance", "scenes.yaml", "--dry-run", "--json")
    named = film.command("enhance", "scenes.yaml", "--dry-run", "--only", "1", "--json")

    assert said.json["prompts"] == []
    assert [p["slots"] for p in named.json["prompts"]] == [["1"]]


@pytest.mark.slow
def test_a_command_can_answer(film: Film) -> None:
    film.write(FILM)
    script = film.folder / "better.py"
    script.write_text(
        "import json, sys\nq = json.load(sys.stdin)\nprint('```')\nprint(q['prompt'].upper(), q['model'])\nprint('```')\n"
    )

    said = film.command("enhance", "scenes.yaml", "--command", f"{sys.executable} {script}", "--json")

    assert said.code == 0, said.err
    assert {p["text"] for p in said.json["prompts"]} == {
        "A SMALL BOAT NEARS THE LIGHTHOUSE nano-banana-2",
        "A GULL ON THE RAIL nano-banana-2",
    }
    assert film.sim.charges() == []


@pytest.mark.slow
def test_a_command_that_fails_says_its_last_words(film: Film) -> None:
    film.write(FILM)

    said = film.command(
        "enhance", "scenes.yaml", "--command", f"{sys.executable} -c 'raise SystemExit(\"no key\")'", "--json"
    )

    assert said.code == Exit.FAILED
    assert "no key" in said.json["prompts"][0]["message"]


@pytest.mark.slow
def test_a_draft_pins_nothing(film: Film) -> None:
    film.write(FILM)

    said = film.command("enhance", "scenes.yaml", "--draft")

    assert said.code == 0, said.err
    assert BETTER.split(".")[0] in said.out.replace("\n", " ")
    assert not (film.folder / "prompts.lock.yaml").exists()
    assert film.sim.charges() == []


@pytest.mark.parametrize("api", list(Api))
def test_every_shape_of_chat_is_spoken(film: Film, api: Api) -> None:
    film.write(FILM)
    model = next(m for m in chat_models().values() if m.api is api)

    said = film.command("enhance", "scenes.yaml", "--only", "1", "--chat-model", model.id, "--yes", "--json")

    assert said.code == 0, said.err
    assert said.json["prompts"][0]["text"] == BETTER
    assert said.json["prompts"][0]["credits"] == pytest.approx(film.sim.charges()[0]["credits"], abs=0.001)


def test_validation_and_lint_look_at_the_pinned_text(asked: Film) -> None:
    path = asked.folder / "prompts.lock.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace(BETTER, "a beautiful, high quality, breathtaking boat"),
        encoding="utf-8",
    )

    said = asked.command("validate", "scenes.yaml", "--json").json

    assert any(p["code"] == "vague-words" and p["line"] == 4 for p in said["problems"])


def test_the_key_is_in_no_file(asked: Film) -> None:
    assert asked.sim.key not in Path("prompts.lock.yaml").read_text(encoding="utf-8")
    assert asked.sim.key not in (asked.folder / ".kiebatch" / "questions.jsonl").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_manifest_keeps_both_prompts_and_a_lock_that_is_gone_buys_nothing(asked: Film) -> None:
    asked.command("run", "scenes.yaml", *FAST)
    entry = next(a for a in asked.manifest if a["scene_id"] == 1)
    assert (entry["prompt"], entry["prompt_raw"]) == (BETTER, "A small boat nears the lighthouse")

    (asked.folder / "prompts.lock.yaml").unlink()

    assert asked.command("plan", "scenes.yaml", "--check").code == 0
    asked.edit("enhance: ask", "enhance: 'off'")
    assert asked.command("plan", "scenes.yaml", "--check").code == 0
    asked.edit("A small boat nears", "Two small boats near")
    jobs = asked.command("plan", "scenes.yaml", "--json").json["jobs"]
    assert [job["action"] for job in jobs] == ["generate", "keep"]


@pytest.mark.slow
def test_another_text_in_the_lock_is_new_work(asked: Film) -> None:
    asked.command("run", "scenes.yaml", *FAST)
    path = asked.folder / "prompts.lock.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(BETTER, "My own words."), encoding="utf-8")

    jobs = asked.command("plan", "scenes.yaml", "--json").json["jobs"]

    assert [(job["action"], job["reason"]) for job in jobs] == [("generate", "prompt"), ("keep", "kept")]


def test_what_is_made_of_a_raw_prompt_keeps_its_entry_without_a_raw_one(film: Film) -> None:
    film.write(FILM)
    film.command("run", "scenes.yaml", *FAST)

    assert [("prompt_raw" in entry) for entry in film.manifest] == [False, False]
