"""Stores that fail: addresses that are none, folders and buckets that are not there, a network that misbehaves."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.buckets import Buckets, Network
from kiebatch.errors import Invalid
from kiebatch.record import Key, StoreFailed
from kiebatch.record.store import StoreAddress, StoreTimes, open_store
from support.records import an_asset

KEY = Key("sha256:" + "9c" * 32)
# Failing fast, and trying again at once.
SHORT = StoreTimes(connect_s=10, read_s=20, whole_s=30, again_s=20, retries=1, waits_s=(0.0, 0.0))
IMPATIENT = replace(SHORT, read_s=0.3)
_numbers = itertools.count()


def put(address: str, folder: Path, words: str = "the boat", times: StoreTimes = SHORT) -> None:
    path = folder / "made.png"
    path.write_text(words)
    digest = hashlib.sha256(words.encode()).hexdigest()
    asset = an_asset(filename="assets/images/made.png", sha256=digest, bytes=len(words))
    open_store(address, times).put(KEY, [asset], {asset.filename: path})


# --- addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("s3://bucket/prefix/deep/", "s3://bucket/prefix/deep"),
        ("gs://bucket", "gs://bucket"),
        ("az://container/films", "az://container/films"),
        (" file:///mnt/results/ ", "file:///mnt/results"),
    ],
)
def test_an_address_is_written_one_way(text: str, means: str) -> None:
    assert str(StoreAddress.parse(text)) == means


@pytest.mark.parametrize(
    "text",
    [
        "bucket/prefix",
        "http://bucket.example",
        "s3://",
        "s3:///prefix",
        "s3://bucket/../other",
        "s3://bucket//deep",
        "s3://bucket/a b",
        "file://results",
        "memory://",
    ],
)
def test_what_is_no_address_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(Invalid, match="is not the address of a store"):
        StoreAddress.parse(text)


@pytest.mark.parametrize("text", ["s3://key:secret@bucket/film", "az://films?sig=secret"])
def test_keys_in_an_address_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Invalid) as said:
        StoreAddress.parse(text)

    assert "from the environment" in str(said.value)
    assert "secret" not in str(said.value)


# --- what is not there ---------------------------------------------------------------------------------


def test_a_disk_that_is_not_mounted_is_no_empty_store(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path / 'mnt' / 'results'}")

    with pytest.raises(StoreFailed, match="is not there"):
        store.has(KEY)
    with pytest.raises(StoreFailed, match="is not there"):
        put(f"file://{tmp_path / 'mnt' / 'results'}", tmp_path)
    assert not (tmp_path / "mnt").exists()


def test_a_server_that_is_not_there_is_said_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-to-be-seen")

    with pytest.raises(StoreFailed, match="s3://film") as said:
        open_store("s3://film", SHORT).expect([KEY])

    assert "not-to-be-seen" not in str(said.value)


def test_a_bucket_is_no_part_of_starting_the_program() -> None:
    code = "import sys, kiebatch.cli.app, kiebatch.record.store.opening as o; o.open_store('file:///tmp'); "
    code += "assert 'obstore' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- a network that misbehaves -------------------------------------------------------------------------


@pytest.fixture
def address(s3: Buckets, network: Network) -> str:
    return s3.make(f"trouble-{next(_numbers)}")


def test_a_bucket_that_is_not_there_is_an_error_and_not_an_empty_store(network: Network) -> None:
    with pytest.raises(StoreFailed, match="NoSuchBucket"):
        open_store("s3://nobody-has-made-this", SHORT).has(KEY)


@pytest.mark.parametrize("what", [500, 503, "reset", 507, 403])
def test_no_entry_is_there_without_all_its_bytes(
    network: Network, address: str, tmp_path: Path, what: int | str
) -> None:
    network.fault(what, method="PUT", part="/sha256/")

    with pytest.raises(StoreFailed):
        put(address, tmp_path)

    assert not any("/entries/" in path for method, path in network.requests if method == "PUT")
    network.mend()
    put(address, tmp_path)
    assert open_store(address).has(KEY)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "times"), [(500, SHORT), ("reset", SHORT), ("silent", replace(SHORT, read_s=2))]
)
def test_a_trouble_that_passes_is_sat_out(
    network: Network, address: str, tmp_path: Path, what: int | str, times: StoreTimes
) -> None:
    for part in ("/sha256/", "/entries/", "list-type"):
        network.fault(what, part=part, times=1)

    put(address, tmp_path, times=times)

    store = open_store(address, times)
    store.expect([KEY])
    assert store.get(KEY, tmp_path / "spare")[0].path.read_text() == "the boat"


@pytest.mark.slow
def test_a_server_that_falls_silent_is_left_in_bounded_time(network: Network, address: str) -> None:
    network.fault("silent")

    with pytest.raises(StoreFailed):
        open_store(address, IMPATIENT).has(KEY)


def test_what_cannot_be_asked_is_not_missing(network: Network, address: str, tmp_path: Path) -> None:
    put(address, tmp_path)
    for part in ("list-type", "/entries/", "/sha256/"):
        network.mend()
        network.fault(500, part=part)
        with pytest.raises(StoreFailed):
            open_store(address, SHORT).has(KEY)


def test_an_entry_that_another_one_is_writing_is_tried_again(
    network: Network, address: str, tmp_path: Path
) -> None:
    network.fault(409, method="PUT", part="/entries/", times=2)

    put(address, tmp_path)

    assert open_store(address).has(KEY)


@pytest.mark.slow
def test_a_large_file_goes_in_parts_and_comes_back_whole(
    network: Network, address: str, tmp_path: Path
) -> None:
    words = "the boat " * 2_000_000  # 18 MB
    put(address, tmp_path, words, StoreTimes())

    (stored,) = open_store(address).get(KEY, tmp_path / "spare")

    assert any("uploadId" in path for _, path in network.requests)
    assert stored.path.read_text() == words
