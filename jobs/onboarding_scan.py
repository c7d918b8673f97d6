"""`onboarding.scan`: the ops of a look at what a project could start with."""

from __future__ import annotations

from typing import cast

from jobs.factory import AgentOp, Work, build_agent_job
from studio.job_types import JOB_TYPES, ScanPayload
from studio.onboarding.work import Scanning


def _scanning(work: Work) -> Scanning:
    return Scanning(
        payload=cast("ScanPayload", work.payload),
        settings=work.settings,
        outbound=work.outbound,
        note=work.progress.log,
    )


OPS = (
    AgentOp(
        "look_at_site",
        "Look the domain up, fetch its page, and read what it says and is made with.",
        lambda work: _scanning(work).look_at_site(),
    ),
    AgentOp(
        "read_repository",
        "Ask the repository's host what it shows of it to everybody.",
        lambda work: _scanning(work).read_repository(),
    ),
    AgentOp(
        "conclude",
        "Put both together, and keep the look at a domain for a day.",
        lambda work, conn, site, repository: _scanning(work).conclude(conn, site, repository),
        needs=("look_at_site", "read_repository"),
        transactional=True,
    ),
)

onboarding_scan = build_agent_job(JOB_TYPES["onboarding.scan"], OPS)
