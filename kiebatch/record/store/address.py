"""The address of a store of results: `s3://bucket/prefix`, `gs://…`, `az://…`, `file:///…`.  Values only."""

from __future__ import annotations

import re
from pathlib import Path

from kiebatch._dataclass import dataclass
from kiebatch.errors import Invalid, plain

SCHEMES = ("s3", "gs", "az", "file")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=+-]{0,254}")


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where a store lies.  `bucket` is empty for a folder, whose path is `prefix`."""

    scheme: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        if self.scheme == "file":
            return f"file://{self.prefix}"
        return "/".join(part for part in (f"{self.scheme}://{self.bucket}", self.prefix) if part)

    @property
    def folder(self) -> Path | None:
        """The folder that it is; None for a bucket."""
        return Path(self.prefix) if self.scheme == "file" else None

    @classmethod
    def parse(cls, text: str) -> StoreAddress:
        """Return the address that a text is; `Invalid` where it is none.

        The manifest names it, and that is public: a user, a password or a token in it is refused.  They come from
        the environment, as the bucket's own tools take them.
        """
        scheme, mark, rest = text.strip().partition("://")
        if not mark or scheme not in SCHEMES:
            raise _invalid(text, f"it begins with one of {', '.join(f'{s}://' for s in SCHEMES)}")
        if re.search(r"[@?#]", rest):
            raise _invalid(text, "keys and options do not belong into it: they come from the environment")
        if scheme == "file":
            if not rest.startswith("/") or "\0" in rest:
                raise _invalid(text, "a folder is written with its whole path: file:///mnt/results")
            return cls("file", "", f"/{rest.strip('/')}")
        bucket, _, prefix = rest.rstrip("/").partition("/")
        parts = prefix.split("/") if prefix else []
        if not _BUCKET.fullmatch(bucket) or not all(map(_PART.fullmatch, parts)):
            raise _invalid(text, "it is a bucket and perhaps a prefix: s3://bucket/prefix")
        return cls(scheme, bucket, prefix)


def _invalid(text: str, why: str) -> Invalid:
    return Invalid(f"`{plain(without_secrets(text), limit=120)}` is not the address of a store: {why}")


def without_secrets(text: str) -> str:
    """Return a text without the parts of an address that may hold a password or a token."""
    text = re.sub(r"://[^/\s@]*@", "://…@", text)
    return re.sub(r"\?[^\s\"'`,)]*", "?…", text)
