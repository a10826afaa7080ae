"""Every run leaves a record that can be asked; what a film has cost; what can be cleared away."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest
from PIL import Image

from bench.waiting import until
from kiebatch import formats
from kiebatch.errors import Exit
from kiebatch.model import as_mapping
from support.film import Film
from support.places import ROOT

TWO = """\
kiebatch: 1
tags: [pilot]
scenes:
  - {id: 1, model: nano-banana-2, prompt: a boat}
  - {id: 2, model: z-image, prompt: a gull}
"""
FAST = ("--poll-interval", "0.01", "--yes")


def ran(film: Film, *args: str) -> dict[str, object]:
    film.command("run", "scenes.yaml", *FAST, *args)
    return dict(film.command("runs", "--latest", "--json").json["runs"][0])


def whole(film: Film, run: str) -> dict[str, object]:
    return dict(film.command("runs", run, "--json").json)


@pytest.mark.slow
def test_a_run_leaves_who_when_what_and_what_it_came_to(film: Film) -> None:
    film.write(TWO)

    run = ran(film, "--tag", "second-try", "--by", "Ann", "--only", "1-2")

    assert (run["status"], run["by"], run["film"]) == ("success", "Ann", "scenes.yaml")
    assert run["tags"] == ["second-try", "pilot"]
    assert set(run["models"]) == {"nano-banana-2", "z-image"}  # type: ignore[call-overload]
    assert run["counts"]["succeeded"] == 2  # type: ignore[index]
    assert run["spent"] == sum(c["credits"] for c in film.sim.charges())
    assert "--only 1-2" in str(run["command"])
    assert film.sim.key not in json.dumps(run)


@pytest.mark.slow
def test_each_job_has_its_request_the_last_record_and_its_states(film: Film) -> None:
    film.write(TWO)

    record = whole(film, str(ran(film)["id"]))

    jobs = {job["slot"]: job for job in record["jobs"]}  # type: ignore[attr-defined]
    boat = jobs["1"]
    assert boat["request"]["path"] == "/api/v1/jobs/createTask"
    assert boat["request"]["body"]["input"]["prompt"] == "a boat"
    assert boat["answer"]["data"]["taskId"] == boat["task_id"]
    assert boat["record"]["data"]["state"] == "success"
    assert [state["event"] for state in boat["states"]] == ["submitted", "saved"]
    assert boat["assets"][0]["filename"] == "assets/images/scene-01.jpg"


@pytest.mark.slow
def test_a_failed_job_leaves_the_providers_words(film: Film) -> None:
    film.write(TWO)
    film.sim.fault("submit@1=fail:422 bad thing")

    run = ran(film)

    assert run["status"] == "failed"
    failed = [j for j in whole(film, str(run["id"]))["jobs"] if j["state"] == "failed"]  # type: ignore[attr-defined]
    assert [(j["code"], j["message"]) for j in failed] == [("422", "bad thing")]
    assert failed[0]["record"]["data"]["state"] == "fail"


@pytest.mark.slow
def test_a_refused_submission_leaves_what_was_sent_and_said(film: Film) -> None:
    film.write(TWO)
    film.sim.fault("submit@1=code:422 The model name you specified is not supported.")

    run = ran(film)

    (job,) = [j for j in whole(film, str(run["id"]))["jobs"] if j["state"] == "failed"]  # type: ignore[attr-defined]
    assert job["request"]["body"]["model"] in ("nano-banana-2", "z-image")
    assert job["answer"]["code"] == 422
    assert job["task_id"] is None


def test_a_run_that_was_refused_leaves_a_record_too(film: Film) -> None:
    film.write(TWO)

    assert film.command("run", "scenes.yaml").code == Exit.REFUSED

    (run,) = film.command("runs", "--json").json["runs"]
    assert run["status"] == "refused"
    assert "no terminal" in run["reason"]


@pytest.mark.slow
def test_a_run_that_was_killed_is_listed_as_unfinished(film: Film) -> None:
    film.write(TWO)
    film.sim.fault("submit=stuck")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "kiebatch", "run", "scenes.yaml", *FAST],
        env=environment,
        stderr=subprocess.PIPE,
    )
    records = film.folder / ".kiebatch" / "runs"
    until(
        lambda: any('"submitted"' in p.read_text(encoding="utf-8") for p in records.glob("*.jsonl")),
        "the submission",
    )
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()

    (run,) = film.command("runs", "--json").json["runs"]

    assert run["status"] == "unfinished"
    assert film.command("runs", run["id"], "--json").json["jobs"]


@pytest.mark.slow
def test_secrets_and_signatures_are_cut(film: Film) -> None:
    Image.new("RGB", (64, 64), "red").save("in.png")
    film.write(
        "kiebatch: 1\nscenes:\n  - {id: 1, model: nano-banana-2, prompt: x, references: [in.png, "
        "'https://cdn.example/a.png?X-Amz-Signature=abc&X-Amz-Expires=9']}\n"
    )

    run = ran(film, "--api-key", film.sim.key)

    text = "".join(p.read_text(encoding="utf-8") for p in (film.folder / ".kiebatch" / "runs").glob("*"))
    assert film.sim.key not in text
    assert "X-Amz-Signature" not in text
    assert "https://cdn.example/a.png" in text
    assert run["status"] == "success"


@pytest.mark.slow
def test_runs_are_filtered(film: Film) -> None:
    film.write(TWO)
    first = ran(film, "--only", "1", "--tag", "day", "--by", "Ann")
    second = ran(film, "--only", "2", "--tag", "night", "--by", "Ben")

    def ids(*args: str) -> list[str]:
        return [run["id"] for run in film.command("runs", *args, "--json").json["runs"]]

    assert ids() == [first["id"], second["id"]]
    assert ids("--tag", "night") == [second["id"]]
    assert ids("--by", "ann") == [first["id"]]
    assert ids("--model", "z-*") == [second["id"]]
    assert ids("--status", "failed") == []
    assert ids("--since", "1h", "--latest") == [second["id"]]
    assert ids("--until", "2020-01-01") == []
    assert film.command("runs", "--since", "yesterdy").code == Exit.INVALID
    assert "did you mean `failed`?" in film.command("runs", "--status", "faild").err
    assert film.command("runs", "nothing").code == Exit.INVALID


@pytest.mark.slow
def test_the_index_can_be_made_anew_and_holds_each_run_once(film: Film) -> None:
    film.write(TWO)
    run = ran(film)
    index = film.folder / ".kiebatch" / "runs" / "index.jsonl"
    line = index.read_text(encoding="utf-8")
    index.write_text(line + line + '{"id": "torn', encoding="utf-8")

    assert [r["id"] for r in film.command("runs", "--json").json["runs"]] == [run["id"]]
    assert [r["id"] for r in film.command("runs", "--rebuild", "--json").json["runs"]] == [run["id"]]
    assert len(index.read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.slow
def test_runs_are_rebuilt_from_the_journal_where_the_records_are_gone(film: Film) -> None:
    film.write(TWO)
    run = ran(film, "--tag", "day")
    for path in (film.folder / ".kiebatch" / "runs").iterdir():
        path.unlink()

    (found,) = film.command("runs", "--rebuild", "--json").json["runs"]

    assert found["tags"] == ["pilot", "day"], "the manifest tells them"
    assert (found["id"], found["spent"]) == (run["id"], run["spent"])
    assert found["counts"]["succeeded"] == 2


@pytest.mark.slow
def test_assets_are_listed_by_model_and_the_latest_of_each_slot(film: Film) -> None:
    film.write(TWO)
    ran(film)
    ran(film, "--force", "--only", "1")

    def ids(*args: str) -> list[str]:
        return [
            f"{a['slot']} v{a['version']}" for a in film.command("assets", *args, "--json").json["assets"]
        ]

    assert sorted(ids()) == ["1 v1", "1 v2", "2 v1"]
    assert ids("--latest", "slot") == ["1 v2", "2 v1"]
    assert ids("--model", "z-image") == ["2 v1"]
    assert ids("--status", "superseded") == ["1 v1"]
    assert ids("--since", "2100-01-01") == []
    assert film.command("assets").out.startswith("slot")


@pytest.mark.slow
def test_costs_say_what_was_bought_failed_and_not_used(film: Film) -> None:
    film.write(TWO.replace("prompt: a boat", "prompt: a boat, takes: 2"))
    ran(film)
    film.command("pick", "1#2")
    film.sim.fault("submit@1=fail:422 bad thing")
    film.sim.change(refunds=False)
    ran(film, "--force", "--only", "2")
    charged = sum(c["credits"] for c in film.sim.charges())

    said = film.command("costs", "--by", "model", "--json").json

    assert said["total"]["credits"] == pytest.approx(charged)
    assert said["total"]["failures"] == 1
    assert said["groups"]["nano-banana-2"] == {
        "credits": 16, "usd": 0.08, "bought": 16, "unused": 8, "failed": 0, "results": 2, "failures": 0,
    }  # fmt: skip
    rows = list(csv.DictReader(film.command("costs", "--by", "scene", "--csv").out.splitlines()))
    assert [row["scene"] for row in rows] == ["1", "2", "in all"]
    assert "not used" in film.command("costs").out


@pytest.mark.slow
def test_what_a_cache_saved_is_told(film: Film) -> None:
    film.write(TWO)
    ran(film, "--cache", "store")
    for folder in ("assets", ".kiebatch"):
        os.rename(folder, f"old-{folder}")
    ran(film, "--cache", "store")

    said = film.command("costs", "--json").json

    assert said["saved"] == sum(c["credits"] for c in film.sim.charges())


@pytest.mark.slow
def test_a_draft_costs_nothing(film: Film) -> None:
    film.write(TWO)
    film.command("run", "scenes.yaml", "--draft")

    said = film.command("costs", "--draft", "--json").json
    (run,) = film.command("runs", "--draft", "--json").json["runs"]

    assert said["total"]["credits"] == 0
    assert (run["draft"], run["spent"]) == (True, 0)


@pytest.mark.slow
def test_clean_frees_records_and_derivatives_and_nothing_that_was_paid_for(film: Film) -> None:
    film.write(TWO)
    ran(film)
    assert film.command("board", "scenes.yaml").code == 0
    parts = film.folder / ".kiebatch" / "parts"
    parts.mkdir(exist_ok=True)
    (parts / "old").write_bytes(b"x" * 100)
    kept = sorted(p for p in film.folder.rglob("*") if p.is_file() and ".kiebatch" not in p.parts)

    shown = film.command("clean", "--dry-run", "--json").json
    young = film.command("clean", "--older", "30d", "--json").json
    done = film.command("clean", "--json").json

    assert shown["bytes"] > 100
    assert young["bytes"] == 0
    assert done["bytes"] == shown["bytes"]
    assert {one["what"] for one in done["removed"] if one["files"]} >= {"run records", "unfinished downloads"}
    assert film.command("runs", "--json").json["runs"] == []
    assert sorted(p for p in film.folder.rglob("*") if p.is_file() and ".kiebatch" not in p.parts) == kept
    assert film.command("plan", "scenes.yaml", "--check").code == 0
    assert Path(".kiebatch/journal.sqlite").exists()


@pytest.mark.slow
def test_a_bundle_holds_one_run_for_people_and_scripts(film: Film) -> None:
    Image.new("RGB", (64, 64), "red").save("in.png")
    film.write(TWO.replace("prompt: a boat", "prompt: a boat, references: [in.png]"))
    film.sim.fault("submit~z-image@1=fail:422 bad thing")
    run = ran(film)
    film.command("pick", "1")

    said = film.command("export", "bundle", str(run["id"])[:5], "--output", "out", "--json")

    assert said.code == 0, said.err
    record = json.loads(Path("out/run.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(as_mapping(formats.load("run"))).validate(record)
    jobs = {job["slot"]: job["files"] for job in record["jobs"]}
    assert {*jobs} == {"1", "2"}
    for name in ("request", "answer", "record", "prompt", "prompt_raw"):
        assert (Path("out") / jobs["1"][name]).is_file()
    assert jobs["1"]["inputs"] == ["inputs/in.png"]
    (result,) = jobs["1"]["results"]
    assert Path("out", result["original"]).read_bytes() == Path("assets/images/scene-01.jpg").read_bytes()
    assert Path("out", result["web"]).is_file()
    assert Path("out", result["thumb"]).is_file()
    notes = Path("out/notes.md").read_text(encoding="utf-8")
    assert "bad thing" in notes
    assert "a boat" in notes
    assert said.json["count"] == sum(1 for p in Path("out").rglob("*") if p.is_file())
    assert film.command("export", "bundle", str(run["id"]), "--output", "out").code == Exit.INVALID


@pytest.mark.slow
@pytest.mark.parametrize("named", [".env", "notes/keys.txt", "link.png", "../outside.png", "fifo.png"])
def test_a_bundle_holds_no_file_but_media_of_the_project_whatever_the_manifest_says(
    film: Film, named: str
) -> None:
    Image.new("RGB", (64, 64), "red").save("in.png")
    film.write(TWO.replace("prompt: a boat", "prompt: a boat, references: [in.png]"))
    ran(film)
    for secret in (".env", "notes/keys.txt"):
        Path(secret).parent.mkdir(exist_ok=True)
        Path(secret).write_text("KIE_API_KEY=secret", encoding="utf-8")
    os.symlink(".env", "link.png")
    os.mkfifo("fifo.png")
    shutil.copy("in.png", "../outside.png")
    path = film.assets / "manifest.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace("file:in.png", f"file:{named}"), encoding="utf-8"
    )

    said = film.command("export", "bundle", "--output", "out")

    assert said.code == 0, said.err
    assert not list(Path("out").glob("inputs/*"))


@pytest.mark.slow
def test_the_latest_run_can_be_a_zip(film: Film) -> None:
    film.write(TWO)
    run = ran(film)

    said = film.command("export", "bundle", "--zip", "--json")

    assert said.json["run"] == run["id"]
    with zipfile.ZipFile(said.json["file"]) as archive:
        assert {"run.json", "notes.md"} <= set(archive.namelist())
        assert json.loads(archive.read("run.json"))["id"] == run["id"]


@pytest.mark.slow
def test_a_film_with_a_name_and_a_folder_of_its_own_is_found_by_every_query(film: Film) -> None:
    (film.folder / "teaser.yaml").write_text(TWO + "assets: teaser\n", encoding="utf-8")
    assert film.command("run", "teaser.yaml", *FAST).code == 0

    bundle = film.command("export", "bundle", "--json").json
    costs = film.command("costs", "teaser.yaml", "--json").json

    assert bundle["file"].startswith("export/"), "it stays in the project"
    (made,) = Path(bundle["file"]).glob("originals/*1*")
    assert made.read_bytes() == Path("teaser/images/scene-01.jpg").read_bytes()
    assert costs["total"]["bought"] == sum(
        asset["credits"] for asset in json.loads(Path("teaser/manifest.json").read_text())["assets"]
    )


def test_a_project_without_runs_has_no_bundle(film: Film) -> None:
    film.write(TWO)
    (film.folder / ".kiebatch").mkdir()

    assert film.command("export", "bundle").code == Exit.INVALID


@pytest.mark.slow
def test_results_name_their_run_and_their_tags(film: Film) -> None:
    film.write(TWO)
    run = ran(film, "--tag", "day")

    assert {(a["run"], tuple(a["tags"])) for a in film.manifest} == {(run["id"], ("pilot", "day"))}
    tagged = film.command("assets", "--tag", "day", "--run", str(run["id"]), "--json").json["assets"]
    assert len(tagged) == 2
    groups = film.command("costs", "--by", "tag", "--json").json["groups"]
    assert set(groups) == {"day", "pilot"}
    film.command("run", "scenes.yaml", *FAST, "--tag", "night")
    assert {a["run"] for a in film.manifest} == {run["id"]}


@pytest.mark.slow
def test_runs_are_rebuilt_from_the_manifest_of_a_colleague(film: Film) -> None:
    film.write(TWO)
    run = ran(film, "--tag", "day")
    os.rename(".kiebatch", "away")
    Path(".kiebatch").mkdir()

    (found,) = film.command("runs", "--rebuild", "--json").json["runs"]

    assert (found["id"], found["tags"]) == (run["id"], ["pilot", "day"])
