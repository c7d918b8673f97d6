"""Senders that claim what is due, now or at a given moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from studio.database.connection import Database
from studio.mail.due import DueMail
from studio.mail.message import Mail

LEASE = timedelta(hours=1)


def sender(db: Database) -> DueMail:
    return DueMail(db, f"worker-{uuid4()}", f"run-{uuid4()}", LEASE)


def claim(db: Database, limit: int = 100, now: str | None = None) -> list[Mail]:
    return sender(db).claim(limit, None if now is None else datetime.fromisoformat(now))
