"""The options that commands share are one set, with one meaning, whatever command spends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kiebatch.cli import app, shared
from kiebatch.errors import Exit, Invalid
from kiebatch.model import JSON
from kiebatch.settings import Consent, Settings, parse_credits, settings
from support.film import Film

ONE = "kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: a boat}\n"
FAST = ("--poll-interval", "0.01")
CONTRACT = [
    "--api-key",
    "--base-url",
    "--upload-url",
    "--draft",
    "--assets",
    "--only",
    "--rate",
    "--poll-rate",
    "--poll-interval",
    "--in-flight",
    "--order",
    "--state",
    "--timeout",
    "--max-credits",
    "--partial",
    "--no-canary",
    "--no-wait",
    "--until",
    "--strict",
    "--allow-unpriced",
    "--allow-unknown-model",
    "--force",
    "--yes",
    "--json",
    "--events",
    "--no-progress",
    "--callback-url",
    "--no-listen",
    "--project",
    "--cache",
]


def capped(run: str) -> str:
    return f"kiebatch: 1\nrun: {run}\nscenes:\n  - {{id: 1, model: nano-banana-2, prompt: a boat}}\n"


@pytest.fixture
def help_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("COLUMNS", "110")

    def read(command: str) -> str:
        capsys.readouterr()
        assert app.exit_code([command, "--help"]) == 0
        return capsys.readouterr().out

    return read


@pytest.mark.parametrize("command", ["plan", "run", "generate", "review"])
def test_every_command_that_spends_has_every_shared_option(help_of: object, command: str) -> None:
    text = help_of(command)  # type: ignore[operator]

    assert [option for option in CONTRACT if f"{option} " not in text] == []


def test_help_groups_the_options_in_panels(help_of: object) -> None:
    text = help_of("run")  # type: ignore[operator]

    places = [text.index(f"\n{panel}:\n") for panel in ("Spending", "Network", "Files", "Output")]
    assert places == sorted(places)
    assert places[0] < text.index("--max-credits") < places[1] < text.index("--rate ") < places[2]
    assert places[2] < text.index("--cache") < places[3] < text.index("--json")


def test_every_setting_of_a_shared_option_is_a_setting() -> None:
    known = set(Settings.__dataclass_fields__)

    assert {option.setting for option in shared.ALL if option.setting} <= known
    names = [option.name for option in shared.ALL]
    assert len(names) == len(set(names))


def test_options_by_name_are_the_fields_of_settings() -> None:
    from kiebatch.settings import SettingsOptions

    assert set(SettingsOptions.__annotations__) == set(Settings.__dataclass_fields__)


# --- consent ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", ["{max_credits: 100000}", "{confirm_above: 100000}"])
def test_what_a_scene_file_says_is_never_consent(film: Film, run: str) -> None:
    film.write(capped(run))

    said = film.command("run", "scenes.yaml", *FAST)

    assert said.code == Exit.REFUSED
    assert "no terminal to ask on" in said.err
    assert "8 credits" in said.err
    assert film.sim.charges() == []


def test_an_exported_yes_is_consent(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    film.write(ONE)
    monkeypatch.setenv("KIEBATCH_YES", "1")

    assert film.command("run", "scenes.yaml", *FAST).code == 0


@pytest.mark.slow
def test_a_threshold_asks_although_yes_is_exported_and_not_when_it_is_typed(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(capped("{confirm_above: 5}"))
    monkeypatch.setenv("KIEBATCH_YES", "1")

    said = film.command("run", "scenes.yaml", *FAST)

    assert said.code == Exit.REFUSED
    assert "`confirm_above` in scenes.yaml is 5 credits" in said.err
    assert film.sim.charges() == []
    assert film.command("run", "scenes.yaml", *FAST, "--yes").code == 0


def test_the_files_cap_lowers_the_users(film: Film) -> None:
    film.write(capped("{max_credits: 5}"))

    said = film.command("run", "scenes.yaml", *FAST, "--max-credits", "100")

    assert said.code == Exit.REFUSED
    assert "the cap is 5" in said.err
    assert film.sim.charges() == []


def test_a_plan_above_the_balance_asks_and_names_both_figures(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write(ONE)
    film.sim.balance = 3
    monkeypatch.setenv("KIEBATCH_YES", "1")

    said = film.command("run", "scenes.yaml", *FAST)

    assert said.code == Exit.REFUSED
    assert "the balance is 3 credits and the plan needs up to 8" in said.err
    assert film.sim.charges() == []


@pytest.mark.slow
def test_generate_spends_by_the_same_rules(film: Film) -> None:
    args = ("generate", "--prompt", "a boat", "--model", "nano-banana-2")

    asked = film.command(*args)
    above = film.command(*args, "--max-credits", "1")

    assert (asked.code, above.code) == (Exit.REFUSED, Exit.REFUSED)
    assert asked.json["status"] == "refused"
    assert "the cap is 1" in above.json["error"]
    assert film.sim.charges() == []
    assert film.command(*args, "--max-credits", "8").code == 0


@pytest.mark.slow
def test_generate_lets_no_job_go_whose_price_nobody_knows(film: Film) -> None:
    args = ("generate", "--prompt", "a boat", "--model", "made/up", "--allow-unknown-model", "--yes")
    film.sim.change(unknown_models=True)

    said = film.command(*args)

    assert said.code == Exit.REFUSED
    assert "price" in said.json["error"]
    assert film.sim.charges() == []
    assert film.command(*args, "--allow-unpriced").code == 0


# --- thresholds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "credits"), [(120, 120), ("120", 120), ("5$", 1000), ("$5", 1000), ("0.5 $", 100), (1.5, 1.5)]
)
def test_an_amount_is_credits_or_dollars(said: JSON, credits: float) -> None:
    assert parse_credits(said, "warn_above") == credits


@pytest.mark.parametrize("said", ["$5$", "five", "-1", "5€", True, "nan", "", "1e3"])
def test_an_amount_that_is_neither_is_refused(said: JSON) -> None:
    with pytest.raises(Invalid, match="takes credits"):
        parse_credits(said, "warn_above")


def test_of_two_thresholds_the_stricter_one_holds() -> None:
    chosen = settings(
        {},
        {},
        {"confirm_above": 200, "reject_above": 50},
        config={"confirm_above": "0.5$", "reject_above": 80},
    )

    assert (chosen.confirm_above, chosen.reject_above) == (100, 50)
    assert chosen.said_by == {"confirm_above": "config.yaml", "reject_above": "the scene file"}


def test_run_takes_no_host_no_key_and_no_consent_from_the_file() -> None:
    chosen = settings(
        {}, {}, {"base_url": "https://evil.example", "api_key": "k", "consent": "typed", "partial": True}
    )

    assert chosen == Settings()
    assert chosen.consent is Consent.NONE


@pytest.mark.parametrize(
    ("flags", "verdict", "rules"),
    [
        ((), "confirm", ["consent"]),
        (("--yes",), "allow", []),
        (("--max-credits", "8"), "allow", []),
        (("--max-credits", "7"), "reject", ["max_credits"]),
        (("--max-credits", "7", "--partial"), "warn", ["partial"]),
        (("--draft",), "allow", []),
    ],
)
def test_the_plan_says_which_rule_spoke(
    film: Film, flags: tuple[str, ...], verdict: str, rules: list[str]
) -> None:
    film.write(ONE)

    said = film.command("plan", "scenes.yaml", "--json", *flags).json

    assert said["preflight"] == verdict
    assert [rule["rule"] for rule in said["preflight_rules"]] == rules


@pytest.mark.parametrize(
    ("run", "verdict"),
    [("{warn_above: 5}", "warn"), ("{confirm_above: 5}", "confirm"), ("{reject_above: 5}", "reject")],
)
def test_a_threshold_names_itself_its_file_and_its_limit(film: Film, run: str, verdict: str) -> None:
    opened_run = json.loads(run.replace("{", '{"').replace(":", '":'))
    chosen = settings({"max_credits": None, "consent": Consent.EXPORTED}, {}, opened_run, film="scenes.yaml")
    film.write(ONE)
    from kiebatch.planning import assess

    found = assess(film.plan(), chosen)

    assert found.verdict == verdict
    (rule,) = found.rules
    assert (rule.name, rule.source, rule.limit) == (f"{verdict}_above".replace("allow", ""), "scenes.yaml", 5)


# --- plans -----------------------------------------------------------------------------------------------


def test_a_saved_plan_names_its_scene_file(film: Film) -> None:
    film.write(ONE)
    assert film.command("plan", "scenes.yaml", "--out", "p.json").code == 0

    said = film.command("run", "--plan", "p.json", *FAST, "--yes", "--json")

    assert said.code == 0, said.err
    assert said.json["jobs"]["succeeded"] == 1


def test_a_saved_plan_whose_scene_file_is_gone_says_so(film: Film) -> None:
    film.write(ONE)
    film.command("plan", "scenes.yaml", "--out", "p.json")
    film.scene_file.unlink()

    said = film.command("run", "--plan", "p.json", *FAST, "--yes")

    assert said.code == Exit.INVALID
    assert "the plan is for scenes.yaml" in said.err


def test_a_saved_plan_takes_no_other_selection(film: Film) -> None:
    film.write(ONE)
    film.command("plan", "scenes.yaml", "--out", "p.json")

    assert film.command("run", "--plan", "p.json", "--only", "1", "--yes").code == Exit.INVALID
    assert film.sim.charges() == []


UNPICKED = """\
kiebatch: 1
scenes:
  - id: 1
    shots:
      - {id: a, model: nano-banana-2, prompt: a boat, takes: 2}
      - {id: b, model: kling-3.0/video, prompt: it sails, start_frame: {shot: 1a}, duration: 5}
