"""What a run's log says, as series over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.soak.trend import Point, settled

# A process that was there for nearly all of the time lives long; runs come and go.
LONG_LIVED = 0.9
MEGABYTE = 1024 * 1024
# A row per project, worker or sensor, whatever happens; all others get rows with each job.
FIXED = frozenset({"project_event_counters", "worker_heartbeats", "instigators", "daemon_heartbeats"})
_PARTS = (("memory", "memory", "MB"), ("largest", "largest process", "MB"), ("fds", "descriptors", ""))
_COUNTS = (("threads", "threads", ""), ("processes", "processes", ""))


class Series(NamedTuple):
    """Values of one thing over time. `kind` says how they are judged, `what` of whom or which they are."""

    kind: str
    what: str
    unit: str
    points: list[Point]


class Run(NamedTuple):
    """What a run has left: `samples` and the load's lines, as they were written."""

    samples: list[dict[str, Any]]
    load: list[dict[str, Any]]

    @property
    def counts(self) -> dict[str, int]:
        """What the load had counted when it last told."""
        return dict(self.load[-1]["counts"]) if self.load else {}

    @property
    def seconds(self) -> float:
        """From the first to the last sample."""
        return float(self.samples[-1]["at"] - self.samples[0]["at"]) if self.samples else 0.0

    def waits(self) -> dict[str, list[Point]]:
        """Return (seconds, milliseconds) of each wait while samples were taken, by what was waited for."""
        found: defaultdict[str, list[Point]] = defaultdict(list)
        until = self.samples[-1]["at"] if self.samples else 0.0
        for line in self.load:
            if line["at"] <= until:
                for what, waits in line["waits"].items():
                    found[what] += [(line["at"], wait) for wait in waits]
        return dict(found)


def run_of(lines: Iterable[Mapping[str, Any]]) -> Run:
    """Sort a log's lines."""
    run = Run([], [])
    for line in lines:
        kept = {"sample": run.samples, "load": run.load}.get(line["kind"])
        if kept is not None:
            kept.append(dict(line))
    return run


def series_of(samples: Sequence[Mapping[str, Any]]) -> Iterator[Series]:
    """Yield every series of some samples. What is not in a sample was not there: 0."""
    for key, kind, unit in (*_PARTS, *_COUNTS):
        for part in _names(samples, "parts"):
            yield Series(kind, part, unit, [(s["at"], s["parts"].get(part, {}).get(key, 0)) for s in samples])
    yield Series("memory", "all", "MB", [(s["at"], _memory(s)) for s in samples])
    yield from _long_lived(samples)
    for application in _names(samples, "sessions"):
        yield Series("sessions", application, "", [(s["at"], s["sessions"].get(application, 0)) for s in samples])
    yield Series("sessions", "all", "", [(s["at"], sum(s["sessions"].values())) for s in samples])
    for table in _names(samples, "tables"):
        yield from _of_table(table, [(s["at"], s["tables"][table]) for s in samples if table in s["tables"]])
    queued = [(s["at"], sum(lane["queued"] for lane in s["queue"].values())) for s in samples]
    yield Series("queued", "all lanes", "jobs", queued)
    yield Series("reported", "WAL on disk", "MB", [(s["at"], s["wal"]["kept"] / MEGABYTE) for s in samples])
    yield Series("reported", "WAL written", "MB", [(s["at"], s["wal"]["written"] / MEGABYTE) for s in samples])
    yield Series("reported", "processors in use", "%", [(s["at"], s["machine"]["cpu"]) for s in samples])
    yield Series("reported", "a fixed piece of work", "ms", [(s["at"], s["machine"]["work_ms"]) for s in samples])


def _of_table(table: str, rows: Sequence[tuple[float, Mapping[str, Any]]]) -> Iterator[Series]:
    yield Series("dead", table, "rows", [(at, row["dead"]) for at, row in rows])
    yield Series("rows", table, "rows", [(at, row["live"]) for at, row in rows])
    size = [(at, row["bytes"] / MEGABYTE) for at, row in rows]
    if table.partition(".")[2] in FIXED:
        yield Series("fixed table", table, "MB", size)
    else:
        yield Series("size", table, "MB", size)
        per_row = [(at, row["bytes"] / row["live"]) for at, row in rows if row["live"]]
        yield Series("bytes a row", table, "B", per_row)


def _long_lived(samples: Sequence[Mapping[str, Any]]) -> Iterator[Series]:
    points: defaultdict[str, list[Point]] = defaultdict(list)
    for sample in samples:
        for name, megabytes in sample["processes"].items():
            points[name].append((sample["at"], megabytes))
    moments = {at for at, _ in settled([(sample["at"], 0.0) for sample in samples])}
    for name, found in points.items():
        there = [point for point in found if point[0] in moments]
        if len(there) >= LONG_LIVED * len(moments):
            role, pid, _ = name.rsplit(" ", 2)
            yield Series("process", f"{role} {pid}", "MB", found)


def _names(samples: Iterable[Mapping[str, Any]], key: str) -> list[str]:
    return sorted({name for sample in samples for name in sample[key]})


def _memory(sample: Mapping[str, Any]) -> float:
    # The load is no part of the stack.
    return float(sum(part["memory"] for name, part in sample["parts"].items() if name != "load"))
