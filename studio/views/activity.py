"""What is being done and what was done: jobs with their steps, their words, their costs, as their rows tell it.

A job that begins anew begins its steps and its words anew: what is told of it is what came after its last `running`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

from studio import events, queue
from studio.database.connection import Database
from studio.errors import NotFound
from studio.job_types import JOB_TYPES
from studio.queue import Job, job_from_row

PAGE = 30
# What fits beside the steps; the whole of a text is in what comes of it.
STREAMED_CHARS = 6000
NOTES = 5

_PHASE = re.compile(r"phase\d_")

# idle: it has ended, and there was nothing for it to do.
StepState = Literal["running", "done", "failed", "skipped", "idle"]
_STATES: dict[str, StepState] = {
    "STEP_START": "running",
    "STEP_SUCCESS": "done",
    "STEP_FAILURE": "failed",
    "STEP_SKIPPED": "skipped",
}

_OPEN: LiteralString = (
    "select * from public.agent_jobs where project_id = %(project)s and status in ('queued', 'running')"
    " order by status = 'queued', created_at, id"
)
# Of a job's present attempt, whoever works on it: what follows its last `running`.
_SINCE: LiteralString = """
  coalesce((select max(r.seq) from public.agent_job_events r
            where r.job_id = e.job_id and r.type = 'status' and r.message = 'running' and r.seq <= %(seq)s), 0)
"""
_TOLD: LiteralString = """
select e.job_id, e.seq, e.type, e.message, e.data, e.attempt, e.created_at from public.agent_job_events e
where e.job_id = any(%(jobs)s) and e.seq <= %(seq)s and e.type <> 'delta' and e.seq >=
"""
_IN_ORDER: LiteralString = " order by e.seq"
_STREAMED: LiteralString = """
select e.job_id, coalesce(e.data ->> 'step', '') as step,
       right(string_agg(e.message, '' order by e.seq), %(chars)s) as text
from public.agent_job_events e
where e.job_id = any(%(jobs)s) and e.seq <= %(seq)s and e.type = 'delta' and e.seq >
"""
_TEXTS: LiteralString = """
select e.job_id, string_agg(e.message, '' order by e.seq) as text from public.agent_job_events e
where e.job_id = any(%(jobs)s) and e.seq <= %(seq)s and e.type = 'delta' and e.seq >
"""
# Ops that belong to another phase save that they made nothing: neither finding nor file.
_IDLE: LiteralString = """
select s.job_id, s.step from public.agent_job_steps s join public.agent_jobs j on j.id = s.job_id
where s.job_id = any(%(jobs)s) and j.job_type = 'phase.generate_packet'
  and s.output in ('null'::jsonb, '[]'::jsonb)
"""
_BY_JOB: LiteralString = " group by 1"
_BY_STEP: LiteralString = " group by 1, 2 order by max(e.seq)"


@dataclass(frozen=True)
class Step:
    """A step of a run. `seconds` is None while it runs."""

    name: str
    state: StepState
    began_at: datetime
    seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Words:
    """What an agent has said so far in one step."""

    step: str
    text: str


@dataclass(frozen=True)
class Task:
    """What an agent does or did for a job, in words for the founder."""

    agent: str
    description: str
    status: str
    detail: str | None
    started_at: datetime | None
    completed_at: datetime | None

    @property
    def title(self) -> str:
        """What it is, without the phase, which whoever reads it knows: `phase1_landing_design` is Landing design."""
        name = _PHASE.sub("", self.description).replace("_", " ").strip()
        return name[:1].upper() + name[1:]


@dataclass(frozen=True)
class Note:
    """A line of a job's log."""

    seq: int
    type: str
    message: str
    level: str | None
    attempt: int
    at: datetime
    error: str | None = None
    step: str | None = None
    step_event: str | None = None
    cost_micros: int | None = None


