"""What a job costs a running stack: when each of its stages is reached, and who computes for it how long.

Jobs that do nothing say what any run costs; one of each scenario of the synthetic runs, with the sandbox model, says
what the real kinds of work add: events and their transactions, checkpoints, spans, Dagster's events, bytes of log.
"""

from __future__ import annotations

import contextlib
import functools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from benchmarks import path, processes
from benchmarks.bed import Bed
from benchmarks.simulation.quiet import Quiet, busy_seconds
from benchmarks.size import Size
from greenlight_dagster.bench import measures
from greenlight_dagster.bench.ground import Ground, ground
from greenlight_dagster.bench.samples import percentile
from studio.operations import scenarios, synthetic
from studio.operations.baselines import LIMITS
from studio.settings import Settings

IDLE_SECONDS = Size(15, 3)
ONE_BY_ONE = Size(80, 12)
BURST = Size(120, 24)
ROUNDS = Size(4, 1)
CHATS_PER_SECOND = (4.0, 10.0)
CHAT_SECONDS = Size(25, 5)
CHECKED_BURSTS = (Size(40, 20), Size(250, 30))
BESIDE_PER_SECOND = 5.0
# Enough to be worked off for all of the chats' time.
BEHIND = Size(600, 60)
QUANTILES = (5, 25, 50, 75, 95, 99)
PROJECTS = 20
SETTLE_SECONDS = 3.0
_TABLES = ("agent_jobs", "agent_job_events", "agent_job_steps", "pipeline_traces", "pipeline_spans")
_DAGSTER_TABLES = ("runs", "run_tags", "event_logs", "job_ticks")


def measure(bed: Bed, quiet: Quiet) -> dict[str, Any]:
    """Return stages, and processor time by part one by one and in a burst: what the simulation is fitted to."""
    idle = quiet.best("idle", lambda: _idle(bed))
    shares = idle["cpu_share"]
    return {
        "idle": idle,
        "alone": quiet.best("one by one", lambda: _alone(bed, shares)),
        "burst": quiet.best("a burst", lambda: _crowded(bed, shares)),
        "stages": quiet.best("stages", lambda: _stages(bed, shares)),
    }


def _stages(bed: Bed, idle: Mapping[str, float]) -> dict[str, Any]:
    with watched(bed, idle) as cost:
        stages = path.measure(bed)
    return {"others": cost.others, "ms": stages}


