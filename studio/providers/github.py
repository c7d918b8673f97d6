"""GitHub: which repository an address names, and `repository_dispatch`, which starts its workflows."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple

from studio.errors import InvalidInput
from studio.providers.service import Reply, Service
from studio.settings import Settings
from studio.text import one_line

# GitHub's own bounds: https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event
PAYLOAD_PROPERTIES = 10
PAYLOAD_BYTES = 64 * 1024
API_VERSION = "2022-11-28"

_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_SSH = re.compile(r"git@github\.com:(?P<path>[^\s:]+)")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\%]")


class Repository(NamedTuple):
    """A repository on GitHub."""

    owner: str
    name: str

    @property
    def path(self) -> str:
        """Its path in the API."""
        return f"/repos/{self.owner}/{self.name}"

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"


def repository(url: str) -> Repository:
    """Return the repository that `url` names: https://github.com/owner/name or git@github.com:owner/name.

    The host is compared as a whole. Raise `InvalidInput` for anything else, also for what only contains it.
    """
    if _FORBIDDEN.search(url) or "/../" in f"{url}/":
        raise _unusable(url)
    ssh = _SSH.fullmatch(url)
    if ssh is not None:
        path = ssh["path"]
    else:
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port
        except ValueError as exc:
            raise _unusable(url) from exc
        # With `netloc`, so that neither credentials nor a port stand before or behind the name.
        known = parts.netloc.lower() in ("github.com", "www.github.com") and port is None
        if parts.scheme != "https" or not known or parts.query or parts.fragment:
            raise _unusable(url)
        path = parts.path
    pieces = path.strip("/").split("/")
    if len(pieces) != 2:
        raise _unusable(url)
    owner, name = pieces[0], pieces[1].removesuffix(".git")
    if not _OWNER.fullmatch(owner) or not _NAME.fullmatch(name) or name in (".", ".."):
        raise _unusable(url)
    return Repository(owner, name)


def dispatch(settings: Settings, token: str, where: Repository, event_type: str, payload: Mapping[str, Any]) -> Reply:
    """Send the repository a `repository_dispatch` event, which starts the workflows that wait for its type.

    GitHub answers without an id, and cannot be asked for an event afterwards. Raises `ProviderUnavailable`,
    `ProviderRefused` and `OutcomeUnknown`, and `InvalidInput` for a payload beyond GitHub's bounds.
    """
    body = json.dumps({"event_type": event_type, "client_payload": payload}).encode()
    if len(payload) > PAYLOAD_PROPERTIES or len(body) > PAYLOAD_BYTES:
        raise InvalidInput("GitHub takes no payload of this size.", "Shorten the launch checklist.")
    service = Service(
        "GitHub",
        settings.github_url,
        timeout=settings.provider_timeout_seconds,
        secrets=[token],
        account="the GitHub token",
    )
    reply = service.change(
        "POST",
        f"{where.path}/dispatches",
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": API_VERSION,
            "Content-Type": "application/json",
        },
        content=body,
    )
    if reply.ok:
        return reply
    said = reply.json()
    message = str(said.get("message", "")) if isinstance(said, dict) else ""
    # A token that has used up its rate is told so with 403, in these words.
    raise service.failure(reply, message, later=reply.status == 403 and "rate limit" in message.lower())


def _unusable(url: str) -> InvalidInput:
    return InvalidInput(
        f"{one_line(url, 200) or 'The repository'} names no repository on GitHub.",
        "Give it as https://github.com/owner/name.",
    )
