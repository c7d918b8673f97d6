"""How fast the upkeep deletes: Dagster's runs with their events, streamed text, and traces, by its own functions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any
from unittest import mock
from uuid import UUID

import psutil
import psycopg
from dagster import DagsterInstance, DagsterRunStatus

from benchmarks.fixtures import make_project
from benchmarks.retention import fill
from benchmarks.retention_traces import fill_traces
from benchmarks.server import Server
from benchmarks.simulation.quiet import Quiet, beside_others
from greenlight_dagster.definitions import defs
from greenlight_dagster.instance import engines
from greenlight_dagster.stack.urls import sqlalchemy_url
from schedules import upkeep
from studio.database.connection import Database
from studio.operations import retention
from studio.paths import ROOT
from studio.settings import Settings

PROJECTS = 50
# So many events and tags as a run of the night has.
EVENTS_OF_A_RUN, TAGS_OF_A_RUN = 39, 8
RUNS, TEXTS, SPANS = 8_000, 2_000_000, 500_000
_OLD = "now() at time zone 'utc' - interval '40 days'"


def measure(server: Server, db: Database, quiet: Quiet, quick: bool) -> dict[str, Any]:
    """Return how many a second go of `runs`, `deltas` and rows of `traces`, each with what others took meanwhile."""
    share = 10 if quick else 1
    projects = [make_project(db) for _ in range(PROJECTS)]
    process = psutil.Process(server.pid)

    def rate(what: str, fill_up: Callable[[], None], work: Callable[[], int]) -> dict[str, float]:
        def timed() -> dict[str, float]:
            began = time.perf_counter()
            gone = work()
            return {"per_second": gone / (time.perf_counter() - began)}

        def once() -> dict[str, Any]:
            fill_up()
            server.settle()
            return beside_others(timed, process)

        return quiet.best(what, once)

    return {
        "deltas": rate("streamed text", lambda: _texts(db, projects, TEXTS // share), lambda: _delete_texts(db)),
        "traces": rate("traces", lambda: fill_traces(db, projects, 0, SPANS // share), lambda: _delete_traces(db)),
        "runs": _runs(server, RUNS // share, rate),
    }


def _texts(db: Database, projects: list[UUID], count: int) -> None:
    db.execute("truncate public.agent_jobs cascade")
    fill(db, projects, 0, count)


def _delete_texts(db: Database) -> int:
    return upkeep.prune_deltas(db, Settings())


def _delete_traces(db: Database) -> int:
    """Delete what is old; what is cleared is not counted, though it takes its time."""
    swept = retention.sweep(db, Settings())
    return swept.traces + swept.spans


def _runs(
    server: Server, count: int, rate: Callable[[str, Callable[[], None], Callable[[], int]], dict[str, float]]
) -> dict[str, float]:
    url = server.database("sim_upkeep_runs", synchronous_commit=False)
    with (
        mock.patch.dict(os.environ, {"GREENLIGHT_DAGSTER_DATABASE_URL": sqlalchemy_url(url)}),
        DagsterInstance.from_config(str(ROOT)) as instance,
    ):
        try:
            return rate(
                "runs", lambda: _ended_runs(instance, url, count), lambda: upkeep.prune_runs(instance, Settings())
            )
        finally:
            engines.disconnect()


def _ended_runs(instance: DagsterInstance, url: str, count: int) -> None:
    """Make `count` runs that ended long ago, as copies of one that Dagster has written."""
    run = instance.create_run_for_job(
        job_def=defs.resolve_job_def("upkeep"),
        status=DagsterRunStatus.SUCCESS,
        tags={f"greenlight/tag-{number}": str(number) for number in range(TAGS_OF_A_RUN)},
    )
    for _ in range(EVENTS_OF_A_RUN):
        instance.report_engine_event("Something happened, and this is what there is to be said of it.", run)
    with psycopg.connect(url, autocommit=True) as conn:
        for table, moment in (("runs", ", update_timestamp"), ("event_logs", ""), ("run_tags", "")):
            names = [
                str(row[0])
                for row in conn.execute(
                    "select column_name from information_schema.columns where table_name = %s"
                    " and table_schema = 'public' and column_name not in ('id', 'run_id', 'update_timestamp')",
                    [table],
                )
            ]
            # The run's id stands in what it is read from, too.
            values = [
                "replace(run_body, %(run)s, %(run)s || '-' || n)" if name == "run_body" else name for name in names
            ]
            conn.execute(
                f"insert into {table} (run_id{moment}, {', '.join(names)})"
                f" select %(run)s || '-' || n{', ' + _OLD if moment else ''}, {', '.join(values)}"
                f" from {table}, generate_series(1, %(count)s) n where run_id = %(run)s",
                {"run": run.run_id, "count": count},
            )
        conn.execute("vacuum analyze")
