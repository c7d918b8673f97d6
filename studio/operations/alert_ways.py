"""The ways by which alerts are told: mail, and a webhook. What is told is queued, and sent until it has arrived.

Alert and hour are the idempotency key of a notification. A sender that dies over one is followed by another, under the
same key and with the same words: the outbox folder and Resend send nothing twice, and a webhook may get a notification
twice, with the same `Idempotency-Key`. What has arrived is never sent again.
"""

from __future__ import annotations

import html
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString
from uuid import UUID

import httpx
from psycopg.types.json import Jsonb

from studio.database.connection import Connection, Database
from studio.errors import ProviderRefused, ProviderUnavailable, SettingsError, StudioError
from studio.mail.addresses import checked_address, mailbox, subject_line
from studio.mail.message import Message
from studio.mail.ways import Ways
from studio.operations.alert import Alert
from studio.secrets import redact_secrets
from studio.settings import Settings
from studio.text import one_line

log = logging.getLogger(__name__)

WayName = Literal["mail", "webhook"]

# With pauses of 1, 2, 4, 8 and 16 minutes: half an hour, and before the next one about the same alert.
MAX_ATTEMPTS = 6
FIRST_PAUSE = timedelta(minutes=1)
# A sender that has said nothing for so long is dead: no way takes that long to answer.
SENDER_SECONDS = 120
# A tick has a minute for all that it does.
DELIVERY_SECONDS = 20.0
WEBHOOK_SECONDS = 10.0
ERROR_CHARS = 300

_GIVEN_UP: LiteralString = """
update public.alert_deliveries set status = 'failed', error = coalesce(error, 'Nobody knows whether it arrived.')
where status in ('pending', 'sending') and next_at <= now() and attempts >= %s
"""
_CLAIM: LiteralString = """
update public.alert_deliveries d set
  status = 'sending', attempts = d.attempts + 1, tried_at = now(), next_at = now() + make_interval(secs => %(lease)s)
where d.id = (
  select id from public.alert_deliveries
  where status in ('pending', 'sending') and next_at <= now() and attempts < %(most)s
  order by next_at, id limit 1 for update skip locked)
returning d.id, d.alert_id, d.hour, d.way, d.content, d.attempts
"""
_SENT: LiteralString = """
update public.alert_deliveries set status = 'sent', sent_at = now(), error = null
where id = %(id)s and status = 'sending' and attempts = %(attempts)s
"""
_LATER: LiteralString = """
update public.alert_deliveries set status = %(status)s, error = %(error)s, next_at = now() + %(pause)s
where id = %(id)s and status = 'sending' and attempts = %(attempts)s
"""


@dataclass(frozen=True)
class Delivered:
    """How many notifications were sent, and how many attempts at one failed."""

    sent: int
    failed: int


def configured(settings: Settings) -> list[WayName]:
    """Return the ways that are configured."""
    ways: list[WayName] = []
    if settings.alert_email:
        ways.append("mail")
    if settings.alert_webhook_url is not None:
        ways.append("webhook")
    return ways


def content_of(settings: Settings, alert: Alert) -> dict[str, Any]:
    """Return what is told of an alert, as it is now."""
    base = (settings.app_base_url or "").rstrip("/")
    page = f"/operations/errors/{alert.subject}" if alert.kind == "error" else "/operations/alerts"
    return {
        "alert_id": str(alert.id),
        "kind": alert.kind,
        "subject": alert.subject,
        "severity": alert.severity,
        "title": alert.title,
        "detail": alert.detail,
        "data": alert.data,
        "since": alert.first_at.isoformat(),
        "at": (alert.notified_at or alert.first_at).isoformat(),
        "url": base + page if base else None,
    }


def queue(conn: Connection, settings: Settings, alert_id: UUID, content: Mapping[str, Any]) -> None:
    """Queue a notification for each way, in the caller's transaction: one per alert, hour and way."""
    for way in configured(settings):
        # A receiver that knows the key refuses other words under it, so the address belongs to them.
        to = {"to": settings.alert_email} if way == "mail" else {}
        conn.execute(
            "insert into public.alert_deliveries (alert_id, hour, way, content)"
            " values (%s, date_trunc('hour', now()), %s, %s) on conflict do nothing",
            [alert_id, way, Jsonb({**content, **to})],
        )


