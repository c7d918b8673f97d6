"""The activity list of a project: what its agents are doing, in words for the founder.

`tasks` holds one row per job, agent and description, `task_log` is its append-only echo; both are only
written for work that really happens. What a job leaves open is closed where the job ends (migration
`job_tasks`).
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from studio.database.connection import Connection
from studio.project_events import record
from studio.text import clip, storable

TaskStatus = Literal["queued", "running", "completed", "failed"]

DETAIL_LIMIT = 1000


def log_task(
    conn: Connection,
    project_id: UUID,
    job_id: UUID,
    agent: str,
    description: str,
    status: TaskStatus,
    detail: str | None = None,
) -> None:
    """Move the job's task of (agent, description) to `status`, listing it where it is not yet (§10).

    Runs in the caller's transaction. A change is also appended to `task_log` and to the project's ledger; an
    attempt that says the same again adds nothing.
    """
    detail = None if detail is None else clip(storable(detail), DETAIL_LIMIT)
    changed = conn.execute(
        "insert into public.tasks as t (project_id, job_id, agent, description, status, detail, error,"
        " started_at, completed_at)"
        " values (%(project)s, %(job)s, %(agent)s, %(description)s, %(status)s, %(detail)s,"
        " case when %(status)s = 'failed' then %(detail)s end, case when %(status)s <> 'queued' then now() end,"
        " case when %(status)s in ('completed', 'failed') then now() end)"
        " on conflict (job_id, agent, description) where job_id is not null do update set"
        " status = excluded.status, detail = excluded.detail, error = excluded.error,"
        " started_at = coalesce(t.started_at, excluded.started_at), completed_at = excluded.completed_at"
        " where (t.status, t.detail) is distinct from (excluded.status, excluded.detail)",
        {
            "project": project_id,
            "job": job_id,
            "agent": agent,
            "description": description,
            "status": status,
            "detail": detail,
        },
    ).rowcount
    if not changed:
        return
    conn.execute(
        "insert into public.task_log (project_id, step, status, detail) values (%s, %s, %s, %s)",
        [project_id, description, status, detail],
    )
    record(conn, project_id, f"task.{status}", description, {"agent": agent, "detail": detail})


def forget_task(conn: Connection, job_id: UUID, agent: str, description: str) -> None:
    """Take a task off the list in the caller's transaction; log and ledger keep what was said of it."""
    conn.execute(
        "delete from public.tasks where job_id = %s and agent = %s and description = %s", [job_id, agent, description]
    )
