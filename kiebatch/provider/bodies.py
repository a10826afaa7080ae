"""Unpacks the bodies of answers: one content coding at most, and never more at once than a piece.

A coding may be nested (`gzip, gzip`), and 2.5 kB of that hold 2.4 GB.  What httpx unpacks itself it unpacks whole.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator

import httpx

from kiebatch.errors import CallFailed

ACCEPTED = "gzip, deflate"
_PIECE = 256 * 1024
_FREE = 16 * 2**20  # so much may come out of anything
_MOST_GAIN = 100  # and beyond that so many bytes of each byte on the wire; JSON packs 5 to 20 times
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": zlib.MAX_WBITS}


def coding_of(response: httpx.Response) -> str:
    """Return the one content coding of an answer, `identity` for none.

    `CallFailed` with code `bad-encoding` for several, and for one that nobody asked for.
    """
    said: str = response.headers.get("content-encoding", "")
    named = [part.strip().lower() for part in said.split(",")]
    codings = [name for name in named if name and name != "identity"]
    if not codings:
        return "identity"
    if len(codings) > 1 or codings[0] not in _WINDOWS:
        raise CallFailed(
            "bad-encoding",
            f"the answer is packed in a way that is not taken: {', '.join(named)[:60]}",
            retryable=False,
        )
    return codings[0]


async def pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """Yield an answer's body unpacked, in pieces of bounded size.

    `CallFailed` with code `bad-encoding` for a coding that is not taken or is broken, with `too-big` for a body
    that grows as no honest one does.
    """
    coding = coding_of(response)
    if coding == "identity":
        async for raw in response.aiter_raw():
            yield raw
        return
    unpacking = _Unpacking(coding)
    async for raw in response.aiter_raw():
        for piece in unpacking.feed(raw):
            yield piece


class _Unpacking:
    def __init__(self, coding: str) -> None:
        self._unpacker = zlib.decompressobj(_WINDOWS[coding])
        self._may_be_bare = coding == "deflate"  # some servers leave out the zlib header
        self._came = self._gave = 0

    def feed(self, raw: bytes) -> Iterator[bytes]:
        self._came += len(raw)
        while raw:
            piece = self._unpack(raw)
            raw = self._unpacker.unconsumed_tail
            self._gave += len(piece)
            if self._gave > max(_FREE, self._came * _MOST_GAIN):
                raise CallFailed(
                    "too-big",
                    "the answer is longer than it may be: it unpacks to far more than came",
                    retryable=False,
                )
            if piece:
                yield piece

    def _unpack(self, raw: bytes) -> bytes:
        try:
            piece = self._unpacker.decompress(raw, _PIECE)
        except zlib.error as error:
            if not self._may_be_bare:
                raise CallFailed(
                    "bad-encoding", f"the answer cannot be unpacked: {error}", retryable=True
                ) from None
            self._may_be_bare = False
            self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._unpack(raw)
        self._may_be_bare = False
        return piece
