"""Traces whose process ended without a word: somebody else closes them, and says what was in flight.

A run closes its trace itself. Where its process was lost, the rows of what had begun are all there is of it; where it
never began, not even they. Whoever brings the job back to the queue closes the trace; a sweep finds the rest.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import CancelledError
from datetime import datetime
from typing import Any
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.queue import Job
from studio.tracing import ids, names
from studio.tracing.encoding import as_array
from studio.tracing.fault import Fault, fault_of, lost_worker
from studio.tracing.redaction import Redactor
from studio.tracing.rows import Batch, SpanRow, Status, TraceRow

# A run that has said its job's last word still has spans to write; after this it is not coming any more.
GRACE_SECONDS = 60.0
SWEEP = 200

# Under this name an explanation looks for it.
_ALIVE = """
update public.pipeline_traces set attributes = attributes || jsonb_build_object('greenlight.alive_at', %(alive)s::text)
where trace_id = %(trace)s and end_time is null
"""
_OPEN = """
select span_name, span_id, start_time from public.pipeline_spans
where trace_id = %(trace)s and end_time is null order by start_time, span_id
"""
_CLOSE_SPANS = """
update public.pipeline_spans set
  end_time = greatest(now(), start_time), status = %(status)s, success = false, error = %(error)s,
  error_type = %(type)s, error_class = %(class)s,
  duration_ms = extract(epoch from greatest(now(), start_time) - start_time) * 1000,
  fingerprint = case when parent_span_id is null then %(fingerprint)s end
where trace_id = %(trace)s and end_time is null
"""
# A request that broke off counts its whole reservation in the ledger; its question has had no word about that.
_PRICE_SPANS = """
update public.pipeline_spans question set
  model = coalesce(question.model, call.model),
  cost_micros = coalesce(question.cost_micros, 0) + coalesce(call.cost_micros, call.reserved_micros)
from public.pipeline_spans request
join public.model_calls call on call.id = (request.attributes ->> 'greenlight.call_id')::uuid
where request.trace_id = %(trace)s and request.category = 'chat' and request.end_time is null
  and question.span_id = request.parent_span_id and question.trace_id = request.trace_id and question.end_time is null
"""
_CLOSE_TRACE = """
update public.pipeline_traces t set
  end_time = greatest(now(), t.start_time), status = %(status)s, success = false, outcome = %(outcome)s,
  error = %(error)s, error_type = %(type)s, error_class = %(class)s, fingerprint = %(fingerprint)s,
  duration_ms = extract(epoch from greatest(now(), t.start_time) - t.start_time) * 1000,
  span_count = s.spans, model_calls = s.calls, input_tokens = s.input_tokens, output_tokens = s.output_tokens,
  -- What was in flight counts in full in the ledger, and has no figures here.
  cost_micros = greatest(s.cost_micros, (
    select coalesce(sum(coalesce(c.cost_micros, c.reserved_micros)), 0) from public.model_calls c
    where c.job_id = t.job_id and c.claim_no = t.claim_no)),
  queue_ms = coalesce(t.queue_ms, s.queue_ms), launch_ms = coalesce(t.launch_ms, s.launch_ms)
