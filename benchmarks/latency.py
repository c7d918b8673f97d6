"""From a job's commit to the first line of its op, on an idle stack: what a single founder feels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks import goals
from benchmarks.bed import Bed, Way
from benchmarks.figures import Figure
from benchmarks.size import Size
from greenlight_dagster.bench import measures
from greenlight_dagster.bench.ground import ground
from greenlight_dagster.bench.samples import ratio, summarise

PROFILES: tuple[Way, ...] = ("ours", "stock")
# The 99th percentile of 300 still has three samples beyond it.
JOBS = Size(300, 20)
# Ours needs 120 s for its jobs at two to four a second; in the same time stock Dagster gets through some twenty.
SECONDS = Size(150, 15)
PROJECTS = 10


def measure(bed: Bed) -> dict[str, float]:
    """Return the percentiles in milliseconds."""
    with ground(bed.db, PROJECTS) as lent:
        found = measures.latency(lent, "standard", jobs=JOBS.count(bed.quick), seconds=SECONDS.of(bed.quick))
    summary = summarise([seconds * 1000 for seconds in found.seconds])
    return {**summary._asdict(), "not_begun": found.not_begun}


def figures(ours: Mapping[str, float], stock: Mapping[str, float]) -> Iterator[Figure]:
    """Yield the percentiles side by side, and how many times faster ours is."""
    note = f"{ours['n']:.0f} jobs, stock {stock['n']:.0f}"
    yield Figure("latency", "enqueue → op, p50", "ms", ours["p50"], stock["p50"], goals.LATENCY_P50_MS, note)
    yield Figure("latency", "enqueue → op, p95", "ms", ours["p95"], stock["p95"])
    yield Figure("latency", "enqueue → op, p99", "ms", ours["p99"], stock["p99"], goals.LATENCY_P99_MS)
    yield Figure("latency", "stock p50 / our p50", "×", ratio(stock["p50"], ours["p50"]), goal=goals.LATENCY_RATIO)
