"""At how many projects each part of one installation stops, as it is now, and what removes that.

Each is one division: what the part can do, by what a project asks of it. What can be done is read from the code where
it is a number there, and from the measurements where it is a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from benchmarks.simulation.demand import Demand, KindCost, one
from benchmarks.simulation.measured import Measured
from benchmarks.simulation.service import RunCosts
from benchmarks.simulation.sizing import DATABASE_FULL, FULL, hearing_seconds, lock_seconds
from benchmarks.simulation.streaming import StreamCosts
from greenlight_dagster.launcher.config import MAX_CONCURRENT_RUNS
from schedules import night_shift, upkeep
from studio.operations import retention
from studio.settings import Settings

Removal = Literal["setting", "code", "machine", "cell"]

# Nights that the second schedule of the night shift looks again, and the first one.
_NIGHT_TICKS = 1 + 6 * 4
# What the largest machines have that clouds rent for PostgreSQL.
_LARGEST_DATABASE = 96
# Sessions beyond which PostgreSQL spends more on itself; a pooler carries as many clients as one likes.
_SESSIONS = 1_000
_TERABYTE = 1e12
_PER = 1_000.0


class Ceiling(NamedTuple):
    """A part that stops at `projects`; `removal` is what it takes: a setting, code, larger machines, another cell."""

    part: str
    projects: float
    because: str
    removal: Removal
    removed_by: str


def ceilings(measured: Measured, costs: RunCosts, streams: StreamCosts, demand: Demand) -> list[Ceiling]:
    """Return all ceilings of one installation, the lowest first; the demand's number of projects does not matter."""
    per = Demand(demand.costs, demand.workload, _PER)
    found = [
        *_kept(measured, per),
        *_slots(per),
        *_programs(measured, costs, per),
        *_heard(measured, costs, streams, per),
    ]
    return sorted(found, key=lambda ceiling: ceiling.projects)


def _kept(measured: Measured, per: Demand) -> Iterator[Ceiling]:
    """Yield what upkeep cannot keep up with, and what nobody prunes by itself."""
    for part, what, seconds, asked, sentence, removed_by in (
        (
            "old Dagster runs are deleted",
            "runs",
            upkeep.SECONDS_PER_SWEEP,
            one,
            "and a project makes {:.1f} a day",
            "Dagster's tables in partitions by day, dropped whole",
        ),
        (
            "streamed text is deleted",
            "deltas",
            upkeep.SECONDS_PER_SWEEP,
            lambda cost: cost.deltas,
            "and a project streams {:.0f} pieces a day",
            "deltas in a partition of their own, dropped each day",
        ),
        (
            "old traces are deleted",
            "traces",
            retention.SECONDS_PER_SWEEP,
            lambda cost: cost.spans + 1,
            "and a project writes {:.0f} rows a day",
            "partitions by day, dropped whole; or OTLP to a store that is made for it",
        ),
    ):
        rate, daily = measured.upkeep[what]["per_second"], per.daily(asked) / _PER
        yield Ceiling(
            part,
            24 * seconds * rate / daily,
            f"{seconds:.0f} s of an hour, {rate:,.0f} a second, {sentence.format(daily)}",
            "code",
            removed_by,
        )
    kept = per.daily(lambda cost: cost.events - cost.deltas) * measured.database["row_bytes"]["agent_job_events"]
    yield Ceiling(
        "events other than text, kept by default",
        _TERABYTE / (365 * kept / _PER),
        "a terabyte a year from here on",
        "setting",
        "GREENLIGHT_EVENT_RETENTION_DAYS, and partitions by month (retention.md)",
    )


def _slots(per: Demand) -> Iterator[Ceiling]:
    """Yield what the lanes' slots carry, by default and at most."""
    properties = Settings.model_json_schema()["properties"]
    for lane, name in (
        ("heavy", "worker_heavy_concurrency"),
        ("realtime", "worker_realtime_concurrency"),
        ("standard", "worker_concurrency"),
    ):
        busy = per.busiest(lambda cost: cost.slot, lane) / _PER
        field = Settings.model_fields[name]
        variable = str(field.validation_alias)
        most = int(properties[variable]["maximum"])
        yield Ceiling(
            f"{lane} lane, as it is set by default",
            FULL * int(field.default) / busy,
            f"{field.default} slots, two thirds full in the busiest hour",
            "setting",
            f"{variable}, and the cores for it",
        )
        yield Ceiling(
            f"{lane} lane, as far as it can be set",
            FULL * most / busy,
            f"{most} slots are the most that {variable} takes",
            "code",
            "a higher limit of the setting: a claim costs a few milliseconds more for a thousand runs",
        )
    busy = per.busiest(lambda cost: cost.slot) / _PER
    yield Ceiling(
        "one warm launcher",
        FULL * MAX_CONCURRENT_RUNS / busy,
        f"max_concurrent_runs is {MAX_CONCURRENT_RUNS}: memory of one machine",
        "machine",
        "a larger machine and a higher number; beyond it the Celery or Kubernetes profile",
    )


