"""What the host of a public repository says of it to everybody: GitHub's and GitLab's REST APIs, without an account.

The addresses of the APIs are the installation's own settings, and of what a person typed only checked names go into
their paths; that is why these requests do not take the guarded client, which is for addresses that others choose. No
token is ever sent: with one, anybody could read what only its owner may. Sources:
https://docs.github.com/rest/repos/repos, https://docs.gitlab.com/api/projects.
"""

from __future__ import annotations

import re
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from studio.errors import InvalidInput, ProviderUnavailable, SettingsError
from studio.onboarding.hosts import Host, Hosted, hosted, is_path
from studio.onboarding.manifests import frameworks, key_files
from studio.onboarding.technology import TechSign
from studio.presence import Note
from studio.providers import github
from studio.providers.service import Reply, Service
from studio.settings import Settings
from studio.text import one_line

GITLAB_URL = "https://gitlab.com/api/v4"
ELSEWHERE = "Only public repositories on github.com and gitlab.com can be read here."
# One slow answer must not take the time of the others.
REQUEST_SECONDS = 8.0
MAX_LANGUAGES = 12
DESCRIPTION_CHARS = 500
SHORT_CHARS = 120

_NAMES: dict[Host, str] = {"github": "GitHub", "gitlab": "GitLab"}
# GitHub answers for a repository that was renamed with the address under which it keeps it.
_MOVED = frozenset({301, 302, 307, 308})
_BY_NUMBER = re.compile(r"/repositories/[0-9]{1,20}$")

# An amount beyond this is no measurement, and as a float might be infinite.
_LARGEST = 10**15


class RepositoryFacts(BaseModel):
    """What the host says. Nothing is computed from it but the languages' shares."""

    model_config = ConfigDict(frozen=True)

    host: Host
    full_name: str
    url: str
    description: str | None = None
    homepage: str | None = None
    default_branch: str | None = None
    license: str | None = None
    topics: list[str] = Field(default_factory=list)
    languages: dict[str, float] = Field(default_factory=dict, description="Percent of the code, by the host's count.")
    stars: int | None = None
    fork: bool | None = None
    archived: bool | None = None
    created_at: str | None = None
    pushed_at: str | None = Field(default=None, description="GitHub: the last push. GitLab does not tell.")
    last_activity_at: str | None = Field(default=None, description="GitLab: the last activity of any kind.")
    key_files: list[str] = Field(default_factory=list)
    frameworks: list[TechSign] = Field(default_factory=list)
    read_at: AwareDatetime
    reasons: dict[str, str] = Field(default_factory=dict, description="Why a part of this could not be read.")


class RepositoryLook(BaseModel):
    """The facts, or the reason why there are none."""

    model_config = ConfigDict(frozen=True)

    facts: RepositoryFacts | None = None
    reason: str = ""


class _Unread(Exception):
    """A part could not be read; the message says why, for the user."""


def read_repository(
    settings: Settings, address: str, *, seconds: float, note: Note, gitlab_url: str = GITLAB_URL
) -> RepositoryLook:
    """Return what the host of the repository at `address` says of it, within about `seconds`, or why nothing.

    `note` is given a line for each step as it happens. Whatever fails is part of the answer.
    """
    try:
        where = hosted(address)
    except InvalidInput as exc:
        return RepositoryLook(reason=exc.message)
    if where is None:
        return RepositoryLook(reason=ELSEWHERE)
    if not settings.outbound_enabled:
        return RepositoryLook(reason="Not measured: outbound requests are turned off.")
    api = _Api(
        where.host,
        settings.github_url if where.host == "github" else gitlab_url,
        deadline=time.monotonic() + seconds,
        note=note,
    )
    try:
        facts = _from_github(api, where) if where.host == "github" else _from_gitlab(api, where)
    except _Unread as exc:
        note(str(exc))
        return RepositoryLook(reason=str(exc))
    return RepositoryLook(facts=facts.model_copy(update={"reasons": api.missing}))


@dataclass
class _Api:
    """A host's API as everybody may ask it. `missing` gathers why a part could not be read."""

    host: Host
    base_url: str
    deadline: float
    note: Note
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return _NAMES[self.host]

    def ask(self, path: str, what: str, *, raw: bool = False) -> Reply:
        """Return the answer to a GET, whatever its status; raise `_Unread` where none came."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _Unread(f"{self.name} took too long to answer.")
        self.note(f"Asking {self.name} for {what}")
        service = Service(
            self.name, self.base_url, timeout=min(REQUEST_SECONDS, left), secrets=[], account="the repository"
        )
        kind = "raw+json" if raw else "json"
        headers = {"Accept": f"application/vnd.github.{kind}", "X-GitHub-Api-Version": github.API_VERSION}
        try:
            return service.ask(path, headers=headers if self.host == "github" else {"Accept": "application/json, */*"})
        except (ProviderUnavailable, SettingsError) as exc:
            raise _Unread(exc.message) from exc

    def json(self, path: str, what: str) -> Any:
        """Return the answer's JSON; raise `_Unread` for any other."""
        reply = self.ask(path, what)
        if not reply.ok:
            raise _Unread(self.refusal(reply, what))
        answer = reply.json()
        if answer is None:
            raise _Unread(f"{self.name} answered with something that cannot be read.")
        return answer

    def part(self, path: str, what: str, name: str) -> Any:
        """Return the JSON of a part that may be missing, None where it is, with its reason noted under `name`."""
        try:
            return self.json(path, what)
        except _Unread as exc:
            self.missing[name] = str(exc)
            return None

    def file(self, path: str, name: str) -> str:
        """Return the text of a file in the repository, empty where it cannot be had."""
        try:
            reply = self.ask(path, name, raw=True)
        except _Unread as exc:
            self.missing[name] = str(exc)
            return ""
        if not reply.ok:
            self.missing[name] = self.refusal(reply, name)
            return ""
        return reply.body.decode("utf-8", errors="replace")

    def refusal(self, reply: Reply, what: str) -> str:
        """Say what an answer outside 2xx means for somebody who has no account there."""
        answer = reply.json()
        said = answer.get("message") if isinstance(answer, dict) else None
        said = one_line(said, SHORT_CHARS) if isinstance(said, str) else ""
        if reply.status == 429 or (reply.status == 403 and "rate limit" in said.lower()):
            return f"{self.name} answers no more for now: its limit for askers without an account is used up."
        if reply.status in (401, 404):
            return f"{self.name} shows nothing of {what}: it was not found, or is private."
        return f"{self.name} answered {reply.status}{f': {said}' if said else ''}."


