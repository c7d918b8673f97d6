"""What a project's agents do now and have just done, told from its jobs (domain specification §8, D18).

Only what is recorded: a job that runs, the task it has open, the step it has finished last. Where nothing runs, there
is nothing to tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from studio.database.connection import Database

# Domain specification §8.
JUST_NOW = timedelta(minutes=15)
COMPLETIONS = 8
TASKS = 50


@dataclass(frozen=True)
class Running:
    """A job that is worked on. `step` is the last one that it has finished, `task` the activity that it has open."""

    job_id: UUID
    job_type: str
    agent: str
    since: datetime
    attempt: int
    step: str | None
    task: str | None
    task_since: datetime | None
    cancel_requested_at: datetime | None


@dataclass(frozen=True)
class Completion:
    """A job that has been completed."""

    job_id: UUID
    job_type: str
    agent: str
    started_at: datetime | None
    completed_at: datetime


@dataclass(frozen=True)
class Live:
    """What runs, the oldest first; and what was completed just now, the newest first. `at` is the database's now."""

    at: datetime
    running: list[Running]
    completions: list[Completion]


def agents(db: Database, project_id: UUID) -> Live:
    """Return what the project's agents do, and at most eight completions of the last quarter of an hour."""
    with db.transaction() as conn:
        now = conn.execute("select now() as at").fetchone()
        assert now is not None  # noqa: S101 - a select without a table returns a row
        running = conn.execute(
            "select j.id as job_id, j.job_type, coalesce(t.agent, j.agent_key) as agent,"
            " coalesce(j.started_at, j.created_at) as since, j.attempts as attempt, s.step, t.description as task,"
            " t.started_at as task_since, j.cancel_requested_at from public.agent_jobs j"
            " left join lateral (select agent, description, started_at from public.tasks where job_id = j.id"
            "  and status = 'running' order by started_at desc nulls last, id limit 1) t on true"
            " left join lateral (select step from public.agent_job_steps where job_id = j.id"
            "  order by created_at desc, step limit 1) s on true"
            " where j.project_id = %s and j.status = 'running' order by since, j.id",
            [project_id],
        ).fetchall()
        completed = conn.execute(
            "select id as job_id, job_type, agent_key as agent, started_at, completed_at from public.agent_jobs"
            " where project_id = %s and status = 'completed' and completed_at > now() - %s"
            " order by completed_at desc, id limit %s",
            [project_id, JUST_NOW, COMPLETIONS],
        ).fetchall()
    return Live(now["at"], [Running(**row) for row in running], [Completion(**row) for row in completed])


def tasks(db: Database, project_id: UUID, limit: int = TASKS) -> list[dict[str, Any]]:
    """Return the newest entries of the project's activity list first, as they are stored."""
    return db.fetch_all(
        "select id, job_id, agent, description, status, detail, error, started_at, completed_at, created_at"
        " from public.tasks where project_id = %s order by created_at desc, id limit %s",
        [project_id, limit],
    )
