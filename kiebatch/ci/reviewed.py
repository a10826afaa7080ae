"""Finds the plan that GitHub keeps for the commit that was reviewed, for the run after its merge.

Whoever writes a pull request must not be able to write this plan alone.  So it comes from an artifact of a run that the
event `workflow_run` started: GitHub takes the steps of such a run from the default branch, whatever the request changes.
And it belongs to the commit that somebody else has approved, whatever was pushed since.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiebatch import addresses
from kiebatch.errors import Invalid, Refused, plain
from kiebatch.model import JSON

if TYPE_CHECKING:
    import httpx

WORKFLOW = ".github/workflows/kiebatch-plan.yml"
ARTIFACT = "kiebatch-plan-"  # and the commit
_FILE = "plan.json"
_MAX_BYTES = 20_000_000
_MAY_REVIEW = ("OWNER", "MEMBER", "COLLABORATOR")
_BY_HAND = "look at `kiebatch plan`, and start the run by hand with `--approved` and its digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Review:
    commit: str
    at: str  # ISO 8601


def plan_of_reviewed_commit(environ: Mapping[str, str]) -> str:
    """Return the text of the plan that was recorded for the reviewed commit of the merge that this job runs for.

    `environ` is a job's environment on GitHub, with a GITHUB_TOKEN that may read actions and pull requests.  `Invalid`
    where nobody has approved such a plan; `Refused` where GitHub does not answer.
    """
    import httpx  # only where it is asked for

    api, repository, token = _where(environ)
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
    # A redirect to another host is followed without the token: httpx leaves it out there.
    with httpx.Client(
        base_url=f"{api}/repos/{repository}/", headers=headers, follow_redirects=True, timeout=60
    ) as client:
        try:
            return _Repository(client).plan(environ["GITHUB_SHA"], environ.get("GITHUB_REF_NAME", "main"))
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            raise Refused(
                f"GitHub does not tell what was reviewed ({plain(error, limit=200)}); nothing was sent",
                hint="give the job `permissions: {actions: read, pull-requests: read}`, and run it again",
            ) from None


def _where(environ: Mapping[str, str]) -> tuple[str, str, str]:
    api = environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
    repository, token = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_TOKEN", "")
    if not (repository and token and environ.get("GITHUB_SHA")):
        raise Invalid(
            "--approved github is for a job on GitHub, with GITHUB_TOKEN in its environment", hint=_BY_HAND
        )
    parts = addresses.split(api)
    if parts is None or not (parts.scheme == "https" or addresses.is_loopback(parts.hostname or "")):
        raise Invalid("GITHUB_API_URL must be an https address")
    return api, repository, token


class _Repository:
    """A repository as GitHub's REST API shows it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def plan(self, merge: str, branch: str) -> str:
        request = self._request(merge, branch)
        review = self._review(request)
        for artifact in self._artifacts(review):
            if self._is_ours(artifact):
                return self._text(artifact)
        raise Invalid(
            f"there is no plan on record for the reviewed commit {review.commit[:12]}; nothing was sent",
            hint=_BY_HAND,
        )

    def _request(self, merge: str, branch: str) -> Mapping[str, JSON]:
        """Return the pull request that a commit of the branch is the merge of."""
        for request in self._get(f"commits/{merge}/pulls"):
            if request["merged_at"] and request["base"]["ref"] == branch:
                found: Mapping[str, JSON] = request
                return found
        raise Invalid(f"{plain(merge[:12])} is the merge of no pull request; nothing was sent", hint=_BY_HAND)

    def _review(self, request: Mapping[str, JSON]) -> _Review:
        """Return the newest approval that stands, by somebody else who may approve."""
        author = request["user"]["login"]
        last: dict[str, JSON] = {}
        for review in self._pages(f"pulls/{int(request['number'])}/reviews"):
            if review["state"] != "COMMENTED" and review["user"]:
                last[review["user"]["login"]] = review
        standing = [
            _Review(commit=str(review["commit_id"]), at=str(review["submitted_at"]))
            for person, review in last.items()
            if review["state"] == "APPROVED"
            and person != author
            and review["author_association"] in _MAY_REVIEW
        ]
        if not standing:
            raise Invalid(
                f"nobody has approved pull request {int(request['number'])}; nothing was sent", hint=_BY_HAND
            )
        return max(standing, key=lambda review: review.at)

    def _artifacts(self, review: _Review) -> Sequence[Mapping[str, JSON]]:
        """Return the plans on record for a reviewed commit: the newest that was there when it was approved comes first."""
        answer = self._get("actions/artifacts", name=f"{ARTIFACT}{review.commit}", per_page=100)
        found = [artifact for artifact in answer["artifacts"] if not artifact["expired"]]
        found.sort(key=lambda artifact: str(artifact["created_at"]))
        before = [artifact for artifact in found if str(artifact["created_at"]) <= review.at]
        return [*reversed(before), *found[len(before) :]]

    def _is_ours(self, artifact: Mapping[str, JSON]) -> bool:
        """Whether an artifact is of a run whose steps came from the default branch."""
        run = self._get(f"actions/runs/{int(artifact['workflow_run']['id'])}")
        return run["event"] == "workflow_run" and str(run["path"]).partition("@")[0] == WORKFLOW

    def _text(self, artifact: Mapping[str, JSON]) -> str:
        content = self._client.get(f"actions/artifacts/{int(artifact['id'])}/zip").raise_for_status().content
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if packed.getinfo(_FILE).file_size > _MAX_BYTES:
                raise ValueError("the plan on record is too large")
            return packed.read(_FILE).decode("utf-8")

    def _pages(self, path: str) -> Sequence[Mapping[str, JSON]]:
        found: list[Mapping[str, JSON]] = []
        while True:
            page = self._get(path, per_page=100, page=len(found) // 100 + 1)
            found += page
            if len(page) < 100:
                return found

    def _get(self, path: str, **query: str | int) -> JSON:
        return self._client.get(path, params=query).raise_for_status().json()
