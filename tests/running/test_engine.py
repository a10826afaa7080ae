"""The engine against a simulator over real sockets: what a run costs, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from bench import lives
from kiebatch import api
from kiebatch.errors import Refused
from kiebatch.running.events import Event, Noticed, Submitted
from kiebatch.simulator import Fault
from support import reel
from support.simulated import Sim


def hurried() -> api.Edges:
    """Edges whose waits between tries are a thousandth."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 1000)

    return api.Edges(gate_path=":memory:", sleep=sleep)


def prompts(sim: Sim) -> list[str]:
    return [c["input"]["prompt"] for c in sim.charges()]


def test_a_film_is_made_and_a_second_run_finds_nothing_to_do(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=3)

    first = reel.run(project, sim)
    second = reel.run(project, sim)

    assert (first.status, first.succeeded) == ("success", 3)
    assert (second.status, second.planned, second.kept) == ("success", 0, 3)
    assert len(sim.charges()) == 3


# --- money --------------------------------------------------------------------------------------------


def test_the_cap_is_never_exceeded_however_many_are_in_the_air(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=20)
    price = api.plan(api.load(project)).credits() / 20

    outcome = reel.run(project, sim, max_credits=7.5 * price, partial=True)

    assert sum(c["credits"] for c in sim.charges()) <= 7.5 * price
    assert len(sim.charges()) == 7
    assert (outcome.status, outcome.succeeded, len(outcome.skipped)) == ("refused", 7, 13)
    assert outcome.spent == pytest.approx(7 * price)


def test_a_plan_above_the_cap_is_refused_before_anything_is_sent(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=3)

    with pytest.raises(Refused, match="cap"):
        reel.run(project, sim, max_credits=0.1)

    assert "submit" not in sim.stats()["requests"]


@pytest.mark.parametrize("code", [402, 500])
def test_no_credits_stops_submitting_and_collects_what_is_paid_for(
    tmp_path: Path, sim: Sim, code: int
) -> None:
    project = reel.write(tmp_path, shots=12)
    price = api.plan(api.load(project)).credits() / 12
    sim.reset(balance=3 * price, no_credit_code=code)

    outcome = reel.run(project, sim, in_flight=1)

    assert (outcome.status, outcome.stopped, outcome.succeeded) == ("refused", "credits", 3)
    assert sim.stats()["requests"]["submit"] == 4
    assert len(reel.assets(project)) == 3


def test_a_wrong_key_ends_the_run_at_the_first_answer(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=3)

    with pytest.raises(Refused):
        api.run(api.load(project), api_key="wrong", base_url=sim.url, edges=hurried())

    assert sum(sim.stats()["requests"].values()) == 1


@pytest.mark.slow
def test_a_key_that_ends_in_mid_run_leaves_everything_collectable(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=3)
    sim.fault("poll@2x500=code:401")

    stopped = reel.run(project, sim)
    sim.clear_faults()
    again = reel.run(project, sim)

    assert (stopped.status, stopped.stopped) == ("refused", "key")
    assert (again.status, len(sim.charges())) == ("success", 3)


@pytest.mark.slow
def test_failures_that_were_refunded_are_told_apart_from_billed_ones(tmp_path: Path, sim: Sim) -> None:
    spent = {}
    for refunds in (True, False):
        sim.reset(refunds=refunds)
        sim.fault("submit@1=fail:500 Internal error")
        project = reel.write(tmp_path / str(refunds), shots=2)
        outcome = reel.run(project, sim)
        price = api.plan(api.load(project)).credits()
        spent[refunds] = (outcome.spent, outcome.billed_for_failures, outcome.failures[0].billed)

    assert spent == {True: (price, 0, False), False: (2 * price, price, True)}


def test_a_refunded_failure_is_not_counted_as_spent_where_a_fallback_took_over(
    tmp_path: Path, sim: Sim
) -> None:
    sim.fault("submit~z-image@1=fail:500 Internal error")
    project = reel.write(tmp_path, shots=1, fallback="nano-banana-2")

    outcome = reel.run(project, sim)

    kept = [charge["credits"] for charge in sim.charges() if not charge["refunded"]]
    assert (len(sim.charges()), outcome.status) == (2, "success")
    assert (outcome.spent, outcome.billed_for_failures) == (sum(kept), 0)


