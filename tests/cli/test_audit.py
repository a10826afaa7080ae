"""`kiebatch audit` names every credit; plans go by what jobs were billed; a claim holds what the support needs."""

from __future__ import annotations

from typing import Any

import pytest

from kiebatch.errors import Exit
from support.film import Film

RUN = ("run", "scenes.yaml", "--yes", "--poll-interval", "0.01", "--no-stop-on-overcharge")


def stills(film: Film, *models: str) -> None:
    lines = "".join(
        f"  - {{id: {number}, model: {model}, prompt: Secret {number}}}\n"
        for number, model in enumerate(models, 1)
    )
    film.write(f"kiebatch: 1\nscenes:\n{lines}")
    film.sim.change(extra_keys=True)


def audited(film: Film, *args: str) -> dict[str, Any]:
    return dict(film.command("audit", *args, "--json").json)


def troubled(film: Film) -> None:
    """A run with a failure that was billed, a job that cost more than its price, and a foreign user."""
    stills(film, "z-image", "z-image", "nano-banana-2")
    film.sim.fault("submit@1=fail:400 Refused")
    film.sim.fault("submit@1=billed")
    film.sim.fault("submit~nano-banana-2=price:12")
    film.sim.fault("submit@2=elsewhere:7")
    film.command(*RUN)


def test_every_credit_has_a_name_and_costs_agree(film: Film) -> None:
    before = film.sim.balance
    troubled(film)

    found = audited(film)
    costs = film.command("costs", "--json").json

    totals = found["totals"]
    assert (totals["failure"], totals["slot"], totals["foreign"]) == pytest.approx((0.8, 12.8, 7))
    assert totals["gone"] == pytest.approx(before - film.sim.balance)
    assert costs["total"]["credits"] == pytest.approx(totals["slot"] + totals["failure"], abs=0.01)
    assert [w["foreign"] for w in found["windows"]] == [7]


def test_a_charge_that_differs_from_its_price_is_named_with_its_parameters(film: Film) -> None:
    troubled(film)

    (difference,) = audited(film)["differences"]

    assert difference["model"] == "nano-banana-2"
    assert difference["params"]["resolution"] == "1K"
    assert (difference["price"], difference["charged"]) == (8, 12)
    said = film.command("audit").out
    assert "8 expected, 12 charged" in said
    assert "foreign: 7 credits between" in said


def test_what_was_spent_between_two_runs_is_foreign_in_a_window_of_its_own(film: Film) -> None:
    stills(film, "z-image")
    film.command(*RUN)
    film.sim.spend_elsewhere(33)
    film.edit("Secret 1", "Another")

    film.command(*RUN)

    assert [w["foreign"] for w in audited(film)["windows"]] == [0, 33, 0]


def test_plans_go_by_what_jobs_were_billed(film: Film) -> None:
    stills(film, "nano-banana-2")
    film.sim.fault("submit=price:12")
    ran = film.command(*RUN)

    film.edit("Secret 1", "Another")
    (job,) = film.command("plan", "scenes.yaml", "--json").json["jobs"]

    assert "was billed 12 credits, and the catalogue says 8" in ran.err
    price = job["credits"]
    assert (price["amount"], price["kind"], price["authoritative"], price["listed"]) == (12, "exact", True, 8)


def test_another_account_goes_by_the_catalogue(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    stills(film, "nano-banana-2")
    film.sim.fault("submit=price:12")
    film.command(*RUN)

    monkeypatch.setenv("KIEBATCH_ACCOUNT", "another")
    film.edit("Secret 1", "Another")
    (job,) = film.command("plan", "scenes.yaml", "--json").json["jobs"]

    assert (job["credits"]["amount"], "listed" in job["credits"]) == (8, False)


def test_a_record_that_says_more_than_the_account_lost_teaches_nothing(film: Film) -> None:
    stills(film, "nano-banana-2")
    film.sim.fault("submit=costs:500")
    film.command(*RUN)

    film.edit("Secret 1", "Another")
    (job,) = film.command("plan", "scenes.yaml", "--json").json["jobs"]

    assert job["credits"]["amount"] == 8


def test_records_of_no_cost_leave_cap_and_price_as_they_are(film: Film) -> None:
    stills(film, *["z-image"] * 4)
    film.sim.fault("submit@1x9=costs:0")
    film.command(*RUN)

    film.edit("Secret", "Other")
    plan = film.command("plan", "scenes.yaml", "--max-credits", "3", "--json").json

    assert plan["totals"]["credits"] == pytest.approx(3.2)
    assert plan["preflight"] == "reject"


def test_a_claim_holds_tasks_and_amounts_and_prompts_only_where_asked(film: Film) -> None:
    troubled(film)
    failed, overcharged = film.sim.charges()[0], film.sim.charges()[2]

    film.command("audit", "--claim", "claim.md")
    text = (film.folder / "claim.md").read_text(encoding="utf-8")
    film.command("audit", "--claim", "claim.md", "--with-prompts")
    with_prompts = (film.folder / "claim.md").read_text(encoding="utf-8")

    assert failed["task_id"] in text
    assert overcharged["task_id"] in text
    assert "4.8 credits" in text  # 0.8 of the failure, 4 above the price
    assert "Secret" not in text
    assert film.sim.key not in text
    assert "Secret 1" in with_prompts


def test_a_claim_is_written_over_nothing_but_a_claim(film: Film) -> None:
    stills(film, "z-image")
    film.command(*RUN)
    before = film.scene_file.read_bytes()

    said = film.command("audit", "--claim", "scenes.yaml")
    folder = film.command("audit", "--claim", ".")

    assert (said.code, folder.code) == (Exit.INVALID, Exit.INVALID)
    assert "scenes.yaml holds something other than a claim, and was left as it is" in said.err
    assert film.scene_file.read_bytes() == before


def test_a_failure_that_was_given_back_is_not_said_to_be_billed(film: Film) -> None:
    stills(film, "z-image", "z-image")
    film.sim.change(extra_keys=False)
    film.sim.fault("submit@1=fail:500 boo")
    film.command(*RUN)

    said = film.command("audit").out

    assert "results " in said
    assert "billed" not in said


@pytest.mark.parametrize("since", ["0001-01-01", "nonsense", "-7d", "99999999999d", "2026-13-45"])
def test_a_time_that_cannot_be_is_refused_by_name(film: Film, since: str) -> None:
    stills(film, "z-image")
    film.command(*RUN)

    said = film.command("audit", f"--since={since}")

    assert said.code == Exit.INVALID
    assert f"`{since}` is not a time" in said.err


def test_a_project_in_which_nothing_was_paid_says_so(film: Film) -> None:
    stills(film, "z-image")
    (film.folder / ".kiebatch").mkdir()

    said = film.command("audit")

    assert said.code == Exit.OK
    assert said.out == "no credit is known to have left the account\n"


def test_prices_that_cannot_be_read_are_never_taken_for_none(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = film.folder.parent / "config"
    home.mkdir()
    (home / "prices.yaml").write_text("kiebatch-prices: 1\nmeasured: [{model: z-image}]\n", encoding="utf-8")
    monkeypatch.setenv("KIEBATCH_CONFIG_HOME", str(home))
    stills(film, "z-image")

    said = film.command("plan", "scenes.yaml")

    assert said.code == Exit.INVALID
    assert "prices.yaml:1: cannot be read: row 1" in said.err
    assert "hint:" in said.err