def _from_github(api: _Api, where: Hosted) -> RepositoryFacts:
    base = f"/repos/{where.path}"
    reply = api.ask(base, where.path)
    answer = reply.json()
    if (number := _moved_to(reply.status, answer)) is not None:
        base = number
        answer = api.json(base, f"{where.path}, which has another name now")
    elif not reply.ok:
        raise _Unread(api.refusal(reply, where.path))
    repo = _object(api, answer)
    full_name = _name(repo.get("full_name")) or where.path
    license_ = repo.get("license")
    names = _names(api.part(f"{base}/contents/", "its files", "key_files"))
    return RepositoryFacts(
        host="github",
        full_name=full_name,
        url=f"https://github.com/{full_name}",
        description=_text(repo.get("description"), DESCRIPTION_CHARS),
        homepage=_text(repo.get("homepage"), SHORT_CHARS),
        default_branch=_text(repo.get("default_branch"), SHORT_CHARS),
        license=_text(license_.get("spdx_id") or license_.get("name"), SHORT_CHARS)
        if isinstance(license_, dict)
        else None,
        topics=_texts(repo.get("topics")),
        languages=_shares(api.part(f"{base}/languages", "its languages", "languages")),
        stars=_count(repo.get("stargazers_count")),
        fork=_truth(repo.get("fork")),
        archived=_truth(repo.get("archived")),
        created_at=_text(repo.get("created_at"), SHORT_CHARS),
        pushed_at=_text(repo.get("pushed_at"), SHORT_CHARS),
        key_files=key_files(names),
        read_at=datetime.now(UTC),
        frameworks=frameworks(names, lambda name: api.file(f"{base}/contents/{name}", name)),
    )


def _moved_to(status: int, answer: Any) -> str | None:
    """Return under which path of the same API GitHub keeps a repository that has another name now."""
    if status not in _MOVED or not isinstance(answer, dict):
        return None
    found = _BY_NUMBER.search(str(answer.get("url", "")))
    return found.group() if found is not None else None


def _from_gitlab(api: _Api, where: Hosted) -> RepositoryFacts:
    base = f"/projects/{urllib.parse.quote(where.path, safe='')}"
    repo = _object(api, api.json(f"{base}?license=true", where.path))
    full_name = _name(repo.get("path_with_namespace")) or where.path
    license_ = repo.get("license")
    names = _names(api.part(f"{base}/repository/tree?per_page=100", "its files", "key_files"))
    return RepositoryFacts(
        host="gitlab",
        full_name=full_name,
        url=f"https://gitlab.com/{full_name}",
        description=_text(repo.get("description"), DESCRIPTION_CHARS),
        default_branch=_text(repo.get("default_branch"), SHORT_CHARS),
        license=_text(license_.get("name"), SHORT_CHARS) if isinstance(license_, dict) else None,
        topics=_texts(repo.get("topics")),
        languages=_shares(api.part(f"{base}/languages", "its languages", "languages")),
        stars=_count(repo.get("star_count")),
        # Left out for askers without an account, too, so that its absence says nothing.
        fork=True if isinstance(repo.get("forked_from_project"), dict) else None,
        archived=_truth(repo.get("archived")),
        created_at=_text(repo.get("created_at"), SHORT_CHARS),
        last_activity_at=_text(repo.get("last_activity_at"), SHORT_CHARS),
        key_files=key_files(names),
        read_at=datetime.now(UTC),
        frameworks=frameworks(
            names,
            lambda name: api.file(f"{base}/repository/files/{urllib.parse.quote(name, safe='')}/raw?ref=HEAD", name),
        ),
    )


def _object(api: _Api, answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise _Unread(f"{api.name} answered with something that cannot be read.")
    return answer


def _names(listing: Any) -> list[str]:
    entries = listing if isinstance(listing, list) else []
    names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
    return [name for name in names if isinstance(name, str) and len(name) <= SHORT_CHARS]


def _shares(answer: Any) -> dict[str, float]:
    """Return percent by language: of GitHub's bytes, and of GitLab's percents, the largest first."""
    entries = answer.items() if isinstance(answer, dict) else ()
    # A bool is an int in Python, and none here.
    amounts = {name: float(n) for name, n in entries if type(n) in (int, float) and 0 < n <= _LARGEST}
    total = sum(amounts.values())
    ranked = sorted(amounts.items(), key=lambda item: -item[1])[:MAX_LANGUAGES]
    return {one_line(str(name), SHORT_CHARS): round(100 * n / total, 1) for name, n in ranked}


def _text(value: Any, limit: int) -> str | None:
    return (one_line(value, limit).strip() or None) if isinstance(value, str) else None


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else []
    return [text for item in listed[:MAX_LANGUAGES] if (text := _text(item, SHORT_CHARS)) is not None]


def _name(value: Any) -> str | None:
    """Return the repository's full name, where it is one that a link may be made of."""
    return value if isinstance(value, str) and is_path(value) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
