"""`bench.realtime`, `bench.standard`, `bench.heavy`: one op that does nothing but say when it began.

From the commit of such a job's row to this moment is all that the queue, Dagster and the start of a run cost.
"""

from __future__ import annotations

import time

from jobs.factory import AgentOp, Work, build_agent_job
from studio.claims import Json
from studio.job_types import BENCH_STARTED_AT, JOB_TYPES, LANES


def _noop(_work: Work) -> Json:
    # The wall clock is the one that another process on the same machine can compare with its own.
    return {BENCH_STARTED_AT: time.time()}


bench_jobs = [
    # Dagster wants op names to be unique in a code location.
    build_agent_job(JOB_TYPES[f"bench.{lane}"], [AgentOp(f"noop_{lane}", "Do nothing; note when it began.", _noop)])
    for lane in LANES
]
