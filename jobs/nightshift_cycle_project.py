"""`nightshift.cycle_project`: the ops of a project's night, one per step of `studio.night_shift.cycle`."""

from __future__ import annotations

from typing import cast

import dagster as dg

from jobs.factory import AgentOp, Work, build_agent_job, emitted_before
from studio.claims import Json
from studio.job_types import JOB_TYPES, NightShiftPayload
from studio.night_shift.cycle import NightShift, list_failure


def _night_shift(work: Work) -> NightShift:
    return NightShift(
        claim=work.claim,
        payload=cast("NightShiftPayload", work.payload),
        settings=work.settings,
        progress=work.progress,
    )


def _materialize_night(work: Work, report: Json) -> None:
    """Record the night as an asset materialization, which the mirror turns into the artifact event."""
    if emitted_before(work, "day", report["day"]):
        return
    work.dagster.log_event(
        dg.AssetMaterialization(
            asset_key=["night_shift"],
            partition=str(work.claim.job.project_id),
            description=report["summary"],
            metadata={name: report[name] for name in ("day", "proposed", "pending", "skipped", "recommended")},
        )
    )


OPS = (
    AgentOp(
        "look",
        "Read the figures, and count what has happened since the last cycle.",
        lambda work: _night_shift(work).look(),
    ),
    AgentOp(
        "propose",
        "Settle the rules' and the packets' actions: propose what can be executed, and say why not the rest.",
        lambda work, conn, seen: _night_shift(work).propose(conn, seen),
        needs=("look",),
        transactional=True,
    ),
    AgentOp(
        "report",
        "Write the summary into activity list, ledger and memory.",
        lambda work, conn, seen, proposed: _night_shift(work).report(conn, seen, proposed),
        needs=("look", "propose"),
        transactional=True,
        after=_materialize_night,
    ),
    AgentOp(
        "write_overview",
        "Queue the overview mail, once per project and UTC day.",
        lambda work, conn, seen, proposed, _reported: _night_shift(work).write_overview(conn, seen, proposed),
        needs=("look", "propose", "report"),
        transactional=True,
    ),
)

nightshift_cycle_project = build_agent_job(JOB_TYPES["nightshift.cycle_project"], OPS, on_failure=list_failure)
