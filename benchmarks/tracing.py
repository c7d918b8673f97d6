"""What a span costs the work that is traced, while the collector writes what came before into PostgreSQL."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import psutil

from benchmarks import goals
from benchmarks.figures import Figure
from benchmarks.size import Size
from studio.database.connection import Database
from studio.tracing import span, traced_span
from studio.tracing.collector import TraceCollector
from studio.tracing.context import TraceContext
from studio.tracing.payload import LIMIT_BYTES
from studio.tracing.sinks.postgres import PostgresSink

ROUNDS = Size(300, 30)
# As many at once as a Phase 0 has in all; the collector is at the last ones while the next are made.
SPANS = 25
PAUSE_SECONDS = 0.02
FLUSH_SECONDS = 0.01
# Outside a trace it is a matter of nanoseconds, and any interruption longer than all calls: the best of some tries.
CALLS, TRIES = 5_000, 7
CROWD = Size(100_000, 10_000)
STOP_SECONDS = 300.0

TEXT = "Neighbours lend each other drills, ladders and sewing machines, and pay a little for it. "


def run(db: Database, quick: bool) -> Iterator[Figure]:
    """Yield microseconds per span, and what becomes of very many in one trace."""
    with TraceCollector([PostgresSink(db)], flush_seconds=FLUSH_SECONDS, stop_seconds=STOP_SECONDS):
        for what, work, without, spans, goal in (
            ("a span without payload", _spans, _nothing, SPANS, goals.SPAN_MICROSECONDS),
            ("a decorated call, with small arguments", _decorated, _bare, SPANS, None),
            ("a decorated call, with 50 KB in and out", _large, _bare_large, 1, None),
        ):
            usual, mean = _added(work, without, ROUNDS.count(quick), spans)
            yield Figure("tracing", what, "µs", usual, goal=goal, note=f"the mean of all is {mean:.1f}")
    outside = min(_each(_decorated, CALLS) for _ in range(TRIES)) - min(_each(_bare, CALLS) for _ in range(TRIES))
    yield Figure("tracing", "a decorated call outside a trace", "µs", outside, goal=goals.UNTRACED_MICROSECONDS)
    yield from _crowd(db, CROWD.count(quick))


def _added(work: Callable[[int], None], without: Callable[[int], None], rounds: int, spans: int) -> tuple[float, float]:
    """Return how many microseconds longer a call in `work`, in a trace, takes than one in `without` outside of one.

    The median over the rounds, and the mean, in which also counts that another program, or the collector, had the core.
    """
    traced, plain = [], []
    for _ in range(rounds):
        with TraceContext("bench"):
            traced.append(_each(work, spans))
        time.sleep(PAUSE_SECONDS)
        plain.append(_each(without, spans))
    usual = statistics.median(plain)
    return statistics.median(traced) - usual, statistics.mean(traced) - usual


def _each(work: Callable[[int], None], count: int) -> float:
    began = time.perf_counter_ns()
    work(count)
    return (time.perf_counter_ns() - began) / count / 1000


def _spans(count: int) -> None:
    for _ in range(count):
        with span("tool:bench"):
            pass


def _nothing(count: int) -> None:
    for _ in range(count):
        with contextlib.nullcontext():
            pass


def _bare_call(question: str, limit: int = 8) -> str:
    return question


_decorated_call = traced_span("tool:bench")(_bare_call)


def _bare(count: int) -> None:
    for _ in range(count):
        _bare_call(TEXT, limit=3)


def _decorated(count: int) -> None:
    for _ in range(count):
        _decorated_call(TEXT, limit=3)


_TEXT = TEXT * (LIMIT_BYTES // len(TEXT))


def _bare_large(count: int) -> None:
    for _ in range(count):
        _bare_call(_TEXT)


def _large(count: int) -> None:
    for _ in range(count):
        _decorated_call(_TEXT)


def _crowd(db: Database, count: int) -> Iterator[Figure]:
    """Make `count` spans in one trace as fast as that goes, and yield what it took until all were stored."""
    process = psutil.Process()
    before = process.memory_info().rss
    began = time.perf_counter()
    with _peak(process) as peak:
        with TraceCollector([PostgresSink(db)], stop_seconds=STOP_SECONDS) as collector:
            with TraceContext("bench") as trace:
                _spans(count)
            made = time.perf_counter() - began
        took = time.perf_counter() - began
    row = db.fetch_one(
        "select count(*) as n from public.pipeline_spans where trace_id = %s and status = 'ok'", [trace.trace_id]
    )
    lost = count + 1 - (row["n"] if row else 0)
    what = f"{count:,} in one trace"
    note = f"the work itself took {made:.1f} s"
    yield Figure("tracing", f"{what}: until all are stored", "s", took, goal=None, note=note)
    yield Figure("tracing", f"{what}: memory at the most", "MB", (peak() - before) / 1e6, goal=goals.CROWD_MEGABYTES)
    yield Figure("tracing", f"{what}: lost", "", max(lost, collector.lost), goal=goals.CROWD_LOST)


@contextlib.contextmanager
def _peak(process: psutil.Process) -> Iterator[Callable[[], int]]:
    """Watch how much memory the process has at most."""
    sizes = [process.memory_info().rss]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            sizes.append(process.memory_info().rss)

    watching = threading.Thread(target=watch, name="memory", daemon=True)
    watching.start()
    try:
        yield lambda: max(sizes)
    finally:
        over.set()
        watching.join()
