"""Which repository on GitHub or GitLab an address names: the host is compared as a whole (domain specification D42)."""

from __future__ import annotations

import re
import urllib.parse
from typing import Literal, NamedTuple

from studio.errors import InvalidInput
from studio.providers import github
from studio.text import one_line

Host = Literal["github", "gitlab"]

SHOWN_CHARS = 120
# GitLab nests groups: https://docs.gitlab.com/user/reserved_names.
_GITLAB_PIECE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_GITLAB_DEPTH = 21
_GITLAB_SSH = re.compile(r"git@gitlab\.com:(?P<path>[^\s:]+)")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\%?#]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Hosted(NamedTuple):
    """A repository on one of the two hosts."""

    host: Host
    path: str

    @property
    def url(self) -> str:
        """The address of its page, in one spelling."""
        return f"https://{self.host}.com/{self.path}"


def is_path(text: str) -> bool:
    """Say whether `text` is the path of a repository, of which a link may be made."""
    pieces = text.split("/")
    return 2 <= len(pieces) <= _GITLAB_DEPTH and all(_GITLAB_PIECE.fullmatch(piece) for piece in pieces)


def hosted(text: str) -> Hosted | None:
    """Return which repository on GitHub or GitLab `text` names, None for an address elsewhere.

    The host is compared as a whole (D42). Without a scheme, https is meant. Raise `InvalidInput` for an address on
    one of the two that names no repository.
    """
    text = text.strip()
    address = text if _SCHEME.match(text) or text.startswith("git@") else f"https://{text}"
    if address.lower().startswith("http://"):
        address = f"https://{address[len('http://') :]}"
    ssh = _GITLAB_SSH.fullmatch(address)
    if address.startswith("git@github.com:"):
        return _on_github(address)
    if ssh is not None:
        return _on_gitlab(ssh["path"], text)
    try:
        parts = urllib.parse.urlsplit(address)
    except ValueError:
        return None
    host = parts.netloc.lower().removeprefix("www.")
    if parts.scheme.lower() != "https" or host not in ("github.com", "gitlab.com"):
        return None
    if host == "github.com":
        return _on_github(f"https://github.com{parts.path.rstrip('/')}")
    return _on_gitlab(parts.path, text)


def _on_github(address: str) -> Hosted:
    found = github.repository(address)
    return Hosted("github", f"{found.owner}/{found.name}")


def _on_gitlab(path: str, text: str) -> Hosted:
    bare = path.strip("/").removesuffix(".git")
    if not is_path(bare) or _FORBIDDEN.search(path):
        raise InvalidInput(
            f"{one_line(text, SHOWN_CHARS)} names no repository on GitLab.", "Give it as https://gitlab.com/group/name."
        )
    return Hosted("gitlab", bare)
