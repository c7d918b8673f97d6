"""What synthetic runs usually take: per scenario, model and name of spans, from the last good runs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.operations.comparison import percentile
from studio.tracing import names

# So many that one odd run does not move the median, and so few that an improvement is the new measure within weeks.
KEPT_RUNS = 20
# What takes that much longer than usual, and by that much, is slower: a jitter of milliseconds is neither.
FACTOR = 2.0
FLOOR_MS = 500.0
# Wire calls are inside their questions, and waits for the database come and go.
_MEASURED = (names.JOB, "queue", names.LAUNCH, names.STEP, names.AGENT, names.LLM, names.TOOL, names.ACTION)


class Measured(NamedTuple):
    """The spans of one name in a run: how many, how long in all, and what they cost in micro-dollars."""

    spans: int
    ms: float
    micros: int


@dataclass(frozen=True)
class Usual:
    """The same in the last `runs` good runs."""

    runs: int
    median_ms: float
    p95_ms: float
    median_micros: int


@dataclass(frozen=True)
class Step:
    """The spans of a name beside what is usual of them; `usual` None where there is nothing to compare with."""

    name: str
    measured: Measured
    usual: Usual | None
    slower: bool

    @property
    def ratio(self) -> float | None:
        """How many times the median it took; None where there is none to speak of."""
        return self.measured.ms / self.usual.median_ms if self.usual is not None and self.usual.median_ms > 0 else None


class Limits(NamedTuple):
    """From where on something is slower: so many times its median, and so many milliseconds more."""

    factor: float = FACTOR
    floor_ms: float = FLOOR_MS


LIMITS = Limits()


def measure(db: Database, trace_id: UUID) -> dict[str, Measured]:
    """Return what the spans of a trace took, by their names, in the order in which they first began."""
    rows = db.fetch_all(
        "select span_name, count(*)::int as spans, sum(duration_ms) as ms,"
        " coalesce(sum(cost_micros), 0)::bigint as micros from public.pipeline_spans"
        " where trace_id = %s and duration_ms is not null and category = any (%s)"
        " group by span_name order by min(start_time), span_name",
        [trace_id, list(_MEASURED)],
    )
    return {row["span_name"]: Measured(row["spans"], row["ms"], row["micros"]) for row in rows}


def models(db: Database, trace_id: UUID) -> str:
    """Return the models that were asked, empty where none was."""
    rows = db.fetch_all(
        "select distinct model from public.pipeline_spans where trace_id = %s and model is not null order by 1",
        [trace_id],
    )
    return ", ".join(row["model"] for row in rows)


def usual(db: Database, scenario: str, model: str) -> dict[str, Usual]:
    """Return what is usual of a scenario with a model, by names of spans; empty before its first good run."""
    rows = db.fetch_all(
        "select span_name, n, median_ms, p95_ms, median_micros from public.synthetic_baselines"
        " where scenario = %s and model = %s",
        [scenario, model],
    )
    return {row["span_name"]: Usual(row["n"], row["median_ms"], row["p95_ms"], row["median_micros"]) for row in rows}


def usual_micros(db: Database, scenario: str, model: str) -> int | None:
    """Return what a scenario usually costs with a model, in micro-dollars; None before its first good run."""
    row = db.fetch_one(
        "select sum(median_micros)::bigint as micros from public.synthetic_baselines"
        " where scenario = %s and model = %s and span_name like 'llm:%%'",
        [scenario, model],
    )
    return None if row is None else row["micros"]


def compare(measured: Mapping[str, Measured], known: Mapping[str, Usual], limits: Limits) -> tuple[Step, ...]:
    """Return what was measured beside what is usual."""
    return tuple(
        Step(name, took, known.get(name), _slower(took, known.get(name), limits)) for name, took in measured.items()
    )


def _slower(took: Measured, known: Usual | None, limits: Limits) -> bool:
    return (
        known is not None and took.ms > known.median_ms * limits.factor and took.ms > known.median_ms + limits.floor_ms
    )


def keep(conn: Connection, scenario: str, model: str, measured: Mapping[str, Measured], *, anew: bool = False) -> None:
    """Add a good run to the baseline in the caller's transaction; `anew`: it is the first of a new one."""
    # Two tests at once would each lose the other's.
    conn.execute("select pg_advisory_xact_lock(hashtext('greenlight.baselines'), 0)")
    if anew:
        conn.execute("delete from public.synthetic_baselines where scenario = %s and model = %s", [scenario, model])
    rows = conn.execute(
        "select span_name, samples_ms, samples_micros from public.synthetic_baselines"
        " where scenario = %s and model = %s",
        [scenario, model],
    ).fetchall()
    before = {row["span_name"]: (row["samples_ms"], row["samples_micros"]) for row in rows}
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into public.synthetic_baselines (scenario, model, span_name, n, median_ms, p95_ms, median_micros,"
            " samples_ms, samples_micros) values (%(scenario)s, %(model)s, %(name)s, %(n)s, %(median_ms)s, %(p95_ms)s,"
            " %(micros)s, %(ms)s, %(costs)s) on conflict (scenario, model, span_name) do update set n = excluded.n,"
            " median_ms = excluded.median_ms, p95_ms = excluded.p95_ms, median_micros = excluded.median_micros,"
            " samples_ms = excluded.samples_ms, samples_micros = excluded.samples_micros, updated_at = now()",
            [
                {"scenario": scenario, "model": model, "name": name, **_row(took, *before.get(name, ([], [])))}
                for name, took in measured.items()
            ],
        )


def _row(took: Measured, ms: Sequence[float], micros: Sequence[int]) -> dict[str, Any]:
    durations, costs = [*ms, took.ms][-KEPT_RUNS:], [*micros, took.micros][-KEPT_RUNS:]
    return {
        "n": len(durations),
        "median_ms": statistics.median(durations),
        "p95_ms": percentile(sorted(durations), 0.95),
        "micros": round(statistics.median(costs)),
        "ms": durations,
        "costs": costs,
    }
