"""The activity list of a project: what its agents are doing, in words for the founder.

`tasks` holds one open row per agent and description, `task_log` is its append-only echo; both are only
written for work that really happens.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from studio.database.connection import Connection
from studio.text import clip, storable

TaskStatus = Literal["queued", "running", "completed", "failed"]

DETAIL_LIMIT = 1000


def log_task(
    conn: Connection, project_id: UUID, agent: str, description: str, status: TaskStatus, detail: str | None = None
) -> None:
    """Move the open task of (agent, description) to `status`, opening it where there is none (§10).

    Runs in the caller's transaction; also appends to `task_log` and to the project's ledger.
    """
    detail = None if detail is None else clip(storable(detail), DETAIL_LIMIT)
    ended = status in ("completed", "failed")
    updated = conn.execute(
        "update public.tasks set status = %(status)s, detail = coalesce(%(detail)s, detail),"
        " error = case when %(status)s = 'failed' then %(detail)s end,"
        " started_at = coalesce(started_at, case when %(status)s <> 'queued' then now() end),"
        " completed_at = case when %(ended)s then now() end"
        " where id = (select id from public.tasks where project_id = %(project)s and agent = %(agent)s"
        " and description = %(description)s and status in ('queued', 'running') order by created_at desc limit 1)",
        {
            "status": status,
            "detail": detail,
            "ended": ended,
            "project": project_id,
            "agent": agent,
            "description": description,
        },
    ).rowcount
    if not updated:
        conn.execute(
            "insert into public.tasks (project_id, agent, description, status, detail, error, started_at, completed_at)"
            " values (%(project)s, %(agent)s, %(description)s, %(status)s, %(detail)s,"
            " case when %(status)s = 'failed' then %(detail)s end,"
            " case when %(status)s <> 'queued' then now() end, case when %(ended)s then now() end)",
            {
                "project": project_id,
                "agent": agent,
                "description": description,
                "status": status,
                "detail": detail,
                "ended": ended,
            },
        )
    conn.execute(
        "insert into public.task_log (project_id, step, status, detail) values (%s, %s, %s, %s)",
        [project_id, description, status, detail],
    )
    conn.execute(
        "insert into public.project_events (project_id, event_type, message, data)"
        " values (%s, %s, %s, jsonb_build_object('agent', %s::text, 'detail', %s::text))",
        [project_id, f"task.{status}", description, agent, detail],
    )
