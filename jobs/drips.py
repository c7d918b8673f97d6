"""What the jobs of the drips share: one op that queues, one artifact with the counts."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg

from jobs.factory import AgentOp, Work, build_agent_job, emitted_before
from studio.claims import Json
from studio.database.connection import Database
from studio.job_types import JOB_TYPES
from studio.mail.dispatch import send_soon
from studio.mail.drips import DripSummary
from studio.settings import Settings


def drip_job(
    job_type: str, *, op: str, description: str, process: Callable[[Database, Settings], DripSummary]
) -> dg.JobDefinition:
    """Return the job of a drip type: `process` in one op, which may be repeated and then adds nothing."""

    def queue(work: Work) -> Json:
        return process(work.claim.db, work.settings).as_json()

    def summarize(work: Work, counts: Json) -> None:
        if counts["queued"]:
            send_soon(work.claim.db)
        run = str(work.claim.job_id)
        if emitted_before(work, "drip_run", run):
            return
        told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
        work.dagster.log_event(
            dg.AssetMaterialization(
                asset_key=["mail", op],
                description=f"{JOB_TYPES[job_type].description.removesuffix('.')}: {told or 'nobody is due'}.",
                metadata={**counts, "drip_run": run},
            )
        )

    return build_agent_job(JOB_TYPES[job_type], [AgentOp(op, description, queue, after=summarize)])
