"""What a stack holds in memory: by part, and each worker that waits for its first run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psutil

from benchmarks import goals, processes
from benchmarks.bed import Bed, Way
from benchmarks.figures import Figure

PROFILES: tuple[Way, ...] = ("ours", "stock")


def measure(bed: Bed) -> dict[str, float]:
    """Return megabytes (PSS) and processes by part, and the largest spare worker."""
    values: dict[str, float] = {}
    sizes: dict[int, float] = {}
    for part, members in processes.by_part(bed.stack, bed.server.pid).items():
        for process in members:
            try:
                sizes[process.pid] = processes.pss_megabytes(process)
            except psutil.Error:
                continue
            values[f"pss.{part}"] = values.get(f"pss.{part}", 0.0) + sizes[process.pid]
            values[f"count.{part}"] = values.get(f"count.{part}", 0) + 1
    if spares := processes.spare_pids(bed.stack) & set(sizes):
        values["spares"] = len(spares)
        values["spare"] = max(sizes[pid] for pid in spares)
    return values


def figures(ours: Mapping[str, float], stock: Mapping[str, float]) -> Iterator[Figure]:
    """Yield memory by part side by side, and the spare worker's where there are spares."""
    for name in sorted({*ours, *stock}):
        if name.startswith("pss."):
            part = name.removeprefix("pss.")
            counts = f"{ours.get(f'count.{part}', 0):.0f} processes, stock {stock.get(f'count.{part}', 0):.0f}"
            yield Figure("memory", f"PSS of {part}", "MB", ours.get(name, 0.0), stock.get(name, 0.0), note=counts)
    if "spare" in ours:
        yield Figure(
            "memory",
            "PSS of the largest spare worker",
            "MB",
            ours["spare"],
            goal=goals.SPARE_WORKER_MB,
            note=f"{ours['spares']:.0f} spares",
        )