from (
  select count(*)::int as spans, count(*) filter (where category = 'chat')::int as calls,
    coalesce(sum(input_tokens), 0) as input_tokens, coalesce(sum(output_tokens), 0) as output_tokens,
    coalesce(sum(cost_micros), 0) as cost_micros,
    max(duration_ms) filter (where span_name = 'queue:wait') as queue_ms,
    max(duration_ms) filter (where span_name = 'launch') as launch_ms
  from public.pipeline_spans where trace_id = %(trace)s
) s
where t.trace_id = %(trace)s and t.end_time is null
"""


def close(
    conn: Connection, job: Job, why: str, *, outcome: str, redactor: Redactor, alive_at: datetime | None = None
) -> bool:
    """Close the trace of `job`'s claim, which was lost, in the caller's transaction; return whether it was open.

    `job` is the job as that claim held it; `outcome` what became of it: `canceled` ends it as cancelled, anything else
    as lost. `alive_at` is when its run was last known to live. Where the run has never begun, the trace is made: a wait
    in the queue, and a launch that came to nothing.
    """
    trace_id = ids.of_claim(job.id, job.claim_no)
    known = conn.execute(
        "select end_time is null as open from public.pipeline_traces where trace_id = %s", [trace_id]
    ).fetchone()
    if known is not None:
        if alive_at is not None:
            conn.execute(_ALIVE, {"trace": trace_id, "alive": alive_at.isoformat()})
        return known["open"] and _close(conn, trace_id, job.job_type, why, outcome, redactor)
    fault = _fault(job.job_type, [names.LAUNCH], why, outcome, redactor)
    batch = _never_begun(job, trace_id, _now(conn), fault, outcome)
    conn.execute("select public.store_pipeline_spans(%s::jsonb)", [as_array(batch.spans)])
    conn.execute("select public.store_pipeline_traces(%s::jsonb)", [as_array(batch.traces)])
    return True


def sweep(db: Database, redactor: Redactor) -> list[UUID]:
    """Close the open traces of claims that are over, whose runs have had time to close them; return which."""
    rows = db.fetch_all(
        "select t.trace_id, t.pipeline_name, j.status, j.claim_no > t.claim_no as superseded"
        " from public.pipeline_traces t left join public.agent_jobs j on j.id = t.job_id"
        " where t.end_time is null and (j.id is null and t.created_at < now() - interval '1 day'"
        "   or (j.claim_no > t.claim_no or j.status <> 'running')"
        "      and greatest(coalesce(j.completed_at, '-infinity'), j.run_after, j.started_at, t.created_at)"
        "        < now() - make_interval(secs => %s))"
        " order by t.start_time limit %s",
        [GRACE_SECONDS, SWEEP],
    )
    closed: list[UUID] = []
    for row in rows:
        outcome = "lost" if row["status"] is None else "queued" if row["superseded"] else row["status"]
        why = "Its process ended without a word."
        with db.transaction() as conn:
            if _close(conn, row["trace_id"], row["pipeline_name"], why, outcome, redactor):
                closed.append(row["trace_id"])
    return closed


def _close(conn: Connection, trace_id: UUID, pipeline: str, why: str, outcome: str, redactor: Redactor) -> bool:
    open_spans = [row["span_name"] for row in conn.execute(_OPEN, {"trace": trace_id}).fetchall()]
    fault = _fault(pipeline, open_spans, why, outcome, redactor)
    said: dict[str, Any] = {
        "trace": trace_id,
        "error": fault.message,
        "type": fault.type,
        "class": fault.error_class,
        "fingerprint": fault.fingerprint,
        "outcome": outcome,
        "status": _status(fault),
    }
    conn.execute(_PRICE_SPANS, said)
    conn.execute(_CLOSE_SPANS, said)
    return conn.execute(_CLOSE_TRACE, said).rowcount > 0


def _fault(pipeline: str, in_flight: list[str], why: str, outcome: str, redactor: Redactor) -> Fault:
    if outcome == "canceled":
        return fault_of(CancelledError(why), redactor)
    return lost_worker(pipeline, in_flight, why, redactor)


def _status(fault: Fault) -> Status:
    return "cancelled" if fault.error_class == "cancelled" else "lost"


def _never_begun(job: Job, trace_id: UUID, now: datetime, fault: Fault, outcome: str) -> Batch:
    claimed = min(job.started_at or now, now)
    due = min(max(job.created_at, job.run_after), claimed)
    error: dict[str, Any] = {
        "status": _status(fault),
        "success": False,
        "error": fault.message,
        "error_type": fault.type,
        "error_class": fault.error_class,
    }
    trace = TraceRow(
        trace_id=trace_id,
        pipeline_name=job.job_type,
        start_time=due,
        end_time=now,
        duration_ms=_ms(due, now),
        project_id=job.project_id,
        job_id=job.id,
        claim_no=job.claim_no,
        attempt=job.attempts,
        lane=job.lane,
        dagster_run_id=job.dagster_run_id,
        outcome=outcome,
        fingerprint=fault.fingerprint,
        queue_ms=_ms(due, claimed),
        launch_ms=_ms(claimed, now),
        span_count=3,
        **error,
    )
    root = _span(trace, "root", names.named(names.JOB, job.job_type), due, now, None)
    wait = _span(trace, "wait", names.QUEUE_WAIT, due, claimed, root.span_id)
    launch = _span(trace, "launch", names.LAUNCH, claimed, now, root.span_id)
    for row in (root, launch):
        row.status, row.success, row.error = _status(fault), False, fault.message
        row.error_type, row.error_class = fault.type, fault.error_class
    launch.fingerprint = fault.fingerprint
    root.self_ms = 0.0
    return Batch([trace], [root, wait, launch])


def _span(trace: TraceRow, what: str, name: str, began: datetime, ended: datetime, parent: str | None) -> SpanRow:
    duration = _ms(began, ended)
    # The same whoever closes it: two that do so at once write the same rows. It is `stand_in_span_id` of the migration,
    # which takes them away where the run has begun after all.
    digest = hashlib.sha256(f"{trace.trace_id}:{what}".encode("ascii")).hexdigest()[:16]
    return SpanRow(
        span_id=digest,
        trace_id=trace.trace_id,
        span_name=name,
        start_time=began,
        parent_span_id=parent,
        project_id=trace.project_id,
        pipeline_name=trace.pipeline_name,
        end_time=ended,
        duration_ms=duration,
        self_ms=duration,
        status="ok",
        success=True,
    )


def _ms(began: datetime, ended: datetime) -> float:
    return max(0.0, (ended - began).total_seconds() * 1000)


def _now(conn: Connection) -> datetime:
    row = conn.execute("select now() as now").fetchone()
    assert row is not None  # noqa: S101 - a function always returns a row
    now: datetime = row["now"]
    return now