@dataclass(frozen=True)
class Work:
    """A job as it stands at position `seq` of its project's stream."""

    job: Job
    description: str
    seq: int
    steps: Sequence[Step] = ()
    words: Sequence[Words] = ()
    tasks: Sequence[Task] = ()
    notes: Sequence[Note] = ()
    cost_micros: int = 0

    @property
    def began_at(self) -> datetime:
        """Since when it works, or waits."""
        return self.job.started_at or self.job.created_at

    @property
    def done(self) -> int:
        """How many of its steps have done something."""
        return sum(step.state == "done" for step in self.steps)

    @property
    def stopping(self) -> bool:
        """Whether a person has asked it to stop, and it has not yet."""
        return self.job.cancel_requested_at is not None


@dataclass(frozen=True)
class Live:
    """What a project's jobs are doing at position `seq` of its stream."""

    seq: int
    works: list[Work]


@dataclass(frozen=True)
class Past:
    """A job in a list. `seconds` is how long it worked, None where it has not begun or still works."""

    job: Job
    description: str
    cost_micros: int
    calls: int
    seconds: float | None


@dataclass(frozen=True)
class Listed:
    """A page of jobs, the newest first; `older` is the id after which the next page begins."""

    jobs: list[Past]
    older: UUID | None


def live(db: Database, project_id: UUID) -> Live:
    """Return the project's jobs that run or wait, the running ones first."""
    # Before anything else is read: everything up to it is committed, so that whoever follows from here misses nothing.
    seq = events.last_seq(db, project_id)
    jobs = [job_from_row(row) for row in db.fetch_all(_OPEN, {"project": project_id})]
    return Live(seq, _works(db, jobs, seq))


def work(db: Database, job: Job) -> Work:
    """Return one job as it stands, also one that has ended."""
    return _works(db, [job], events.last_seq(db, job.project_id))[0]


def streamed(db: Database, job_ids: Sequence[UUID], seq: int) -> dict[UUID, str]:
    """Return the whole text that each of the jobs has streamed up to position `seq`; nothing of one that has not."""
    if not job_ids:
        return {}
    query = _TEXTS + _SINCE + _BY_JOB
    rows = db.fetch_all(query, {"jobs": list(job_ids), "seq": seq})
    return {row["job_id"]: row["text"] or "" for row in rows}


