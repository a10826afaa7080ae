"""Sends files to the upload host, so that the provider can read them.  Protocol section 6."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePath
from typing import Unpack
from urllib.parse import urlsplit

from kiebatch.errors import CallFailed
from kiebatch.model import as_text, under
from kiebatch.provider.policy import Answer
from kiebatch.provider.transport import Content
from kiebatch.provider.wire import Wire

_AT_ONCE = 4


class Uploads:
    """The files of one account, in `folder` of the upload host."""

    def __init__(self, wire: Wire, upload_url: str, folder: str) -> None:
        self._wire = wire
        self._url = upload_url
        self._folder = folder
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def send(self, source: Path | bytes, name: str, media_type: str) -> str:
        """Send a file and return the URL under which the provider can read it (`lifetimes.UPLOAD`).

        It is stored under a name made from its content: the same path and name would overwrite, and caches
        may keep serving the old bytes (protocol 6).  Of `name` only the ending is used.
        """
        stored = stored_name(_digest(source), name)

        async def once() -> Answer:
            body = source.open("rb") if isinstance(source, Path) else source
            try:
                return await self._once(
                    "/api/file-stream-upload",
                    files={"file": (stored, body, media_type)},
                    data={"uploadPath": self._folder, "fileName": stored},
                )
            finally:
                if not isinstance(body, bytes):
                    body.close()

        return await self._uploaded(once)

    async def send_base64(self, data_url: str, name: str) -> str:
        """Send a file given as base64 or as a `data:` URL, of 10 MB at most, and return its URL."""
        stored = stored_name(_digest(data_url.encode()), name)
        body = {"base64Data": data_url, "uploadPath": self._folder, "fileName": stored}
        return await self._uploaded(lambda: self._once("/api/file-base64-upload", json=body))

    async def copy(self, url: str, name: str = "") -> str:
        """Have the provider copy a public file, of 100 MB at most, and return the copy's URL."""
        stored = stored_name(_digest(url.encode()), name or urlsplit(url).path)
        body = {"fileUrl": url, "uploadPath": self._folder, "fileName": stored}
        return await self._uploaded(lambda: self._once("/api/file-url-upload", json=body))

    async def _once(self, path: str, **content: Unpack[Content]) -> Answer:
        return await self._wire.send(
            "POST", self._url + path, content, timeout_s=10 * self._wire.times.call_s
        )

    async def _uploaded(self, once: Callable[[], Awaitable[Answer]]) -> str:
        async with self._turns:
            reply = await self._wire.repeat("upload", once)
        for key in ("downloadUrl", "fileUrl"):
            url = as_text(under(reply.data, key))
            if url is not None and is_web(url):
                return url
        raise CallFailed("no-url", "the upload was accepted without a URL", retryable=True)


def stored_name(digest: str, name: str) -> str:
    """Return the name an upload is stored under: from its content, with a plain ending taken from `name`."""
    ending = PurePath(name).suffix.lower()
    return digest[:32] + (ending if re.fullmatch(r"\.[a-z0-9]{1,8}", ending) else "")


def _digest(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_web(url: str) -> bool:
    """Whether a text is a web address."""
    return url.startswith(("https://", "http://"))
