"""Clerk's session tokens: JWTs signed by keys that the issuer publishes and rotates.

Checked are signature, issuer, expiry and begin with some leeway, audience where one is configured, the authorised
party, and that the session has no open task (https://clerk.com/docs/backend-requests/manual-jwt). Nothing is fetched
before the first token comes.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import httpx
import jwt
from jwt import PyJWK, PyJWKSet, PyJWTError

from studio.errors import SettingsError, StudioError
from studio.settings import Settings

log = logging.getLogger(__name__)

# After this a key that the issuer has removed is believed no longer, unless the issuer cannot be asked.
KEYS_LIFE_SECONDS = 3600.0
# Tokens with made-up key ids must not become as many requests to the issuer.
REFRESH_PAUSE_SECONDS = 10.0
_FETCH_SECONDS = 5.0
_ALGORITHMS = ("RS256", "ES256", "EdDSA")
# Of a real token some hundred bytes; a header of this length is nothing that is worth being parsed.
_TOKEN_LIMIT = 8192


class TokenRefused(Exception):
    """A session token is forged, has expired, or is meant for somebody else. The text is for the log."""


class KeysUnavailable(StudioError):
    """The issuer's keys cannot be had, so nobody can be told from anybody else."""


class ClerkVerifier:
    """Verifies session tokens with the issuer's keys, which are fetched when they are needed. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Raise `SettingsError` where no issuer is configured."""
        if settings.clerk_issuer is None:
            raise SettingsError("CLERK_ISSUER is not set.", "Set it to the Frontend API address of the application.")
        self._issuer = settings.clerk_issuer.rstrip("/")
        self._audience = settings.clerk_audience
        self._parties = frozenset(_parties(settings))
        self._leeway = settings.clock_leeway_seconds
        self._keys = Keys(settings.clerk_jwks_url or f"{self._issuer}/.well-known/jwks.json")

    def subject(self, token: str) -> str:
        """Return the user id that `token` speaks for.

        Raise `TokenRefused` where it speaks for nobody, `KeysUnavailable` where that cannot be told.
        """
        claims = self._claims(token)
        party = claims.get("azp")
        # Without the claim it is no browser's token; who has one from another front end is a page in its name.
        if party is not None and self._parties and party not in self._parties:
            raise TokenRefused(f"its authorised party is {party!r}")
        if claims.get("sts") == "pending":
            raise TokenRefused("its session has an open task")
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject or "\0" in subject:
            raise TokenRefused("it has no usable subject")
        return subject

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _TOKEN_LIMIT:
            raise TokenRefused("it is too long")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.key(str(kid)) if kid else None
            if key is None:
                raise TokenRefused(f"nobody knows its key {kid!r}")
            return jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={"require": ["exp", "iat", "iss", "sub"], "verify_aud": self._audience is not None},
            )
        except (PyJWTError, ValueError, TypeError) as exc:
            raise TokenRefused(str(exc)) from exc


class Keys:
    """The issuer's public keys, fetched again after an hour, and for a key that is not among them.

    Whoever asks for a key that is known and young waits for nobody; one thread at a time fetches, without the lock.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._fetching = threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None

    def key(self, kid: str) -> PyJWK | None:
        """Return the key with this id, None where the issuer has none; raise `KeysUnavailable`."""
        # Whoever comes while somebody fetches waits where nothing is known, and else goes on with what is.
        if not self._is_enough(kid) and self._fetching.acquire(blocking=self._fetched_at is None):
            try:
                if not self._is_enough(kid) and self._may_try():
                    self._refresh()
            finally:
                self._fetching.release()
        with self._lock:
            if self._fetched_at is None:
                raise KeysUnavailable(
                    f"The keys of sessions cannot be fetched from {self._url}.", "Look at CLERK_ISSUER and the network."
                )
            return self._keys.get(kid)

    def _is_enough(self, kid: str) -> bool:
        with self._lock:
            young = self._fetched_at is not None and time.monotonic() - self._fetched_at <= KEYS_LIFE_SECONDS
            return young and kid in self._keys

    def _may_try(self) -> bool:
        now = time.monotonic()
        with self._lock:
            if self._tried_at is not None and now - self._tried_at <= REFRESH_PAUSE_SECONDS:
                return False
            self._tried_at = now
            return True

    def _refresh(self) -> None:
        try:
            answer = httpx.get(self._url, timeout=_FETCH_SECONDS, follow_redirects=False)
            answer.raise_for_status()
            keys = PyJWKSet.from_dict(answer.json()).keys
        except (httpx.HTTPError, PyJWTError, ValueError, AttributeError, TypeError) as exc:
            # Those that are known are still the issuer's: an outage there must not sign everybody out here.
            log.warning("The keys of sessions could not be fetched from %s: %s", self._url, exc)
            return
        with self._lock:
            self._keys = {key.key_id: key for key in keys if key.key_id}
            self._fetched_at = time.monotonic()


def _parties(settings: Settings) -> list[str]:
    named = settings.clerk_authorized_parties or settings.app_base_url or ""
    return [party.strip().rstrip("/") for party in named.split(",") if party.strip()]