def starting(db: Database, job_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the jobs that were claimed, and whose run has not begun yet."""
    rows = db.fetch_all(
        "select id from public.agent_jobs where id = any(%s) and status = 'running' and dagster_run_id is null",
        [list(job_ids)],
    )
    return {row["id"] for row in rows}


def history(db: Database, project_id: UUID, *, before: UUID | None = None, limit: int = PAGE) -> Listed:
    """Return the project's newest jobs, or those before job `before`; raise `NotFound` where that is none of its."""
    if before is not None and queue.get(db, before).project_id != project_id:
        raise NotFound(f"There is no job {before}.", "Begin at the newest.")
    rows = db.fetch_all(
        "select j.*, coalesce(c.cost, 0)::bigint as cost_micros, coalesce(c.calls, 0)::int as calls"
        " from public.agent_jobs j left join lateral ("
        "   select sum(coalesce(m.cost_micros, m.reserved_micros)) as cost, count(*) as calls"
        "   from public.model_calls m where m.job_id = j.id) c on true"
        " where j.project_id = %(project)s and (%(before)s::uuid is null or (j.created_at, j.id) <"
        " (select b.created_at, b.id from public.agent_jobs b where b.id = %(before)s))"
        " order by j.created_at desc, j.id desc limit %(limit)s",
        {"project": project_id, "before": before, "limit": limit + 1},
    )
    found = [_past(row) for row in rows[:limit]]
    return Listed(found, found[-1].job.id if len(rows) > limit else None)


def describe(job_type: str) -> str:
    """Return what jobs of a type are for; the name itself where the registry does not know it."""
    known = JOB_TYPES.get(job_type)
    return known.description if known is not None else job_type


# --- of a handful of jobs at once


def _works(db: Database, jobs: Sequence[Job], seq: int) -> list[Work]:
    if not jobs:
        return []
    asked: dict[str, Any] = {"jobs": [job.id for job in jobs], "seq": seq, "chars": STREAMED_CHARS}
    told = db.fetch_all(_TOLD + _SINCE + _IN_ORDER, asked)
    streamed = db.fetch_all(_STREAMED + _SINCE + _BY_STEP, asked)
    tasks = db.fetch_all(
        "select job_id, agent, description, status, detail, started_at, completed_at from public.tasks"
        " where job_id = any(%(jobs)s) order by created_at, id",
        asked,
    )
    costs = db.fetch_all(
        "select job_id, sum(coalesce(cost_micros, reserved_micros))::bigint as cost from public.model_calls"
        " where job_id = any(%(jobs)s) group by job_id",
        asked,
    )
    idle = {(row["job_id"], row["step"]) for row in db.fetch_all(_IDLE, asked)}
    spent = {row["job_id"]: row["cost"] for row in costs}
    return [
        Work(
            job=job,
            description=describe(job.job_type),
            seq=seq,
            steps=[_as_saved(step, (job.id, step.name) in idle) for step in _steps(_of(told, job))],
            words=[Words(row["step"], row["text"] or "") for row in _of(streamed, job)],
            tasks=[_task(row) for row in _of(tasks, job)],
            notes=_spoken(_of(told, job)),
            cost_micros=spent.get(job.id, 0),
        )
        for job in jobs
    ]


def _of(rows: Iterable[dict[str, Any]], job: Job) -> list[dict[str, Any]]:
    return [row for row in rows if row["job_id"] == job.id]


def _steps(rows: Iterable[dict[str, Any]]) -> list[Step]:
    steps: dict[str, Step] = {}
    for row in rows:
        data = _data(row)
        state = _STATES.get(str(data.get("step_event")))
        if state is None:
            continue
        name = str(data.get("op") or "")
        began_at = steps[name].began_at if name in steps else row["created_at"]
        if state == "running":
            steps[name] = Step(name, state, row["created_at"])
            continue
        measured = _number(data.get("duration_ms"))
        seconds = measured / 1000 if measured is not None else (row["created_at"] - began_at).total_seconds()
        steps[name] = Step(name, state, began_at, seconds, _text(data.get("error")))
    return list(steps.values())


def _as_saved(step: Step, idle: bool) -> Step:
    return replace(step, state="idle") if idle and step.state == "done" else step


def _spoken(rows: Sequence[dict[str, Any]]) -> list[Note]:
    """Return the last lines that are neither a step's beginning or end nor a change of status."""
    lines = [row for row in rows if row["type"] != "status" and "step_event" not in _data(row)]
    return [note(row) for row in lines[-NOTES:]]


def note(row: Mapping[str, Any]) -> Note:
    """Return an event's row as a line of the log."""
    data = _data(row)
    return Note(
        seq=row["seq"],
        type=row["type"],
        message=row["message"] or "",
        level=_text(data.get("level")),
        attempt=row["attempt"],
        at=row["created_at"],
        error=_text(data.get("error")),
        step=_text(data.get("op") or data.get("step")),
        step_event=_text(data.get("step_event")),
        cost_micros=_number(data.get("cost_micros")),
    )


def _task(row: Mapping[str, Any]) -> Task:
    return Task(**{name: row[name] for name in Task.__dataclass_fields__})


def _past(row: dict[str, Any]) -> Past:
    job = job_from_row(row)
    worked = (
        max(0.0, (job.completed_at - job.started_at).total_seconds())
        if job.completed_at is not None and job.started_at is not None
        else None
    )
    return Past(job, describe(job.job_type), row["cost_micros"], row["calls"], worked)


def _data(row: Mapping[str, Any]) -> dict[str, Any]:
    # The column takes any JSON, and other clients write to it.
    return row["data"] if isinstance(row["data"], dict) else {}


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
