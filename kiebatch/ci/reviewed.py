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
from typing import TYPE_CHECKING, TypedDict

from kiebatch import addresses
from kiebatch.errors import Invalid, Refused, plain

if TYPE_CHECKING:
    import httpx

WORKFLOW = ".github/workflows/kiebatch-plan.yml"
ARTIFACT = "kiebatch-plan-"  # and the commit
_FILE = "plan.json"
_MAX_BYTES = 20_000_000
_MAY_REVIEW = ("OWNER", "MEMBER", "COLLABORATOR")
_BY_HAND = "look at `kiebatch plan`, and start the run by hand with `--approved` and its digest"


# What GitHub answers, as far as it is read here.


class _User(TypedDict):
    login: str


class _Branch(TypedDict):
    ref: str


class _Request(TypedDict):
    number: int
    merged_at: str | None
    base: _Branch
    user: _User


class _Verdict(TypedDict):
    """One review of a pull request; its author's account may be gone."""

    state: str
    user: _User | None
    commit_id: str
    submitted_at: str
    author_association: str


class _RunId(TypedDict):
    id: int


class _Run(TypedDict):
    event: str
    path: str


class _Artifact(TypedDict):
    id: int
    expired: bool
    created_at: str
    workflow_run: _RunId


class _Artifacts(TypedDict):
    artifacts: list[_Artifact]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Approval:
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
        approval = self._approval(request)
        for artifact in self._artifacts(approval):
            if self._is_ours(artifact):
                return self._text(artifact)
        raise Invalid(
            f"there is no plan on record for the reviewed commit {approval.commit[:12]}; nothing was sent",
            hint=_BY_HAND,
        )

    def _request(self, merge: str, branch: str) -> _Request:
        """Return the pull request that a commit of the branch is the merge of."""
        requests: list[_Request] = self._get(f"commits/{merge}/pulls").json()
        for request in requests:
            if request["merged_at"] and request["base"]["ref"] == branch:
                return request
        raise Invalid(f"{plain(merge[:12])} is the merge of no pull request; nothing was sent", hint=_BY_HAND)

    def _approval(self, request: _Request) -> _Approval:
        """Return the newest approval that stands, by somebody else who may approve."""
        author = request["user"]["login"]
        last: dict[str, _Verdict] = {}
        for review in self._reviews(int(request["number"])):
            if review["state"] != "COMMENTED" and review["user"]:
                last[review["user"]["login"]] = review
        standing = [
            _Approval(commit=str(review["commit_id"]), at=str(review["submitted_at"]))
            for person, review in last.items()
            if review["state"] == "APPROVED"
            and person != author
            and review["author_association"] in _MAY_REVIEW
        ]
        if not standing:
            raise Invalid(
                f"nobody has approved pull request {int(request['number'])}; nothing was sent", hint=_BY_HAND
            )
        return max(standing, key=lambda approval: approval.at)

    def _artifacts(self, approval: _Approval) -> Sequence[_Artifact]:
        """Return the plans on record for a reviewed commit: the newest that was there when it was approved comes first."""
        name = f"{ARTIFACT}{approval.commit}"
        answer: _Artifacts = self._get("actions/artifacts", name=name, per_page=100).json()
        found = [artifact for artifact in answer["artifacts"] if not artifact["expired"]]
        found.sort(key=lambda artifact: str(artifact["created_at"]))
        before = [artifact for artifact in found if str(artifact["created_at"]) <= approval.at]
        return [*reversed(before), *found[len(before) :]]

    def _is_ours(self, artifact: _Artifact) -> bool:
        """Whether an artifact is of a run whose steps came from the default branch."""
        run: _Run = self._get(f"actions/runs/{int(artifact['workflow_run']['id'])}").json()
        return run["event"] == "workflow_run" and str(run["path"]).partition("@")[0] == WORKFLOW

    def _text(self, artifact: _Artifact) -> str:
        content = self._get(f"actions/artifacts/{int(artifact['id'])}/zip").content
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if packed.getinfo(_FILE).file_size > _MAX_BYTES:
                raise ValueError("the plan on record is too large")
            return packed.read(_FILE).decode("utf-8")

    def _reviews(self, number: int) -> Sequence[_Verdict]:
        found: list[_Verdict] = []
        while True:
            answer = self._get(f"pulls/{number}/reviews", per_page=100, page=len(found) // 100 + 1)
            page: list[_Verdict] = answer.json()
            found += page
            if len(page) < 100:
                return found

    def _get(self, path: str, **query: str | int) -> httpx.Response:
        return self._client.get(path, params=query).raise_for_status()
