"""The outbox folder: mail as files, for an installation that has no provider.

A file is named by the mail's key, so that sending twice writes the same file, and it appears whole or not at all.
"""

from __future__ import annotations

import os
import re
import unicodedata
from datetime import UTC, timedelta
from pathlib import Path

from studio.errors import ProviderUnavailable
from studio.mail.message import Message
from studio.settings import Settings
from studio.text import sha256_hex

# In the data folder.
FOLDER = "outbox"
# What links and replies of a mail that never leaves the machine say it came from.
SENDER = "greenlight@localhost.localdomain"
_NAME_CHARS = 48
_UNTIDY = re.compile(r"[^a-z0-9.@+-]+")


class OutboxFolder:
    """Writes each message to a file of its own, which any mail program opens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def from_settings(cls, settings: Settings) -> OutboxFolder:
        """Return the outbox of the data folder."""
        return cls(settings.data_dir / FOLDER)

    @property
    def account(self) -> str:
        """The folder, by a hash of its path: the owner of a mail may read this, and the machine is not his."""
        return f"folder {sha256_hex(str(self.folder.resolve()))[:16]}"

    @property
    def remembers(self) -> timedelta | None:
        """For as long as the file is there."""
        return None

    def send(self, message: Message) -> str:
        """Write the message, unless its file is there; return the file's name."""
        path = self.folder / file_name(message)
        content = message.as_bytes()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if path.exists():
                return path.name
            # One partial file per process: another sender may be writing the same mail.
            partial = self.folder / f".{path.stem}.{os.getpid()}.part"
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as exc:
            raise ProviderUnavailable(
                f"The outbox {self.folder} cannot be written: {exc.strerror or exc}.",
                "Make room, or make the folder writable.",
            ) from exc
        return path.name


def file_name(message: Message) -> str:
    """Return the name of a message's file: when it was due, to whom, about what, and its key."""
    when = message.dated.astimezone(UTC).strftime("%Y-%m-%dT%H%M%S")
    to, subject = _tidy(message.to_email), _tidy(message.subject)
    return f"{when}_{to}_{subject}_{sha256_hex(message.key)[:16]}.eml"


def _tidy(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _UNTIDY.sub("-", plain)[:_NAME_CHARS].strip("-.") or "mail"
