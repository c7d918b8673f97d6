"""Alerts: what an operator should know without looking for it; whether it is new, and who is told.

A check runs every minute, in any number of processes: one at a time looks, the others leave it to that one. An alert is
told when its spell begins (see the migration), and again when it becomes critical; one on which nobody acts is repeated
where waiting makes it worse. Between two notifications of the same alert lies an hour, whatever happens.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.database.patience import is_absence
from studio.errors import NotFound
from studio.operations import alert_ways, window
from studio.operations.alert import COLUMNS, Alert, Delivery, from_row
from studio.operations.alert_checks import CHECKS
from studio.operations.alert_findings import Finding, Kind
from studio.settings import Settings
from studio.text import storable_json

log = logging.getLogger(__name__)

# A slow statement costs its own check, and not the others.
CHECK_SECONDS = 10
# As many are told at once; the rest follows in the next minutes, the most urgent ones first.
TOLD_AT_ONCE = 20
# Nobody works until somebody acts.
REPEATED: tuple[Kind, ...] = ("queue",)

_ONE_AT_A_TIME: LiteralString = "select pg_try_advisory_xact_lock(hashtext('greenlight.alerts'), 0) as mine"
# In a spell the severity only rises, or a value that wavers around a limit would be news each time.
_OPEN: LiteralString = """
insert into public.alerts as a (kind, subject, severity, title, detail, data, episode, project_id)
select f.kind, f.subject, f.severity, f.title, f.detail, f.data, f.episode, p.id
from jsonb_to_recordset(%(found)s::jsonb) as f (
  kind text, subject text, severity text, title text, detail text, data jsonb, episode text, project_id uuid)
left join public.projects p on p.id = f.project_id
order by f.kind, f.subject
on conflict (kind, subject) do update set
  title = excluded.title, detail = excluded.detail, data = excluded.data, episode = excluded.episode,
  project_id = excluded.project_id, state = 'open', last_at = now(), closed_at = null,
  (severity, first_at, count, acknowledged_at, acknowledged_by, to_tell) = (
    select case when n.new or a.severity = 'warning' then excluded.severity else a.severity end,
      case when n.new then now() else a.first_at end,
      case when n.new then 1 else a.count + 1 end,
      case when not (n.new or n.worse) then a.acknowledged_at end,
      case when not (n.new or n.worse) then a.acknowledged_by end,
      a.to_tell or n.new or n.worse
    from (select
      excluded.episode <> a.episode or a.state = 'closed' and a.closed_at < now() - interval '1 hour' as new,
      excluded.severity = 'critical' and a.severity = 'warning' as worse) n)
"""
_CLOSE: LiteralString = """
update public.alerts set state = 'closed', closed_at = now()
where state = 'open' and kind = any (%(kinds)s) and last_at < now()
"""
_TELL: LiteralString = """
update public.alerts a set notified_at = now(), notifications = a.notifications + 1, to_tell = false
where (a.notified_at is null or a.notified_at <= now() - interval '1 hour') and a.id in (
  select id from public.alerts
  where state = 'open' and acknowledged_at is null and (to_tell or kind = any (%(repeated)s))
    and (notified_at is null or notified_at <= now() - interval '1 hour')
  order by severity = 'critical' desc, first_at, id limit %(limit)s)
returning
"""
_ACKNOWLEDGE: LiteralString = """
update public.alerts a set
  acknowledged_at = coalesce(a.acknowledged_at, now()), acknowledged_by = coalesce(a.acknowledged_by, %s)
