"""What an installation has to be given for a number of projects, by arithmetic; the simulation then looks at its waits.

Parts are loaded to two thirds at most in the busiest hour, the database to a half: what is fuller queues at every
second that is busier than its hour. Slots are given by Erlang's formula for the wait that a lane's jobs may have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.simulation.demand import Demand, one
from benchmarks.simulation.erlang import servers_for
from benchmarks.simulation.measured import Measured
from benchmarks.simulation.service import RunCosts
from benchmarks.simulation.streaming import StreamCosts
from studio.job_types import LANES, Lane
from studio.settings import Settings
from web.connections import STUDIO_CONNECTIONS

FULL, DATABASE_FULL = 2 / 3, 0.5
# Which share of a lane's jobs waits no longer than so many seconds for a slot.
WAITS: dict[Lane, tuple[float, float]] = {"realtime": (0.05, 0.99), "standard": (2.0, 0.95), "heavy": (30.0, 0.95)}
# A chat beside it has pages, requests, and reconnects to serve: a web process gets so many streams at most.
STREAMS_PER_PROCESS = STUDIO_CONNECTIONS * FULL
# A run opens two connections while it is a spare, one to each database; daemon, code server and web have pools.
CONNECTIONS_PER_RUN = 2
# Spares for each machine of workers, whose number of cores is this.
MACHINE_CORES, SPARES = 8, 3
# So many projects share an installation at most: a failure, a restore, a deploy are those of as many founders.
CELL = 100_000
MONTH = 30
_GIGABYTE = 1e9


@dataclass(frozen=True)
class Sizing:
    """One cell of an installation for `projects` projects, and how many cells there are. Figures are of one cell.

    `notifying` is the share of the busiest hour in which the lock of those that notify is held, `daemon` that in which
    the daemon is at work. Storage is what a month adds where nothing but streamed text, runs and traces is pruned.
    """

    projects: float
    cells: int
    per_cell: float
    slots: dict[Lane, int]
    runs_per_second: float
    worker_cores: int
    machines: int
    control_cores: int
    daemon: float
    database_cores: int
    notifying: float
    commits_per_second: float
    wal_per_day: float
    stored_per_month: float
    pruned_stock: float
    connections: int
    streams: float
    stream_processes: int
    broker_per_second: float
    events_per_day: float
    runs_per_day: float
    listeners: int
    hearing: float


def size(measured: Measured, costs: RunCosts, streams: StreamCosts, demand: Demand) -> Sizing:
    """Return what one cell needs, where the demand is that of all projects."""
    flush = demand.workload.cloud_flush_ms / 1_000
    # What there is one of in each cell bounds it.
    daemons = demand.busiest(lambda cost: cost.daemon) / FULL
    locks = demand.busiest(lambda cost: lock_seconds(costs, flush, cost.commits, cost.dagster_events)) / FULL
    cells = math.ceil(max(1.0, demand.projects / CELL, daemons, locks))
    cell = Demand(demand.costs, demand.workload, demand.projects / cells)
    slots = {lane: _slots(cell, lane) for lane in LANES}
    running = sum(slots.values())
    worker_cores = max(2, math.ceil(cell.busiest(lambda cost: cost.worker) / FULL))
    machines = max(1, math.ceil(worker_cores / MACHINE_CORES))
    notifications = cell.busiest(lambda cost: cost.commits)
    processes = _stream_processes(streams, cell, notifications)
    listeners = processes + 2
    hearing = listeners * hearing_seconds(measured)
    database = cell.busiest(lambda cost: cost.database + hearing * cost.commits)
    kept = (
        sum(
            cell.daily(rows) * measured.database["row_bytes"][table]
            for table, rows in (
                ("agent_jobs", one),
                ("agent_job_events", lambda cost: cost.events - cost.deltas),
            )
        )
        + cell.daily(lambda cost: cost.steps) * measured.row_bytes["agent_job_steps"]
    )
    return Sizing(
        projects=demand.projects,
        cells=cells,
        per_cell=cell.projects,
        slots=slots,
        runs_per_second=cell.busiest(one),
        worker_cores=worker_cores,
        machines=machines,
        control_cores=max(2, math.ceil(cell.busiest(lambda cost: cost.daemon + cost.code_server) / FULL)),
        daemon=cell.busiest(lambda cost: cost.daemon),
        database_cores=max(2, math.ceil(database / DATABASE_FULL)),
        notifying=cell.busiest(lambda cost: lock_seconds(costs, flush, cost.commits, cost.dagster_events)),
        commits_per_second=cell.busiest(lambda cost: cost.commits + cost.steps + 2),
        wal_per_day=cell.daily(lambda cost: cost.wal) / _GIGABYTE,
        stored_per_month=MONTH * kept / _GIGABYTE,
        pruned_stock=pruned_stock(measured, cell) / _GIGABYTE,
        connections=math.ceil(CONNECTIONS_PER_RUN * (running + SPARES * machines) + 30 + processes * (pool_size() + 2)),
        streams=cell.streams,
        stream_processes=processes,
        broker_per_second=cell.busiest(one),
        events_per_day=cell.daily(lambda cost: cost.events),
        runs_per_day=cell.daily(one),
        listeners=listeners,
        hearing=hearing,
    )


def lock_seconds(costs: RunCosts, flush: float, commits: float, dagster_events: float) -> float:
    """Return for how long so many commits hold the lock of those that notify, each waited for.

    Dagster's do not wait for the disk (its database has synchronous_commit off), but take the same lock.
    """
    held = costs.lock.contended
    return commits * (held + flush) + dagster_events * held


def hearing_seconds(measured: Measured) -> float:
    """Return what one who listens costs the server for each notification."""
    heard = measured.database["listeners"]
    listeners = {int(count): float(heard[count]["cpu_us"]) for count in heard if count.isdigit()}
    most = max(listeners)
    return max(0.0, listeners[most] - listeners[0]) / most / 1e6


def pool_size() -> int:
    """Return how many connections a process's pool has at most."""
    return int(Settings.model_fields["db_pool_size"].default)


