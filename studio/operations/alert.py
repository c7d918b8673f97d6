"""An alert as it is read, and a notification of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from studio.operations.alert_findings import Kind, Severity

COLUMNS: LiteralString = """
a.id, a.kind, a.subject, a.severity, a.title, a.detail, a.data, a.project_id, a.state, a.first_at, a.last_at,
a.closed_at, a.count, a.acknowledged_at, a.acknowledged_by, a.notified_at, a.notifications
"""


@dataclass(frozen=True)
class Alert:
    """A condition. `first_at` is when its spell began, `last_at` when a check last found it, `count` how often."""

    id: UUID
    kind: Kind
    subject: str
    severity: Severity
    title: str
    detail: str
    data: dict[str, Any]
    project_id: UUID | None
    state: str
    first_at: datetime
    last_at: datetime
    closed_at: datetime | None
    count: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    notified_at: datetime | None
    notifications: int


@dataclass(frozen=True)
class Delivery:
    """A notification on its way. `error` is of the last attempt; `hour` with the alert is its idempotency key."""

    id: UUID
    hour: datetime
    way: str
    status: str
    attempts: int
    error: str | None
    created_at: datetime
    sent_at: datetime | None


def from_row(row: Mapping[str, Any]) -> Alert:
    """Return the alert of a row with `COLUMNS`."""
    return Alert(**row)