@pytest.mark.slow
@pytest.mark.parametrize("code", [429, 455])
def test_ten_minutes_of_refusals_end_the_run_with_the_jobs_unsent(tmp_path: Path, code: int) -> None:
    reel.write(tmp_path / "film", shots=4)
    document = json.loads((tmp_path / "film" / "scenes.yaml").read_text(encoding="utf-8"))
    film = lives.Film.read(tmp_path / "read", document)
    with asyncio.Runner(loop_factory=lives.VirtualLoop) as runner:
        life = lives.Life(1, film, tmp_path / "film")
        life.begin(runner.get_loop())
        life.sim.faults.add(Fault.parse(f"submit%1.0=code:{code}"))

        outcome = runner.run(life.run(life.placed(film.before), kills=False, fair=True))

        assert outcome is not None
        assert (outcome.status, outcome.stopped, len(outcome.skipped)) == ("refused", "quota", 4)
        assert 600 <= life.loop.time() <= 800
        assert life.sim.ledger == []


# --- held ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["cut", "html:502", "code:500", "no-data", "empty", "garbage:list"])
def test_an_unknown_outcome_is_held_and_never_sent_again_by_itself(
    tmp_path: Path, sim: Sim, trouble: str
) -> None:
    project = reel.write(tmp_path, shots=2)
    sim.fault(f"submit@1={trouble}+after")

    first, second = reel.run(project, sim), reel.run(project, sim)

    assert (first.status, len(first.held), len(second.held)) == ("held", 1, 1)
    assert len(sim.charges()) == 2


def test_the_evidence_tells_a_charge_from_none(tmp_path: Path, sim: Sim) -> None:
    says = {}
    for when in ("", "+after"):
        sim.reset()
        sim.fault(f"submit@1=cut{when}")
        project = reel.write(tmp_path / f"charged{when}", shots=1)
        reel.run(project, sim)
        ((_, evidence),) = api.held(api.load(project).workspace)
        says[when] = evidence.says

    assert "not charged" in says[""]
    assert "use --resubmit" in says[""], "nothing else was in the air and the balance did not move"
    assert "was charged" in says["+after"]


def test_a_decision_settles_a_held_job(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=1)
    sim.fault("submit@1=cut+after")
    reel.run(project, sim)

    api.resolve(api.load(project).workspace, "1.s1", "task-id", sim.charges()[0]["task_id"])
    outcome = reel.run(project, sim)

    assert (outcome.status, outcome.spent, len(sim.charges())) == ("success", 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("code", [429, 455])
def test_what_certainly_cost_nothing_is_sent_again(tmp_path: Path, sim: Sim, code: int) -> None:
    project = reel.write(tmp_path, shots=1)
    sim.fault(f"submit@1=code:{code}")

    outcome = reel.run(project, sim, edges=api.Edges(gate_path=":memory:", sleep=hurried().sleep))

    assert (outcome.status, len(sim.charges())) == ("success", 1)


# --- what the plan could not tell ---------------------------------------------------------------------


@pytest.mark.slow
def test_a_chain_cut_off_in_its_second_link_is_not_paid_again(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=2, chained=True)
    sim.fault("submit~nano-banana-2@1=stuck")
    given_up = reel.run(project, sim, timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 0.3))
    manifest = tmp_path / "assets" / "manifest.json"
    manifest.unlink()  # as git does; the plan no longer knows what the second shot starts from

    again = reel.run(project, sim, timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 0.3))

    assert given_up.failures[0].code == again.failures[0].code == "timeout"
    assert len(sim.charges()) == 2


def test_a_manifest_that_git_took_back_is_mended_at_no_cost(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=3, chained=True)
    reel.run(project, sim)
    (tmp_path / "assets" / "manifest.json").unlink()

    outcome = reel.run(project, sim)

    assert (outcome.status, outcome.spent, len(sim.charges())) == ("success", 0, 3)
    assert len(reel.assets(project)) == 3


@pytest.mark.slow
def test_a_chain_that_was_renamed_after_git_took_the_manifest_back_costs_nothing(
    tmp_path: Path, sim: Sim
) -> None:
    project = reel.write(tmp_path, shots=3, chained=True)
    reel.run(project, sim)
    (tmp_path / "assets" / "manifest.json").unlink()
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("s1", "t1").replace("s2", "t2").replace("s3", "t3"), encoding="utf-8")

    outcome = reel.run(project, sim)

    assert (outcome.status, outcome.spent, len(sim.charges())) == ("success", 0, 3)
    assert sorted(reel.current(project)) == ["t1", "t2", "t3"]


