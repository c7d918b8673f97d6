"""Jobs as rows, in any state and of any age: for tests of those who only look at the queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import sql

from studio.database.connection import Database
from tests.support.queue import make_project


def put_job(db: Database, status: str = "queued", *, project: UUID | None = None, **columns: Any) -> UUID:
    """Insert a job; return its id. A column whose value is a text that begins with `now()` is that moment."""
    row: dict[str, Any] = {
        "project_id": project or make_project(db),
        "job_type": "test.work",
        "agent_key": "ceo",
        "status": status,
        "lane": "standard",
        "run_after": "now()",
        "created_at": columns.get("run_after", "now()"),
        **({"started_at": "now()"} if status != "queued" else {}),
        **({"leased_until": "now() + interval '1 hour'"} if status == "running" else {}),
        **({"completed_at": "now()"} if status in ("completed", "failed", "canceled") else {}),
        **columns,
    }
    moments = {name: value for name, value in row.items() if isinstance(value, str) and value.startswith("now()")}
    values = [sql.SQL(moments[name]) if name in moments else sql.Placeholder(name) for name in row]
    statement = sql.SQL(
        "insert into public.agent_jobs (idempotency_key, {}) values (gen_random_uuid()::text, {}) returning id"
    ).format(sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(values))
    with db.connection() as conn:
        found = conn.execute(statement, {name: row[name] for name in row if name not in moments}).fetchone()
    assert found is not None
    return UUID(str(found["id"]))
