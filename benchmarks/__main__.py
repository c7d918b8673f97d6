"""`make bench`: run every benchmark on a throw-away database and print its ratios.

A ratio has a bound that says what the design promises; the command fails where one is broken.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import bulk_transitions, event_batches, queue_backlog
from studio import lanes
from studio.database.connection import Database
from studio.database.embedded import EmbeddedPostgres
from studio.settings import Settings


class Ratio(NamedTuple):
    """What was compared, how the two took, and the bound on slow / fast."""

    name: str
    base_ms: float
    compared_ms: float
    bound: float


BENCHMARKS: tuple[Callable[[Database], tuple[str, float, float, float]], ...] = (
    queue_backlog.run,
    event_batches.run,
    bulk_transitions.run,
)


def measure() -> Iterator[Ratio]:
    """Yield the ratio of every benchmark, each on a database of its own."""
    with tempfile.TemporaryDirectory(prefix="greenlight-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        server.start()
        try:
            for index, benchmark in enumerate(BENCHMARKS):
                server.ensure_database(f"bench{index}")
                with Database(server.url(f"bench{index}")) as db:
                    lanes.prepare_database(db, Settings())
                    yield Ratio(*benchmark(db))
        finally:
            server.stop()


def main() -> int:
    """Print all ratios; return 1 where one is beyond its bound."""
    broken = False
    for ratio in measure():
        factor = ratio.compared_ms / ratio.base_ms
        broken |= factor > ratio.bound
        verdict = "ok" if factor <= ratio.bound else "BROKEN"
        print(
            f"{verdict:<7}{ratio.name}: {ratio.base_ms:.2f} ms → {ratio.compared_ms:.2f} ms,"
            f" ×{factor:.2f} (≤ {ratio.bound:g})"
        )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