def deliver(db: Database, settings: Settings, *, seconds: float = DELIVERY_SECONDS) -> Delivered:
    """Send what is due, for so long; what fails is tried again by later calls, a few times."""
    deadline = time.monotonic() + seconds
    sent = failed = 0
    db.execute(_GIVEN_UP, [MAX_ATTEMPTS])
    while time.monotonic() < deadline:
        row = db.fetch_one(_CLAIM, {"lease": SENDER_SECONDS, "most": MAX_ATTEMPTS})
        if row is None:
            break
        try:
            _send(db, settings, row)
        except StudioError as exc:
            failed += 1
            log.warning("Alert %s could not be told by %s: %s", row["alert_id"], row["way"], exc)
            _later(db, row, exc)
        else:
            sent += 1
            db.execute(_SENT, {"id": row["id"], "attempts": row["attempts"]})
    return Delivered(sent, failed)


def key_of(alert_id: UUID, hour: datetime) -> str:
    """Return the name of a notification, the same for every attempt at it."""
    return f"greenlight/alert/{alert_id}/{hour:%Y-%m-%dT%H}"


def _later(db: Database, row: Mapping[str, Any], exc: StudioError) -> None:
    last = row["attempts"] >= MAX_ATTEMPTS
    db.execute(
        _LATER,
        {
            "id": row["id"],
            "attempts": row["attempts"],
            "status": "failed" if last else "pending",
            "error": one_line(str(exc), ERROR_CHARS),
            "pause": FIRST_PAUSE * 2 ** (row["attempts"] - 1),
        },
    )


def _send(db: Database, settings: Settings, row: Mapping[str, Any]) -> None:
    content: dict[str, Any] = row["content"]
    key = key_of(row["alert_id"], row["hour"])
    if row["way"] == "mail":
        _mail(db, settings, content, key)
    elif settings.alert_webhook_url is not None:
        _post(settings.alert_webhook_url.get_secret_value(), settings, content, key)
    else:
        raise SettingsError("No webhook is configured any more.", "Set GREENLIGHT_ALERT_WEBHOOK_URL.")


# --- mail


def _mail(db: Database, settings: Settings, content: Mapping[str, Any], key: str) -> None:
    way = Ways(db, settings).studio()
    title, detail, url = content["title"], content["detail"], content.get("url")
    link = f'<p><a href="{html.escape(url)}">{html.escape(url)}</a></p>' if url else ""
    way.provider.send(
        Message(
            key=key,
            sender=mailbox(way.from_email, way.name),
            to_email=checked_address(content["to"]),
            subject=subject_line(f"[{content['severity']}] {title}"),
            html=f"<p><strong>{html.escape(title)}</strong></p><p>{html.escape(detail)}</p>{link}",
            text="\n\n".join(filter(None, [title, detail, url])) + "\n",
            reply_to=None,
            headers={"Auto-Submitted": "auto-generated"},
            category="alert",
            dated=datetime.fromisoformat(content["at"]),
        )
    )


# --- webhook


def _post(url: str, settings: Settings, content: Mapping[str, Any], key: str) -> None:
    """Post an alert as JSON. Whoever knows the address may post to it, so it stands in no message and no log."""
    said = f"[{content['severity']}] {content['title']}\n{content['detail']}"
    body = {"text": f"{said}\n{content['url']}" if content.get("url") else said, "alert": dict(content)}
    seconds = min(settings.provider_timeout_seconds, WEBHOOK_SECONDS)
    headers = {"Content-Type": "application/json", "User-Agent": "Greenlight/1.0", "Idempotency-Key": key}
    try:
        address = httpx.URL(url)
        with (
            httpx.Client(timeout=seconds, follow_redirects=False) as client,
            client.stream(
                "POST",
                # The client logs the address of each request, and what it is asked for beside it it does not.
                address.copy_with(raw_path=b"/", userinfo=b""),
                content=json.dumps(body, sort_keys=True).encode(),
                headers=headers,
                extensions={"target": address.raw_path},
                auth=(address.username, address.password) if address.userinfo else None,
            ) as response,
        ):
            status = response.status_code
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        raise SettingsError(
            "The address of the alert webhook cannot be used.", "Check GREENLIGHT_ALERT_WEBHOOK_URL."
        ) from None
    except httpx.RequestError as exc:
        what = redact_secrets(one_line(str(exc), ERROR_CHARS), [url]) or type(exc).__name__
        raise ProviderUnavailable(f"The alert webhook did not take it: {what}.", "It is tried again.") from None
    if not 200 <= status < 300:
        raise ProviderRefused(f"The alert webhook answered {status}.", "Check GREENLIGHT_ALERT_WEBHOOK_URL.")
