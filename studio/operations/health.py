"""How the installation fares: work, workers, news, money and traces, in one look.

It is for operators: it tells of all projects. What the queue says of its workers is `studio.worker_health`'s, and
stands in here unchanged; whatever is not as it should be is a `Problem`, a sentence with the status it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from studio import tenants, worker_health
from studio.database.connection import Connection, Database
from studio.listener import Listener
from studio.operations import flow, holders, spending, stream_lag, trace_keeping
from studio.operations.flow import Flow, LaneFlow
from studio.operations.holders import Lease, Waiting, Worker
from studio.operations.spending import Spending
from studio.operations.trace_keeping import TraceKeeping
from studio.operations.wording import lasting, several
from studio.settings import Settings
from studio.tenants import AtLimit
from studio.worker_health import WORSE, Heartbeat, Status, WorkerHealth

# Fewer attempts in an hour say nothing about a rate.
FEW_ATTEMPTS = 5
# Somebody's bad input fails again and again; when half of everything fails, it is ours.
HIGH_ERROR_RATE = 0.5
# A collector that starts takes up what others have left; by then one has.
SPILL_SECONDS = 600
SLOW_STREAM_SECONDS = 1.0


@dataclass(frozen=True)
class Problem:
    """What is not as it should be, in a sentence, and what it makes of the whole; `ok`: worth knowing, and no fault."""

    status: Status
    words: str


@dataclass(frozen=True)
class Leases:
    """Leases that are about to end, and those that have ended without anybody noticing."""

    ending: list[Lease]
    expired: int
    oldest_expired_seconds: float


@dataclass(frozen=True)
class Stream:
    """How long news take to the event streams; None where they were not measured (`listens` false), or never came."""

    listens: bool
    lag_seconds: float | None


@dataclass(frozen=True)
class Health:
    """All of it, at a moment of the database's clock.

    `open_issues` are kinds of errors that nobody has resolved, by class. `uptime_seconds` is that of the process that
    looked, where it is one that lasts.
    """

    status: Status
    problems: list[Problem]
    at: datetime
    job_types: list[Flow]
    lanes: list[LaneFlow]
    oldest_waiting: Waiting | None
    leases: Leases
    workers: list[Worker]
    heartbeats: list[Heartbeat]
    last_claim_at: datetime | None
    stream: Stream
    spending: Spending
    traces: TraceKeeping
    open_issues: dict[str, int]
    at_limit: list[AtLimit]
    uptime_seconds: float | None


_OPEN_ISSUES: LiteralString = """
select error_class, count(*)::int as n from public.pipeline_issues where status = 'open' and error_class <> 'cancelled'
group by error_class order by error_class
"""


def look(
    db: Database, settings: Settings, *, listener: Listener | None = None, uptime_seconds: float | None = None
) -> Health:
    """Return how the installation fares now.

    News are heard with `listener`, that of this process's event streams; without one, a listener is made for it, which
    costs a connection. Raises `DatabaseError` where the database cannot be reached.
    """
    stream = _stream(db, settings, listener)
    with db.transaction() as conn:
        work = worker_health.look_in(conn)
        types, lanes = flow.look_in(conn, work.lanes)
        oldest = holders.oldest_waiting(conn)
        ending = holders.leases_ending(conn, settings)
        holding = holders.workers(conn)
        spent = spending.look_in(conn, settings)
        traces = trace_keeping.look_in(conn, settings)
        issues = _open_issues(conn)
        near = tenants.at_limit_in(conn)
    problems = [
        *_of_work(work),
        *_of_leases(ending),
        *_of_attempts(types),
        *_of_stream(stream),
        *_of_traces(traces),
        *_of_spending(spent, settings),
        *_of_tenants(near),
    ]
    return Health(
        status=max((problem.status for problem in problems), key=WORSE.index, default="ok"),
        problems=sorted(problems, key=lambda problem: -WORSE.index(problem.status)),
        at=work.at,
        job_types=types,
        lanes=lanes,
        oldest_waiting=oldest,
        leases=Leases(ending, work.expired_leases, work.oldest_expired_seconds),
        workers=holding,
        heartbeats=work.heartbeats,
        last_claim_at=work.last_claim_at,
        stream=stream,
        spending=spent,
        traces=traces,
        open_issues=issues,
        at_limit=near,
        uptime_seconds=uptime_seconds,
    )


def _stream(db: Database, settings: Settings, listener: Listener | None) -> Stream:
    if not settings.listens:
        return Stream(False, None)
    if listener is not None:
        return Stream(True, stream_lag.measure(db, listener, stream_lag.LONGEST_SECONDS))
    with Listener(db) as own:
        return Stream(True, stream_lag.measure(db, own, stream_lag.LONGEST_SECONDS))


def _open_issues(conn: Connection) -> dict[str, int]:
    return {row["error_class"]: row["n"] for row in conn.execute(_OPEN_ISSUES).fetchall()}


# --- what is not as it should be


def _of_work(work: WorkerHealth) -> Iterator[Problem]:
    found = worker_health.problems(work.lanes, work.expired_leases, work.oldest_expired_seconds, work.heartbeats)
    return (Problem(status, words) for status, words in found)


def _of_leases(ending: list[Lease]) -> Iterator[Problem]:
    missed = sum(lease.run_id is not None for lease in ending)
    if missed:
        yield Problem("degraded", f"{several(missed, 'running job')} missed a renewal, and the lease nearly ends.")
    if launching := len(ending) - missed:
        yield Problem("degraded", f"{several(launching, 'claimed job')} got no run, and the lease nearly ends.")


def _of_attempts(types: Iterable[Flow]) -> Iterator[Problem]:
    for kind in types:
        rate = kind.error_rate
        if rate is not None and rate >= HIGH_ERROR_RATE and kind.attempts >= FEW_ATTEMPTS:
            failed = kind.errors + kind.lost
            yield Problem("degraded", f"{failed} of {kind.attempts} attempts at {kind.name} failed in the last hour.")


def _of_stream(stream: Stream) -> Iterator[Problem]:
    if not stream.listens:
        return
    if stream.lag_seconds is None:
        yield Problem("degraded", f"A notification has not come back in {stream_lag.LONGEST_SECONDS:.0f} s.")
    elif stream.lag_seconds > SLOW_STREAM_SECONDS:
        yield Problem("degraded", f"News take {stream.lag_seconds:.1f} s to the event streams.")


def _of_tenants(near: list[AtLimit]) -> Iterator[Problem]:
    if near:
        # It is what limits are for; somebody may want a higher one.
        yield Problem("ok", f"{several(len(near), 'tenant')} near a limit: `greenlight limits` says which.")


def _of_traces(traces: TraceKeeping) -> Iterator[Problem]:
    if traces.day_dropped_spans:
        yield Problem(
            "degraded", f"{several(traces.day_dropped_spans, 'span')} of the last 24 hours could be kept nowhere."
        )
    left = traces.spilled
    if left.files and left.oldest_seconds > SPILL_SECONDS:
        files, age = several(left.files, "file"), lasting(left.oldest_seconds * 1000)
        yield Problem("degraded", f"{files} of traces on the disk, the oldest for {age}: nobody takes them up.")
    if left.unreadable:
        yield Problem("degraded", f"Unreadable files of traces on the disk, which end in .bad: {left.unreadable}.")


def _of_spending(spent: Spending, settings: Settings) -> Iterator[Problem]:
    if spent.near_cap_projects:
        # Its founder's business: the studio does what it was told to.
        percent = f"{settings.alert_spend_percent:g} %"
        yield Problem("ok", f"Projects that have used {percent} of a cap or more: {spent.near_cap_projects}.")
