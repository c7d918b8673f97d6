"""An idea to its packet, through the sandbox model: what Greenlight itself adds to the model's time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping

from benchmarks.bed import Bed, Way
from benchmarks.figures import Figure
from benchmarks.size import Size
from greenlight_dagster.bench.samples import ratio
from studio import projects, queue
from studio.errors import StackError
from studio.launch import launch

PROFILES: tuple[Way, ...] = ("ours", "stock")
ROUNDS = Size(5, 1)
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.05
IDEA = "A tool library for city blocks: neighbours lend each other drills, ladders and sewing machines."


def measure(bed: Bed) -> dict[str, float]:
    """Return the median of the seconds from launch to completion."""
    return {"seconds": statistics.median(_once(bed) for _ in range(ROUNDS.count(bed.quick)))}


def _once(bed: Bed) -> float:
    began = time.monotonic()
    with bed.db.transaction() as conn:
        project_id = projects.create(conn, bed.settings, owner_clerk_id="bench", idea=IDEA)
        job_id = launch(conn, project_id).job_id
    while not (job := queue.get(bed.db, job_id)).ended:
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise StackError(f"Phase 0 has not ended after {PATIENCE_SECONDS:.0f} s: it is {job.status}.")
        time.sleep(POLL_SECONDS)
    if job.status != "completed":
        raise StackError(f"Phase 0 is {job.status}: {job.last_error}.")
    return time.monotonic() - began


def figures(ours: Mapping[str, float], stock: Mapping[str, float]) -> Iterator[Figure]:
    """Yield the seconds side by side."""
    yield Figure("phase0", "idea → packet, median", "s", ours["seconds"], stock["seconds"])
    yield Figure("phase0", "stock / ours", "×", ratio(stock["seconds"], ours["seconds"]))
