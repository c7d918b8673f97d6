"""The answers: what each number of projects needs, what its founders feel, and what a change would do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.simulation import ceilings, demand, fitting, fleet, sizing, streaming
from benchmarks.simulation.ceilings import Ceiling
from benchmarks.simulation.demand import Demand, KindCost
from benchmarks.simulation.fleet import Observed
from benchmarks.simulation.installation import Shape
from benchmarks.simulation.measured import Measured
from benchmarks.simulation.service import RunCosts
from benchmarks.simulation.sizing import Sizing, lock_seconds
from benchmarks.simulation.streaming import StreamCosts
from benchmarks.simulation.workload import Workload

PROJECTS = (1_000, 100_000, 10_000_000)
# Between the first two, to see whether arithmetic and simulation agree at more than one size.
CHECKED = (1_000, 10_000, 100_000)
# A local disk with a protected cache, in seconds for a commit.
QUICK_FLUSH = 0.0001
# Enough for a 95th percentile.
CHATS = 80
# What a lane may be given where nobody thinks of the night.
GENEROUS_SLOTS = 200


@dataclass(frozen=True)
class Scale:
    """A number of projects: its sizing, and what was seen in the two hours that matter, of one of its cells."""

    sizing: Sizing
    people: Observed
    night: Observed
    night_hours: float


@dataclass(frozen=True)
class Change:
    """What one change does to a cell of a hundred thousand projects."""

    what: str
    lock: float
    lock_wait_ms: float
    chat_p50_ms: float
    chat_p95_ms: float
    database: float
    night_hours: float


class Study:
    """Everything that the tables say, from one record and one workload."""

    def __init__(self, measured: Measured, workload: Workload) -> None:
        self.measured = measured
        self.workload = workload
        self.costs: RunCosts = fitting.fitted(measured, measured.base())
        self.streams: StreamCosts = streaming.fitted(measured)
        self.kinds: tuple[KindCost, ...] = demand.kind_costs(measured, self.costs, workload)

    def demand(self, projects: float) -> Demand:
        """Return what so many projects ask for."""
        return Demand(self.kinds, self.workload, projects)

    def sizing(self, projects: float) -> Sizing:
        """Return what so many projects need."""
        return sizing.size(self.measured, self.costs, self.streams, self.demand(projects))

    def shape(self, sized: Sizing) -> Shape:
        """Return the simulated cell of a sizing."""
        broker = self.measured.broker
        hop = broker["hop_ms_p50"] / 1_000 if broker else 0.0
        return fleet.shape_of(sized, self.workload, hop)

    def scale(self, projects: float) -> Scale:
        """Return a number of projects, simulated."""
        sized = self.sizing(projects)
        people, night = self._hours(sized.per_cell)
        return Scale(sized, people, night, fleet.night_hours(night, self.demand(sized.per_cell)))

    @functools.cache  # noqa: B019 - a study lives as long as its tables are made
    def _hours(self, per_cell: float) -> tuple[Observed, Observed]:
        """Return what is seen of a cell in the busiest hour of people, and as the night begins; alike for all cells."""
        shape, cell = self.shape(self.sizing(per_cell)), self.demand(per_cell)
        return fleet.observe(self.costs, shape, cell, "people"), fleet.observe(self.costs, shape, cell, "night")

    def ceilings(self) -> list[Ceiling]:
        """Return at how many projects each part of one installation stops."""
        return ceilings.ceilings(self.measured, self.costs, self.streams, self.demand(1_000))

    def changes(self) -> list[Change]:
        """Return what some changes would do to a cell of a hundred thousand projects, in the busiest hour of people."""
        sized = self.sizing(sizing.CELL)
        shape, cell = self.shape(sized), self.demand(sized.per_cell)

        def quarter(cost: KindCost) -> KindCost:
            # Text that is gathered for 250 ms instead of 100.
            fewer = 0.6 * cost.deltas
            return replace(cost, commits=cost.commits - fewer, events=cost.events - fewer, deltas=cost.deltas - fewer)

        slower = Demand([quarter(cost) for cost in self.kinds], self.workload, cell.projects)
        return [
            self._change("as it is", shape, cell),
            self._change("Dagster's events without NOTIFY", replace(shape, dagster_notifies=False), cell),
            self._change("text gathered for 250 ms instead of 100", shape, slower),
            self._change("a disk that commits in 0.1 ms", replace(shape, flush=QUICK_FLUSH), cell),
            self._change(
                f"{GENEROUS_SLOTS} standard slots instead of {shape.slots['standard']}",
                replace(shape, slots={**shape.slots, "standard": GENEROUS_SLOTS}),
                cell,
            ),
        ]

    def _change(self, what: str, shape: Shape, cell: Demand) -> Change:
        night = fleet.observe(self.costs, shape, cell, "night", chats=CHATS)
        return Change(
            what,
            night.lock,
            night.lock_wait_ms,
            night.percentile_ms("chat", 50),
            night.percentile_ms("chat", 95),
            night.database,
            fleet.night_hours(night, cell),
        )

    def agreement(self, say: Callable[[str], None] = lambda _line: None) -> list[tuple[float, str, float, float]]:
        """Return projects, part, its use by arithmetic, and by simulation, for people's busiest hour."""
        found = []
        for projects in CHECKED:
            say(f"arithmetic beside simulation, {projects:,} projects …")
            sized = self.sizing(projects)
            seen, _ = self._hours(sized.per_cell)
            for part, expected in seen.expected.items():
                found.append((float(projects), part, expected, float(getattr(seen, part))))
        return found

    def lock_share(self, projects: float) -> float:
        """Return the share of the busiest hour in which the lock is held, with clouds' disks, in one installation."""
        flush = self.workload.cloud_flush_ms / 1_000
        return self.demand(projects).busiest(
            lambda cost: lock_seconds(self.costs, flush, cost.commits, cost.dagster_events)
        )
