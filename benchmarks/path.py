"""The path of one job, from the commit of its row to its end: when each of its stages is reached.

`--picture FILE` (with `--only path`) draws it for `docs/performance.md`.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Mapping
from unittest import mock

from dagster import DagsterEventType, DagsterInstance

from benchmarks.bed import Bed, Way
from benchmarks.figures import Figure
from benchmarks.size import Size
from greenlight_dagster.bench.ground import ground
from greenlight_dagster.bench.workload import send, wait
from studio.job_types import BENCH_STARTED_AT

PROFILES: tuple[Way, ...] = ("ours",)
JOBS = Size(60, 10)
PAUSE_SECONDS = 0.4
PATIENCE_SECONDS = 30.0

COMMIT = "commit of the row"
# In the order in which a job reaches them; the names are those of the picture.
STAGES = (
    "claimed by a sensor",
    "run created by the daemon",
    "run launcher asked",
    "worker has the run",
    "execution began",
    "resources begin",
    "job taken up, resources there",
    "first line of the op",
    "op done",
    "job completed",
    "run ended",
)
_EVENTS = {
    DagsterEventType.RUN_STARTING: "run launcher asked",
    DagsterEventType.RUN_START: "execution began",
    DagsterEventType.RESOURCE_INIT_STARTED: "resources begin",
    DagsterEventType.RESOURCE_INIT_SUCCESS: "job taken up, resources there",
    DagsterEventType.STEP_SUCCESS: "op done",
    DagsterEventType.RUN_SUCCESS: "run ended",
}
_STARTED = "Started process for run"


def measure(bed: Bed) -> dict[str, float]:
    """Return the median milliseconds from the commit to each stage, over jobs that came one at a time."""
    seen: dict[str, list[float]] = {stage: [] for stage in STAGES}
    environment = {**bed.stack.environment()}
    with mock.patch.dict(os.environ, environment), DagsterInstance.from_config(environment["DAGSTER_HOME"]) as instance:
        with ground(bed.db, 1) as lent:
            for _ in range(JOBS.count(bed.quick)):
                sent = send(bed.db, [lent.job("standard")])
                if not wait(bed.db, sent, PATIENCE_SECONDS):
                    continue
                # The run writes its last event after the job's end.
                time.sleep(PAUSE_SECONDS)
                for stage, at in _moments(bed, instance, sent[0].job_id).items():
                    seen[stage].append((at - sent[0].at) * 1000)
    return {stage: statistics.median(times) for stage, times in seen.items() if times}


def _moments(bed: Bed, instance: DagsterInstance, job_id: object) -> dict[str, float]:
    row = bed.db.fetch_one(
        "select (select extract(epoch from e.created_at)::float8 from public.agent_job_events e"
        "  where e.job_id = j.id and e.type = 'status' and e.message = 'running' order by e.seq limit 1) as claimed,"
        " extract(epoch from completed_at)::float8 as completed,"
        " dagster_run_id, (select (output ->> %s)::float8 from public.agent_job_steps s where s.job_id = j.id) as op"
        " from public.agent_jobs j where id = %s",
        [BENCH_STARTED_AT, job_id],
    )
    record = instance.get_run_record_by_id(row["dagster_run_id"]) if row is not None else None
    if row is None or record is None:
        return {}
    moments: dict[str, float] = {
        "claimed by a sensor": row["claimed"],
        "run created by the daemon": record.create_timestamp.timestamp(),
        "first line of the op": row["op"],
        "job completed": row["completed"],
    }
    for entry in instance.all_logs(record.dagster_run.run_id):
        if (entry.message or (entry.dagster_event and entry.dagster_event.message) or "").startswith(_STARTED):
            moments["worker has the run"] = entry.timestamp
        if entry.dagster_event is not None and (stage := _EVENTS.get(entry.dagster_event.event_type)) is not None:
            moments[stage] = entry.timestamp
    return moments


def figures(ours: Mapping[str, float], _stock: Mapping[str, float]) -> Iterator[Figure]:
    """Yield when each stage is reached."""
    for stage in STAGES:
        if stage in ours:
            yield Figure("path", f"commit → {stage}", "ms", ours[stage])
