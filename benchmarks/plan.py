"""Which benchmarks there are, and how all of them are run one after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from benchmarks import (
    burst,
    chats,
    claims,
    enqueue,
    event_follow,
    events,
    first_delta,
    idle,
    latency,
    memory,
    path,
    phase0,
    ratios,
    realtime_during_burst,
    streams,
    traced_model,
    traced_phase0,
    tracing,
)
from benchmarks.bed import Bed, Way, running
from benchmarks.figures import Figure
from benchmarks.server import Server
from studio.database.connection import Database

Values = Mapping[str, float]
DatabaseBenchmark = Callable[[Database, bool], Iterator[Figure]]


class StackBenchmark(Protocol):
    """A module that measures a running stack."""

    PROFILES: tuple[Way, ...]

    def measure(self, bed: Bed) -> Values:
        """Measure one stack."""

    def figures(self, ours: Values, stock: Values) -> Iterator[Figure]:
        """Make figures of what was measured; `stock` is empty where only ours was."""


# Idle first: what the others leave, the server still tidies up minutes later.
STACK: dict[str, StackBenchmark] = {
    "idle": idle,
    "memory": memory,
    "latency": latency,
    "path": path,
    "chats": chats,
    "first_delta": first_delta,
    "phase0": phase0,
    "traced_phase0": traced_phase0,
    "burst": burst,
    "realtime_during_burst": realtime_during_burst,
}


DATABASE: dict[str, DatabaseBenchmark] = {
    "enqueue": enqueue.run,
    "events": events.run,
    "event_follow": event_follow.run,
    "streams": streams.run,
    "claims": claims.run,
    "tracing": tracing.run,
    "traced_model": traced_model.run,
    **{name: ratios.benchmark(name) for name in ratios.CHECKS},
}

NAMES = (*STACK, *DATABASE)


def run(server: Server, names: Collection[str], *, quick: bool, say: Callable[[str], None]) -> Iterator[Figure]:
    """Yield the figures of the benchmarks `names`, in the order of the plan."""
    wanted = {name: benchmark for name, benchmark in STACK.items() if name in names}
    measured: dict[Way, dict[str, Values]] = {"stock": {}, "ours": {}}
    for way, values in measured.items():
        mine = {name: benchmark for name, benchmark in wanted.items() if way in benchmark.PROFILES}
        if not mine:
            continue
        say(f"Starting the stack: {way}.")
        with (
            tempfile.TemporaryDirectory(prefix=f"greenlight-bench-{way}-") as folder,
            running(way, server, Path(folder), quick=quick, say=say) as bed,
        ):
            for name, benchmark in mine.items():
                say(f"{name}, {way} …")
                values[name] = benchmark.measure(bed)
    for name, benchmark in wanted.items():
        yield from benchmark.figures(measured["ours"][name], measured["stock"].get(name, {}))
    for name, on_database in DATABASE.items():
        if name in names:
            say(f"{name} …")
            with server.studio(name) as db:
                yield from on_database(db, quick)
