"""The secrets of a data folder: made once, kept with what they protect, readable by their owner alone.

Links in mails that were sent, and credentials that were encrypted, are worth nothing without the secret they were
made with; so it is never replaced, and a file that cannot be read is an error.
"""

from __future__ import annotations

import base64
import os
import secrets as random
from pathlib import Path

from pydantic import BaseModel, ValidationError

from studio.errors import StackError

_BYTES = 32


class Secrets(BaseModel):
    """What the stack makes where the user has set nothing."""

    link_secret: str
    integration_key: str

    def variables(self) -> dict[str, str]:
        """Return them under the names of their settings."""
        return {
            "GREENLIGHT_LINK_SECRET": self.link_secret,
            "PROJECT_INTEGRATION_ENCRYPTION_KEY": self.integration_key,
        }


def kept(file: Path) -> Secrets:
    """Return the secrets in `file`, which is made where there is none. The caller holds the folder's lock.

    Raise `StackError` where the file is there and cannot be read.
    """
    try:
        return Secrets.model_validate_json(file.read_text())
    except FileNotFoundError:
        made = Secrets(link_secret=random.token_urlsafe(_BYTES), integration_key=_key())
        _write(file, made)
        return made
    except (OSError, ValidationError, UnicodeDecodeError) as exc:
        raise StackError(
            f"The secrets in {file} cannot be read.",
            "Restore the file: links that were sent and stored credentials need it. Without either, delete it.",
        ) from exc


def _key() -> str:
    # AES-256 takes 32 bytes; in base64, as the variable is read.
    return base64.b64encode(random.token_bytes(_BYTES)).decode()


def _write(file: Path, made: Secrets) -> None:
    partial = file.with_name(f"{file.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(made.model_dump_json(indent=2) + "\n")
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(file)
