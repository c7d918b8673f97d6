"""The tags that tie a Dagster run to its job."""

from __future__ import annotations

from dagster import DagsterRun

from studio.queue import Job
from studio.tracing import ids as trace_ids

JOB_ID = "greenlight/job_id"
PROJECT_ID = "greenlight/project_id"
ATTEMPT = "greenlight/attempt"
CLAIM_NO = "greenlight/claim_no"
JOB_TYPE = "greenlight/job_type"
LANE = "greenlight/lane"
# The trace of the attempt; `greenlight traces show` takes it, as it takes the run's own id.
TRACE_ID = "greenlight/trace_id"
# The op that ends the job: a run that leaves it out cannot.
LAST_OP = "greenlight/last_op"

# Dagster's own tags: of a run that a sensor launched under a key, and of a re-execution from failure.
RUN_KEY = "dagster/run_key"
RESUME_RETRY = "dagster/is_resume_retry"


def tags_of(job: Job) -> dict[str, str]:
    """Return the tags of the run that carries out the job's current claim."""
    return {
        JOB_ID: str(job.id),
        PROJECT_ID: str(job.project_id),
        JOB_TYPE: job.job_type,
        ATTEMPT: str(job.attempts),
        CLAIM_NO: str(job.claim_no),
        TRACE_ID: trace_ids.of_claim(job.id, job.claim_no).hex,
    }


def run_key(job: Job) -> str:
    """Return the run key of the job's current claim, which never repeats."""
    return f"{job.id}:{job.claim_no}"


def is_of_pickup(run: DagsterRun) -> bool:
    """Whether pickup has claimed the job for this very run: then its claim number says whether it may begin."""
    tagged, claim_no = run.tags.get(JOB_ID), run.tags.get(CLAIM_NO)
    return bool(tagged) and run.parent_run_id is None and run.tags.get(RUN_KEY) == f"{tagged}:{claim_no}"
