"""Ten realtime jobs a second: what a busy studio's founders feel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks import goals
from benchmarks.bed import Bed, Way
from benchmarks.figures import Figure
from benchmarks.size import Size
from greenlight_dagster.bench import measures
from greenlight_dagster.bench.ground import ground
from greenlight_dagster.bench.samples import summarise

# Stock Dagster on two cores starts about one run a second: all that it would show is a queue that grows.
PROFILES: tuple[Way, ...] = ("ours",)
SECONDS = Size(60, 10)
PROJECTS = 20


def measure(bed: Bed) -> dict[str, float]:
    """Return the percentiles in milliseconds, and how many chats had not begun at the end."""
    with ground(bed.db, PROJECTS) as lent:
        found = measures.chats(lent, seconds=SECONDS.of(bed.quick))
    summary = summarise([seconds * 1000 for seconds in found.seconds])
    return {**summary._asdict(), "not_begun": found.not_begun}


def figures(ours: Mapping[str, float], _stock: Mapping[str, float]) -> Iterator[Figure]:
    """Yield the percentiles."""
    note = f"{ours['n']:.0f} chats" + (f", {ours['not_begun']:.0f} never begun" if ours["not_begun"] else "")
    yield Figure("chats", "10 a second, p50", "ms", ours["p50"], goal=goals.CHATS_P50_MS, note=note)
    yield Figure("chats", "10 a second, p95", "ms", ours["p95"])
    yield Figure("chats", "10 a second, p99", "ms", ours["p99"], goal=goals.CHATS_P99_MS)