"""


def test_the_plan_holds_the_files_warnings_and_each_job_its_own(film: Film) -> None:
    film.write(UNPICKED)

    said = film.command("plan", "scenes.yaml", "--json").json

    unpicked = [p for p in said["problems"] if p["code"] == "no-pick"]
    assert [(p["line"], p["severity"]) for p in unpicked] == [(6, "warning")]
    by_slot = {job["slot"]: job for job in said["jobs"]}
    assert any("nobody has picked a take of `1a`" in w for w in by_slot["1b"]["warnings"])
    assert by_slot["1b"]["state"] == "warnings"
    assert not any("picked" in w for w in by_slot["1a"]["warnings"])


BAD_PROMPT = (
    "kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: a boat, negative_prompt: [no fog]}\n"
)


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_strict_refuses_the_same_warnings_in_every_command(film: Film, command: str) -> None:
    film.write(BAD_PROMPT)
    spending = ("--yes",) if command == "run" else ()

    said = film.command(command, "scenes.yaml", "--strict", *spending, "--json")

    assert said.code == Exit.INVALID
    validated = film.command("validate", "scenes.yaml", "--json").json["problems"]
    assert [p["code"] for p in said.json["problems"]] == [p["code"] for p in validated]
    assert film.sim.charges() == []


# --- generate --------------------------------------------------------------------------------------------


def picture(name: str) -> str:
    Image.new("RGB", (640, 360), "navy").save(name)
    return name


@pytest.mark.slow
def test_a_clip_from_a_local_picture_goes_to_the_frame_that_the_model_needs(film: Film) -> None:
    said = film.command(
        "generate", "--prompt", "it sails", "--model", "kling-3.0/video", "--image", picture("a.png"), "--yes"
    )

    assert said.code == 0, said.err
    sent = film.sim.charges()[0]["input"]
    assert [url.startswith(film.sim.url) for url in sent["image_urls"]] == [True]


@pytest.mark.slow
def test_each_role_has_an_option(film: Film) -> None:
    said = film.command(
        "generate", "--prompt", "it sails", "--model", "kling-3.0/video", "--yes",
        "--end-frame", picture("b.png"), "--start-frame", picture("a.png"),
    )  # fmt: skip

    assert said.code == 0, said.err
    assert len(film.sim.charges()[0]["input"]["image_urls"]) == 2


def test_a_role_that_the_model_lacks_is_refused(film: Film) -> None:
    said = film.command(
        "generate", "--prompt", "x", "--model", "nano-banana-2", "--mask", picture("a.png"), "--yes"
    )

    assert said.code == Exit.INVALID
    assert "takes no `mask`" in said.json["error"]
    assert film.sim.charges() == []


def test_a_clip_without_a_model_is_refused(film: Film) -> None:
    said = film.command("generate", "--prompt", "x", "--video", "https://example.com/a.mp4", "--yes")

    assert said.code == Exit.INVALID
    assert "--model" in said.err


@pytest.mark.slow
def test_a_sound_whose_address_does_not_tell_its_kind_goes_to_the_field_for_sounds(film: Film) -> None:
    said = film.command(
        "generate", "--prompt", "she sings", "--model", "minimax-h3/reference-to-video", "--yes",
        "--image", picture("a.png"), "--audio", "https://example.com/song?id=1",
    )  # fmt: skip

    assert said.code == 0, said.err
    sent = film.sim.charges()[0]["input"]
    assert "https://example.com/song?id=1" in json.dumps({k: v for k, v in sent.items() if "audio" in k})


# --- drafts, callbacks, settings -------------------------------------------------------------------------


@pytest.mark.slow
def test_a_draft_spends_nothing(film: Film) -> None:
    film.write(ONE)

    said = film.command("run", "scenes.yaml", "--draft", "--json")

    assert said.code == 0, said.err
    assert said.json["credits"]["spent"] == 0
    assert film.sim.charges() == []


@pytest.mark.slow
def test_a_receiver_of_the_users_own_gets_its_address_as_it_is(film: Film) -> None:
    film.write(ONE)

    said = film.command(
        "run", "scenes.yaml", *FAST, "--yes", "--callback-url", "https://me.example/kie?x=1", "--no-listen"
    )

    assert said.code == 0, said.err
    assert [t["callback"] for t in film.sim.tasks()] == ["https://me.example/kie?x=1"]


@pytest.mark.parametrize("flags", [("--no-listen",), ("--listen", "127.0.0.1:0")])
@pytest.mark.parametrize("command", [("run", "scenes.yaml"), ("generate", "--prompt", "x")])
def test_options_about_callbacks_need_an_address(
    film: Film, command: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    film.write(ONE)

    said = film.command(*command, *flags, "--yes")

    assert said.code == Exit.INVALID
    assert "--callback-url" in said.err
    assert film.sim.charges() == []


def test_the_time_limits_of_http_are_settings() -> None:
    chosen = settings(
        {},
        {
            "KIEBATCH_CONNECT_TIMEOUT": "3",
            "KIEBATCH_READ_TIMEOUT": "5",
            "KIEBATCH_CALL_TIMEOUT": "7",
            "KIEBATCH_DOWNLOAD_TIMEOUT": "11",
            "KIEBATCH_STALL_TIMEOUT": "13",
            "KIEBATCH_UPLOAD_FOLDER": "films/mine",
        },
        {},
    )

    assert (chosen.connect_timeout_s, chosen.read_timeout_s) == (3, 5)
    assert (chosen.call_timeout_s, chosen.download_timeout_s, chosen.stall_timeout_s) == (7, 11, 13)
    assert chosen.upload_folder == "films/mine"


@pytest.mark.parametrize(
    "variable",
    [{"KIEBATCH_CALL_TIMEOUT": "soon"}, {"KIEBATCH_CALL_TIMEOUT": "0"}, {"KIEBATCH_UPLOAD_FOLDER": "../x"}],
)
def test_a_setting_that_cannot_be_used_is_refused(variable: dict[str, str]) -> None:
    with pytest.raises(Invalid, match=next(iter(variable))):
        settings({}, variable, {})


@pytest.mark.slow
def test_pictures_are_filed_in_the_upload_folder_that_was_chosen(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIEBATCH_UPLOAD_FOLDER", "films/mine")
    picture("in.png")

    said = film.command("generate", "--prompt", "x", "--image", "in.png", "--model", "nano-banana-2", "--yes")

    assert said.code == 0, said.err
    assert "/films/mine/" in film.sim.charges()[0]["input"]["image_input"][0]
    assert Path("in.png").exists()
    assert os.environ["KIEBATCH_UPLOAD_FOLDER"] == "films/mine"


# --- the balance -----------------------------------------------------------------------------------------

GONE: dict[str, Any] = {"kind": "http", "value": "404 Not found", "times": 50}


def test_a_second_path_tells_the_balance_where_the_first_is_gone(film: Film) -> None:
    film.sim.balance = 42.5
    film.sim.fault(on="/api/v1/chat/credit", **GONE)

    said = film.command("credits", "--json")

    assert said.code == 0, said.err
    assert said.json == {"balance": 42.5}


@pytest.mark.slow
def test_a_run_without_a_balance_needs_a_cap(film: Film) -> None:
    film.write(ONE)
    film.sim.fault(on="credit", **GONE)

    refused = film.command("run", "scenes.yaml", *FAST, "--yes")

    assert refused.code == Exit.REFUSED
    assert "the balance is not known" in refused.err
    assert "--max-credits" in refused.err
    assert film.sim.charges() == []
    capped = film.command("run", "scenes.yaml", *FAST, "--max-credits", "8")
    assert capped.code == 0, capped.err
    assert "going on up to the cap of 8 credits" in capped.err


# --- a folder of single prompts --------------------------------------------------------------------------


@pytest.mark.slow
def test_the_folder_of_a_single_prompt_is_a_project_for_status_and_log(film: Film) -> None:
    made = film.command("generate", "--prompt", "a boat", "--model", "nano-banana-2", "--yes")
    assert made.code == 0, made.err

    said = film.command("status", "--project", "generated", "--json")

    assert said.code == 0, said.err
    assert [(s["state"], s["asset"]) for s in said.json["slots"]] == [("done", "img-001")]
    slot = said.json["slots"][0]["slot"]
    assert film.command("log", slot, "--project", "generated").code == 0
    assert film.command("verify", "--project", "generated").code == 0


@pytest.mark.slow
def test_a_held_single_prompt_names_the_command_that_decides_it(film: Film) -> None:
    film.sim.fault("submit@1=html:502+after")

    made = film.command("generate", "--prompt", "a boat", "--model", "nano-banana-2", "--yes")

    assert made.code == Exit.HELD
    assert made.json["status"] == "held"
    slot = film.command("status", "--project", "generated", "--json").json["slots"][0]["slot"]
    assert f"kiebatch resolve {slot} --project generated" in made.json["error"]
    task = film.sim.charges()[0]["task_id"]
    assert film.command("resolve", slot, "--project", "generated", "--task-id", task).code == 0
    again = film.command("generate", "--prompt", "a boat", "--model", "nano-banana-2", "--yes")
    assert (again.code, again.json["task_id"]) == (0, task)
    assert len(film.sim.charges()) == 1


@pytest.mark.slow
def test_the_answer_is_about_the_one_prompt_whatever_an_older_task_does(film: Film) -> None:
    film.sim.fault("submit@1=stuck")
    hangs = film.command(
        "generate", "--prompt", "a boat", "--model", "nano-banana-2", "--yes", "--timeout", "0.3"
    )
    assert hangs.json["status"] == "failed"

    said = film.command(
        "generate", "--prompt", "a gull", "--model", "nano-banana-2", "--yes", "--timeout", "0.3"
    )

    assert said.code == 0, said.err
    assert said.json["status"] == "success"
    assert len(said.json["downloaded_files"]) == 1
    assert said.json["task_id"] != hangs.json["task_id"]
