"""Objects in a bucket: Amazon S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.

Its keys come from the environment, as obstore finds them there; nothing of a project or a scene file reaches it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiebatch.addresses import is_loopback
from kiebatch.errors import Invalid, install_hint, plain
from kiebatch.record.store.address import StoreAddress, without_secrets
from kiebatch.record.store.objects import StoreFailed, StoreTimes

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_PIECE = 1 << 20
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT")


class BucketObjects:
    """Objects of a bucket, through obstore."""

    at_hand = False

    def __init__(self, store: Any, address: str) -> None:
        self._store = store
        self._address = address

    def names(self, folder: str) -> list[str]:
        with self._asking("listing", folder):
            found = [meta["path"] for page in self._obstore.list(self._store, folder) for meta in page]
        return [name.rpartition("/")[2] for name in found]

    def size(self, name: str) -> int | None:
        with self._asking("looking for", name):
            try:
                return int(self._obstore.head(self._store, name)["size"])
            except FileNotFoundError:
                return None

    def path(self, name: str) -> None:
        return None

    def read(self, name: str, longest: int) -> bytes | None:
        with self._asking("reading", name):
            try:
                found = self._obstore.get(self._store, name)
                return bytes(found.bytes()) if found.meta["size"] <= longest else None
            except FileNotFoundError:
                return None

    def fetch(self, name: str, target: Path) -> bool:
        with self._asking("reading", name):
            try:
                found = self._obstore.get(self._store, name)
            except FileNotFoundError:
                return False
            with target.open("wb") as stream:
                for piece in found.stream(min_chunk_size=_PIECE):
                    stream.write(piece)
        return True

    def put(self, name: str, source: Path) -> None:
        with self._asking("storing", name):
            self._obstore.put(self._store, name, source)

    def write(self, name: str, content: bytes) -> None:
        with self._asking("storing", name):
            self._obstore.put(self._store, name, content, use_multipart=False)

    def create(self, name: str, content: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._asking("storing", name):
            try:
                self._obstore.put(self._store, name, content, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return False  # also 409: another one is writing it at this moment
        return True

    @property
    def _obstore(self) -> Any:
        import obstore

        return obstore

    @contextlib.contextmanager
    def _asking(self, doing: str, name: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            raise StoreFailed(
                f"{self._address}: {doing} {name} failed: {_reason(error)}",
                hint="nothing is lost; `kiebatch push` stores what is here once the store answers again",
            ) from None


def open_bucket(address: StoreAddress, times: StoreTimes) -> BucketObjects:
    """Return the objects of a bucket.  Opens no connection yet; `Invalid` where obstore is not installed."""
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError:
        raise Invalid(
            f"a store at {address.scheme}:// needs obstore, which is not installed", hint=install_hint("team")
        ) from None
    try:
        store = from_url(
            str(address), client_options=_client(times, os.environ), retry_config=_retries(times)
        )
    except (BaseError, ValueError) as error:
        raise Invalid(f"the store {address} cannot be opened: {_reason(error)}") from None
    return BucketObjects(store, str(address))


def _client(times: StoreTimes, environ: Mapping[str, str]) -> ClientConfig:
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=times.connect_s),
        "timeout": timedelta(seconds=times.whole_s),
        "user_agent": "kiebatch",
    }
    options["read_timeout"] = timedelta(seconds=times.read_s)
    if any(_is_local(environ.get(name, "")) for name in _ENDPOINTS):
        options["allow_http"] = True  # elsewhere the person's own AWS_ALLOW_HTTP has to say so
    return options


def _retries(times: StoreTimes) -> RetryConfig:
    longest = timedelta(seconds=min(5.0, max(times.again_s / 4, 0.01)))
    return {
        "max_retries": times.retries,
        "retry_timeout": timedelta(seconds=times.again_s),
        "backoff": {"init_backoff": min(timedelta(seconds=0.1), longest), "max_backoff": longest, "base": 2},
    }


def _is_local(endpoint: str) -> bool:
    host = re.match(r"http://(\[[^\]]+\]|[^:/]+)", endpoint)
    return bool(host and is_loopback(host.group(1)))


def _reason(error: Exception) -> str:
    """Return what a library said in one line, without addresses' secrets."""
    text = str(error).strip()
    first = text.splitlines()[0] if text else type(error).__name__
    code = re.search(r"<Code>(\w+)</Code>", text)
    return plain(without_secrets(f"{first} ({code.group(1)})" if code else first), limit=300)
