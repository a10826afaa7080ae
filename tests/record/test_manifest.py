"""The record: laws of reading, writing, adding and merging."""

from __future__ import annotations

import json
from collections.abc import Sequence

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiebatch import formats
from kiebatch.errors import Invalid
from kiebatch.model import Asset, as_mapping
from kiebatch.record import manifest
from kiebatch.record.manifest import Manifest
from kiebatch.record.manifest.differences import between
from support.counting import calls
from support.records import MODELS, an_asset, made


def text(entries: Sequence[object], **top: object) -> str:
    return json.dumps({"kiebatch": 1, **top, "assets": entries})


# --- the bytes -----------------------------------------------------------------------------------------


def test_an_entry_is_written_in_the_order_of_the_contract() -> None:
    first = made(Manifest(), an_asset(shot="a", made_from=("img-009",)))

    second = made(first, an_asset(shot="a", minute=1, duration=5.0, draft=True, output=1))

    assert list(json.loads(manifest.dump(second))["assets"][0]) == [
        "id", "type", "filename", "prompt", "model", "parameters", "created_at", "scene_id", "version", "superseded_by",
        "shot", "take", "task_id", "fingerprint", "sha256", "bytes", "media_type", "width", "height", "credits", "made_from",
    ]  # fmt: skip
    newest = json.loads(manifest.dump(second))["assets"][1]
    assert "superseded_by" not in newest
    assert newest["duration"] == 5.0
    assert newest["draft"] is True


def test_the_text_is_what_the_json_library_would_write() -> None:
    record = made(
        Manifest(source="dawn.yaml", extra={"version": "1.0"}), an_asset(prompt='Wörter "in"\n\u2028 \ud800')
    )

    written = manifest.dump(record)

    plain = json.dumps(json.loads(written), indent=2, ensure_ascii=False) + "\n"
    assert written == plain.replace("\ud800", "\\ud800")
    assert written.encode()
    assert list(json.loads(written)) == ["kiebatch", "source", "version", "assets"]


def test_a_manifest_of_another_tool_keeps_every_key() -> None:
    foreign = {
        "version": "1.0",
        "assets": [
            {"id": "img-001", "type": "image", "filename": "assets/images/scene-01.png", "prompt": "Dusk", "model": "4o Image",
             "parameters": {"size": "3:2", "endpoint": "4o"}, "created_at": "2026-01-01T00:00:00.000Z", "scene_id": 1,
             "version": 1, "notes": {"by": "Kim"}, "width": "1344 px", "tags": []},
        ],
    }  # fmt: skip

    again = json.loads(manifest.dump(manifest.parse(json.dumps(foreign), "manifest.json")))

    assert again == {"kiebatch": 1, **foreign}


def test_an_entry_that_another_tool_appended_finds_its_place() -> None:
    record = made(Manifest(), an_asset(2), an_asset(10))
    appended = json.loads(manifest.dump(record))
    appended["assets"].append(
        {"id": "img-003", "type": "image", "filename": "x.png", "prompt": "", "model": "4o Image", "parameters": {},
         "created_at": "", "scene_id": 3, "version": 1}
    )  # fmt: skip

    read = manifest.parse(json.dumps(appended), "manifest.json")

    assert [asset.scene_id for asset in read.assets] == [2, 3, 10]
    assert read.repairs == ()
    assert made(read, an_asset(4)).by_id["img-004"].scene_id == 4


