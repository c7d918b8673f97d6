"""Where generated code goes: a repository on GitHub, or the project's own bare one in the data folder.

A person types an address, but only owner and name are taken out of it; the host is GitHub's, or that of the server in
the settings. So no address leads git anywhere else.
"""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from studio import integrations
from studio.addresses import literal_address
from studio.code import local_repository
from studio.database.connection import Database
from studio.errors import InvalidInput, SettingsError
from studio.providers import github
from studio.settings import Settings

Protocol = Literal["https", "http", "file"]
GITHUB_API = "api.github.com"
GITHUB = "github.com"


@dataclass(frozen=True)
class Remote:
    """A repository as git is told of it. `token` is never a part of `url`."""

    name: str
    url: str
    protocol: Protocol
    host: str = ""
    github: github.Repository | None = None
    token: str | None = field(default=None, repr=False)


def find_remote(db: Database, settings: Settings, project_id: UUID, project_name: str, address: str | None) -> Remote:
    """Return the repository that `address` names, with the project's token; without one the project's local one.

    The local one is made where it is missing; asking again gives the same. Raises `InvalidInput` for an address that
    names no repository on GitHub, and `SettingsError` where the project may use no token for it: better here than
    after the agent's work.
    """
    if address is None or not address.strip():
        return local_remote(settings, project_id, project_name)
    where = named(settings, address.strip())
    token = integrations.credentials(db, settings, project_id, "github")["token"]
    return github_remote(settings, where, token)


def local_remote(settings: Settings, project_id: UUID, project_name: str) -> Remote:
    """Return the project's repository in the data folder, made where it is missing."""
    folder = local_repository.ensure(settings, project_id, project_name)
    return Remote("the project's local repository", f"file://{urllib.parse.quote(str(folder))}", "file")


def github_remote(settings: Settings, where: github.Repository, token: str | None) -> Remote:
    """Return a repository on GitHub, or on the server of the settings. Raise `SettingsError` where that is no server.

    Over plain HTTP only this machine itself is spoken to: the token would go over the wire for all to read.
    """
    protocol, host = _server(settings)
    url = f"{protocol}://{host}/{where.owner}/{where.name}.git"
    return Remote(str(where), url, protocol, host, where, token)


def named(settings: Settings, address: str) -> github.Repository:
    """Return the repository that an address names on github.com, or on the server of the settings.

    Raise `InvalidInput` for any other.
    """
    protocol, host = _server(settings)
    own = f"{protocol}://{host}/"
    if host != GITHUB and address.lower().startswith(own):
        return github.repository(f"https://{GITHUB}/{address[len(own) :]}")
    return github.repository(address)


def chosen(settings: Settings, asked: str | None, own: str | None) -> str | None:
    """Return the address of the repository that code goes to: the one asked for, else the project's own.

    None stands for the local one, also where the project's own is a repository that is not at GitHub: code cannot be
    offered there, and was not asked to be.
    """
    if asked is not None and asked.strip():
        return asked.strip()
    if own is None or not own.strip():
        return None
    try:
        named(settings, own.strip())
    except InvalidInput:
        return None
    return own.strip()


def web_address(settings: Settings, where: github.Repository) -> str:
    """Return the address under which a person looks at a repository."""
    protocol, host = _server(settings)
    return f"{protocol}://{host}/{where.owner}/{where.name}"


def _server(settings: Settings) -> tuple[Literal["https", "http"], str]:
    """Return protocol and host of the server whose API the settings name; GitHub's API has a host of its own."""
    wrong = SettingsError(
        "GREENLIGHT_GITHUB_URL is no address of a server that a token may be sent to.", "Give its https address."
    )
    try:
        parts = urllib.parse.urlsplit(settings.github_url)
        host = (parts.hostname or "").lower()
        port = parts.port
    except ValueError as exc:
        raise wrong from exc
    if not host or parts.username is not None or parts.password is not None:
        raise wrong
    name = f"[{host}]" if ":" in host else host
    if parts.scheme == "https":
        name = GITHUB if name == GITHUB_API else name
        return "https", name if port in (None, 443) else f"{name}:{port}"
    if parts.scheme == "http" and _is_this_machine(host):
        return "http", name if port in (None, 80) else f"{name}:{port}"
    raise wrong


def _is_this_machine(host: str) -> bool:
    address = None if host == "localhost" else literal_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)