def pruned_stock(measured: Measured, cell: Demand) -> float:
    """Return the bytes of what upkeep prunes by age, once it has reached that age."""
    run_days, trace_days, delta_hours = (
        float(Settings.model_fields[name].default)
        for name in ("run_retention_days", "trace_retention_days", "delta_retention_hours")
    )
    event_bytes = float(measured.database["row_bytes"]["agent_job_events"])
    rows = measured.row_bytes
    per_run = rows["runs"] + rows["run_tags rows"] / rows["runs rows"] * rows["run_tags"]
    return (
        cell.daily(lambda cost: cost.deltas) * event_bytes * delta_hours / 24
        + cell.daily(lambda cost: per_run + cost.dagster_events * rows["event_logs"]) * run_days
        + cell.daily(lambda cost: cost.spans * rows["pipeline_spans"]) * trace_days
    )


def _slots(cell: Demand, lane: Lane) -> int:
    wait, share = WAITS[lane]
    fewest = 0
    for hour in range(24):
        arrivals = cell.total(one, hour, lane)
        if arrivals:
            service = cell.total(lambda cost: cost.slot, hour, lane) / arrivals
            fewest = max(fewest, servers_for(arrivals, service, wait, share))
    return max(fewest, int(Settings.model_fields[_SETTING[lane]].default))


_SETTING: dict[Lane, str] = {
    "realtime": "worker_realtime_concurrency",
    "standard": "worker_concurrency",
    "heavy": "worker_heavy_concurrency",
}


def _stream_processes(streams: StreamCosts, cell: Demand, notifications: float) -> int:
    """Return how many web processes carry the streams: each hears of everything, and reads and sends its part."""
    shared = streams.stream * cell.streams + (streams.frame + streams.read) * cell.followed_events
    heard = streams.heard * notifications
    by_cpu = math.ceil(shared / (FULL - heard)) if heard < FULL else 10**6
    return max(1, by_cpu, math.ceil(cell.streams / STREAMS_PER_PROCESS))
