"""Founders with projects, gates and tasks, and who of them was written to."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from tests.support.mail import mails
from tests.support.queue import make_project

GATE = "phase0_packet_review"


class Founder(NamedTuple):
    user_id: UUID
    clerk_id: str
    email: str


def founder(db: Database, days_old: float = 10, email: str | None = "") -> Founder:
    clerk_id = f"user-{uuid4()}"
    address = f"{clerk_id}@example.org" if email == "" else email
    row = db.fetch_one(
        "insert into public.users (clerk_id, email, created_at) values (%s, %s, now() - %s) returning id",
        [clerk_id, address, timedelta(days=days_old)],
    )
    assert row is not None
    return Founder(row["id"], clerk_id, address or "")


def project_of(db: Database, owner: Founder, **columns: Any) -> UUID:
    return make_project(db, owner_clerk_id=owner.clerk_id, **columns)


def gate(db: Database, project_id: UUID, status: str = "pending", phase: int = 0, by: str | None = "ada") -> None:
    db.execute(
        "insert into public.approval_queue (project_id, phase, title, description, risk, type, action_type, status,"
        " decided_by, decided_at) values (%(project)s, %(phase)s, 'Gate', 'Look at it', 'low', 'phase_advance',"
        " %(action)s, %(status)s, case when %(status)s <> 'pending' then %(by)s end,"
        " case when %(status)s <> 'pending' then now() end)",
        {"project": project_id, "phase": phase, "action": GATE, "status": status, "by": by},
    )


def task(db: Database, project_id: UUID, status: str, days_ago: float = 0) -> None:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    db.execute(
        "insert into public.tasks (project_id, agent, description, status, created_at, completed_at)"
        " values (%s, 'ceo_agent', %s, %s, %s, %s)",
        [project_id, f"task-{uuid4()}", status, at, at],
    )


def drip_log(db: Database) -> list[dict[str, Any]]:
    return db.fetch_all("select * from public.drip_email_log order by created_at, id")


def receivers(db: Database) -> Counter[str]:
    return Counter(row["to_email"] for row in mails(db, SYSTEM_PROJECT_ID))