def test_empty_text_is_an_empty_record() -> None:
    assert manifest.parse("\n", "manifest.json") == Manifest()
    assert manifest.parse(manifest.dump(Manifest()), "manifest.json") == Manifest()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("[1]", "manifest.json: a manifest is an object with a list `assets`, found a list"),
        ('{"assets": {}}', "manifest.json: `assets` must be a list, found an object"),
        ('{"assets": ["x"]}', "manifest.json: entry 1 of `assets` must be an object, found a text"),
        (
            '{"kiebatch": 2}',
            "this manifest has format 2, this kiebatch reads format 1\nhint: install a newer",
        ),
        ('{"kiebatch": true}', "this manifest has format true"),
        ('{\n  "assets": [,]}', "manifest.json:2:14: this is not JSON: Expecting value"),
        ('{"assets": [{"credits": NaN}]}', "`NaN` is not a JSON number"),
        ("[" * 100_000, "nested too deeply"),
        (
            '{\n<<<<<<< HEAD\n"a": 1\n=======\n"a": 2\n>>>>>>> b\n}',
            "manifest.json:2: git left conflict markers here",
        ),
    ],
)
def test_text_that_is_no_manifest_is_refused_in_plain_words(wrong: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        manifest.parse(wrong, "manifest.json")

    assert message in str(refused.value)


# --- adding --------------------------------------------------------------------------------------------


def test_ids_are_counted_for_each_type() -> None:
    clip = an_asset(1, "b", type="video", filename="assets/clips/scene-01-b.mp4")

    record = made(Manifest(), an_asset(1), clip, an_asset(2))

    assert [asset.id for asset in record.assets] == ["img-001", "vid-001", "img-002"]


def test_a_gap_is_filled_unless_something_still_names_it() -> None:
    record = made(Manifest(), *(an_asset(scene) for scene in (1, 2, 3, 4)))
    kept = [asset for asset in record.assets if asset.scene_id not in (2, 3)]
    gaps = manifest.parse(
        text([{**manifest.entry(kept[0]), "made_from": ["img-002"]}, manifest.entry(kept[1])]), "m"
    )

    assert [asset.id for asset in made(gaps, an_asset(5), an_asset(6)).assets] == [
        "img-001",
        "img-004",
        "img-003",
        "img-005",
    ]


def test_each_output_supersedes_the_output_of_its_number() -> None:
    record, old = manifest.record(Manifest(), [an_asset(output=n, task_id="t1") for n in (1, 2, 3)])

    record, new = manifest.record(record, [an_asset(minute=1, output=n, task_id="t2") for n in (1, 2)], old)

    assert [asset.version for asset in new] == [2, 2]
    assert [record.by_id[asset.id].superseded_by for asset in old] == [new[0].id, new[1].id, new[0].id]
    assert record.current(1) == new


def test_what_stands_for_a_take_is_found_whatever_its_model() -> None:
    record = made(
        Manifest(),
        an_asset(2, "a"),
        an_asset(2, "a", take=2),
        an_asset(2, "a", model=MODELS[1]),
        an_asset(2, "ab"),
    )

    assert [asset.model for asset in record.current(2, "a")] == [MODELS[0], MODELS[1]]
    assert [asset.take for asset in record.current("2", "a", 2)] == [2]
    assert record.current(2) == ()


@pytest.mark.slow
def test_entering_and_writing_takes_no_more_than_its_length() -> None:
    (one,) = made(Manifest(), an_asset(1)).assets

    def taken(size: int) -> int:
        entries = (manifest.revised(one, scene_id=n, id=f"img-{n:03d}") for n in range(1, size + 1))
        record = Manifest(tuple(entries))
        manifest.dump(record)

        def enter_and_write() -> None:
            entered = record
            for scene in range(20):
                entered = made(entered, an_asset(scene))
                manifest.dump(entered)

        return calls(enter_and_write)

    small, large = taken(500), taken(5_000)

    assert large < 12 * small


# --- repairs -------------------------------------------------------------------------------------------


def test_two_entries_with_one_id_are_told_apart() -> None:
    one, two = (manifest.entry(manifest.revised(an_asset(scene), id="img-001")) for scene in (1, 2))
    clip = {**manifest.entry(an_asset(2, "b")), "id": "vid-001", "made_from": ["img-001"]}

    read = manifest.parse(text([one, two, clip]), "manifest.json")

    assert [asset.id for asset in read.assets] == ["img-001", "img-002", "vid-001"]
    assert read.by_id["vid-001"].made_from == ("img-002",)
    assert [repair.code for repair in read.repairs] == ["id"]


def test_all_links_of_an_entry_follow_ids_that_were_told_apart() -> None:
    twice = [
        manifest.entry(manifest.revised(an_asset(scene, shot), id=id))
        for shot, id in (("a", "img-001"), ("c", "img-002"))
        for scene in (1, 2)
    ]
    clip = {**manifest.entry(an_asset(2, "b")), "id": "vid-001", "made_from": ["img-001", "img-002"]}

    read = manifest.parse(text([*twice, clip]), "manifest.json")

    sources = [read.by_id[link] for link in read.by_id["vid-001"].made_from]
    assert [(source.scene_id, source.shot) for source in sources] == [(2, "a"), (2, "c")]


def test_an_entry_that_stands_there_twice_is_one() -> None:
    one = manifest.entry(manifest.revised(an_asset(), id="img-001"))

    assert len(manifest.parse(text([one, one]), "manifest.json").assets) == 1


def test_two_newest_versions_of_one_slot_become_a_chain_with_files_of_their_own() -> None:
    early, late = an_asset(minute=1), an_asset(minute=2)
    entries = [{**manifest.entry(asset), "id": "img-001"} for asset in (late, early)]

    read = manifest.parse(text(entries), "manifest.json")

    old, new = read.assets
    assert (old.created_at, old.version, old.superseded_by) == (early.created_at, 1, new.id)
    assert (new.created_at, new.version, new.superseded_by) == (late.created_at, 2, None)
    assert new.filename == f"assets/images/scene-01.v2-{(late.sha256 or '')[:8]}.png"
    assert old.filename == early.filename


def test_both_branches_replaced_one_version_under_the_same_new_id() -> None:
    base = made(Manifest(), an_asset())
    ours = made(base, an_asset(minute=1))
    theirs, _ = manifest.record(base, [an_asset(minute=2, model="flux-2/pro")], base.assets)
    joined = [manifest.entry(asset) for asset in (*ours.assets, theirs.by_id["img-002"])]

    read = manifest.parse(text(joined), "manifest.json")

    assert [asset.version for asset in manifest.lines(read.assets)[0]] == [1, 2, 3]
    assert [asset.created_at for asset in read.current(1)] == ["2026-03-01T10:02:00.000Z"]


def test_links_to_nowhere_and_in_circles_are_cut() -> None:
    entries = [
        {**manifest.entry(an_asset(1)), "id": "img-001", "superseded_by": "img-009"},
        {**manifest.entry(an_asset(2)), "id": "img-002", "superseded_by": "img-003"},
        {**manifest.entry(an_asset(2, minute=1)), "id": "img-003", "version": 2, "superseded_by": "img-002"},
    ]

    read = manifest.parse(text(entries), "manifest.json")

    assert [asset.superseded_by for asset in read.assets] == [None, "img-003", None]
    assert [repair.code for repair in read.repairs] == ["chain", "chain"]


def test_pictures_that_another_tool_keeps_side_by_side_are_left_alone() -> None:
    entries = [
        {
            "id": f"img-00{n}",
            "type": "image",
            "filename": f"{n}.png",
            "model": "4o Image",
            "scene_id": 1,
            "version": 1,
        }
        for n in (1, 2)
    ]

    assert len(manifest.parse(text(entries), "manifest.json").current(1)) == 2


def test_versions_are_told_by_slot() -> None:
    record = made(
        Manifest(), an_asset(1), an_asset(1, minute=1), an_asset(2, "a"), an_asset(2, "a", model=MODELS[1])
    )
    record = made(record, an_asset(2, "a", minute=3), an_asset(2, "b", take=2))
    record, _ = manifest.record(record, [an_asset(1, minute=2, model=MODELS[1])], record.current(1))

    told = {
        str(slot): [asset.version for asset in line] for slot, line in manifest.slots(record.assets).items()
    }

    assert told == {"1": [1, 2, 3], "2a@google/nano-banana": [1, 2], "2a@kling-3.0/video": [1], "2b#2": [1]}


def test_the_schema_takes_what_is_written() -> None:
    record = made(
        Manifest(source="dawn.yaml"), an_asset(shot="a"), an_asset(shot="a", minute=1, draft=True, output=2)
    )
    record, _ = manifest.record(record, [Asset(id="", type="text", filename="assets/text/x.txt")])

    schema = as_mapping(formats.load("manifest"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(manifest.dump(record)))


def test_large_records_are_compared_by_the_scenes_that_differ() -> None:
    old = made(Manifest(source="dawn.yaml"), *(an_asset(scene) for scene in range(1, 30)), an_asset(7, "a"))
    new = made(old, an_asset(7, minute=1), an_asset(40))

    then, now = manifest.differing(manifest.dump(old), manifest.dump(new))

    assert [asset.scene_id for asset in manifest.parse(then, "m").assets] == [7, 7]
    assert [asset.scene_id for asset in manifest.parse(now, "m").assets] == [7, 7, 7, 40]
    assert between(manifest.parse(then, "m"), manifest.parse(now, "m")) == between(old, new)
    assert manifest.parse(manifest.differing(manifest.dump(old), manifest.dump(old))[0], "m").assets == ()
    assert manifest.differing("[]", "{}") == ("[]", "{}")


# --- whatever others write -------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
any_entry = st.dictionaries(st.sampled_from([*manifest.KEYS, "notes", "x", ""]), json_values, max_size=8)


@pytest.mark.slow
@given(st.lists(any_entry, max_size=4), st.dictionaries(st.text(), json_values, max_size=3))
@settings(max_examples=60, deadline=None)
def test_whatever_another_tool_wrote_is_read_and_then_stays_as_it_is(
    entries: list[dict[str, object]], top: dict[str, object]
) -> None:
    top.pop("kiebatch", None)
    top.pop("assets", None)

    read = manifest.parse(json.dumps({**top, "assets": entries}), "m")

    written = manifest.dump(read)
    assert manifest.dump(manifest.parse(written, "m")) == written
    assert manifest.parse(written, "m").repairs == ()
    kept = [asset.extra for asset in read.assets]
    assert all(
        "notes" not in entry or any(e.get("notes") == entry["notes"] for e in kept) for entry in entries
    )
