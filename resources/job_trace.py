"""The trace of an attempt at a job: from the moment the job was due to its last event."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from dagster import DagsterRun

from studio.claims import Claim
from studio.database.connection import Database
from studio.database.traced import trace_waits
from studio.errors import StudioError
from studio.settings import Settings
from studio.tracing import ids, names, record
from studio.tracing.collector import TraceCollector, installed
from studio.tracing.context import TraceContext
from studio.tracing.logs import name_traces
from studio.tracing.spans import Span

log = logging.getLogger(__name__)

# A clock that is off by less than the moment between the claim and its trace may take cannot be told from a right one.
CLOCK_SECONDS = 5.0
_lock = threading.Lock()
_users = 0


@contextlib.contextmanager
def collecting(settings: Settings, db: Database) -> Iterator[None]:
    """Have a collector in this process; whoever leaves last stops it, with everything flushed.

    Runs share a process only where `GREENLIGHT_RUN_OWNS_PROCESS` is off.
    """
    global _users
    if not settings.trace_enabled:
        yield
        return
    with _lock:
        _users += 1
        if installed() is None:
            _start(settings, db)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            collector = installed()
            if collector is not None and _users == 0:
                collector.stop()
            elif collector is not None:
                collector.flush(settings.trace_shutdown_seconds)


def _start(settings: Settings, db: Database) -> None:
    try:
        trace_waits(settings.trace_slow_query_ms)
        name_traces()
        TraceCollector.from_settings(settings, db).start()
    except Exception:
        # The boundary between the work and its tracing: no thread left, no memory, a setting that cannot be.
        log.exception("Nothing is traced in this process")


def begin(claim: Claim, run: DagsterRun, settings: Settings, *, of_pickup: bool) -> TraceContext:
    """Begin the trace of the claim, with what was before: the wait for a worker, and the launch of the run.

    A job that somebody runs by hand waited for nobody: its trace begins with the claim.
    """
    job = claim.job
    claimed = job.started_at or job.created_at
    due = min(max(job.created_at, job.run_after), claimed)
    trace = TraceContext(
        job.job_type,
        trace_id=ids.of_claim(job.id, job.claim_no),
        start_time=due if of_pickup else claimed,
        now=_time_of_database(claim, settings),
        kind="job",
        attributes={
            names.JOB_ID: str(job.id),
            names.PROJECT_ID: str(job.project_id),
            names.CLAIM_NO: job.claim_no,
            names.ATTEMPT: job.attempts,
            names.RUN_ID: run.run_id,
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
        },
        project_id=job.project_id,
        job_id=job.id,
        claim_no=job.claim_no,
        attempt=job.attempts,
        lane=job.lane,
        dagster_run_id=run.run_id,
        **(_owner(claim) if settings.insforge_url else {}),
    )
    root = trace.begin()
    if isinstance(root, Span):
        root.set_input(job.payload)
        try:
            _before(root, due if of_pickup else None, claimed, job.locked_by)
        except Exception:
            # The boundary between the work and its tracing.
            log.exception("The trace of job %s does not say what was before it", job.id)
    return trace


def _time_of_database(claim: Claim, settings: Settings) -> datetime | None:
    """Return the time by the database's clock where this machine's is off: a trace's other moments are by that one."""
    if claim.job.leased_until is None:
        return None
    # The claim was taken up a moment ago.
    now = claim.job.leased_until - timedelta(seconds=settings.lease_seconds)
    return now if abs(now - datetime.now(UTC)) > timedelta(seconds=CLOCK_SECONDS) else None


def _owner(claim: Claim) -> dict[str, Any]:
    """Return whose the trace is, and what it is about: our own database looks that up itself, another one cannot."""
    try:
        row = claim.db.fetch_one(
            "select owner_clerk_id, name as subject from public.projects where id = %s", [claim.job.project_id]
        )
    except (StudioError, psycopg.Error) as exc:
        log.warning("The trace of job %s does not know whose it is: %s", claim.job_id, exc)
        return {}
    return dict(row) if row else {}


def _before(root: Span, due: datetime | None, claimed: datetime, worker: str | None) -> None:
    claimed_ns = root.trace.perf_ns(claimed)
    if due is not None:
        record(names.QUEUE_WAIT, root.trace.perf_ns(due), claimed_ns, {"greenlight.worker": worker or ""}, parent=root)
    record(names.LAUNCH, claimed_ns, max(claimed_ns, time.perf_counter_ns()), parent=root)


def end(trace: TraceContext, status: str, failure: BaseException | None, error: str | None) -> None:
    """End the trace as the attempt ended: `status` is the job's new one, or `lost` where it was not ours to say."""
    if status != "completed":
        if failure is not None:
            trace.fail(failure)
        trace.fail_with(error or f"The job is {status}.")
    trace.end(status)
