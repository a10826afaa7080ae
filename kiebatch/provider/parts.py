"""A download in progress, and where its bytes came from: what nobody can tell the origin of is not gone on with.

The origin is written beside the part, before its first byte: the address, and the mark (`ETag`) by which the server knows
this very content.  With a mark the rest is asked for only if the content is still the same (`If-Range`).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

_STRONG = re.compile(
    r'"[\x21\x23-\x7e\x80-\xff]{0,200}"'
)  # a weak mark (`W/"…"`) does not vouch for the bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a part came from.  `address` is a digest, since links are signed; `total` is the whole size in bytes."""

    address: str
    mark: str = ""
    total: int | None = None

    def headers(self, have: int) -> dict[str, str]:
        """Return what asks for the rest of the same content."""
        asked = {"Range": f"bytes={have}-"}
        return asked | ({"If-Range": self.mark} if self.mark else {})

    def differs_from(self, response: httpx.Response, total: int | None) -> bool:
        """Whether a server that sends the rest says that it is of another content."""
        mark = mark_of(response)
        other_mark = bool(self.mark and mark and mark != self.mark)
        return other_mark or (None not in (self.total, total) and self.total != total)


class Part:
    """The file in which one result grows."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self._address = hashlib.sha256(url.encode()).hexdigest()
        self._beside = path.with_name(f"{path.name}.origin")

    @property
    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def origin(self) -> Origin | None:
        """Return where its bytes came from; None, and no part any more, where they cannot be gone on with."""
        found = self._read() if self.size else None
        if found is not None and (found.mark or found.address == self._address):
            return found
        self.drop()
        return None

    def begin(self, response: httpx.Response, total: int | None) -> None:
        """Note where the bytes come from that are about to be written, from the first one on."""
        self.drop()
        origin = Origin(address=self._address, mark=mark_of(response), total=total)
        self._beside.write_text(json.dumps(asdict(origin)), encoding="ascii")

    def finish(self) -> None:
        """Forget the origin of a part that is whole."""
        self._beside.unlink(missing_ok=True)

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._beside.unlink(missing_ok=True)

    def _read(self) -> Origin | None:
        try:
            value = json.loads(self._beside.read_text(encoding="ascii"))
            found = Origin(**value)
        except (OSError, ValueError, TypeError):
            return None
        known = isinstance(found.mark, str) and (not found.mark or _STRONG.fullmatch(found.mark))
        return found if known and isinstance(found.total, int | None) else None


def mark_of(response: httpx.Response) -> str:
    """Return the strong mark of a response, empty where it has none."""
    mark: str = response.headers.get("etag", "")
    return mark if _STRONG.fullmatch(mark) else ""
