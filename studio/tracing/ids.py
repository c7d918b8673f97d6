"""The ids of traces: OpenTelemetry's 128 bits as a UUID, and the one that an attempt at a job has."""

from __future__ import annotations

import hashlib
from uuid import UUID


def of_claim(job_id: UUID, claim_no: int) -> UUID:
    """Return the trace of a job's attempt; the same as `agent_job_trace_id` of the migration.

    Whoever knows the claim knows the trace, without asking. What happens before the first claim belongs to it.
    """
    text = f"{job_id}:{max(claim_no, 1)}"
    # A name and no secret: it must only be the same everywhere.
    return UUID(hashlib.md5(text.encode("ascii"), usedforsecurity=False).hexdigest())
