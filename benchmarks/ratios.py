"""What may grow only in proportion: ratios within one run, so that the machine cancels out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import bulk_transitions, event_batches, queue_backlog
from benchmarks.figures import Figure, at_most
from studio.database.connection import Database

Check = Callable[[Database], tuple[str, float, float, float]]

CHECKS: dict[str, Check] = {
    "ratio_backlog": queue_backlog.run,
    "ratio_events": event_batches.run,
    "ratio_transitions": bulk_transitions.run,
}


def benchmark(name: str) -> Callable[[Database, bool], Iterator[Figure]]:
    """Return the check `name` as a benchmark of the database."""

    def run(db: Database, _quick: bool) -> Iterator[Figure]:
        what, base, compared, bound = CHECKS[name](db)
        # A ratio keeps its bound or breaks it; there is nothing further to aim at.
        goal = at_most(bound, bound)
        yield Figure(name, what, "×", compared / base, goal=goal, note=f"{base:.2f} → {compared:.2f} ms")

    return run