where a.id = %s returning
"""


@dataclass(frozen=True)
class Checked:
    """What a check did. `looked` is false where another process was at it; `blind` checks could not be made."""

    looked: bool
    open: int = 0
    closed: int = 0
    told: int = 0
    blind: tuple[Kind, ...] = ()
    sent: int = 0
    failed: int = 0

    def __str__(self) -> str:
        if not self.looked:
            words = "Another process is checking"
        else:
            words = f"{self.open} alerts are open, {self.closed} were closed, {self.told} told"
        blind = f"; not checked: {', '.join(self.blind)}" if self.blind else ""
        return f"{words}{blind}; {self.sent} notifications sent, {self.failed} failed."


def check(db: Database, settings: Settings) -> Checked:
    """Look what holds now, open and close alerts, and tell those who are to be told.

    Raises `DatabaseError` where the database is away. A way that does not take a notification is asked again by a later
    check.
    """
    with translated(), db.transaction() as conn:
        done = _look(conn, settings)
    delivered = alert_ways.deliver(db, settings)
    return Checked(**{**vars(done), "sent": delivered.sent, "failed": delivered.failed})


def _look(conn: Connection, settings: Settings) -> Checked:
    lock = conn.execute(_ONE_AT_A_TIME).fetchone()
    if lock is None or not lock["mine"]:
        return Checked(looked=False)
    conn.execute(f"set local statement_timeout = {CHECK_SECONDS * 1000}".encode())
    found: list[Finding] = []
    seen: list[Kind] = []
    for kind in CHECKS:
        findings = _found(conn, kind, settings)
        if findings is not None:
            seen.append(kind)
            found += findings
    conn.execute(_OPEN, {"found": json.dumps([_plain(finding) for finding in found])})
    closed = conn.execute(_CLOSE, {"kinds": seen}).rowcount
    told: list[Alert] = []
    # Where nobody can be told, it stays to be told: whoever configures a way hears of what is open.
    if alert_ways.configured(settings):
        rows = conn.execute(_TELL + COLUMNS, {"repeated": list(REPEATED), "limit": TOLD_AT_ONCE}).fetchall()
        told = [from_row(row) for row in rows]
        for alert in told:
            alert_ways.queue(conn, settings, alert.id, alert_ways.content_of(settings, alert))
    return Checked(
        looked=True,
        open=len({(finding.kind, finding.subject) for finding in found}),
        closed=closed,
        told=len(told),
        blind=tuple(kind for kind in CHECKS if kind not in seen),
    )


def _found(conn: Connection, kind: Kind, settings: Settings) -> list[Finding] | None:
    """Return what a check finds; None where it cannot be made now, and nothing is known."""
    try:
        with conn.transaction():
            found = {finding.subject: finding for finding in CHECKS[kind](conn, settings)}
    except psycopg.Error as exc:
        if is_absence(exc):
            raise
        log.warning("The check of alerts of kind %s could not be made: %s", kind, exc)
        return None
    return list(found.values())


def _plain(finding: Finding) -> dict[str, Any]:
    project = str(finding.project_id) if finding.project_id else None
    plain: dict[str, Any] = storable_json({**vars(finding), "project_id": project})
    return plain


# --- looking at them


def find(
    db: Database, owner: str | None = None, *, state: str | None = "open", kind: str | None = None, limit: int = 100
) -> list[Alert]:
    """Return alerts, those found last first; an owner sees those of his own projects. `state` None: open and closed."""
    query: LiteralString = "select" + COLUMNS + "from public.alerts a where true"
    if owner is not None:
        query += " and a.project_id in " + window.OWN
    if state is not None:
        query += " and a.state = %(state)s"
    if kind is not None:
        query += " and a.kind = %(kind)s"
    query += " order by a.last_at desc, a.severity, a.first_at desc, a.id limit %(limit)s"
    params = {"owner": owner, "state": state, "kind": kind, "limit": limit}
    return [from_row(row) for row in db.fetch_all(query, params)]


def get(db: Database, alert_id: UUID) -> Alert:
    """Return an alert, or raise `NotFound`."""
    row = db.fetch_one("select" + COLUMNS + "from public.alerts a where a.id = %s", [alert_id])
    if row is None:
        raise _not_found(alert_id)
    return from_row(row)


def deliveries(db: Database, alert_id: UUID, limit: int = 50) -> list[Delivery]:
    """Return the notifications of an alert, newest first."""
    rows = db.fetch_all(
        "select id, hour, way, status, attempts, error, created_at, sent_at from public.alert_deliveries"
        " where alert_id = %s order by hour desc, way limit %s",
        [alert_id, limit],
    )
    return [Delivery(**row) for row in rows]


def acknowledge(conn: Connection, alert_id: UUID, by: str) -> Alert:
    """Note that somebody knows of an alert: it is told no more in this spell, unless it becomes critical.

    In the caller's transaction. The first who does so stands. Raises `NotFound`.
    """
    row = conn.execute(_ACKNOWLEDGE + COLUMNS, [by, alert_id]).fetchone()
    if row is None:
        raise _not_found(alert_id)
    return from_row(row)


def prune(db: Database, older_than: timedelta) -> int:
    """Forget alerts that were closed so long ago, with their notifications; return how many."""
    return db.execute("delete from public.alerts where state = 'closed' and closed_at < now() - %s", [older_than])


def _not_found(alert_id: UUID) -> NotFound:
    return NotFound(f"There is no alert {alert_id}.", "It was closed long ago, or its project is deleted.")