def check(bed: Bed, quiet: Quiet, idle: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return what the simulation has to predict without having seen it: other loads on the same stack."""
    works: dict[str, Callable[[Ground], dict[str, float]]] = {
        f"chats {rate:g}/s": functools.partial(_chats, bed, rate) for rate in CHATS_PER_SECOND
    }
    works |= {f"burst of {size.count(bed.quick)}": functools.partial(_burst, bed, size) for size in CHECKED_BURSTS}
    works[f"chats {BESIDE_PER_SECOND:g}/s during a burst"] = functools.partial(_beside, bed)

    def watched_work(work: Callable[[Ground], dict[str, float]]) -> dict[str, float]:
        with ground(bed.db, PROJECTS) as lent:
            with watched(bed, idle) as cost:
                found = work(lent)
        return {"others": cost.others, **found}

    return {name: quiet.best(name, functools.partial(watched_work, work)) for name, work in works.items()}


def _chats(bed: Bed, rate: float, lent: Ground) -> dict[str, float]:
    return _percentiles(measures.chats(lent, seconds=CHAT_SECONDS.of(bed.quick), per_second=rate).seconds)


def _burst(bed: Bed, size: Size, lent: Ground) -> dict[str, float]:
    done = measures.burst(lent, "standard", jobs=size.count(bed.quick), seconds=120.0)
    return {"jobs": done.sent, "per_second": done.per_second}


def _beside(bed: Bed, lent: Ground) -> dict[str, float]:
    chats = measures.chats_during_burst(
        lent,
        "standard",
        jobs=BEHIND.count(bed.quick),
        per_second=BESIDE_PER_SECOND,
        seconds=CHAT_SECONDS.of(bed.quick),
    )
    return _percentiles(chats.seconds)


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    waits = [1_000 * one for one in seconds]
    return {"n": len(waits), **{f"p{q}": percentile(waits, q) for q in (50, 95, 99)}}


def parts(bed: Bed) -> dict[str, float]:
    """Return the CPU seconds that each part has used so far."""
    found = processes.by_part(bed.stack, bed.server.pid)
    return {part: processes.cpu_seconds(members) for part, members in found.items()}


@dataclass
class Watched:
    """What a stretch of time has cost: `seconds` of it, CPU seconds of each part, cores that other programs kept busy.

    What the stack's parts do while nothing is asked of them (`idle`, a share of a core each) is taken off.
    """

    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    others: float = 0.0

    def per_job(self, jobs: float) -> dict[str, float]:
        """Return milliseconds of each part's CPU for one of `jobs`."""
        return {part: 1_000 * max(0.0, used) / jobs for part, used in self.cpu.items()}


@contextlib.contextmanager
def watched(bed: Bed, idle: Mapping[str, float]) -> Iterator[Watched]:
    """Watch what the block costs, and some seconds more: a run writes its last words after its job's end."""
    found = Watched()
    before, busy, began = parts(bed), busy_seconds(), time.monotonic()
    yield found
    time.sleep(SETTLE_SECONDS)
    found.seconds, after = time.monotonic() - began, parts(bed)
    used = {part: seconds - before.get(part, 0.0) for part, seconds in after.items()}
    found.others = max(0.0, busy_seconds() - busy - sum(used.values())) / found.seconds
    found.cpu = {part: seconds - idle.get(part, 0.0) * found.seconds for part, seconds in used.items()}


def _idle(bed: Bed) -> dict[str, Any]:
    with watched(bed, {}) as cost:
        time.sleep(IDLE_SECONDS.of(bed.quick))
    return {"others": cost.others, "cpu_share": {part: used / cost.seconds for part, used in cost.cpu.items()}}


def _alone(bed: Bed, idle: Mapping[str, float]) -> dict[str, Any]:
    count = ONE_BY_ONE.count(bed.quick)
    with ground(bed.db, PROJECTS) as lent, watched(bed, idle) as cost:
        found = measures.latency(lent, "standard", jobs=count, seconds=3.0 * count)
    waits = [seconds * 1_000 for seconds in found.seconds]
    return {
        "jobs": len(waits),
        "others": cost.others,
        "latency_ms": {str(q): percentile(waits, q) for q in QUANTILES},
        "cpu_ms": cost.per_job(len(waits)),
    }


def _crowded(bed: Bed, idle: Mapping[str, float]) -> dict[str, Any]:
    with ground(bed.db, PROJECTS) as lent, watched(bed, idle) as cost:
        done = measures.burst(lent, "standard", jobs=BURST.count(bed.quick), seconds=120.0)
    return {
        "jobs": done.completed,
        "others": cost.others,
        "per_second": done.per_second,
        "cpu_ms": cost.per_job(done.completed),
    }


def kinds(bed: Bed, idle: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return what one job of each kind of work costs and writes, with the sandbox model (medians)."""
    settings = Settings.model_validate(bed.stack.environment())
    wanted = [scenario for scenario in scenarios.SCENARIOS if scenario.ends == "completed"]
    seen: dict[str, list[dict[str, float]]] = {}
    for _ in range(ROUNDS.count(bed.quick)):
        trial = synthetic.Trial(bed.db, settings, wanted, Decimal(1_000), LIMITS)
        results = trial.results(trial.begin())
        while True:
            log = _log_position(bed)
            with watched(bed, idle) as cost:
                result = next(results, None)
            if result is None:
                break
            if result.outcome != "ok" or result.job_id is None:
                raise RuntimeError(f"The scenario {result.scenario} has not ended well: {result.reason}")
            one = _written(bed, result.job_id)
            one["seconds"] = (result.run_ms or 0.0) / 1_000
            one["wal_bytes"] = _log_position(bed) - log
            one |= {f"cpu_ms.{part}": ms for part, ms in cost.per_job(1).items()}
            seen.setdefault(result.scenario, []).append(one)
    return {name: _medians(samples) for name, samples in seen.items()}


def _medians(samples: list[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for sample in samples for name in sample})
    return {name: statistics.median(sample.get(name, 0.0) for sample in samples) for name in names}


def _written(bed: Bed, job_id: UUID) -> dict[str, float]:
    """Count what a job has left: rows, transactions that wrote events, bytes of texts."""
    row = bed.db.fetch_one(
        "select count(*) as events, count(*) filter (where type = 'delta') as deltas,"
        # now() is the transaction's, so that rows of one transaction share it.
        " count(distinct created_at) as event_commits, count(distinct created_at) filter (where type = 'delta')"
        " as delta_commits, coalesce(sum(pg_column_size(e.*)), 0) as event_bytes,"
        " (select count(*) from public.agent_job_steps s where s.job_id = %(job)s) as steps,"
        " (select count(*) from public.pipeline_spans s join public.pipeline_traces t using (trace_id)"
        "  where t.job_id = %(job)s) as spans,"
        " (select dagster_run_id from public.agent_jobs where id = %(job)s) as run"
        " from public.agent_job_events e where job_id = %(job)s",
        {"job": job_id},
    )
    assert row is not None
    found = {name: float(value) for name, value in row.items() if name != "run"}
    with psycopg.connect(bed.server.database(bed.databases[1], synchronous_commit=False)) as conn:
        counted = conn.execute("select count(*) from event_logs where run_id = %s", [row["run"]]).fetchone()
    found["dagster_events"] = float(counted[0]) if counted else 0.0
    return found


def row_bytes(bed: Bed) -> dict[str, float]:
    """Return what a row takes in each table that grows, with its indexes: after all the rest, when there are many."""
    found: dict[str, float] = {}
    for database, tables in zip(bed.databases, (_TABLES, _DAGSTER_TABLES), strict=True):
        with psycopg.connect(bed.server.database(database, synchronous_commit=database == bed.databases[0])) as conn:
            for table in tables:
                name = sql.Identifier("public", table)
                query = sql.SQL("select pg_total_relation_size({}::regclass), (select count(*) from {})").format(
                    sql.Literal(f"public.{table}"), name
                )
                size, rows = conn.execute(query).fetchone() or (0, 0)
                if rows:
                    found[table] = size / rows
                    found[f"{table} rows"] = rows
    return found


def _log_position(bed: Bed) -> float:
    row = bed.db.fetch_one("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as bytes")
    return float(row["bytes"]) if row else 0.0
