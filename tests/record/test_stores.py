"""What every store of results promises: the same suite over a cache, a folder, obstore's own stores, and a real S3."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import obstore.store
import pytest

from bench.buckets import Buckets, files_of
from kiebatch.model import JSON, Asset
from kiebatch.record import Key, ResultCache, Results, Whereabouts
from kiebatch.record.manifest import Manifest
from kiebatch.record.store import StoreTimes, open_store
from kiebatch.record.store.bucket import BucketObjects
from support.records import an_asset

CONTENT = "9c" * 32
KEY = Key(f"sha256:{CONTENT}")
_AT_ONCE = StoreTimes(waits_s=())
_numbers = itertools.count()


def a_cache(folder: Path) -> Callable[[], Results]:
    return lambda: ResultCache(folder / "store")


def a_folder(folder: Path) -> Callable[[], Results]:
    (folder / "store").mkdir()
    return lambda: open_store(f"file://{folder / 'store'}", _AT_ONCE)


def a_memory(folder: Path) -> Callable[[], Results]:
    place = BucketObjects(obstore.store.MemoryStore(), "memory")
    return lambda: Results(place, address="memory", times=_AT_ONCE)


def a_folder_through_obstore(folder: Path) -> Callable[[], Results]:
    place = BucketObjects(obstore.store.LocalStore(folder / "store", mkdir=True), "obstore")
    return lambda: Results(place, address="obstore", times=_AT_ONCE)


PLACES = (a_cache, a_folder, a_memory, a_folder_through_obstore)


@pytest.fixture(params=[*PLACES, pytest.param(None, id="s3", marks=pytest.mark.slow)])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Results]:
    """Open one store again and again, as every process does."""
    if request.param is not None:
        place: Callable[[], Results] = request.param(tmp_path)
        return place
    s3: Buckets = request.getfixturevalue("s3")
    address = s3.make(f"contract-{next(_numbers)}")
    return lambda: open_store(address, _AT_ONCE)


def made(folder: Path, words: str, **facts: Any) -> tuple[Asset, dict[str, Path]]:
    """A result as a run hands it over: its entry, and where its file lies."""
    content = words.encode()
    path = folder / f"made-{next(_numbers)}.png"
    path.write_bytes(content)
    asset = an_asset(
        filename=f"assets/images/{path.name}",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        **facts,
    )
    return asset, {asset.filename: path}


def put(store: Results, key: Key, folder: Path, words: str, **facts: Any) -> Asset:
    asset, paths = made(folder, words, **facts)
    store.put(key, [asset], paths)
    return asset


def words_of(store: Results, key: Key, folder: Path) -> str | None:
    found = store.get(key, folder / "spare")
    return found[0].path.read_text() if found else None


def test_what_one_process_stored_another_takes(again: Callable[[], Results], tmp_path: Path) -> None:
    extra: Mapping[str, JSON] = {"run": "0badcafe", "tags": ["dawn"]}

    asset = put(again(), KEY, tmp_path, "the boat", extra=extra)
    store = again()

    assert store.has(KEY)
    assert store.digests(KEY) == {1: asset.sha256}
    (stored,) = store.get(KEY, tmp_path / "spare")
    assert stored.path.read_bytes() == b"the boat"
    assert stored.asset == asset


def test_what_nobody_stored_is_not_there(again: Callable[[], Results], tmp_path: Path) -> None:
    put(again(), KEY, tmp_path, "the boat")
    store = again()

    for other in (Key("sha256:" + "aa" * 32), replace(KEY, take=10), replace(KEY, twin=2), Key("sha256:x")):
        assert not store.has(other)
        assert store.get(other, tmp_path / "spare") == []


def test_several_can_be_looked_for_together(again: Callable[[], Results], tmp_path: Path) -> None:
    keys = [Key(f"sha256:{number:02x}" + "0" * 62) for number in range(20)]
    for key in keys[::2]:
        put(again(), key, tmp_path, key.content)
    store = again()

    store.expect(keys)

    assert [store.has(key) for key in keys] == [True, False] * 10


def test_what_is_stored_after_it_was_looked_for_is_found(
    again: Callable[[], Results], tmp_path: Path
) -> None:
    store = again()
    store.expect([KEY])
    put(again(), KEY, tmp_path, "the boat")

    store.expect([KEY])

    assert store.has(KEY)


def test_of_two_that_made_the_same_the_first_one_wins(again: Callable[[], Results], tmp_path: Path) -> None:
    put(again(), KEY, tmp_path, "first")
    second = put(again(), KEY, tmp_path, "second")

    assert words_of(again(), KEY, tmp_path) == "first"
    # The second one's manifest names its own bytes, so they are kept too.
    assert again().fetch(second, tmp_path / "back.png")


def test_of_many_at_once_one_wins_and_is_whole(again: Callable[[], Results], tmp_path: Path) -> None:
    results = [made(tmp_path, f"take of thread {number}") for number in range(8)]
    start = threading.Barrier(len(results))

    def store(asset: Asset, paths: Mapping[str, Path]) -> None:
        ours = again()
        start.wait(30)
        ours.put(KEY, [asset], paths)

    threads = [threading.Thread(target=store, args=result) for result in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    (stored,) = again().get(KEY, tmp_path / "spare")
    assert hashlib.sha256(stored.path.read_bytes()).hexdigest() == stored.asset.sha256


def test_the_newest_edition_answers(again: Callable[[], Results], tmp_path: Path) -> None:
    for edition in (0, 2, 10, 1):
        put(again(), replace(KEY, edition=edition), tmp_path, f"edition {edition}")

    assert words_of(again(), KEY, tmp_path) == "edition 10"


def test_takes_and_twins_are_purchases_of_their_own(again: Callable[[], Results], tmp_path: Path) -> None:
    keys = {name: replace(KEY, **facts) for name, facts in _OTHERS.items()}
    for name, key in keys.items():
        put(again(), key, tmp_path, name)

    assert {name: words_of(again(), key, tmp_path) for name, key in keys.items()} == {n: n for n in keys}


_OTHERS: Mapping[str, Mapping[str, Any]] = {
    "first": {},
    "take 1, twin 2": {"twin": 2},
    "take 10": {"take": 10},
    "take 10, twin 12": {"take": 10, "twin": 12},
}


def test_the_layout_is_the_one_that_is_written_down(again: Callable[[], Results], tmp_path: Path) -> None:
    store = again()
    digest = put(store, replace(KEY, take=3, twin=2, edition=1), tmp_path, "the boat").sha256 or ""

    assert store.objects.names("entries/9c") == [f"{CONTENT}-t3-w2-e1.json"]
    assert store.objects.names(f"sha256/{digest[:2]}/{digest[2:4]}") == [digest]


@pytest.mark.parametrize("damage", [b"", b"other bytes", b"the b0at"], ids=["empty", "other", "same size"])
def test_damaged_bytes_are_a_miss_and_the_next_result_replaces_them(
    again: Callable[[], Results], tmp_path: Path, damage: bytes
) -> None:
    asset = put(again(), KEY, tmp_path, "the boat")
    digest = asset.sha256 or ""
    store = again()
    store.objects.write(f"sha256/{digest[:2]}/{digest[2:4]}/{digest}", damage)

    assert words_of(store, KEY, tmp_path) is None
    assert not store.fetch(asset, tmp_path / "back.png")
    assert not (tmp_path / "back.png").exists()

    put(store, KEY, tmp_path, "made anew")
    assert words_of(again(), KEY, tmp_path) == "made anew"


@pytest.mark.parametrize(
    "text",
    [b"", b"null", b"[]", b"{", b'{"outputs": [{"output": 1}]}', b'{"outputs": 3}', b"[" * 5000],
    ids=["empty", "null", "list", "cut", "lacking", "number", "deep"],
)
def test_a_damaged_entry_is_a_miss_and_is_replaced(
    again: Callable[[], Results], tmp_path: Path, text: bytes
) -> None:
    store = again()
    store.objects.write(f"entries/9c/{CONTENT}-t1.json", text)

    assert not store.has(KEY)
    put(store, KEY, tmp_path, "the boat")

    assert words_of(again(), KEY, tmp_path) == "the boat"


@pytest.mark.parametrize("digest", ["../../../etc/passwd", "9C" * 32, "", "9c" * 31])
def test_no_name_comes_from_an_entry(again: Callable[[], Results], tmp_path: Path, digest: str) -> None:
    from kiebatch.record.store import layout

    store = again()
    asset, _ = made(tmp_path, "the boat")
    store.objects.write(f"entries/9c/{CONTENT}-t1.json", layout.entry_text([replace(asset, sha256=digest)]))

    assert not store.has(KEY)
    assert not store.fetch(replace(asset, sha256=digest), tmp_path / "back.png")


def test_drafts_are_not_kept(again: Callable[[], Results], tmp_path: Path) -> None:
    put(again(), KEY, tmp_path, "a draft", draft=True)

    assert again().objects.names("entries/9c") == []


def test_what_is_not_what_the_manifest_says_is_not_stored(
    again: Callable[[], Results], tmp_path: Path
) -> None:
    from kiebatch.record import StoreFailed

    asset, paths = made(tmp_path, "the boat")
    paths[asset.filename].write_bytes(b"drawn over")

    with pytest.raises(StoreFailed, match="not what the manifest says"):
        again().put(KEY, [asset], paths)

    assert again().objects.names("entries/9c") == []


def test_a_result_of_several_files_is_whole_or_not_there(
    again: Callable[[], Results], tmp_path: Path
) -> None:
    first, paths = made(tmp_path, "the boat", output=1)
    second, more = made(tmp_path, "the sea", output=2)
    again().put(KEY, [first, second], {**paths, **more})
    digest = second.sha256 or ""

    store = again()
    assert store.digests(KEY) == {1: first.sha256, 2: second.sha256}
    store.objects.write(f"sha256/{digest[:2]}/{digest[2:4]}/{digest}", b"")
    assert again().digests(KEY) == {}


def test_bytes_come_back_to_a_name_and_never_over_another_file(
    again: Callable[[], Results], tmp_path: Path
) -> None:
    asset = put(again(), KEY, tmp_path, "the boat")
    (tmp_path / "taken.png").write_bytes(b"somebody's work")

    assert again().fetch(asset, tmp_path / "deep" / "back.png")
    assert (tmp_path / "deep" / "back.png").read_bytes() == b"the boat"
    assert not again().fetch(asset, tmp_path / "taken.png")
    assert (tmp_path / "taken.png").read_bytes() == b"somebody's work"
    assert files_of(tmp_path / "deep") == ["back.png"]


def test_a_folder_that_a_cache_filled_is_a_store_and_the_other_way_round(tmp_path: Path) -> None:
    put(ResultCache(tmp_path / "kept"), KEY, tmp_path, "from the cache")
    other = replace(KEY, take=2)

    store = open_store(f"file://{tmp_path / 'kept'}")
    through_obstore = BucketObjects(obstore.store.LocalStore(tmp_path / "kept"), "obstore")
    put(store, other, tmp_path, "from the store")

    assert words_of(store, KEY, tmp_path) == "from the cache"
    assert words_of(Results(through_obstore, address="o"), KEY, tmp_path) == "from the cache"
    assert words_of(ResultCache(tmp_path / "kept"), other, tmp_path) == "from the store"


# --- what was seen of a store -----------------------------------------------------------------------------


def test_the_file_that_says_what_a_store_lacks_grows_no_further_than_what_it_says(tmp_path: Path) -> None:
    digests = [f"{number:064x}" for number in range(1500)]
    ours, theirs = (Whereabouts(Manifest(), tmp_path) for _ in range(2))
    for _ in range(4):
        ours.note(digests, there=False)
        ours.note(digests, there=True)
        theirs.note(["f" * 64], there=False)
        theirs.note(["f" * 64], there=True)
    theirs.distrust(["e" * 64])
    ours.note(digests[:2], there=False)

    lines = (tmp_path / "store.jsonl").read_text(encoding="utf-8").splitlines()
    again = Whereabouts(Manifest(), tmp_path)

    assert len(lines) < 4 * len(digests)
    assert [again.absent(an_asset(sha256=one)) for one in digests[:3]] == [True, True, False]
    assert again.damaged == {"e" * 64}
