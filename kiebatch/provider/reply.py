"""Reads a reply of the provider: JSON, a page of text, or nothing of use."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from kiebatch import formats
from kiebatch.errors import plain
from kiebatch.model import JSON, Reply
from kiebatch.provider import policy


def read_reply(http_status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """Read an answer as protocol 1.4 says: the body's own code decides, the HTTP status only where there is none.

    An HTTP error with the body code 200 counts as that error; `success: false` with code 200 as a 500.
    """
    asked_s = policy.retry_after_s(headers or {})
    parsed = _parsed(body)
    if not isinstance(parsed, dict):
        text = _page_text(body) if parsed is None else ""
        return Reply(
            http_status=http_status, code=http_status, message=text, has_code=False, retry_after_s=asked_s
        )
    code = _whole_number(parsed.get("code"))
    has_code = code is not None
    if code is None or (code == 200 and http_status >= 400):
        code = http_status
    if code == 200 and parsed.get("success") is False:
        code = 500
    texts = (parsed.get(key) for key in ("msg", "message", "error"))
    return Reply(
        http_status=http_status,
        code=code,
        message=next((plain(text) for text in texts if isinstance(text, str) and text), ""),
        data=parsed.get("data"),
        body=parsed,
        has_code=has_code,
        retry_after_s=asked_s,
    )


def _parsed(body: bytes) -> JSON:
    """Return the JSON that a body holds, or None.  What cannot be written down again (half characters) is replaced."""
    try:
        found = formats.lenient_json(body.decode("utf-8-sig", "replace"))
        if b"\\ud" in body.lower():
            found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except ValueError:
        return None
    return found


def _page_text(body: bytes) -> str:
    """Return the title of a web page, or the words of a plain answer."""
    text = body[:4000].decode("utf-8", "replace")
    title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
    if title:
        return plain(f"a web page: {' '.join(title[1].split())}", 200)
    return plain(" ".join(re.sub(r"(?s)<[^>]*>", " ", text).split()), 200)


def _whole_number(value: JSON) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,6}\s*", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_of(reply: Reply, task_id: str) -> bool:
    """Whether a record is that of a task, as far as it says: one that names another task is not an answer.

    The provider's word is evidence: a record of somebody else's task would give three slots one picture.
    """
    if not isinstance(reply.data, Mapping):
        return True
    named = reply.data.get("taskId") or reply.data.get("task_id")
    return not isinstance(named, str) or named in task_id.split("/")
