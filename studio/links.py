"""Links that carry their own permission: to a file, a confirmation, an unsubscription.

A token names a subject and is good for one purpose only: each purpose signs with a key of its own, derived
from `GREENLIGHT_LINK_SECRET`, so that a link to a file cannot be turned into one that unsubscribes somebody.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit
from uuid import UUID

from studio.errors import LinkRefused, SettingsError
from studio.settings import Settings

FILE = "file"
CONFIRM = "waitlist-confirm"
UNSUBSCRIBE = "unsubscribe"
BLOCK = "waitlist-block"

# A shorter secret could be guessed.
MIN_SECRET_CHARS = 16
# Far more than any subject needs; what is longer is not looked at.
MAX_TOKEN_CHARS = 2048
_SIGNATURE_BYTES = 32


def sign(settings: Settings, purpose: str, subject: str, expires: timedelta | datetime | None = None) -> str:
    """Return a token for `subject` that fits into a URL; without `expires` it is good for ever.

    The same subject with the same moment as `expires` makes the same token. Raise `SettingsError` where no secret
    is set.
    """
    if isinstance(expires, timedelta):
        until: int | None = int(time.time() + expires.total_seconds())
    else:
        until = None if expires is None else int(expires.timestamp())
    said = json.dumps([subject, until], separators=(",", ":"), ensure_ascii=False).encode()
    return _encoded(_signature(settings, purpose, said) + said)


def verify(settings: Settings, purpose: str, token: str) -> str:
    """Return the subject of a token; raise `LinkRefused` where it is not genuine, not for `purpose`, or expired."""
    try:
        raw = _decoded(token) if len(token) <= MAX_TOKEN_CHARS else b""
    except (ValueError, binascii.Error):
        raw = b""
    signature, said = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(settings, purpose, said)):
        raise LinkRefused("This link is not valid.", "Open it exactly as it was sent.")
    subject, until = json.loads(said)
    if until is not None and time.time() >= until:
        raise LinkRefused("This link has expired.", "Ask for a new one.", expired=True)
    return str(subject)


def base_url(settings: Settings) -> str:
    """Return where public pages and files live, without a slash at its end.

    Raise `SettingsError` where it is not configured.
    """
    base = settings.pages_base_url or settings.app_base_url
    if base is None:
        raise SettingsError(
            "It is not known where pages live.",
            "Set GREENLIGHT_PAGES_URL or APP_BASE_URL; `greenlight up` does it by itself.",
        )
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError(
            f"{base!r} is not the address of a site.", "Give GREENLIGHT_PAGES_URL one like https://pages.example.org."
        )
    return base.rstrip("/")


def file_url(settings: Settings, path: str, expires: timedelta, *, saved: bool = False) -> str:
    """Return a link to a file on the origin of public pages; one that is `saved` is not shown by a browser."""
    shown = "&save=true" if saved else ""
    return f"{base_url(settings)}/files/{quote(path)}?token={sign(settings, FILE, path, expires)}{shown}"


def confirm_url(settings: Settings, signup_id: UUID, expires: timedelta | datetime) -> str:
    """Return the link that confirms a place on a waitlist."""
    return f"{base_url(settings)}/waitlist/confirm/{sign(settings, CONFIRM, str(signup_id), expires)}"


def unsubscribe_url(settings: Settings, project_id: UUID, email: str) -> str:
    """Return the link that ends a project's mail to an address; it is good for ever, as a mail is."""
    return f"{base_url(settings)}/unsubscribe/{sign(settings, UNSUBSCRIBE, _pair(project_id, email))}"


def unsubscriber(settings: Settings, token: str) -> tuple[UUID, str]:
    """Return which project's mail to which address a link ends; raise `LinkRefused` where it is not genuine."""
    project, _, email = verify(settings, UNSUBSCRIBE, token).partition(" ")
    return UUID(project), email


def block_url(settings: Settings, project_id: UUID, email: str) -> str:
    """Return the link with which who never asked for a project's mail keeps it from ever asking again."""
    return f"{base_url(settings)}/waitlist/block/{sign(settings, BLOCK, _pair(project_id, email))}"


def blocker(settings: Settings, token: str) -> tuple[UUID, str]:
    """Return which project may not ask which address any more; raise `LinkRefused` where it is not genuine."""
    project, _, email = verify(settings, BLOCK, token).partition(" ")
    return UUID(project), email


def keyed_hash(settings: Settings, purpose: str, value: str) -> str:
    """Return a hash that only this installation can make: to recognise a value again without keeping it."""
    return hmac.new(_key(settings, purpose), value.encode(), hashlib.sha256).hexdigest()


def _pair(project_id: UUID, email: str) -> str:
    return f"{project_id} {email.lower()}"


def _signature(settings: Settings, purpose: str, said: bytes) -> bytes:
    return hmac.new(_key(settings, purpose), said, hashlib.sha256).digest()


def _key(settings: Settings, purpose: str) -> bytes:
    secret = settings.link_secret.get_secret_value() if settings.link_secret else ""
    if len(secret) < MIN_SECRET_CHARS:
        raise SettingsError(
            "There is no secret to sign links with." if not secret else "The secret that signs links is too short.",
            f"Set GREENLIGHT_LINK_SECRET to at least {MIN_SECRET_CHARS} random characters; "
            "`greenlight up` makes one by itself.",
        )
    return hmac.new(secret.encode(), f"greenlight/{purpose}".encode(), hashlib.sha256).digest()


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(token: str) -> bytes:
    # Strictly: a token has one spelling.
    raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    if _encoded(raw) != token:
        raise ValueError("not the one spelling of these bytes")
    return raw
