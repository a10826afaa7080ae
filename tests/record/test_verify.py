"""Do the files match the manifest, and what can be mended."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kiebatch.record import manifest
from support.filmrepo import Film


@pytest.fixture
def film(tmp_path: Path) -> Film:
    found = Film(tmp_path / "film")
    found.make(1)
    found.make(2, "a", colour="red")
    found.make(2, "a", minute=1, colour="green")
    return found


def kinds(film: Film, *args: str) -> list[tuple[str, str | None, str | None]]:
    said = film.kiebatch("verify", "--json", *args)
    problems = said.json["problems"]
    assert (said.code == 3) == any(not p["fixed"] for p in problems)
    assert said.json["status"] == ("damaged" if said.code else "ok")
    return [(p["kind"], p["slot"], p["fixed"]) for p in problems]


def test_a_sound_project_is_ok(film: Film) -> None:
    said = film.kiebatch("verify")

    assert (said.code, said.out) == (0, "ok: every file is as the manifest says\n")


def test_without_a_manifest_there_is_nothing_to_verify(film: Film) -> None:
    film.manifest_path.unlink()

    assert film.kiebatch("verify", "--json").code == 2


def test_missing_altered_and_extra_files_are_told_apart(film: Film) -> None:
    record = film.record
    (film.root / record.assets[0].filename).unlink()
    (film.root / record.assets[1].filename).write_bytes(b"other")
    (film.assets / "images" / "stray.png").write_bytes(b"stray")
    (film.assets / "notes.md").write_text("not ours", encoding="utf-8")
    (film.assets / "images" / ".hidden.png").write_bytes(b"x")

    said = film.kiebatch("verify")

    assert said.code == 3
    assert said.out.splitlines() == [
        "missing: 1 img-001: assets/images/scene-01.png is not there",
        "altered: 2a img-002: assets/images/scene-02-a.png is not the file that was saved (5 bytes)",
        "extra: assets/images/stray.png is in no entry; `kiebatch adopt` enters it, or remove it",
        "3 problems",
    ]


def test_a_file_that_git_still_has_comes_back(film: Film) -> None:
    film.commit()
    path = film.root / film.record.assets[0].filename
    before = path.read_bytes()
    path.unlink()

    assert (
        kinds(film, "--fix")[0][2]
        == f"assets/images/scene-01.png is back, from commit {film.git('rev-parse', '--short', 'HEAD').strip()}"
    )
    assert path.read_bytes() == before
    assert kinds(film) == []


def test_a_file_that_was_renamed_goes_back_to_its_name(film: Film) -> None:
    path = film.root / film.record.assets[0].filename
    path.rename(path.with_name("renamed.png"))

    film.kiebatch("verify", "--fix")

    assert kinds(film) == []
    assert not path.with_name("renamed.png").exists()


def test_two_files_that_changed_places_change_back(film: Film) -> None:
    one, two = (film.root / asset.filename for asset in film.record.assets[:2])
    spare = film.root / "spare"
    one.rename(spare)
    two.rename(one)
    spare.rename(two)

    assert [kind for kind, _, _ in kinds(film)] == ["altered", "altered"]
    assert all(fixed for _, _, fixed in kinds(film, "--fix"))
    assert kinds(film) == []


def test_an_altered_file_is_never_overwritten(film: Film) -> None:
    film.commit()
    path = film.root / film.record.assets[0].filename
    path.write_bytes(b"retouched by hand")

    assert kinds(film, "--fix") == [("altered", "1", None)]
    assert path.read_bytes() == b"retouched by hand"


def test_what_would_overwrite_an_altered_file_waits(film: Film) -> None:
    """One file was retouched and moved over another: nothing of either may be lost."""
    one, two = (film.root / asset.filename for asset in film.record.assets[:2])
    content = two.read_bytes()
    two.write_bytes(b"retouched by hand")
    one.write_bytes(content)

    assert [fixed for _, _, fixed in kinds(film, "--fix")] == [None, None]
    assert (one.read_bytes(), two.read_bytes()) == (content, b"retouched by hand")


def test_a_gap_in_the_numbers_is_closed_and_links_follow(film: Film) -> None:
    document = json.loads(film.manifest_path.read_text(encoding="utf-8"))
    del document["assets"][0]
    document["assets"][0]["made_from"] = ["img-003"]
    film.manifest_path.write_text(json.dumps(document), encoding="utf-8")
    (film.assets / "images" / "scene-01.png").unlink()

    assert kinds(film) == [("id", "2a", None)]
    assert kinds(film, "--fix") == [("id", "2a", "mended")]
    old, new = film.record.assets
    assert (old.id, old.superseded_by, old.made_from, new.id) == (
        "img-002",
        "img-001",
        ("img-001",),
        "img-001",
    )
    assert kinds(film) == []


def test_a_broken_chain_and_a_double_id_are_mended(film: Film) -> None:
    document = json.loads(film.manifest_path.read_text(encoding="utf-8"))
    document["assets"][1]["superseded_by"] = "img-009"
    document["assets"][2]["id"] = "img-001"
    film.manifest_path.write_text(json.dumps(document), encoding="utf-8")

    assert {kind for kind, _, _ in kinds(film)} == {"chain", "id"}
    film.kiebatch("verify", "--fix")
    assert kinds(film) == []


def test_an_entry_of_another_type_than_its_file_is_told(film: Film) -> None:
    record = film.record
    film.write(manifest.changed(record, record.assets[0], type="video", id="vid-001"))

    said = film.kiebatch("verify")

    assert "type: 1 vid-001: assets/images/scene-01.png is image/png, and its entry says video" in said.out


def test_an_entry_of_another_tool_is_checked_as_far_as_it_goes(film: Film) -> None:
    document = json.loads(film.manifest_path.read_text(encoding="utf-8"))
    entry = {"id": "vid-001", "type": "video", "filename": "assets/images/scene-01.png", "prompt": "", "model": "Veo",
             "parameters": {}, "created_at": "", "scene_id": 9, "version": 1}  # fmt: skip
    document["assets"] += [entry, {**entry, "id": "vid-002", "filename": "../../etc/passwd"}]
    film.manifest_path.write_text(json.dumps(document), encoding="utf-8")

    found = film.kiebatch("verify", "--json").json["problems"]

    assert [(p["asset"], p["kind"]) for p in found] == [("vid-002", "missing"), ("vid-001", "type")]
    assert "outside the project" in found[0]["message"]


def test_fixing_what_is_sound_leaves_the_manifest_untouched(film: Film) -> None:
    before = film.manifest_path.stat().st_mtime_ns

    assert film.kiebatch("verify", "--fix").code == 0
    assert film.manifest_path.stat().st_mtime_ns == before


def test_a_folder_that_is_no_repository_is_verified_as_well(tmp_path: Path, film: Film) -> None:
    shutil.rmtree(film.root / ".git")
    (film.root / film.record.assets[0].filename).unlink()

    assert kinds(film, "--fix") == [("missing", "1", None)]
