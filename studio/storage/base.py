"""What every storage does, and how much it takes."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from studio.errors import NotFound, StorageRefused

# Name and limit are the seed's (domain specification §1 and §8).
BUCKET = "project-assets"
MAX_BYTES = 25 * 1024 * 1024
# A link that lives longer is a publication, and there is another way to publish.
LONGEST_LINK_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class StoredFile:
    """A file in the storage. `modified_at` is when it was written last, by the storage's clock."""

    path: str
    size_bytes: int
    content_type: str
    modified_at: datetime


class Storage(Protocol):
    """Keeps files under paths like `{project}/phase-1/v2/landing.html`; see `studio.storage.paths` for which.

    Every method raises `StorageUnavailable` where the storage cannot be reached or is full, and
    `StorageRefused` for a path, a size or a key that it does not accept.
    """

    def upload(self, path: str, data: bytes, *, content_type: str, upsert: bool = False) -> StoredFile:
        """Store `data`, at most 25 MiB; what lies there already is replaced only with `upsert`, `StorageConflict` else.

        A reader sees the old file or the new one, never a part.
        """

    def read(self, path: str) -> bytes:
        """Return the content; raise `NotFound` where there is no such file."""

    def signed_url(self, path: str, *, expires_seconds: int) -> str:
        """Return a link that anybody can open for this long; raise `NotFound` where there is no such file."""

    def list(self, prefix: str) -> builtins.list[StoredFile]:
        """Return all files in the folder `prefix` and below, by path; an empty prefix means everywhere."""

    def delete(self, paths: Sequence[str]) -> None:
        """Remove these files; those that are not there are not missed."""

    def is_public(self) -> bool | None:
        """Return whether anybody may read everything, as nobody should; None before there is anything to read."""


def checked_size(path: str, data: bytes) -> bytes:
    """Return `data`; raise `StorageRefused` where it is more than a file may hold."""
    if len(data) > MAX_BYTES:
        raise StorageRefused(
            f"The file {path} has {len(data):,} bytes; at most {MAX_BYTES:,} (25 MiB) are stored.",
            "Make it smaller, or split it.",
        )
    return data


def checked_type(content_type: str) -> str:
    """Return a content type that fits into a header; raise `StorageRefused` for any other."""
    kind, slash, rest = content_type.partition("/")
    if not (kind and slash and rest) or not content_type.isascii() or not content_type.isprintable():
        raise StorageRefused(f"{content_type!r} is not a content type.", "Give one like text/html; charset=utf-8.")
    return content_type


def checked_lifetime(seconds: int) -> int:
    """Return how long a link is to live; raise `StorageRefused` unless that is a second to seven days."""
    if not 1 <= seconds <= LONGEST_LINK_SECONDS:
        raise StorageRefused(
            f"A link cannot live for {seconds} seconds.", f"Choose 1 to {LONGEST_LINK_SECONDS} seconds (7 days)."
        )
    return seconds


def missing(path: str) -> NotFound:
    """Return the error that there is no file `path`."""
    return NotFound(f"There is no stored file {path}.", "It was never stored, or has been deleted.")
