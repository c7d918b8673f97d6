"""`approval.execute`: the ops that carry out an approved action, once."""

from __future__ import annotations

from typing import cast

import dagster as dg

from jobs.factory import AgentOp, Work, build_agent_job, emitted_before
from studio.actions.execution import Execution, list_failure
from studio.claims import Json
from studio.job_types import JOB_TYPES, ApprovalPayload
from studio.storage import storage_from_settings


def _execution(work: Work) -> Execution:
    return Execution(
        claim=work.claim,
        payload=cast("ApprovalPayload", work.payload),
        settings=work.settings,
        outbound=work.outbound,
        storage=lambda: storage_from_settings(work.settings),
        progress=work.progress,
    )


def _materialize(work: Work, done: Json) -> None:
    """Record what was done as an asset materialization, which the mirror turns into the artifact event."""
    if emitted_before(work, "execution_id", done["execution_id"]):
        return
    response = {
        name: dg.MetadataValue.url(str(value)) if name.endswith("_url") else value
        for name, value in done["response"].items()
        if isinstance(value, str | int | float | bool)
    }
    work.dagster.log_event(
        dg.AssetMaterialization(
            asset_key=["executions", done["action_type"]],
            partition=str(work.claim.job.project_id),
            description=done["detail"],
            metadata={
                **response,
                "approval_id": done["approval_id"],
                "execution_id": done["execution_id"],
                "action_type": done["action_type"],
            },
        )
    )


OPS = (
    AgentOp(
        "begin",
        "Take up the one execution of the approval; skip it where it is completed.",
        lambda work, conn: _execution(work).begin(conn),
        transactional=True,
    ),
    AgentOp(
        "perform",
        "Do what was approved: in one transaction, or through the outbox.",
        lambda work, begun: _execution(work).perform(begun),
        needs=("begin",),
        acts=True,
    ),
    AgentOp(
        "record",
        "End execution and approval, and remember what was done.",
        lambda work, conn, done: _execution(work).record(conn, done),
        needs=("perform",),
        transactional=True,
        after=_materialize,
    ),
)

approval_execute = build_agent_job(JOB_TYPES["approval.execute"], OPS, on_failure=list_failure)