@pytest.mark.slow
def test_a_fallbacks_task_in_flight_is_collected_and_its_shot_not_sent_again(
    tmp_path: Path, sim: Sim
) -> None:
    project = reel.write(tmp_path, shots=1, fallback="nano-banana-2")
    sim.fault("submit~z-image@1=fail:500 Internal error")
    sim.fault("submit~nano-banana-2@1=lasts:1.0")
    reel.run(project, sim, timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 0.3))

    outcome = reel.run(project, sim)

    assert (outcome.status, len(sim.charges())) == ("success", 2)
    assert reel.current(project)["s1"]["model"] == "nano-banana-2"


@pytest.mark.slow
def test_what_comes_late_for_an_older_prompt_stands_behind_what_is_asked_for(
    tmp_path: Path, sim: Sim
) -> None:
    project = reel.write(tmp_path, shots=1)
    reel.run(project, sim)
    text = project.read_text(encoding="utf-8")
    reel.edit(project, "s1", prompt="Another thought")
    sim.fault("submit@1=lasts:1.0")
    reel.run(project, sim, timeout_s=dict.fromkeys(("image", "video", "audio", "text"), 0.3))
    project.write_text(text, encoding="utf-8")
    _until_over(sim)

    outcome = reel.run(project, sim)
    again = reel.run(project, sim)

    assert (outcome.status, again.planned, len(sim.charges())) == ("success", 0, 2)
    shown, older = reel.current(project)["s1"], [a for a in reel.assets(project) if "superseded_by" in a]
    assert shown["prompt"] != "Another thought"
    assert [(a["prompt"], a["superseded_by"], a["version"]) for a in older] == [
        ("Another thought", shown["id"], shown["version"] - 1)
    ]


def _until_over(sim: Sim) -> None:
    while any(t["phase"] == "running" for t in sim.tasks()):
        pass


@pytest.mark.slow
def test_a_failed_task_is_not_sent_again_within_a_run_and_said_before_a_later_one(
    tmp_path: Path, sim: Sim
) -> None:
    project = reel.write(tmp_path, shots=1)
    sim.fault("submit@1=fail:500 Internal error, please try again later.")
    sim.fault("submit@2=fail:400 Your prompt was refused.")

    first = reel.run(project, sim)
    reasons = [e.reason for e in api.plan(api.load(project)).entries]
    second = reel.run(project, sim)
    third = reel.run(project, sim)

    assert (first.status, second.status, third.status) == ("failed", "failed", "failed")
    assert reasons == ["failed before"]
    assert len(sim.charges()) == 2, "the second failure would come again, so the third run sends nothing"


# --- results ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["page", "truncate", "wrong-medium", "gone"])
def test_a_result_that_cannot_be_had_is_kept_and_collected_later(
    tmp_path: Path, sim: Sim, trouble: str
) -> None:
    project = reel.write(tmp_path, shots=1)
    sim.fault(f"download@1x60={trouble}")

    first = reel.run(project, sim, edges=hurried())
    sim.clear_faults()
    second = reel.run(project, sim)

    assert (first.status, first.failures[0].retryable) == ("failed", True)
    assert (second.status, second.succeeded, len(sim.charges())) == ("success", 1, 1)


@pytest.mark.slow
def test_a_missing_file_is_fetched_again_and_never_bought(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=1)
    reel.run(project, sim)
    before = reel.assets(project)
    picture = tmp_path / before[0]["filename"]
    content = picture.read_bytes()
    picture.unlink()
    sim.expire_links()

    outcome = reel.run(project, sim, edges=hurried())

    assert (outcome.status, picture.read_bytes(), reel.assets(project)) == ("success", content, before)
    assert len(sim.charges()) == 1


# --- canary, order, limits ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_canary_that_fails_stops_its_models_other_jobs_and_no_one_elses(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=22)
    reel.edit(project, "s22", model="nano-banana-2")
    sim.fault("submit~z-image%1.0=code:422")

    outcome = reel.run(project, sim)

    codes = Counter(failure.code for failure in outcome.failures)
    assert (codes, outcome.succeeded) == ({"422": 1, "not-made": 20}, 1)
    assert [c["model"] for c in sim.charges()] == ["nano-banana-2"]


