"""Resend: mail over its HTTP API (https://resend.com/docs/api-reference/emails/send-email)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from studio.errors import OutcomeUnknown, SettingsError
from studio.mail.message import Message
from studio.mail.providers import AskAPerson, Busy
from studio.providers.service import Reply, Service
from studio.settings import Settings
from studio.text import sha256_hex

# Resend keeps keys for 24 hours. Ours is counted from before the first request, the last one may travel for a while.
REMEMBERS = timedelta(hours=23)
# Answers to a key that is known: https://resend.com/docs/dashboard/emails/idempotency-keys
_STILL_WORKING = "concurrent_idempotent_requests"
_OTHER_CONTENT = "invalid_idempotent_request"
# The day's or month's quota comes back by itself.
_QUOTAS = frozenset({"daily_quota_exceeded", "monthly_quota_exceeded"})


class Resend:
    """Sends under one API key."""

    def __init__(self, settings: Settings, api_key: str) -> None:
        self._api_key = api_key
        self._service = Service(
            "Resend",
            settings.resend_url,
            timeout=settings.provider_timeout_seconds,
            secrets=[api_key],
            account="the Resend API key (RESEND_API_KEY) and its sender's domain",
        )
        self._url = settings.resend_url.rstrip("/")

    @property
    def account(self) -> str:
        """Server and a fingerprint of the API key."""
        return f"resend {self._url} {sha256_hex(f'greenlight/resend/{self._api_key}')[:16]}"

    @property
    def remembers(self) -> timedelta | None:
        """Resend's 24 hours, less a margin."""
        return REMEMBERS

    def send(self, message: Message) -> str:
        """Send through `POST /emails` under the message's key; return Resend's id."""
        body: dict[str, Any] = {
            "from": str(message.sender),
            "to": [message.to_email],
            "subject": message.subject,
            "html": message.html,
            "text": message.text,
            "headers": message.headers,
            "tags": [{"name": "category", "value": message.category}],
        }
        if message.reply_to is not None:
            body["reply_to"] = message.reply_to
        reply = self._service.change(
            "POST",
            "/emails",
            headers={
                "Authorization": f"Bearer {self._api_key}",
                "Content-Type": "application/json",
                "Idempotency-Key": message.key,
            },
            # Byte by byte the same each time: another body under the same key is refused.
            content=json.dumps(body, sort_keys=True).encode(),
        )
        said = reply.json()
        said = said if isinstance(said, dict) else {}
        if reply.ok:
            return self._id(reply, said)
        name, text = str(said.get("name") or ""), str(said.get("message") or "")
        if reply.status == 409 and name == _STILL_WORKING:
            raise OutcomeUnknown("Resend is still working on this mail.", "It is asked again later.")
        if reply.status == 409 and name == _OTHER_CONTENT:
            raise AskAPerson(
                "Resend has had another mail under the key of this one; it may have been sent before.",
                "Look at resend.com/emails what became of it.",
            )
        if reply.status in (401, 403):
            # The fault of the account and not of this mail, which can go once that is mended.
            refused = self._service.failure(reply, text or name)
            raise SettingsError(refused.message, refused.remedy)
        if reply.status == 429 and name not in _QUOTAS:
            raise Busy("Resend takes no more mails this second.", "It is asked again in a moment.")
        raise self._service.failure(reply, text or name, later=name in _QUOTAS)

    def _id(self, reply: Reply, said: dict[str, Any]) -> str:
        given = said.get("id")
        if isinstance(given, str) and given:
            return given
        raise OutcomeUnknown(
            f"Resend answered {reply.status} without the id of the mail, so it may have been sent or not.",
            "Look at resend.com/emails what became of it.",
        )
