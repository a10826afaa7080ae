"""The few pages of GitHub's REST API that a run after a merge reads, on a loopback port: requests, reviews, artifacts."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PLAN_RUN = {"event": "workflow_run", "path": ".github/workflows/kiebatch-plan.yml@main"}


@dataclass
class GitHub:
    """What GitHub knows of one pull request, merged into main by whatever commit is asked about."""

    url: str = ""
    author: str = "ben"
    merged: bool = True
    reviews: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    content: dict[int, bytes] = field(default_factory=dict)
    runs: dict[int, dict[str, str]] = field(default_factory=dict)
    clock: int = 0

    def now(self) -> str:
        self.clock += 1
        return f"2026-11-27T10:00:{self.clock:02d}Z"

    def review(self, commit: str, *, by: str = "ann", state: str = "APPROVED", may: str = "MEMBER") -> None:
        self.reviews.append(
            {
                "user": {"login": by},
                "state": state,
                "author_association": may,
                "commit_id": commit,
                "submitted_at": self.now(),
            }
        )

    def keep(self, commit: str, plan: bytes, run: dict[str, str] | None = None) -> None:
        """Keep the plan that was uploaded for a commit; `run` is how the run that uploaded it began."""
        name = f"kiebatch-plan-{commit}"
        number = len(self.artifacts) + 1
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("plan.json", plan)
        self.content[number] = packed.getvalue()
        self.runs[number] = run or PLAN_RUN
        self.artifacts.append(
            {
                "id": number,
                "name": name,
                "expired": False,
                "created_at": self.now(),
                "workflow_run": {"id": number},
            }
        )

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        match path.removeprefix("/repos/ann/film/").split("/"):
            case ["commits", _, "pulls"]:
                merged_at = "2026-11-27T11:00:00Z" if self.merged else None
                request = {"number": 7, "merged_at": merged_at, "base": {"ref": "main"}}
                return [{**request, "user": {"login": self.author}}]
            case ["pulls", "7", "reviews"]:
                first = 100 * (int(query["page"][0]) - 1)
                return self.reviews[first : first + 100]
            case ["actions", "artifacts"]:
                return {"artifacts": [a for a in self.artifacts if a["name"] == query["name"][0]]}
            case ["actions", "runs", number]:
                return self.runs[int(number)]
            case ["actions", "artifacts", number, "zip"]:
                return self.content[int(number)]
        return None


@contextlib.contextmanager
def serving() -> Iterator[GitHub]:
    """Serve on a loopback port until the block ends; without its token a page is forbidden."""
    github = GitHub()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            found = github.answer(parts.path, parse_qs(parts.query))
            body = found if isinstance(found, bytes) else json.dumps(found).encode()
            allowed = self.headers["Authorization"] == "Bearer a token"
            self.send_response(200 if allowed else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    github.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
