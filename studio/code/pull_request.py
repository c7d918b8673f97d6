"""A pull request for a branch that was just pushed: opened once, and never merged from here.

GitHub takes one open pull request for a branch. So it is looked for first, and looked for again where nobody knows
whether it was opened; a second attempt finds it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.code.remote import Remote, web_address
from studio.errors import InvalidInput, OutcomeUnknown, ProviderUnavailable, RepositoryUnavailable
from studio.providers.github import API_VERSION, Repository
from studio.providers.service import Reply, Service
from studio.settings import Settings
from studio.text import clip, one_line, storable

# GitHub's own bounds.
TITLE_CHARS = 256
BODY_CHARS = 65_536
UNFINISHED = "Unfinished: "
_UNPROCESSABLE = 422


@dataclass(frozen=True)
class PullRequest:
    """A pull request; `opened` is false where it was there already."""

    number: int
    url: str
    draft: bool
    opened: bool


def open_pull_request(
    settings: Settings, remote: Remote, *, branch: str, sha: str, base: str | None, title: str, body: str, draft: bool
) -> PullRequest | None:
    """Open a pull request of `branch`, which holds `sha`, into `base`, and return it; the one there is, if there is.

    One for that commit counts also where a person has closed or merged it meanwhile.

    None where there is nowhere to open one: at the local repository, and at one that was empty before. A repository
    that knows no drafts gets an ordinary one whose title says that it is unfinished. It can be asked again after
    whatever happened. Raises `ProviderUnavailable` and `RepositoryUnavailable` (worth a retry) and `ProviderRefused`.
    """
    if remote.github is None or base is None:
        return None
    if branch == base:
        raise InvalidInput(f"The branch {branch} cannot be merged into itself.", "Push it under another name.")
    pulls = _Pulls(settings, remote, remote.github, sha)
    found = pulls.find(branch, base)
    if found is not None:
        return found
    wanted = {
        "title": one_line(title, TITLE_CHARS - len(UNFINISHED)) or branch,
        "body": clip(storable(body), BODY_CHARS),
        "head": branch,
        "base": base,
        "draft": draft,
    }
    return pulls.open(wanted)


class _Pulls:
    """The pull requests of a repository, in GitHub's REST API (https://docs.github.com/rest/pulls/pulls)."""

    def __init__(self, settings: Settings, remote: Remote, where: Repository, sha: str) -> None:
        token = remote.token or ""
        self._where = where
        self._sha = sha
        self._web = web_address(settings, where)
        self._headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": API_VERSION,
            **({"Authorization": f"Bearer {token}"} if token else {}),
        }
        self._service = Service(
            "GitHub",
            settings.github_url,
            timeout=settings.provider_timeout_seconds,
            secrets=[token],
            account="the GitHub token",
        )

    def find(self, branch: str, base: str) -> PullRequest | None:
        """Return the open pull request of a branch, else the one that was closed with the same commit."""
        asked = {"head": f"{self._where.owner}:{branch}", "base": base, "state": "all", "per_page": "50"}
        reply = self._service.ask(f"{self._where.path}/pulls", headers=self._headers, params=asked)
        said = reply.json()
        if not reply.ok:
            raise self._failure(reply, said, changes=False)
        rows = [row for row in said if self._is_of(row, branch)] if isinstance(said, list) else None
        if rows is None:
            raise ProviderUnavailable("GitHub's list of pull requests cannot be read.", "It is asked again later.")
        rows.sort(key=lambda row: (row.get("state") != "open", -row["number"]))
        return self._read(rows[0], opened=False) if rows else None

    def open(self, wanted: Mapping[str, Any]) -> PullRequest:
        """Open one, once."""
        try:
            reply = self._create(wanted)
        except OutcomeUnknown as exc:
            return self._after_unknown(wanted, exc)
        said = reply.json()
        if reply.ok and _is_row(said):
            return self._read(said, opened=True)
        message = _message(said)
        if reply.status == _UNPROCESSABLE and "already exists" in message.lower():
            found = self.find(wanted["head"], wanted["base"])
            if found is not None:
                return found
        if reply.status == _UNPROCESSABLE and wanted["draft"] and "draft" in message.lower():
            return self.open({**wanted, "draft": False, "title": f"{UNFINISHED}{wanted['title']}"})
        failure = OutcomeUnknown("GitHub's answer names no pull request.") if reply.ok else self._failure(reply, said)
        if isinstance(failure, OutcomeUnknown):
            return self._after_unknown(wanted, failure)
        raise failure

    def _create(self, wanted: Mapping[str, Any]) -> Reply:
        headers = {**self._headers, "Content-Type": "application/json"}
        return self._service.change(
            "POST", f"{self._where.path}/pulls", headers=headers, content=json.dumps(wanted).encode()
        )

    def _after_unknown(self, wanted: Mapping[str, Any], unknown: OutcomeUnknown) -> PullRequest:
        found = self.find(wanted["head"], wanted["base"])
        if found is None:
            # Opening it a second time is refused by GitHub itself, so that a later attempt may ask.
            raise RepositoryUnavailable(
                unknown.message, "It is looked for again later, and opened if need be."
            ) from unknown
        return found

    def _is_of(self, row: Any, branch: str) -> bool:
        head = row.get("head") if _is_row(row) else None
        if not isinstance(head, dict):
            return False
        # A server that does not know the filter answers with all there are, also those of forks.
        of_branch = str(head.get("label", "")).lower() == f"{self._where.owner}:{branch}".lower()
        # A branch of this name may have been there, and gone, before.
        return of_branch and (row.get("state") == "open" or head.get("sha") == self._sha)

    def _read(self, row: Mapping[str, Any], *, opened: bool) -> PullRequest:
        # Made here, not taken from the answer: it becomes a link.
        number = row["number"]
        return PullRequest(number, f"{self._web}/pull/{number}", bool(row.get("draft")), opened)

    def _failure(self, reply: Reply, said: Any, *, changes: bool = True) -> Exception:
        message = _message(said)
        later = reply.status == 403 and "rate limit" in message.lower()
        return self._service.failure(reply, message, changes=changes, later=later)


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and type(row.get("number")) is int and row["number"] > 0


def _message(said: Any) -> str:
    """Return what GitHub says is wrong, with its details."""
    if not isinstance(said, dict):
        return ""
    errors = said.get("errors")
    details = [e.get("message") if isinstance(e, dict) else e for e in errors] if isinstance(errors, list) else []
    return " ".join(text for text in (said.get("message"), *details[:5]) if isinstance(text, str))
