"""What tracing takes of a Phase 0: the real job in this process, with traces and without them in turns.

A run of its own process would be as long, but nobody could tell its processor time from that of the others.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from dagster import DagsterInstance, JobDefinition

from benchmarks import goals
from benchmarks.bed import Bed, Way
from benchmarks.figures import Figure
from benchmarks.pairs import added, in_turns
from benchmarks.size import Size
from greenlight_dagster.instance.compute_logs import RedirectingComputeLogManager, redirected
from greenlight_dagster.launcher.worker import CONNECTION_PATIENCE_SECONDS, STUDIO_CONNECTIONS
from resources.database import StudioDatabase, be_thrifty
from studio import projects
from studio.errors import StackError
from studio.job_types import JOB_TYPES
from studio.launch import JOB_TYPE
from studio.settings import get_settings

PROFILES: tuple[Way, ...] = ("ours",)
RUNS = Size(25, 5)
OWNER = "bench"
IDEA = "A tool library for city blocks: neighbours lend each other drills, ladders and sewing machines."


class Run(NamedTuple):
    """Seconds of one run: to the job's last transition, from there to the run's end, and of the processor."""

    job: float
    after: float
    cpu: float


def measure(bed: Bed) -> dict[str, float]:
    """Return medians: what tracing adds, in seconds, and what there is without it; and the spans of a run."""
    with _as_a_worker(bed) as (job, instance):
        pairs = in_turns(RUNS.count(bed.quick), lambda traced: _once(bed, job, instance, traced=traced))
    found = bed.db.fetch_one(
        "select max(span_count) as n from public.pipeline_traces where kind = 'job' and pipeline_name = %s", [JOB_TYPE]
    )
    values = {"spans": float(found["n"] or 0) if found is not None else 0.0}
    for number, name in enumerate(Run._fields):
        values[f"{name}.added"] = added((traced[number], plain[number]) for traced, plain in pairs)
        values[name] = statistics.median(plain[number] for _, plain in pairs)
    return values


@contextlib.contextmanager
def _as_a_worker(bed: Bed) -> Iterator[tuple[JobDefinition, DagsterInstance]]:
    """Let this process work as a run's does: on one connection, with its output in files."""
    variables = {**bed.stack.environment(), "GREENLIGHT_RUN_OWNS_PROCESS": "false"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, variables))
        stack.callback(get_settings.cache_clear)
        get_settings.cache_clear()
        # Loading it takes seconds, which no other benchmark has to wait for.
        from greenlight_dagster.definitions import defs

        be_thrifty(STUDIO_CONNECTIONS, CONNECTION_PATIENCE_SECONDS)
        stack.callback(StudioDatabase().get().close)
        instance = stack.enter_context(DagsterInstance.from_config(variables["DAGSTER_HOME"]))
        stack.enter_context(mock.patch.object(RedirectingComputeLogManager, "redirects", new=True))
        stack.enter_context(redirected(2, Path(variables["GREENLIGHT_DATA_DIR"]) / "in_this_process.log"))
        yield defs.resolve_job_def(JOB_TYPES[JOB_TYPE].dagster_job), instance


def _once(bed: Bed, job: JobDefinition, instance: DagsterInstance, *, traced: bool) -> Run:
    os.environ["GREENLIGHT_TRACING"] = str(traced).lower()
    get_settings.cache_clear()
    with bed.db.transaction() as conn:
        project_id = projects.create(conn, bed.settings, owner_clerk_id=OWNER, idea=IDEA)
    config: dict[str, Any] = {"project_id": str(project_id), "payload": {"ownerClerkId": OWNER}}
    began, spent = time.time(), time.process_time()
    done = job.execute_in_process(run_config=config, instance=instance, raise_on_error=False).success
    ended, cpu = time.time(), time.process_time() - spent
    row = bed.db.fetch_one(
        "select extract(epoch from completed_at)::float8 as at from public.agent_jobs"
        " where project_id = %s and job_type = %s and status = 'completed'",
        [project_id, JOB_TYPE],
    )
    if row is None or not done:
        raise StackError("A Phase 0 in this process has failed.")
    return Run(row["at"] - began, ended - row["at"], cpu)


def figures(ours: Mapping[str, float], _stock: Mapping[str, float]) -> Iterator[Figure]:
    """Yield what tracing adds."""
    share = 100 * ours["job.added"] / ours["job"]
    note = f"{ours['job.added'] * 1000:.1f} ms of {ours['job']:.2f} s; {ours['spans']:.0f} spans"
    yield Figure("traced_phase0", "added to its time", "%", share, goal=goals.TRACED_PHASE0_PERCENT, note=note)
    yield Figure("traced_phase0", "added after the job's end", "ms", ours["after.added"] * 1000)
    processor = 100 * ours["cpu.added"] / ours["cpu"]
    note = f"{ours['cpu.added'] * 1000:.1f} ms of {ours['cpu'] * 1000:.0f} ms, all threads"
    yield Figure("traced_phase0", "added to its processor time", "%", processor, note=note)
