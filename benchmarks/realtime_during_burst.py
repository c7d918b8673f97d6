"""Realtime jobs while a burst of standard jobs is worked off: a night shift must not make chats wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks import goals
from benchmarks.bed import Bed, Way
from benchmarks.figures import Figure
from benchmarks.size import Size
from greenlight_dagster.bench import measures
from greenlight_dagster.bench.ground import ground
from greenlight_dagster.bench.samples import summarise

PROFILES: tuple[Way, ...] = ("ours",)
# Long enough for a hundred chats or so at the rate that is aimed at.
JOBS = Size(500, 60)
SECONDS = Size(30, 10)
PER_SECOND = 5.0
PROJECTS = 20


def measure(bed: Bed) -> dict[str, float]:
    """Return the percentiles in milliseconds."""
    with ground(bed.db, PROJECTS) as lent:
        found = measures.chats_during_burst(
            lent,
            "standard",
            jobs=JOBS.count(bed.quick),
            per_second=PER_SECOND,
            seconds=SECONDS.of(bed.quick),
        )
    summary = summarise([seconds * 1000 for seconds in found.seconds])
    return {**summary._asdict(), "not_begun": found.not_begun}


def figures(ours: Mapping[str, float], _stock: Mapping[str, float]) -> Iterator[Figure]:
    """Yield the percentiles."""
    name = "realtime_during_burst"
    note = f"{ours['n']:.0f} chats" + (f", {ours['not_begun']:.0f} never begun" if ours["not_begun"] else "")
    yield Figure(name, "enqueue → op, p50", "ms", ours["p50"], goal=goals.REALTIME_DURING_BURST_P50_MS, note=note)
    yield Figure(name, "enqueue → op, p95", "ms", ours["p95"])
