"""The manifest in a real git repository: drivers, merges of all kinds, diff, log."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import kiebatch
from kiebatch.git import Repository
from kiebatch.model import Asset
from kiebatch.record import gitdrivers, manifest
from support.filmrepo import Film


@pytest.fixture
def film(tmp_path: Path) -> Film:
    found = Film(tmp_path / "film")
    found.make(1, prompt="A small boat nears the lighthouse")
    found.make(2, "b", prompt="He stops and listens")
    found.commit("base")
    return found


@pytest.fixture
def installed(film: Film) -> Film:
    gitdrivers.install(Repository(film.root))
    film.commit("attributes")
    return film


def prompts(film: Film, scene: int, shot: str | None = None) -> list[tuple[int, str, bool]]:
    return [(a.version, a.prompt, a.current) for a in film.record.of(scene, shot)]


# --- diff ----------------------------------------------------------------------------------------------


def test_diff_tells_in_words_what_changed_since_head(film: Film) -> None:
    film.make(2, "b", 1, prompt="He stops and turns", colour="red", credits=24)

    said = film.kiebatch("diff")

    assert said.code == 0
    assert said.out.splitlines() == [
        "2b: version 2 instead of 1 (prompt changed), +24 credits",
        "    prompt: He stops and [-listens-]{+turns+}",
        "1 slot differs between HEAD ("
        + film.git("rev-parse", "--short", "HEAD").strip()
        + ") and working tree, 24 credits",
    ]
    assert film.kiebatch("diff", "--check").code == 3
    document = film.kiebatch("diff", "--json").json
    assert document["slots"][0]["what"] == ["prompt"]
    assert document["totals"]["credits"] == 24


def test_diff_compares_revisions_ranges_and_files(film: Film, tmp_path: Path) -> None:
    shutil.copy(film.manifest_path, tmp_path / "old.json")
    film.make(3)
    film.commit("three")

    assert film.kiebatch("diff", "HEAD~1", "HEAD", "--json").json["slots"][0]["change"] == "added"
    assert film.kiebatch("diff", "HEAD~1..HEAD", "--json").json["totals"]["added"] == 1
    assert film.kiebatch("diff", "HEAD..HEAD~1", "--json").json["totals"]["removed"] == 1
    assert film.kiebatch("diff", str(tmp_path / "old.json"), "--json").json["totals"]["added"] == 1
    assert film.kiebatch("diff", "--check").code == 0


def test_the_library_says_the_same(film: Film) -> None:
    film.make(3)

    assert [str(change) for change in kiebatch.diff(project=film.root)] == [
        "3: added, +4 credits\n    assets/images/scene-03.png: google/nano-banana"
    ]


def test_diff_of_two_files_needs_no_project(film: Film, tmp_path: Path) -> None:
    elsewhere = Film(tmp_path / "elsewhere", git=False)
    elsewhere.manifest_path.unlink()
    shutil.copy(film.manifest_path, tmp_path / "a.json")
    film.make(3)

    assert elsewhere.kiebatch("diff", str(tmp_path / "a.json"), str(film.manifest_path), "--check").code == 3


def test_diff_of_what_is_no_revision_is_said_plainly(film: Film) -> None:
    said = film.kiebatch("diff", "--json", "nowhere")

    assert (said.code, said.json["status"]) == (2, "invalid")
    assert "neither a revision" in said.json["problems"][0]["message"]
    assert film.kiebatch("diff", "--", "--output=x").code == 2
    assert not (film.root / "x").exists()


def test_diff_tells_picks_and_orphans(film: Film) -> None:
    scenes = "kiebatch: 1\ndefaults: {model: nano-banana-2}\nscenes:\n  - {id: 1, prompt: A boat}\n"
    shots = "  - id: 2\n    shots:\n      - {id: b, prompt: He stops}\n"
    (film.root / "scenes.yaml").write_text(scenes + shots, encoding="utf-8")
    film.commit("scenes")
    (film.root / "scenes.yaml").write_text(scenes, encoding="utf-8")
    (film.assets / "picks.yaml").write_text(
        '- {slot: "1#1", decision: pick, note: "calm"}\n', encoding="utf-8"
    )

    lines = film.kiebatch("diff").out.splitlines()

    assert lines[:3] == [
        "1: decision changed",
        "    undecided -> picked, “calm”",
        "2b: no longer in the scene file",
    ]


# --- log -----------------------------------------------------------------------------------------------


def test_log_tells_the_story_of_a_slot(film: Film) -> None:
    film.make(2, "b", 5, prompt="He stops and turns", colour="red", credits=24, task_id="t-7")

    said = film.kiebatch("log", "2b")

    assert said.out.splitlines() == [
        "2b",
        "  version 1, superseded by img-003: img-002, 2026-03-01 10:00, google/nano-banana, 4 credits, task task-2 b 0 "
        + film.record.by_id["img-002"].task_id.removeprefix("task-2 b 0 "),  # type: ignore[union-attr]
        "    assets/images/scene-02-b.png",
        "    prompt: He stops and listens",
        "  version 2, current: img-003, 2026-03-01 10:05, google/nano-banana, 24 credits, task t-7",
        f"    {film.record.by_id['img-003'].filename}",
        "    prompt: He stops and [-listens-]{+turns+}",
    ]
    assert [v["changes"] for v in film.kiebatch("log", "2b", "--json").json["slots"][0]["versions"]] == [
        [],
        ["prompt: He stops and [-listens-]{+turns+}"],
    ]
    assert film.kiebatch("log", "7").code == 2


# --- the drivers ---------------------------------------------------------------------------------------


def test_git_diff_reads_well_with_the_driver(installed: Film) -> None:
    installed.make(2, "b", 1, prompt="He stops and turns. Rain.", colour="red")

    text = installed.git("diff", "--", "assets/manifest.json")

    assert "+2b, version 2: img-003\n" in text
    assert "+        He stops and turns.\n+        Rain.\n" in text
    assert '"prompt"' not in text


def test_text_that_is_no_manifest_still_has_a_diff() -> None:
    assert gitdrivers.readable("{broken") == "{broken"


def test_git_merges_slot_by_slot(installed: Film) -> None:
    installed.branch("left")
    installed.make(2, "b", 3, prompt="left", colour="red")
    installed.make(3, minute=1)
    installed.commit("left")
    installed.branch("right")
    installed.make(2, "b", 5, prompt="right", colour="green")
    installed.make(4, minute=1, made_from=("img-001",))
    installed.commit("right")

    installed.git("merge", "--no-edit", "left")

    assert prompts(installed, 2, "b") == [
        (1, "He stops and listens", False),
        (2, "left", False),
        (3, "right", True),
    ]
    assert sorted(installed.record.by_id) == [f"img-{n:03d}" for n in range(1, 7)]
    assert installed.kiebatch("verify").code == 0


def test_a_rebase_and_a_cherry_pick_merge_alike(installed: Film) -> None:
    installed.branch("left")
    installed.make(3, minute=1)
    installed.commit("left")
    installed.branch("right")
    installed.make(4, minute=2)
    installed.commit("right")

    installed.git("rebase", "--quiet", "left")

    assert [a.scene_id for a in installed.record.assets] == [1, 2, 3, 4]
    assert installed.kiebatch("verify").code == 0


def test_a_revert_makes_the_older_version_current_again(installed: Film) -> None:
    installed.make(2, "b", 1, prompt="a mistake", colour="red")
    installed.commit("mistake")
    installed.make(1, minute=2, colour="green")
    installed.commit("later work")

    installed.git("revert", "--no-edit", "HEAD~1")

    assert prompts(installed, 2, "b") == [(1, "He stops and listens", True)]
    assert [asset.version for asset in installed.record.of(1)] == [1, 2]
    assert [p["kind"] for p in installed.kiebatch("verify", "--fix", "--json").json["problems"]] == ["id"]
    assert installed.kiebatch("verify").code == 0


def test_both_branches_made_version_one_and_verify_fix_keeps_both_pictures(installed: Film) -> None:
    installed.branch("left")
    left = installed.make(3, minute=1, colour="red")
    installed.commit("left")
    installed.branch("right")
    right = installed.make(3, minute=2, colour="green")
    installed.commit("right")

    assert "CONFLICT (add/add)" in installed.git("merge", "left", check=False)
    damaged = installed.kiebatch("verify", "--json")
    said = installed.kiebatch("verify", "--fix")
    installed.git("add", "assets")
    installed.git("commit", "--quiet", "--no-edit")

    assert damaged.code == 3
    assert {p["kind"] for p in damaged.json["problems"]} == {"missing", "altered"}
    assert (said.code, said.out.splitlines()[-1]) == (0, "now: git add assets && git commit")
    old, new = installed.record.of(3)
    assert (old.sha256, new.sha256) == (left.sha256, right.sha256)
    assert new.filename == manifest.version_name("assets/images/scene-03.png", 2, right.sha256 or "")
    assert installed.kiebatch("verify").code == 0
    assert installed.git("status", "--porcelain") == ""


def test_without_the_driver_verify_fix_joins_both_sides(film: Film) -> None:
    film.branch("left")
    film.make(3, minute=1, colour="red")
    film.commit("left")
    film.branch("right")
    film.make(3, minute=2, colour="green")
    film.commit("right")

    assert "CONFLICT" in film.git("merge", "left", check=False)
    refused = film.kiebatch("log")
    seen = film.kiebatch("verify", "--json")
    said = film.kiebatch("verify", "--fix")

    assert refused.code == 2
    assert "git left conflict markers here" in refused.err
    assert (seen.code, seen.json["problems"][0]["kind"]) == (3, "merge")
    assert said.code == 0
    assert [a.version for a in film.record.of(3)] == [1, 2]
    assert film.kiebatch("verify").code == 0


def test_a_driver_that_could_not_be_called_loses_nothing(installed: Film) -> None:
    """A clone that knows the attributes, where kiebatch is gone: git keeps our side and says conflict."""
    installed.branch("left")
    installed.make(3, minute=1)
    installed.commit("left")
    installed.branch("right")
    installed.make(4, minute=2)
    installed.commit("right")
    installed.git("config", "merge.kiebatch.driver", "no-such-program %O %A %B")

    assert "CONFLICT" in installed.git("merge", "left", check=False)
    seen = installed.kiebatch("verify")
    fixed = installed.kiebatch("verify", "--fix")

    assert (seen.code, fixed.code) == (3, 0)
    assert "entries of one are not here" in seen.out
    assert [a.scene_id for a in installed.record.assets] == [1, 2, 3, 4]


def test_two_branches_that_both_began_a_manifest(tmp_path: Path) -> None:
    film = Film(tmp_path / "film")
    film.manifest_path.unlink()
    gitdrivers.install(Repository(film.root))
    film.commit("nothing yet")
    for name, scene in (("left", 1), ("right", 2)):
        film.branch(name)
        film.make(scene)
        film.commit(name)

    film.git("merge", "--no-edit", "left")

    assert [a.id for a in film.record.assets] == ["img-002", "img-001"]
    assert film.kiebatch("verify").code == 0


def test_markers_are_joined_from_the_text_alone_when_git_has_forgotten_the_sides(film: Film) -> None:
    film.branch("left")
    film.make(3, minute=1)
    film.commit("left")
    film.branch("right")
    film.make(4, minute=2)
    film.commit("right")
    film.git("merge", "left", check=False)
    film.git("add", "--all")
    film.git("commit", "--quiet", "-m", "with markers")

    assert film.kiebatch("verify", "--fix").code == 0

    assert [a.scene_id for a in film.record.assets] == [1, 2, 3, 4]


def test_a_plain_text_merge_that_git_calls_clean_is_repaired_on_read(film: Film) -> None:
    for scene in range(3, 9):
        film.make(scene)
    film.commit("more")
    film.branch("left", "HEAD")
    film.make(1, minute=1, colour="red")
    film.commit("left")
    film.git("switch", "--quiet", "main")
    film.make(6, minute=1, colour="red")
    film.commit("right")

    film.git("merge", "--no-edit", "left")
    seen = film.kiebatch("verify", "--json").json
    fixed = film.kiebatch("verify", "--fix")

    assert {p["kind"] for p in seen["problems"]} == {"id"}
    assert fixed.code == 0
    assert [a.version for a in film.record.of(1)] == [a.version for a in film.record.of(6)] == [1, 2]
    assert len({a.id for a in film.record.assets}) == len(film.record.assets) == 10
    assert film.kiebatch("verify").code == 0


def test_a_true_conflict_stops_the_merge_and_verify_shows_both_values(installed: Film) -> None:
    def accept(words: str) -> None:
        record = installed.record
        installed.write(manifest.changed(record, record.by_id["img-001"], prompt=words))
        installed.commit(words)

    installed.branch("left")
    accept("left words")
    installed.branch("right")
    accept("right words")

    told = installed.git("merge", "left", check=False)
    said = installed.kiebatch("verify")

    assert "CONFLICT" in told
    assert "`prompt`: kept 'right words', other 'left words'" in told
    assert said.code == 3
    assert "merge: 1 img-001: two branches changed `prompt`" in said.out
    assert installed.kiebatch("verify", "--fix").code == 3
    installed.write(_unmarked(installed.record))
    assert installed.kiebatch("verify").code == 0


def _unmarked(record: manifest.Manifest) -> manifest.Manifest:
    document = json.loads(manifest.dump(record))
    for entry in document["assets"]:
        entry.pop(manifest.MARK, None)
    return manifest.parse(json.dumps(document), "manifest.json")


def test_a_side_that_is_no_manifest_is_merged_as_plain_text(installed: Film, tmp_path: Path) -> None:
    base, ours, theirs = sides = [tmp_path / name for name in ("base", "ours", "theirs")]
    for path, text in zip(sides, ("{\n}\n", "{\nours\n}\n", "{\ntheirs\n}\n"), strict=True):
        path.write_text(text, encoding="utf-8")

    assert gitdrivers.merge(base, ours, theirs, "assets/manifest.json") is None
    assert "<<<<<<< ours" in sides[1].read_text(encoding="utf-8")


def test_picks_of_both_branches_stay(installed: Film) -> None:
    picks = installed.assets / "picks.yaml"
    installed.branch("left")
    picks.write_text('- {slot: "1#1", decision: pick}\n', encoding="utf-8")
    installed.commit("left")
    installed.branch("right")
    picks.write_text('- {slot: "2b#1", decision: reject}\n', encoding="utf-8")
    installed.commit("right")

    installed.git("merge", "--no-edit", "left")

    assert picks.read_text(encoding="utf-8").count("slot:") == 2


# --- installing ----------------------------------------------------------------------------------------


def test_uninstall_takes_back_what_install_did_and_nothing_else(film: Film) -> None:
    attributes = film.root / ".gitattributes"
    attributes.write_text("*.psd binary\n", encoding="utf-8")
    before = (film.root / ".git" / "config").read_text(encoding="utf-8")

    first = film.kiebatch("git", "install")
    again = film.kiebatch("git", "install", "--json").json
    merged = attributes.read_text(encoding="utf-8")
    film.kiebatch("git", "uninstall")

    assert first.code == 0
    assert again["done"] == ["everything was installed already"]
    assert merged.startswith("*.psd binary\n# kiebatch: begin")
    assert attributes.read_text(encoding="utf-8") == "*.psd binary\n"
    assert (film.root / ".git" / "config").read_text(encoding="utf-8") == before
    assert film.kiebatch("git", "uninstall").out == "nothing of kiebatch was installed here\n"


def test_install_outside_of_a_repository_is_refused(tmp_path: Path) -> None:
    assert Film(tmp_path, git=False).kiebatch("git", "install").code == 2


def test_a_folder_of_another_name_gets_its_own_lines(film: Film) -> None:
    film.kiebatch("git", "install", "--assets", "my media")

    assert (
        '"/my media/manifest.json" diff=kiebatch merge=kiebatch' in (film.root / ".gitattributes").read_text()
    )


@pytest.mark.needs("git-lfs")
def test_media_go_to_lfs_and_a_pointer_says_how_to_get_the_file(film: Film, tmp_path: Path) -> None:
    film.kiebatch("git", "install", "--lfs")
    film.make(3, minute=1, colour="red")
    film.commit("lfs")
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "--quiet", str(film.root), str(clone)],
        env={"GIT_LFS_SKIP_SMUDGE": "1", "PATH": "/usr/bin:/bin"},
        check=True,
    )
    there = Film(clone, git=False)

    said = there.kiebatch("verify")

    assert film.git("show", "HEAD:assets/images/scene-03.png").startswith(
        "version https://git-lfs.github.com/spec/v1"
    )
    assert said.code == 3
    assert "assets/images/scene-03.png is a Git LFS pointer: run `git lfs pull`" in said.out
    assert film.kiebatch("verify").code == 0


@pytest.mark.slow
@pytest.mark.needs("git-lfs")
def test_both_pictures_come_out_of_lfs_after_a_conflict(film: Film) -> None:
    film.kiebatch("git", "install", "--lfs")
    film.commit("lfs")
    film.branch("left")
    film.make(3, minute=1, colour="red")
    film.commit("left")
    film.branch("right")
    film.make(3, minute=2, colour="green")
    film.commit("right")

    assert "CONFLICT" in film.git("merge", "left", check=False)

    assert film.kiebatch("verify", "--fix").code == 0
    assert film.kiebatch("verify").code == 0


def test_a_block_of_the_textconv_has_everything_but_what_never_matters() -> None:
    asset = Asset(
        id="img-001",
        type="image",
        filename="a.png",
        prompt="One. Two",
        scene_id=1,
        made_from=("img-002",),
        extra={"x": 1},
    )

    text = gitdrivers.readable(manifest.dump(manifest.Manifest((asset,))))

    assert (
        text
        == "1, version 1: img-001\n    file: a.png\n    made from: img-002\n    x: 1\n    prompt:\n        One.\n        Two\n"
    )
