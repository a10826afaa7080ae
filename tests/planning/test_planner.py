"""One decision function: every slot gets an action and a reason, and nothing is bought again by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiebatch.errors import Invalid
from kiebatch.model import (
    Asset,
    Attempt,
    Job,
    LocalFile,
    Media,
    Price,
    Project,
    Scene,
    Shot,
    ShotOutput,
    Slot,
    fingerprint,
)
from kiebatch.planning import Facts, Plan, Selection, planner
from kiebatch.record import Key
from kiebatch.record import manifest as manifests
from kiebatch.record.manifest import Manifest
from kiebatch.record.manifest.names import asset_name


def job(slot: Slot, prompt: str = "a boat", model: str = "m1", *refs: Any, **more: Any) -> Job:
    media = tuple(Media(role="references", field="images", index=i, ref=ref) for i, ref in enumerate(refs))
    sent: dict[str, Any] = {"prompt": prompt, **more.pop("input", {})}
    if refs:
        sent["images"] = [str(r) for r in refs]
    return Job(
        slot=slot,
        model=model,
        asked=model,
        family="jobs",
        endpoint="/api/v1/jobs/createTask",
        modality="image",
        prompt=prompt,
        input=sent,
        authored={"prompt": prompt, "params": more.pop("params", {})},
        media=media,
        price=Price(amount=4, kind="exact"),
        **more,
    )


def project(*jobs: Job, **more: Any) -> Project:
    scenes: dict[Any, list[Shot]] = {}
    for one in jobs:
        scenes.setdefault(one.slot.scene, []).append(Shot(id=one.slot.shot, jobs=(one,)))
    return Project(
        file="s.yaml", scenes=tuple(Scene(id=i, shots=tuple(shots)) for i, shots in scenes.items()), **more
    )


def digest_of(made: dict[Slot, str]) -> Any:
    def digest(ref: Any) -> str:
        return made[ref.slot] if isinstance(ref, ShotOutput) else f"content of {ref.path}"

    return digest


def made(one: Job, sha: str = "", upstream: dict[Slot, str] | None = None, **more: Any) -> Asset:
    sha = sha or f"sha of {one.slot}"
    slot = one.slot
    return Asset(
        id=more.pop("id", f"img-{slot}"),
        type="image",
        filename=f"assets/images/{slot}.png",
        prompt=one.prompt,
        model=one.model,
        parameters={"input": dict(one.input)},
        created_at="2026-03-01T10:00:00.000Z",
        scene_id=slot.scene,
        shot=slot.shot,
        take=slot.take,
        fingerprint=fingerprint(one, digest_of(upstream or {})),
        sha256=sha,
        task_id=f"task of {slot}",
        **more,
    )


def facts(*assets: Asset, **more: Any) -> Facts:
    return Facts(digests={a.filename: a.sha256 for a in assets}, **more)


def decide(film: Project, *assets: Asset, selection: Selection | None = None, **more: Any) -> Plan:
    known = more.pop("facts", None) or facts(*assets, **more)
    return planner.plan(film, Manifest(assets=tuple(assets)), known, selection)


def reasons(plan: Plan) -> dict[str, str]:
    return {str(e.slot): f"{e.action}: {e.reason}" for e in plan.entries}


def attempt(one: Job, state: Any, number: int = 1, **more: Any) -> Attempt:
    return Attempt(
        id=number,
        slot=one.slot,
        model=one.model,
        family="jobs",
        fingerprint=more.pop("print_", fingerprint(one, str)),
        state=state,
        job={},
        **more,
    )


ONE = job(Slot(1))


def test_what_was_never_made_is_new_and_what_is_there_is_kept() -> None:
    assert reasons(decide(project(ONE))) == {"1": "generate: new"}
    assert reasons(decide(project(ONE), made(ONE))) == {"1": "keep: kept"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (job(Slot(1), "another boat"), "prompt"),
        (job(Slot(1), model="m2"), "model"),
        (job(Slot(1), input={"size": "1:1"}, params={"size": "1:1"}), "params"),
        (job(Slot(1), "a boat", "m1", LocalFile("x.png")), "references"),
    ],
)
def test_a_change_is_named_by_its_reason(changed: Job, reason: str) -> None:
    plan = decide(project(changed), made(ONE), media={"x.png": "content of x.png"})

    assert reasons(plan) == {"1": f"generate: {reason}"}
    assert [a.id for a in plan.entries[0].current] == ["img-1"]


def test_a_renamed_reference_with_the_same_content_is_no_change() -> None:
    before = job(Slot(1), "a boat", "m1", LocalFile("old.png"))
    after = job(Slot(1), "a boat", "m1", LocalFile("new.png"))
    asset = replace(made(before), fingerprint=fingerprint(before, lambda _: "same"))

    assert reasons(decide(project(after), asset, media={"new.png": "same"})) == {"1": "keep: kept"}


def test_a_catalogues_new_default_is_no_change() -> None:
    after = job(Slot(1), input={"resolution": "1K"}, defaulted=("resolution",))

    assert reasons(decide(project(after), made(ONE))) == {"1": "keep: kept"}


def test_a_second_take_or_model_beside_it_buys_nothing_again() -> None:
    second = job(Slot(1, None, None, 2))
    assert reasons(decide(project(ONE, second), made(ONE))) == {"1": "keep: kept", "1#2": "generate: new"}

    a, b = job(Slot(1, None, "m1")), job(Slot(1, None, "m2"), model="m2")
    assert reasons(decide(project(a, b), made(ONE))) == {"1@m1": "keep: kept", "1@m2": "generate: new"}


def test_a_changed_upstream_makes_exactly_its_descendants_stale() -> None:
    still, clip = job(Slot(1)), job(Slot(2), "he turns", "m1", ShotOutput(Slot(1)))
    other = job(Slot(3), "a gull")
    sha = {Slot(1): "sha of 1"}
    assets = (made(still, id="img-001"), made(clip, upstream=sha, made_from=("img-001",)), made(other))

    assert reasons(decide(project(still, clip, other), *assets)) == {
        "1": "keep: kept",
        "2": "keep: kept",
        "3": "keep: kept",
    }
    changed = job(Slot(1), "another boat")
    assert reasons(decide(project(changed, clip, other), *assets)) == {
        "1": "generate: prompt",
        "2": "generate: upstream 1",
        "3": "keep: kept",
    }


def test_a_missing_file_is_restored_or_reported_and_never_bought_again() -> None:
    asset = made(ONE)
    gone = Facts(digests={asset.filename: None})
    assert reasons(decide(project(ONE), asset, facts=gone)) == {"1": "missing: file missing"}
    kept_there = replace(gone, retrievable=lambda _: True)
    assert reasons(decide(project(ONE), asset, facts=kept_there)) == {"1": "restore: file missing"}
    forced = decide(project(ONE), asset, facts=gone, selection=Selection(force=True))
    assert reasons(forced) == {"1": "generate: forced"}


def test_an_altered_file_is_left_alone() -> None:
    asset = made(ONE)
    plan = decide(project(ONE), asset, facts=Facts(digests={asset.filename: "other bytes"}))

    assert reasons(plan) == {"1": "altered: file altered"}
    assert plan.status == "up-to-date"
    assert "adopt" in plan.entries[0].note


def test_a_held_job_waits_and_blocks_what_starts_from_it() -> None:
    clip = job(Slot(2), "he turns", "m1", ShotOutput(Slot(1)))

    plan = decide(project(ONE, clip), attempts=[attempt(ONE, "held")])

    assert reasons(plan) == {"1": "blocked: held", "2": "blocked: upstream 1: held"}
    assert plan.status == "work"


def test_a_film_whose_shots_cannot_be_made_is_not_up_to_date() -> None:
    clip = job(Slot(2), "he turns", "m1", ShotOutput(Slot(1)))
    failed = attempt(ONE, "failed", message="refused")

    plan = decide(project(ONE, clip), attempts=[failed], selection=Selection(only=("2",)))

    assert reasons(plan)["2"] == "blocked: upstream 1: failed before"
    assert plan.status == "work"


def test_what_waits_for_a_pick_is_asked_for_and_no_work() -> None:
    takes = [job(Slot(1, take=number), "a boat") for number in (1, 2)]
    clip = replace(job(Slot(2), "he turns", "m1", ShotOutput(Slot(1))), unpicked=("1",))
    last = job(Slot(3), "he leaves", "m1", ShotOutput(Slot(2)))

    plan = decide(project(*takes, clip, last), *everything_made(takes), selection=Selection(until_picks=True))

    assert reasons(plan)["3"] == "blocked: upstream 2: waits for a pick of 1"
    assert plan.status == "up-to-date"


def test_a_held_job_waits_although_its_prompt_has_changed_since() -> None:
    changed = job(Slot(1), "another boat")

    assert reasons(decide(project(changed), attempts=[attempt(ONE, "held")])) == {"1": "blocked: held"}


def test_a_task_in_flight_is_collected_and_costs_nothing() -> None:
    plan = decide(project(ONE), attempts=[attempt(ONE, "submitted", task_id="t")])

    assert reasons(plan) == {"1": "restore: in flight"}
    assert plan.credits() == 0


def test_a_task_that_nobody_wants_any_more_is_still_collected() -> None:
    changed = job(Slot(1), "another boat")

    plan = decide(project(changed), attempts=[attempt(ONE, "submitted", task_id="t")])

    assert reasons(plan) == {"1": "generate: new"}
    assert [a.task_id for a in plan.collect] == ["t"]


def test_what_failed_before_goes_again_only_when_that_may_help_or_is_asked_for() -> None:
    hopeless = attempt(ONE, "failed", message="policy")
    assert reasons(decide(project(ONE), attempts=[hopeless])) == {"1": "blocked: failed before"}
    hopeful = attempt(ONE, "failed", retryable=True)
    assert reasons(decide(project(ONE), attempts=[hopeful])) == {"1": "generate: failed before"}
    asked = decide(project(ONE), attempts=[hopeless], selection=Selection(only=("failed",)))
    assert reasons(asked) == {"1": "generate: failed before"}


def test_an_entry_of_another_tool_counts_when_it_is_the_same_picture() -> None:
    foreign = Asset(
        id="img-001",
        type="image",
        filename="assets/images/x.png",
        prompt="a  boat",
        model="M One",
        scene_id=1,
    )
    same = facts(foreign, same_model=lambda a, b: {a, b} == {"M One", "m1"} or a == b)
    same = replace(same, digests={foreign.filename: "whatever"})

    assert reasons(decide(project(ONE), foreign, facts=same)) == {"1": "keep: kept"}
    assert reasons(decide(project(job(Slot(1), "other")), foreign, facts=same)) == {"1": "generate: prompt"}


def test_an_entry_for_the_same_scene_of_another_kind_is_no_version_of_it() -> None:
    sound = Asset(
        id="aud-001", type="audio", filename="assets/audio/x.mp3", prompt="hush", model="v", scene_id=1
    )

    plan = decide(project(ONE), sound, facts=Facts(digests={sound.filename: "x"}))

    assert [(e.action, e.reason) for e in plan.entries] == [("generate", "new"), ("orphan", "orphan")]


def test_a_real_run_counts_a_draft_as_missing() -> None:
    asset = replace(made(ONE), draft=True)

    assert reasons(decide(project(ONE), asset)) == {"1": "generate: new"}
    assert reasons(decide(project(ONE), asset, draft=True)) == {"1": "keep: kept"}


def test_moved_renames_and_regenerates_nothing() -> None:
    film = project(job(Slot(7)), moved={"1": "7"})

    assert reasons(decide(film, made(ONE))) == {"7": "keep: kept"}


def test_what_is_no_longer_in_the_file_is_an_orphan_and_stays() -> None:
    plan = decide(project(ONE), made(ONE), made(job(Slot(9))))

    assert reasons(plan) == {"1": "keep: kept", "9": "orphan: orphan"}
    assert plan.status == "up-to-date"


def test_an_accepted_change_is_kept() -> None:
    changed = job(Slot(1), "another boat")
    asset = replace(made(ONE), extra={"accepted": fingerprint(changed, str)})

    assert reasons(decide(project(changed), asset)) == {"1": "keep: accepted"}


class Kept:
    """A store of results that has just these."""

    def __init__(self, found: dict[Key, dict[int, str]]) -> None:
        self.found = found

    def distrust(self, digests: Iterable[str]) -> None:
        """Nothing here is damaged."""

    def expect(self, keys: Iterable[Key]) -> None:
        """It knows all it has."""

    def has(self, key: Key) -> bool:
        return key in self.found

    def digests(self, key: Key) -> dict[int, str]:
        return self.found.get(key, {})


def test_a_stored_result_is_taken_and_not_bought() -> None:
    print_ = fingerprint(ONE, str)

    plan = decide(project(ONE), stored=Kept({Key(print_): {1: "a"}}))

    assert reasons(plan) == {"1": "restore: paid for already"}


def test_a_shot_waits_for_its_pick_only_when_asked_to() -> None:
    clip = job(Slot(2), "he turns", "m1", ShotOutput(Slot(1)), unpicked=("1",))

    assert reasons(decide(project(ONE, clip), made(ONE)))["2"] == "generate: new"
    waiting = decide(project(ONE, clip), made(ONE), selection=Selection(until_picks=True))
    assert reasons(waiting)["2"] == "blocked: waits for a pick of 1"


@pytest.mark.parametrize(
    ("selector", "slots"),
    [
        ("2", {"2a", "2b", "2b#2"}),
        ("2b", {"2b", "2b#2"}),
        ("2b#2", {"2b#2"}),
        ("1-2", {"1", "2a", "2b", "2b#2"}),
        ("model:m2*", {"3"}),
    ],
)
def test_a_selector_chooses_what_it_says(selector: str, slots: set[str]) -> None:
    film = project(
        ONE, job(Slot(2, "a")), job(Slot(2, "b")), job(Slot(2, "b", None, 2)), job(Slot(3), model="m2/x")
    )

    plan = decide(film, selection=Selection(only=(selector,)))

    assert {str(e.slot) for e in plan.work} == slots


def test_what_a_chosen_job_starts_from_comes_along_when_it_is_not_there() -> None:
    clip = job(Slot(2), "he turns", "m1", ShotOutput(Slot(1)))

    plan = decide(project(ONE, clip), selection=Selection(only=("2",)))

    assert {str(e.slot) for e in plan.work} == {"1", "2"}


def test_a_selector_that_names_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="names no slot"):
        decide(project(ONE), selection=Selection(only=("99",)))


def test_files_are_named_as_the_contract_says() -> None:
    def name(slot: Slot, **more: Any) -> str:
        wanted: dict[str, Any] = {
            "output": 1,
            "version": 1,
            "sha256": "1f3a9c2e" + "0" * 56,
            "extension": ".png",
        } | more
        return asset_name(job(slot), taken=lambda _: False, **wanted)

    assert name(Slot(1)) == "images/scene-01.png"
    assert name(Slot(2, "a", None, 3)) == "images/scene-02-a-t3.png"
    assert name(Slot(2, "b", "kling-3.0/video")) == "images/scene-02-b-kling-3.0-video.png"
    assert name(Slot(4, "music"), output=2) == "images/scene-04-music-o2.png"
    assert name(Slot(2, "a", None, 3), version=2) == "images/scene-02-a-t3.v2-1f3a9c2e.png"
    assert name(Slot("12A")) == "images/scene-12A.png"


@st.composite
def graphs(draw: st.DrawFn) -> list[Job]:
    count = draw(st.integers(1, 8))
    jobs = []
    for number in range(1, count + 1):
        above = draw(st.sets(st.integers(1, number - 1), max_size=2)) if number > 1 else set()
        refs = [ShotOutput(Slot(n)) for n in sorted(above)]
        jobs.append(job(Slot(number), f"shot {number}", "m1", *refs))
    return draw(st.permutations(jobs))


def everything_made(jobs: list[Job]) -> list[Asset]:
    shas = {j.slot: f"sha of {j.slot}" for j in jobs}
    ids = {j.slot: f"img-{j.slot}" for j in jobs}
    return [made(j, upstream=shas, made_from=tuple(ids[s] for s in j.needs)) for j in jobs]


@pytest.mark.slow
@given(graphs())
def test_a_film_that_is_made_has_nothing_to_do(jobs: list[Job]) -> None:
    assert decide(project(*jobs), *everything_made(jobs)).status == "up-to-date"


@pytest.mark.slow
@given(graphs(), st.data())
def test_exactly_the_descendants_of_a_change_are_made_again(jobs: list[Job], data: st.DataObject) -> None:
    changed = data.draw(st.sampled_from(jobs))
    after = [replace(j, prompt="new", authored={"prompt": "new"}) if j is changed else j for j in jobs]
    stale = {changed.slot}
    while True:
        more = {j.slot for j in jobs if set(j.needs) & stale} - stale
        if not more:
            break
        stale |= more

    plan = decide(project(*after), *everything_made(jobs))

    assert {e.slot for e in plan.work} == stale


def test_the_manifest_that_a_plan_reads_is_the_one_that_is_written() -> None:
    text = manifests.dump(Manifest(assets=(made(ONE),)))

    assert reasons(decide(project(ONE), *manifests.parse(text, "m").assets)) == {"1": "keep: kept"}
