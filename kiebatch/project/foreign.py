"""Web addresses in a scene file: sent as they are, uploaded first, or refused, as the person's config says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kiebatch.errors import Problem
from kiebatch.model import JSON, Media, Project, WebURL
from kiebatch.project.config import ForeignUrls, UserConfig

if TYPE_CHECKING:
    from kiebatch.project.opening import Opened

_ORDER = tuple(ForeignUrls)  # from lenient to strict
# Results and uploads of the provider's own; it reads them anyway.
_PROVIDERS = ("kie.ai", "redpandaai.co", "aiquickdraw.com")


def policy(config: UserConfig, run: Mapping[str, JSON]) -> ForeignUrls:
    """Return what happens to foreign addresses: the stricter of the person's config and the scene file's `run`."""
    said = run.get("foreign_urls")
    asked = ForeignUrls(said) if said in list(ForeignUrls) else ForeignUrls.SEND
    return max(config.foreign_urls, asked, key=_ORDER.index)


def is_foreign(url: str, trusted: Collection[str]) -> bool:
    """Whether an address belongs to neither the provider nor a host (or `host:port`) that the person trusts."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    names = {host, f"{host}:{parts.port}"} if parts.port else {host}
    if names & {name.lower() for name in trusted}:
        return False
    return not any(host == own or host.endswith(f".{own}") for own in _PROVIDERS)


def is_copied_first(url: str, opened: Opened) -> bool:
    """Whether the policy has an address copied to the upload host before it is sent."""
    config = opened.config
    copies = policy(config, opened.project.run) is ForeignUrls.UPLOAD
    return copies and is_foreign(url, config.trusted_hosts)


def refused(project: Project, config: UserConfig) -> list[Problem]:
    """Return an error for every foreign address where the policy refuses them, at its place, each once."""
    if policy(config, project.run) is not ForeignUrls.REFUSE:
        return []
    found: dict[tuple[object, str], Problem] = {}
    for name, medium in _media(project):
        ref = medium.ref
        if isinstance(ref, WebURL) and is_foreign(ref.url, config.trusted_hosts):
            host = urlsplit(ref.url).hostname or ref.url
            found[medium.where, ref.url] = Problem(
                where=medium.where,
                message=f"shot `{name}`: addresses of `{host}` are refused by `foreign_urls: refuse`",
                hint="use a local file, or name the host under `trusted_hosts` in your config.yaml",
                code="foreign-url",
            )
    return list(found.values())


def _media(project: Project) -> Iterator[tuple[str, Media]]:
    for job in project.jobs:
        for one in (job, *([job.fallback] if job.fallback else [])):
            for medium in one.media:
                yield job.slot.shot_name, medium
