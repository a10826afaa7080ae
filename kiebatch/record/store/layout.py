"""How a store is laid out: the names of its objects, and the text of an entry.

sha256/1f/3a/1f3a…            the bytes, named by their digest
entries/9c/9c2e…-t1.json      one finished task: content (fingerprint) and take; -w2 a second twin, -e1 one --force
derived/1f3a…-thumb-1.webp    what is made from the bytes, by kind and recipe
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from kiebatch.model import JSON, Asset
from kiebatch.record.asset_rows import asset_from, asset_to
from kiebatch.record.ledger import Key

FORMAT = 1
LONGEST_ENTRY = 8 << 20  # bytes; an entry holds prompts and facts, never media
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_digest(text: str | None) -> bool:
    return text is not None and _SHA256.fullmatch(text) is not None


def blob(sha256: str) -> str:
    """Return the name of some bytes.  ValueError for anything but a digest: names never come from an entry."""
    if not is_digest(sha256):
        raise ValueError("not a digest")
    return f"sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def derived(sha256: str, name: str) -> str:
    """Return the name of what is made from some bytes; `name` is the derivative's own, which begins with the digest."""
    if not is_digest(sha256) or not re.fullmatch(rf"{sha256}-[a-z0-9]+-\d+\.[a-z0-9]+", name):
        raise ValueError("not a derivative")
    return f"derived/{name}"


def shard(key: Key) -> str:
    """Return the folder in which the entries of a key lie."""
    return f"entries/{content_of(key)[:2]}"


def entry_name(key: Key) -> str:
    """Return the name of a key's entry inside its shard."""
    edition = f"-e{key.edition}" if key.edition else ""
    return f"{_stem(key)}{edition}.json"


def editions(key: Key, names: Sequence[str]) -> list[str]:
    """Return which of the names in a shard are entries of a key, the newest edition first."""
    wanted = re.compile(rf"{_stem(key)}(?:-e(\d{{1,9}}))?\.json")
    found = [(int(match[1] or 0), name) for name in names if (match := wanted.fullmatch(name))]
    return [name for _, name in sorted(found, reverse=True)]


def _stem(key: Key) -> str:
    """Return what the names of all editions of a key begin with."""
    twin = f"-w{key.twin}" if key.twin > 1 else ""
    return f"{content_of(key)}-t{key.take}{twin}"


def content_of(key: Key) -> str:
    digest = key.content.removeprefix("sha256:")
    return digest if is_digest(digest) else "0" * 64


def entry_text(assets: Sequence[Asset]) -> bytes:
    value = {"kiebatch-result": FORMAT, "outputs": [asset_to(asset) for asset in assets]}
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def outputs(text: bytes) -> list[Asset]:
    """Return the assets of an entry, of this layout or of 0.1's; none where it cannot be used."""
    try:
        value = json.loads(text)
        listed = value["outputs"] if isinstance(value, dict) else value
        return [_asset(entry) for entry in listed]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def _asset(entry: Mapping[str, JSON]) -> Asset:
    """Return a stored asset; KeyError or TypeError where it is none, or where its bytes could not be told."""
    asset = asset_from(entry)
    if "\0" in asset.filename or asset.sha256 is None or not is_digest(asset.sha256) or asset.bytes is None:
        raise TypeError("not an asset")
    return asset
