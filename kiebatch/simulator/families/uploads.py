"""File upload, three ways (protocol 6).  Nothing outside the simulator is ever fetched."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from urllib.parse import quote, urlsplit

from kiebatch.model import JSON
from kiebatch.simulator.drawing.wanted import Wanted
from kiebatch.simulator.state import ACCOUNT, Medium, Simulator
from kiebatch.simulator.wire import Answer, Call, Refusal, SentFile, as_json, iso


class UploadRefusal(Refusal):
    """The upload host's error envelope: a leading `success`, no `data`."""

    def answer(self, real_status: bool) -> Answer:
        body: JSON = {"success": False, "code": self.code, "msg": self.msg}
        return as_json(body, self.code if real_status else 200)


def by_stream(sim: Simulator, call: Call) -> Answer:
    sent = call.files.get("file")
    if sent is None:
        raise UploadRefusal(400, "Missing required parameter: file")
    return _store(sim, call, sent)


def by_base64(sim: Simulator, call: Call) -> Answer:
    text = call.fields.get("base64Data")
    if not isinstance(text, str) or not text:
        raise UploadRefusal(400, "Missing required parameter: base64Data")
    media_type = ""
    found = re.match(r"data:([\w/+.-]+)?(?:;[^,]*)?,", text)
    if found:
        media_type, text = found[1] or "", text[found.end() :]
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise UploadRefusal(500, "Base64 decoding failed: the data is not valid base64") from None
    return _store(sim, call, SentFile(data=data, name="", media_type=media_type))


def by_url(sim: Simulator, call: Call) -> Answer:
    url = call.fields.get("fileUrl")
    if not isinstance(url, str) or not url:
        raise UploadRefusal(400, "Missing required parameter: fileUrl")
    path = sim.own_path(call.origin, url)
    stored = sim.medium(path) if path else None
    if stored is None:
        raise UploadRefusal(500, "Failed to fetch the file from the URL")
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    sent = SentFile(data=stored.data or b"", name=name, media_type=stored.media_type)
    return _store(sim, call, sent, stored.wanted)


def _store(sim: Simulator, call: Call, sent: SentFile, wanted: Wanted | None = None) -> Answer:
    """Keep a file; `wanted` says what is drawn when it is asked for, where it has no bytes of its own."""
    folder = call.fields.get("uploadPath")
    if not isinstance(folder, str) or not folder:
        raise UploadRefusal(400, "Missing required parameter: uploadPath")
    name = str(call.fields.get("fileName") or sent.name or sim.new_id())
    media_type = sent.media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    now = sim.clock()
    file_path = f"kieai/{ACCOUNT}/{folder.strip('/')}/{name}"
    path = f"/media/{file_path}"
    sim.media[path] = Medium(  # the same path and name overwrites
        media_type=media_type,
        available_at=now,
        expires_at=now + sim.settings.upload_ttl_s,
        data=sent.data,
        wanted=wanted,
    )
    sim.uploads.append(path)
    return as_json(
        {
            "success": True,
            "code": 200,
            "msg": "File uploaded successfully",
            "data": {
                "success": True,
                "fileName": name,
                "filePath": file_path,
                "downloadUrl": sim.media_root(call.origin) + quote(path),
                "fileSize": len(sent.data),
                "mimeType": media_type,
                "uploadedAt": iso(now, milliseconds=True),
            },
        }
    )


ROUTES = {
    ("POST", "/api/file-stream-upload"): ("upload", by_stream),
    ("POST", "/api/file-base64-upload"): ("upload", by_base64),
    ("POST", "/api/file-url-upload"): ("upload", by_url),
}
