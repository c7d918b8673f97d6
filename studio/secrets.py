"""Secrets at rest, and out of sight: AES-256-GCM with the key's name in front, and what is cut out of messages.

A sealed text reads `v1.<key id>.<nonce>.<ciphertext and tag>`, the last two in URL-safe base64. It is bound to its
context (project and provider): moved to another row it does not open. PROJECT_INTEGRATION_ENCRYPTION_KEY may name
several keys, separated by commas; the first seals, each opens what it has sealed, so that a key can be replaced.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from studio.errors import SettingsError
from studio.settings import Settings

VARIABLE = "PROJECT_INTEGRATION_ENCRYPTION_KEY"
VERSION = "v1"
KEY_BYTES = 32
# NIST SP 800-38D: 96 bits, random; far from their bound at the number of credentials that are ever stored.
NONCE_BYTES = 12
# Anything shorter is no secret, and would tear holes into every message.
SHORTEST_SECRET = 6
HIDDEN = "•••"

# What providers and libraries repeat of a request: `access_token=…`, `"token": "…"`, `Bearer …`.
_NAMED = re.compile(
    r"(?P<name>\b(?:access_token|api_key|apikey|token|secret|password|client_secret)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;}]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)

_MAKE_ONE = "Make one with `openssl rand -base64 32`."


@dataclass(frozen=True)
class Keys:
    """The keys of an installation, the one that seals first."""

    keys: tuple[tuple[str, bytes], ...]

    @classmethod
    def from_settings(cls, settings: Settings) -> Keys:
        """Return the configured keys; raise `SettingsError` where there is none, or one that is no key."""
        text = settings.integration_key.get_secret_value() if settings.integration_key else ""
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not parts:
            raise SettingsError(f"{VARIABLE} is not set, so credentials can be neither stored nor read.", _MAKE_ONE)
        return cls(tuple((_id(key), key) for key in map(_key, parts)))

    def seal(self, plain: bytes, context: str) -> str:
        """Return `plain` encrypted for `context`."""
        key_id, key = self.keys[0]
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, plain, _associated(key_id, context))
        return ".".join((VERSION, key_id, _text(nonce), _text(sealed)))

    def open(self, sealed: str, context: str) -> bytes:
        """Return what was sealed for `context`; raise `SettingsError` where no key here opens it, or it was changed."""
        version, _, rest = sealed.partition(".")
        parts = rest.split(".")
        if version != VERSION or len(parts) != 3:
            raise SettingsError("The stored credentials are in a form that is not known here.", "Save them again.")
        key = dict(self.keys).get(parts[0])
        if key is None:
            raise SettingsError(
                f"The stored credentials were encrypted with another key ({parts[0]}).",
                f"Add that key to {VARIABLE}, behind a comma, or save the credentials again.",
            )
        try:
            return AESGCM(key).decrypt(_bytes(parts[1]), _bytes(parts[2]), _associated(parts[0], context))
        except (InvalidTag, ValueError) as exc:
            raise SettingsError(
                "The stored credentials do not open: they were changed, or belong to another project or provider.",
                "Save them again.",
            ) from exc


def new_key() -> str:
    """Return a fresh key, as PROJECT_INTEGRATION_ENCRYPTION_KEY wants it."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode("ascii")


def mask(secret: str) -> str:
    """Return a secret as its owner may see it: stars up to six characters, else the first three and the last two."""
    return "*" * len(secret) if len(secret) <= 6 else f"{secret[:3]}…{secret[-2:]}"


def redact_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` without the given secrets, also percent-encoded, and without what is named like one."""
    for secret in sorted({s for s in secrets if len(s) >= SHORTEST_SECRET}, key=len, reverse=True):
        for spelling in (secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret)):
            text = text.replace(spelling, HIDDEN)
    return _BEARER.sub(rf"\1 {HIDDEN}", _NAMED.sub(rf"\g<name>{HIDDEN}", text))


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise SettingsError(f"{VARIABLE} is not base64.", _MAKE_ONE) from exc
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{VARIABLE} holds {len(key)} bytes; a key has {KEY_BYTES}.", _MAKE_ONE)
    return key


def _id(key: bytes) -> str:
    return hashlib.sha256(b"greenlight key id\x00" + key).hexdigest()[:8]


def _associated(key_id: str, context: str) -> bytes:
    return f"greenlight:{VERSION}:{key_id}:{context}".encode()


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode("ascii").rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