@pytest.mark.slow
def test_a_canary_that_flies_lets_the_others_go(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=20)

    outcome = reel.run(project, sim)

    assert (outcome.status, outcome.succeeded) == ("success", 20)


@pytest.mark.slow
def test_fastest_first_sends_the_long_chain_before_the_quick_ones(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=3)
    document = json.loads(project.read_text(encoding="utf-8"))
    document["scenes"][0]["shots"] += [
        {"id": "x", "prompt": "The start"},
        {"id": "y", "prompt": "The end", "model": "nano-banana-2", "references": [{"shot": "1x"}]},
    ]
    project.write_text(json.dumps(document), encoding="utf-8")

    reel.run(project, sim, order="fastest", in_flight=1)

    assert prompts(sim)[0] == "The start"


# --- several things at once ---------------------------------------------------------------------------


@pytest.mark.slow
def test_a_bug_in_one_job_does_not_cut_off_the_others(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=4)
    sent: list[Event] = []

    def emit(event: Event) -> None:
        if isinstance(event, Submitted):
            sent.append(event)
            if len(sent) == 1:
                raise ValueError("a bug")

    first = reel.run(project, sim, emit=emit)
    reel.run(project, sim)

    assert [(f.code, "a bug" in f.message) for f in first.failures] == [("internal", True)]
    assert (first.succeeded, len(sim.charges())) == (3, 4)
    assert len(reel.assets(project)) == 4


def test_a_folder_that_cannot_be_written_any_more_loses_nothing(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=2)

    def emit(event: Event) -> None:
        if isinstance(event, Submitted):
            # What stands in the way of the folder is no folder.
            (tmp_path / "assets" / "images").touch()

    with pytest.raises(Refused, match="cannot write"):
        reel.run(project, sim, emit=emit)
    (tmp_path / "assets" / "images").unlink()
    outcome = reel.run(project, sim)

    assert (outcome.status, len(sim.charges()), len(reel.assets(project))) == ("success", 2, 2)


@pytest.mark.slow
def test_a_damaged_journal_is_said_and_nothing_is_sent_until_a_person_decides(
    tmp_path: Path, sim: Sim
) -> None:
    project = reel.write(tmp_path, shots=2)
    reel.run(project, sim, only=["1.s1"])
    (tmp_path / ".kiebatch" / "journal.sqlite").write_bytes(b"no database" * 500)
    said: list[Event] = []

    for _ in range(2):
        with pytest.raises(Refused, match="does not know all that was sent"):
            reel.run(project, sim, emit=said.append)
    charged = len(sim.charges())
    api.resolve_lost_journal(api.load(project).workspace)
    outcome = reel.run(project, sim)

    assert any(isinstance(e, Noticed) and "damaged" in e.message for e in said)
    assert (charged, outcome.status, len(sim.charges())) == (1, "success", 2)


def _everybody_waits(seconds: float) -> dict[str, float]:
    return dict.fromkeys(("image", "video", "audio", "text"), seconds)


@pytest.mark.slow
def test_late_results_of_two_models_stay_in_their_own_lines(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=1)
    reel.edit(project, "s1", model=["z-image", "nano-banana-2"])
    sim.fault("submit@1x2=lasts:1.0")
    reel.run(project, sim, timeout_s=_everybody_waits(0.2))
    reel.edit(project, "s1", prompt="Another thought")

    outcome = reel.run(project, sim)

    assert (outcome.status, len(sim.charges())) == ("success", 4)
    models = {a["id"]: a["model"] for a in reel.assets(project)}
    links = [(a["model"], models[a["superseded_by"]]) for a in reel.assets(project) if "superseded_by" in a]
    assert sorted(links) == [("nano-banana-2", "nano-banana-2"), ("z-image", "z-image")]


def test_a_held_fallback_of_one_of_several_models_blocks_its_slot(tmp_path: Path, sim: Sim) -> None:
    project = reel.write(tmp_path, shots=1, fallback="google/nano-banana")
    reel.edit(project, "s1", model=["z-image", "nano-banana-2"])
    sim.fault("submit~z-image@1=fail:500 Internal error")
    sim.fault("submit~google/nano-banana@1=cut+after")
    reel.run(project, sim)
    charged = len(sim.charges())

    outcome = reel.run(project, sim)

    assert (outcome.status, len(sim.charges()), charged) == ("held", 3, 3)
