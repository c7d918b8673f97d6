"""`greenlight bench`: how fast the running installation picks up jobs, measured with jobs that do nothing.

They go through the real queue, behind all real work of their lane, on projects of their own that are removed
afterwards with everything in them. What cannot be measured without disturbing others is left to `make bench`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from greenlight_dagster.bench import measures
from greenlight_dagster.bench.ground import Ground, ground
from greenlight_dagster.bench.measures import Latencies
from greenlight_dagster.bench.samples import summarise
from greenlight_dagster.cli.context import open_database
from greenlight_dagster.cli.output import JsonFlag, err, out, print_json, print_table
from greenlight_dagster.cli.pickup import require_pickup, require_schema
from studio import queue
from studio.database.connection import Database
from studio.errors import StackError
from studio.job_types import Lane

log = logging.getLogger(__name__)

app = typer.Typer(no_args_is_help=True, help="Measure how fast the running stack picks up jobs.")

# So many that no project's own limit is what is measured.
PROJECTS = 10
# One job at a time does not take longer than this, or the installation is not one to be measured.
LATENCY_SECONDS = 120.0
BURST_SECONDS = 120.0
# Nobody else's jobs shall wait for long behind ours.
MOST_JOBS = 200
MOST_SECONDS = 60

LaneOption = Annotated[Lane, typer.Option(help="The lane to measure.")]


@app.command(epilog="Example: greenlight bench latency --jobs 20 --lane realtime")
def latency(
    jobs: Annotated[int, typer.Option(min=1, max=MOST_JOBS, help="How many jobs, one after the other.")] = 30,
    lane: LaneOption = "standard",
    as_json: JsonFlag = False,
) -> None:
    """Measure from the commit of a job to the first line of its op, one job after the other."""
    with _lent(lane) as lent:
        found = measures.latency(lent, lane, jobs=jobs, seconds=LATENCY_SECONDS)
    _print_latencies(lane, found, as_json)


@app.command(epilog="Example: greenlight bench chats --seconds 10")
def chats(
    seconds: Annotated[int, typer.Option(min=1, max=MOST_SECONDS, help="For how long.")] = 10,
    per_second: Annotated[int, typer.Option(min=1, max=20, help="How many chats a second.")] = 10,
    as_json: JsonFlag = False,
) -> None:
    """Measure realtime jobs that come at a steady rate, as the chats of a busy studio do."""
    with _lent("realtime") as lent:
        found = measures.chats(lent, seconds=seconds, per_second=per_second)
    _print_latencies("realtime", found, as_json)


@app.command(epilog="Example: greenlight bench burst --jobs 50")
def burst(
    jobs: Annotated[int, typer.Option(min=1, max=MOST_JOBS, help="How many jobs, in one transaction.")] = 40,
    lane: LaneOption = "standard",
    as_json: JsonFlag = False,
) -> None:
    """Measure how many runs a second the stack gets done."""
    with _lent(lane) as lent:
        done = measures.burst(lent, lane, jobs=jobs, seconds=BURST_SECONDS)
    if as_json:
        print_json({"lane": lane, **done._asdict(), "per_second": done.per_second})
        return
    out.print(
        f"{done.completed} of {done.sent} jobs in {done.seconds:.1f} s: {done.per_second:.1f} runs a second.",
        highlight=False,
    )


@contextmanager
def _lent(lane: Lane) -> Iterator[Ground]:
    """Lend projects to measure on; raise `StackError` where nobody would pick up their jobs."""
    with open_database() as (db, settings):
        require_schema(db)
        require_pickup(settings, {lane})
        _warn_of_work(db, lane)
        lent: Ground | None = None
        try:
            with ground(db, PROJECTS) as lent:
                measures.warm_up(lent, lane)
                yield lent
        finally:
            if lent is not None:
                _forget_runs(lent)


def _warn_of_work(db: Database, lane: Lane) -> None:
    depth = queue.depth(db)[lane]
    if any(depth.values()):
        err.print(
            f"The {lane} lane is at work ({depth['running']} running, {depth['queued']} queued), and real jobs go"
            " first: this measures an installation under load.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def _forget_runs(lent: Ground) -> None:
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        err.print("DAGSTER_HOME is not set: the runs stay in Dagster until upkeep deletes them.", style="dim")
        return
    # Only here: the other commands need no Dagster, which takes a second to import.
    from dagster import DagsterInstance

    from greenlight_dagster.bench.history import forget_runs

    with DagsterInstance.from_config(home) as instance:
        log.info("deleted %d runs", forget_runs(instance, lent.projects))


def _print_latencies(lane: Lane, found: Latencies, as_json: bool) -> None:
    if any(seconds < 0 for seconds in found.seconds):
        raise StackError(
            "Some jobs began before they were sent: the runs' clock is another.",
            "Measure on the machine on which the runs are.",
        )
    summary = summarise([seconds * 1000 for seconds in found.seconds])
    values: dict[str, Any] = {
        "lane": lane,
        "jobs": summary.n,
        "not_begun": found.not_begun,
        "p50_ms": round(summary.p50, 1),
        "p95_ms": round(summary.p95, 1),
        "p99_ms": round(summary.p99, 1),
        "worst_ms": round(summary.worst, 1),
    }
    if as_json:
        print_json(values)
        return
    print_table(tuple(values), [tuple(values.values())], empty="")
    if found.not_begun:
        out.print(f"{found.not_begun} jobs had not begun at the end; they count as long as they had waited by then.")
