"""What a job of each kind asks of every part, and what a number of projects asks of them in an hour: arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.simulation.measured import DATABASE, NOOP, WORKERS, Measured
from benchmarks.simulation.service import RunCosts
from benchmarks.simulation.workload import Kind, Workload
from schedules.night_shift import CRON
from studio.settings import Settings

DAY = 86_400.0
# The hour of UTC in which the night shift begins.
NIGHT = int(CRON.split()[1])


@dataclass(frozen=True)
class KindCost:
    """What one job of a kind takes: seconds of CPU, seconds of a slot, rows, and bytes of the database's log.

    `extra_worker` and `extra_database` are what it computes beyond a run that does nothing, on an idle machine.
    `commits` are the studio's transactions that notify, `dagster_events` Dagster's, `deltas` the events of streamed
    text among `events`.
    """

    kind: Kind
    worker: float
    database: float
    daemon: float
    code_server: float
    slot: float
    commits: float
    dagster_events: float
    events: float
    deltas: float
    steps: float
    spans: float
    wal: float
    extra_worker: float
    extra_database: float


def kind_costs(measured: Measured, costs: RunCosts, workload: Workload) -> tuple[KindCost, ...]:
    """Return the costs of every kind, on machines that are busy (`costs.crowding`)."""
    return tuple(_cost(measured, costs, kind) for kind in workload.kinds)


def _cost(measured: Measured, costs: RunCosts, kind: Kind) -> KindCost:
    seen, noop = measured.kinds[kind.measured_as], measured.kinds[NOOP]

    def more(what: str) -> float:
        return max(0.0, seen[what] - noop[what])

    # A sandbox model's text comes at once; a real one's in time, gathered for so long before each commit.
    deltas = kind.streams_seconds * 1_000 / float(Settings.model_fields["event_flush_ms"].default)
    text = max(0.0, deltas - seen["delta_commits"])
    append = measured.operation("append") / 1e6
    path = costs.start.worker + costs.start.database + costs.finish.worker + costs.finish.database
    launch = sum(costs.launch)
    crowding = costs.crowding
    return KindCost(
        kind=kind,
        worker=crowding * (costs.worker_seconds + more(f"cpu_ms.{WORKERS}") / 1_000),
        database=crowding * (costs.database_seconds + more(f"cpu_ms.{DATABASE}") / 1_000 + text * append),
        daemon=crowding * costs.daemon_seconds,
        code_server=crowding * costs.code_server_seconds,
        slot=kind.seconds + crowding * (launch + path + more(f"cpu_ms.{WORKERS}") / 1_000),
        # Enqueued and claimed are commits of their own, which the record does not count among the events' of a run.
        commits=seen["event_commits"] + text,
        dagster_events=seen["dagster_events"],
        events=seen["events"] - seen["deltas"] + deltas,
        deltas=deltas,
        steps=seen["steps"],
        spans=seen["spans"],
        extra_worker=more(f"cpu_ms.{WORKERS}") / 1_000,
        extra_database=more(f"cpu_ms.{DATABASE}") / 1_000 + text * append,
        wal=seen["wal_bytes"] + text * measured.operation("append", "wal_bytes"),
    )


class Demand:
    """What so many projects ask for. Rates are per second, in an hour of UTC."""

    def __init__(self, costs: Sequence[KindCost], workload: Workload, projects: float) -> None:
        self.costs = tuple(costs)
        self.workload = workload
        self.projects = projects

    def rate(self, kind: Kind, hour: int) -> float:
        """Return how many jobs of a kind come a second; those of the night over the hours that it may take."""
        daily = self.projects * kind.per_project_day
        if kind.follows == "people":
            return daily * self.workload.at_hour(hour) / DAY
        in_night = (hour - NIGHT) % 24 < self.workload.night_hours
        return daily / (self.workload.night_hours * 3_600) if in_night else 0.0

    def total(self, what: Callable[[KindCost], float], hour: int, lane: str | None = None) -> float:
        """Return the sum over kinds of rate times what a job takes; of one lane where it is given."""
        wanted = [cost for cost in self.costs if lane is None or cost.kind.lane == lane]
        return sum(self.rate(cost.kind, hour) * what(cost) for cost in wanted)

    def busiest(self, what: Callable[[KindCost], float], lane: str | None = None) -> float:
        """Return the same in the hour in which it is most."""
        return max(self.total(what, hour, lane) for hour in range(24))

    def daily(self, what: Callable[[KindCost], float]) -> float:
        """Return the sum over a usual day."""
        return sum(self.projects * cost.kind.per_project_day * what(cost) for cost in self.costs)

    @property
    def streams(self) -> float:
        """How many event streams are open in the busiest hour of people."""
        minutes = self.projects * self.workload.page_minutes_per_project_day
        return minutes / 1_440 * self.workload.at_hour(self.workload.busiest)

    @property
    def followed_events(self) -> float:
        """How many events a second browsers follow in that hour; each is one that one browser sees."""
        hour = self.workload.busiest
        people = [cost for cost in self.costs if cost.kind.follows == "people"]
        return self.workload.followed_share * sum(self.rate(cost.kind, hour) * cost.events for cost in people)


def one(_cost: KindCost) -> float:
    """Return 1: for how many jobs there are."""
    return 1.0
