"""What grows that should not, what has gone wrong, and what is only told."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from benchmarks.soak import bounds
from benchmarks.soak.bounds import Bound
from benchmarks.soak.series import Run, Series, series_of
from benchmarks.soak.trend import Point, settled, thirds, trend
from greenlight_dagster.bench.samples import percentile
from studio.errors import StackError

# "noise": more than the bound, but no more than the series' own scatter. "short": too little to say.
Verdict = Literal["flat", "ok", "noise", "short", "GROWS", "FAILED", ""]
BAD: frozenset[Verdict] = frozenset({"GROWS", "FAILED"})

BOUNDS: dict[str, Bound] = {
    "memory": bounds.MEMORY,
    "largest process": bounds.MEMORY,
    "process": bounds.MEMORY,
    "descriptors": bounds.DESCRIPTORS,
    "threads": bounds.THREADS,
    "processes": bounds.PROCESSES,
    "sessions": bounds.SESSIONS,
    "queued": bounds.QUEUED,
    "fixed table": bounds.FIXED_TABLE,
    "bytes a row": bounds.PER_ROW,
}
# Of PostgreSQL's own processes.
POSTGRES_BOUNDS = {"process": bounds.SESSION_MEMORY, "descriptors": bounds.SESSION_DESCRIPTORS}
# The load's own process is none of the stack's.
UNJUDGED = frozenset({"load"})
# What the load counts of which there must be none.
FAULTS = (
    "lost",
    "failed",
    "unfinished",
    "phase0 failed",
    "chats failed",
    "streams broken",
    "events missed",
    "load broken",
)
# What there must be some of, so that a run proves something.
WORK = ("completed", "phase0", "chats", "streams")


class Judgement(NamedTuple):
    """One line of the report. `growth` is in `unit`, `percent` of `first`; NaN where there is none to tell."""

    kind: str
    what: str
    unit: str
    first: float
    last: float
    growth: float
    percent: float
    bound: str
    verdict: Verdict
    note: str = ""


def judge(run: Run, rate: float, *, interrupted: bool = False) -> list[Judgement]:
    """Judge a run whose load was to send `rate` jobs a second.

    Where it was interrupted nothing is said about jobs that have not ended. Raise `StackError` where there is nothing
    to judge.
    """
    if not run.samples or not run.load:
        raise StackError("Nothing was sampled, or the load has never told anything.", "Let it run for longer.")
    live = {one.what: one.points for one in series_of(run.samples) if one.kind == "rows"}
    found = [_of_series(one, live) for one in series_of(run.samples)]
    for what, waits in sorted(run.waits().items()):
        found += _of_waits(what, waits)
    return [*found, *_of_counts(run, rate, interrupted=interrupted)]


def bad(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Return those for which a run fails."""
    return [one for one in judgements if one.verdict in BAD]


def _of_series(series: Series, live: Mapping[str, list[Point]]) -> Judgement:
    if series.kind == "dead":
        return _dead(series, live[series.what])
    return judged(series, bound_of(series))


def bound_of(series: Series) -> Bound | None:
    """Return how much the series may grow; None where it is only told."""
    # A process is named by its part and its id.
    part = series.what.partition(" ")[0]
    if part in UNJUDGED:
        return None
    return (POSTGRES_BOUNDS.get(series.kind) if part == "postgres" else None) or BOUNDS.get(series.kind)


def judged(series: Series, bound: Bound | None) -> Judgement:
    """Judge how a series grows; without a bound it is only told."""
    found = trend(series.points)
    head = (series.kind, series.what, series.unit)
    said = str(bound) if bound else ""
    if found is None:
        return Judgement(*head, *_ends(series.points), math.nan, math.nan, said, "short" if bound else "")
    verdict: Verdict = ""
    if bound is not None:
        chance = found.growth <= found.noise
        verdict = "flat" if bound.holds(found.growth, found.percent) else "noise" if chance else "GROWS"
    return Judgement(*head, found.first, found.last, found.growth, found.percent, said, verdict)


def _ends(points: Sequence[Point]) -> tuple[float, float]:
    return (points[0][1], points[-1][1]) if points else (math.nan, math.nan)


def _dead(series: Series, live: Sequence[Point]) -> Judgement:
    """Judge by level: dead rows come in a saw's teeth, and what counts is that autovacuum keeps up."""
    first, _, last = (third or series.points for third in thirds(settled(series.points)))
    before, after = (statistics.median(value for _, value in third) for third in (first, last))
    rows = statistics.median(value for _, value in (thirds(settled(live))[2] or live))
    allowed = bounds.DEAD_ROWS + bounds.DEAD_SHARE * rows
    verdict: Verdict = "ok" if after <= allowed else "GROWS"
    head = ("dead rows", series.what, series.unit)
    return Judgement(*head, before, after, after - before, math.nan, f"≤ {allowed:,.0f}", verdict, f"{rows:,.0f} live")


def _of_waits(what: str, waits: Sequence[Point]) -> Iterator[Judgement]:
    """Judge the median of the last third of the run by that of the second; tell the 99th percentile."""
    _, second, last = ([value for _, value in third] for third in thirds(waits))
    for name, q in (("p50", 50), ("p99", 99)):
        before, after = percentile(second, q), percentile(last, q)
        growth = after - before
        percent = 100 * growth / before if before else math.nan
        bound = bounds.LATENCY if q == 50 else None
        verdict: Verdict = ""
        if bound is not None:
            enough = min(len(second), len(last)) >= bounds.LEAST_WAITS
            verdict = "short" if not enough else "flat" if bound.holds(growth, percent) else "GROWS"
        note = f"{len(second)} and {len(last)} waits"
        yield Judgement(
            "latency", f"{what} {name}", "ms", before, after, growth, percent, str(bound or ""), verdict, note
        )


def _of_counts(run: Run, rate: float, *, interrupted: bool) -> Iterator[Judgement]:
    counts = run.counts
    for what in FAULTS:
        # What the load has never counted, it has not got so far as to know.
        number = counts.get(what, 0 if what == "unfinished" and interrupted else math.nan)
        excused = interrupted and what == "unfinished"
        yield _count(what, number, "0", excused or number == 0)
    for what in WORK:
        yield _count(what, counts.get(what, 0), "≥ 1", counts.get(what, 0) > 0)
    least = bounds.SENT_SHARE * rate
    # The load ends with the last sample; its last line comes when its jobs have ended.
    sent = counts.get("sent", 0) / run.samples[-1]["at"] if run.samples[-1]["at"] else 0.0
    yield _count("sent a second", sent, f"≥ {least:.2f}", sent >= least)


def _count(what: str, number: float, bound: str, holds: bool) -> Judgement:
    return Judgement("count", what, "", math.nan, number, math.nan, math.nan, bound, "ok" if holds else "FAILED")
