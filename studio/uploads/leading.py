"""Where an upload is brought to, and where it is saved from: here, or the bucket itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Protocol, runtime_checkable
from uuid import UUID

from studio import links
from studio.assets import Asset
from studio.errors import Conflict, LinkRefused
from studio.settings import Settings
from studio.storage.base import Storage
from studio.uploads.announcing import Announced

# As long as Supabase's own tickets.
TICKET_LIFETIME = timedelta(hours=2)
DOWNLOAD_LIFETIME = timedelta(minutes=15)
_PURPOSE = "upload"
# What stands before the name in a path: the milliseconds and the id.
_PREFIX = re.compile(r"\d{13,}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-")


@dataclass(frozen=True)
class Ticket:
    """Permission to bring the bytes of one upload. `url` is where to, None where the studio itself takes them."""

    token: str
    url: str | None


@runtime_checkable
class DirectStorage(Protocol):
    """A storage that takes files from browsers, and hands them out as attachments by itself."""

    def signed_upload(self, path: str) -> tuple[str, str]:
        """Return address and token with which anybody can store a file under `path` once, within two hours."""

    def attachment_url(self, path: str, filename: str, *, expires_seconds: int) -> str:
        """Return a link like `signed_url`, under which a browser saves the file as `filename`."""


def ticket(settings: Settings, storage: Storage, announced: Announced) -> Ticket:
    """Return what the uploader needs to bring the bytes; call it after the announcement is committed.

    With a bucket this asks Supabase, and raises `StorageUnavailable` or `StorageRefused` as any request does.
    """
    if isinstance(storage, DirectStorage):
        url, token = storage.signed_upload(announced.path)
        return Ticket(token, url)
    return Ticket(links.sign(settings, _PURPOSE, str(announced.asset_id), TICKET_LIFETIME), None)


def admit(settings: Settings, asset_id: UUID, token: str) -> None:
    """Check the ticket of an upload to the studio itself; raise `LinkRefused` where it is not one for this file."""
    if links.verify(settings, _PURPOSE, token) != str(asset_id):
        raise LinkRefused("This ticket is for another file.", "Announce the upload again.")


def download_url(settings: Settings, storage: Storage, asset: Asset, *, lifetime: timedelta = DOWNLOAD_LIFETIME) -> str:
    """Return a link under which a browser saves the file, on the origin of public pages or in the bucket.

    Raise `Conflict` where the upload is not completed, `SettingsError` without an origin, `StorageError`.
    """
    if asset.status != "uploaded":
        raise Conflict(f"{asset.filename} is not there yet.", "Complete its upload first.")
    seconds = round(lifetime.total_seconds())
    if isinstance(storage, DirectStorage):
        return storage.attachment_url(asset.storage_path, asset.filename, expires_seconds=seconds)
    return links.file_url(settings, asset.storage_path, lifetime, saved=True)


def is_upload(path: str) -> bool:
    """Say whether a stored path is that of an upload."""
    return PurePosixPath(path).parent.name == "uploads"


def given_name(path: str) -> str:
    """Return the file name that a stored path is saved under: for an upload without the time and id before it."""
    name = PurePosixPath(path).name
    return _PREFIX.sub("", name, count=1) if is_upload(path) else name
