"""How much each kind of series may grow, and why so much."""

from __future__ import annotations

import math
from typing import NamedTuple


class Bound(NamedTuple):
    """Growth up to `floor` is none; more has to stay within both `percent` and `absolute`, in the series' unit."""

    percent: float
    absolute: float
    floor: float

    def holds(self, growth: float, percent: float) -> bool:
        """Say whether growth is within the bound."""
        return growth <= self.floor or (growth <= self.absolute and percent <= self.percent)

    def __str__(self) -> str:
        limits = [f"{self.percent:g} %"] if self.percent else []
        limits += [f"{self.absolute:g}"] if 0 < self.absolute < math.inf else []
        return f"≤ {' and '.join(limits)}" if limits else f"≤ {self.floor:g}"


# Megabytes. An allocator's arenas and caches that fill slowly come to some percent. The floor is a few arenas of
# Python (1 MB each), which come and go.
MEMORY = Bound(percent=10, absolute=30, floor=2)
# A pool opens another connection at a coincidence, a moment's files are open. What leaks with each job, chat, Phase 0
# or stream leaks a hundred times in an hour.
DESCRIPTORS = Bound(percent=0, absolute=0, floor=4)
# A session of PostgreSQL keeps open each file that it has read, and what it knows of each table and statement, until it
# ends: in a pool, each session comes across the rarer ones in its turn. In the first hour that was measured, files went
# from 44 to 58 a session and stayed there, and the largest sessions went from 6 to 9 MB.
SESSION_DESCRIPTORS = Bound(percent=25, absolute=math.inf, floor=4)
SESSION_MEMORY = Bound(percent=10, absolute=30, floor=4)
THREADS = Bound(percent=0, absolute=0, floor=3)
PROCESSES = Bound(percent=0, absolute=0, floor=2)
SESSIONS = Bound(percent=0, absolute=0, floor=3)
# At this load a queue is empty but for what is being picked up.
QUEUED = Bound(percent=0, absolute=0, floor=3)
# Megabytes of tables that have a row per project, worker or sensor. Between two visits of autovacuum each update
# leaves a dead row; then their places are used again, so that a table grows to what a minute needs, and no further.
FIXED_TABLE = Bound(percent=25, absolute=1, floor=0.25)
# Bytes a row of tables that grow. Pages split, and places fall free that only later rows fill.
PER_ROW = Bound(percent=20, absolute=math.inf, floor=0)
# Milliseconds. A fifth is what nobody notices, and what a quiet machine differs by from one third of an hour to the
# next. Below the floor it is the scheduler's.
LATENCY = Bound(percent=20, absolute=math.inf, floor=5)

# Dead rows: a fifth of a table is PostgreSQL's default before autovacuum comes (`autovacuum_vacuum_scale_factor`). It
# looks once a minute into each database, and so many rows die in the meantime where all updates hit few rows.
DEAD_SHARE = 0.25
DEAD_ROWS = 2_000

# Without its load a soak run proves nothing.
SENT_SHARE = 0.8
# Fewer waits in a third than this have no median to speak of.
LEAST_WAITS = 20
