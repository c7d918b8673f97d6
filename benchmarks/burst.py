"""200 jobs enqueued in one transaction: how many runs a second come out at the other end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks import goals
from benchmarks.bed import Bed, Way
from benchmarks.figures import Figure
from benchmarks.size import Size
from greenlight_dagster.bench import measures
from greenlight_dagster.bench.ground import ground
from greenlight_dagster.bench.samples import ratio

PROFILES: tuple[Way, ...] = ("ours", "stock")
JOBS = Size(200, 40)
# Stock Dagster would need minutes for all: what it has done until then says how fast it is.
SECONDS = Size(60, 15)
PROJECTS = 20


def measure(bed: Bed) -> dict[str, float]:
    """Return how many jobs were completed, in how many seconds, and how many a second that is."""
    with ground(bed.db, PROJECTS) as lent:
        done = measures.burst(lent, "standard", jobs=JOBS.count(bed.quick), seconds=SECONDS.of(bed.quick))
    return {"completed": done.completed, "seconds": done.seconds, "per_second": done.per_second}


def figures(ours: Mapping[str, float], stock: Mapping[str, float]) -> Iterator[Figure]:
    """Yield the rates side by side, and how many times more ours does."""
    note = f"{_done(ours)}, stock {_done(stock)}"
    yield Figure("burst", "no-op runs", "/s", ours["per_second"], stock["per_second"], goals.BURST_PER_SECOND, note)
    yield Figure("burst", "ours / stock", "×", ratio(ours["per_second"], stock["per_second"]), goal=goals.BURST_RATIO)


def _done(values: Mapping[str, float]) -> str:
    return f"{values['completed']:.0f} in {values['seconds']:.1f} s"