def _programs(measured: Measured, costs: RunCosts, per: Demand) -> Iterator[Ceiling]:
    """Yield what single programs and machines carry."""
    cores = int(measured.machine["cpus"])

    def everything(cost: KindCost) -> float:
        return cost.worker + cost.database + cost.daemon + cost.code_server

    yield Ceiling(
        f"one machine of {cores} cores",
        FULL * cores * _PER / per.busiest(everything),
        "its cores, two thirds full in the busiest hour of the night",
        "machine",
        "more cores; then workers on machines of their own",
    )
    daemon = per.busiest(lambda cost: cost.daemon) / _PER
    yield Ceiling(
        "the daemon",
        FULL / daemon,
        f"{1_000 * costs.daemon_seconds * costs.crowding:.0f} ms of its one interpreter for each run:"
        f" {1 / (costs.daemon_seconds * costs.crowding):.0f} runs a second",
        "cell",
        "a daemon of its own there; nights spread over time zones; submitting outside of Dagster's daemon",
    )
    yield Ceiling(
        "the code server",
        FULL * _PER / per.busiest(lambda cost: cost.code_server),
        f"{1_000 * costs.code_server_seconds * costs.crowding:.0f} ms of its one interpreter for each run",
        "cell",
        "nothing else: its part of a run is Dagster's own",
    )
    yield Ceiling(
        "the largest database server",
        DATABASE_FULL * _LARGEST_DATABASE * _PER / per.busiest(lambda cost: cost.database),
        f"{_LARGEST_DATABASE} cores, half full",
        "cell",
        "before that, Dagster's database on a server of its own, which is half of it",
    )
    yield Ceiling(
        "sessions of the database",
        _SESSIONS / (2 * per.busiest(lambda cost: cost.slot) / _PER),
        f"two for each run, and {_SESSIONS:,} are enough for any server",
        "setting",
        "a pooler in transaction mode for all but LISTEN (GREENLIGHT_DB_POOLED, GREENLIGHT_LISTEN_URL)",
    )
    workload, project_limit = per.workload, int(Settings.model_fields["worker_project_limit"].default)
    yield Ceiling(
        "mail",
        project_limit * workload.mail_hours * 3_600 / workload.mail_seconds / workload.mails_per_project_day,
        f"{project_limit} jobs of the studio's own project at once, each mail after the other:"
        f" {project_limit / workload.mail_seconds:.0f} a second",
        "code",
        "some mails at once in a job, or a limit of its own for the studio's project",
    )
    scans = next(cost for cost in per.costs if cost.kind.name == "scan")
    yield Ceiling(
        "scans of new projects",
        FULL * project_limit / (per.busiest(lambda cost: cost.slot if cost is scans else 0.0) / _PER),
        f"{project_limit} at once, because all of them belong to the studio's own project",
        "code",
        "a limit of its own for the studio's project",
    )
    page = measured.operation("enqueue_in_bulk", "ms") / 1_000
    yield Ceiling(
        "putting the night into the queue",
        _NIGHT_TICKS * night_shift.TICK_SECONDS / page,
        f"{_NIGHT_TICKS} ticks of {night_shift.TICK_SECONDS:.0f} s, {1 / page:,.0f} cycles a second",
        "code",
        "a page of the night for each hour of founders' own zones",
    )


def _heard(measured: Measured, costs: RunCosts, streams: StreamCosts, per: Demand) -> Iterator[Ceiling]:
    """Yield what notifications allow: the lock at their commits, and everybody who hears them."""
    flush = per.workload.cloud_flush_ms / 1_000
    lock = per.busiest(lambda cost: lock_seconds(costs, flush, cost.commits, cost.dagster_events)) / _PER
    ours = per.busiest(lambda cost: lock_seconds(costs, flush, cost.commits, 0.0)) / _PER
    yield Ceiling(
        "the lock of commits that notify",
        FULL / lock,
        f"who waits {per.workload.cloud_flush_ms:g} ms for his disk holds it so long: at most"
        f" {1 / (costs.lock.contended + flush):,.0f} a second on the whole server. {ours / lock:.0%} of that are"
        " events of jobs, mostly streamed text; the rest is Dagster's",
        "cell",
        "Dagster's database on another server, or without its NOTIFY; one NOTIFY for many commits",
    )
    notifications = per.busiest(lambda cost: cost.commits) / _PER
    if streams.heard > 0:
        yield Ceiling(
            "what a web process hears of others",
            FULL / 2 / (streams.heard * notifications),
            f"{1e6 * streams.heard:.0f} µs for each event of any project, followed or not: a third of a core",
            "code",
            "channels by project (or by a hash of it), so that a process hears of what it follows",
        )
    # Those who listen are as many as the streams need, so this grows with the square.
    processes = streams.stream * per.streams + (streams.frame + streams.read) * per.followed_events
    listeners = max(processes / FULL, per.streams / 1_000) / _PER
    yield Ceiling(
        "what all who listen cost the database",
        (4.0 / (notifications * hearing_seconds(measured) * listeners)) ** 0.5,
        f"{1e6 * hearing_seconds(measured):.0f} µs for each of them and each event take four cores",
        "code",
        "one process that listens and passes on, by project",
    )


def project_rate(measured: Measured) -> float:
    """Return how many commits a second one project's counter row lets through, as it was measured (eight writers)."""
    return float(measured.database["writers"]["8"]["together"])


def claim_seconds(measured: Measured, running: float) -> float:
    """Return what a claim of five takes while `running` jobs of its lane run: between the numbers measured."""
    claims = measured.database["claims"]
    points = sorted((int(count), float(claims[count]["ms"])) for count in claims if count.isdigit())
    below = max((point for point in points if point[0] <= running), default=points[0])
    above = min((point for point in points if point[0] > running), default=points[-1])
    if above[0] == below[0]:
        return below[1] / 1_000
    share = (running - below[0]) / (above[0] - below[0])
    return (below[1] + share * (above[1] - below[1])) / 1_000
