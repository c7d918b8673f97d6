"""One job with all there is to say of it: its model calls and their cost, its finished steps, its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from studio.database.connection import Database
from studio.model import spend
from studio.model.spend import Spent
from studio.queue import Job
from studio.views.activity import Note, Work, note, work

LOG_PAGE = 200


@dataclass(frozen=True)
class Call:
    """A model call and what it cost: where nobody learned the cost, what was reserved for it."""

    step: str
    agent: str
    model: str
    status: str
    input_tokens: int | None
    output_tokens: int | None
    searches: int | None
    cost_micros: int
    seconds: float | None
    error: str | None
    created_at: datetime


@dataclass(frozen=True)
class Saved:
    """A finished step: a later attempt takes its result instead of working again. An `idle` one had nothing to do."""

    step: str
    attempt: int
    seconds: float
    at: datetime
    idle: bool


@dataclass(frozen=True)
class JobPage:
    """All there is to say of a job. `has_more` says whether its log has older lines."""

    work: Work
    spent: Spent
    calls: list[Call]
    saved: list[Saved]
    log: list[Note] = field(default_factory=list)
    has_more: bool = False


def job_page(db: Database, job: Job, *, before: int | None = None) -> JobPage:
    """Return a job with its calls and its newest log lines, or those before position `before`."""
    calls = db.fetch_all(
        "select step, agent, model, status, input_tokens, output_tokens, searches,"
        " coalesce(cost_micros, reserved_micros) as cost_micros, duration_ms, error, created_at"
        " from public.model_calls where job_id = %s order by created_at, id",
        [job.id],
    )
    saved = db.fetch_all(
        "select s.step, s.attempt, s.duration_ms, s.created_at, j.job_type = 'phase.generate_packet'"
        "  and s.output in ('null'::jsonb, '[]'::jsonb) as idle"
        " from public.agent_job_steps s join public.agent_jobs j on j.id = s.job_id"
        # A step's parts are saved under its name, and belong to it.
        " where s.job_id = %s and s.step not like '%%/%%' order by s.created_at, s.step",
        [job.id],
    )
    log = db.fetch_all(
        "select seq, type, message, data, attempt, created_at from public.agent_job_events"
        " where job_id = %(job)s and type <> 'delta' and (%(before)s::bigint is null or seq < %(before)s)"
        " order by seq desc limit %(limit)s",
        {"job": job.id, "before": before, "limit": LOG_PAGE + 1},
    )
    return JobPage(
        work=work(db, job),
        spent=spend.spent_by_job(db, job.id),
        calls=[_call(row) for row in calls],
        saved=[_saved(row) for row in saved],
        log=[note(row) for row in reversed(log[:LOG_PAGE])],
        has_more=len(log) > LOG_PAGE,
    )


def _saved(row: Mapping[str, Any]) -> Saved:
    return Saved(row["step"], row["attempt"], row["duration_ms"] / 1000, row["created_at"], row["idle"])


def _call(row: Mapping[str, Any]) -> Call:
    values = {name: row[name] for name in Call.__dataclass_fields__ if name != "seconds"}
    return Call(**values, seconds=None if row["duration_ms"] is None else row["duration_ms"] / 1000)
