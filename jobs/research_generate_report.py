"""`research.generate_report`: the ops of a report, one per step of `studio.reports.generation`."""

from __future__ import annotations

from typing import Any, cast

import dagster as dg

from jobs.factory import AgentOp, Work, build_agent_job, emitted_before
from studio.claims import Json
from studio.errors import SettingsError
from studio.job_types import JOB_TYPES, ReportPayload
from studio.model.spend import usd
from studio.reports.generation import Generation
from studio.reports.recording import list_failure

LINK_SECONDS = 24 * 3600
# A table in the metadata of a run is to be looked over; all claims are in the studio.
ROWS_SHOWN = 40


def _generation(work: Work) -> Generation:
    return Generation(
        claim=work.claim,
        payload=cast("ReportPayload", work.payload),
        settings=work.settings,
        model=work.model,
        outbound=work.outbound,
        progress=work.progress,
        storage=work.storage,
    )


def _show(work: Work, recorded: Json) -> None:
    """Record the report as an asset materialization, once per file."""
    if emitted_before(work, "asset_id", recorded["asset_id"]):
        return
    _, written = work.claim.saved_step("write")
    metadata: dict[str, Any] = {
        "title": recorded["title"],
        "asset_id": recorded["asset_id"],
        "storage_path": recorded["storage_path"],
        "sha256": recorded["sha256"],
        "pages": recorded["pages"],
        "supported": recorded["supported"],
        "marked": recorded["marked"],
        "removed": recorded["removed"],
        "contradictions": len(written["contradictions"]),
        "sources": len(written["sources"]),
        "cost_usd": usd(recorded["cost_micros"]),
        "duration_seconds": round(work.seconds_since_start(), 1),
        "link": _link(work, recorded["storage_path"]),
        "claims": _table(written["claims"]),
    }
    if recorded["thumbnail"] is not None:
        picture = f"![{_cell(recorded['title'])}](data:image/png;base64,{recorded['thumbnail']})"
        metadata["preview"] = dg.MetadataValue.md(picture)
    work.dagster.log_event(
        dg.AssetMaterialization(
            asset_key=["reports", cast("ReportPayload", work.payload).format],
            partition=str(work.claim.job.project_id),
            description=f"Report: {recorded['title']}",
            metadata=metadata,
        )
    )


def _link(work: Work, path: str) -> dg.MetadataValue[Any]:
    try:
        return dg.MetadataValue.url(work.storage().signed_url(path, expires_seconds=LINK_SECONDS))
    except SettingsError as exc:
        # The file is stored all the same; only nobody has said under which address it can be opened.
        return dg.MetadataValue.text(str(exc))


def _table(claims: list[Json]) -> dg.MarkdownMetadataValue:
    """Return the claims as a table: what is stated, what became of it, and on which words it rests."""
    rows = ["| claim | outcome | statement | quote, or why not |", "|---|---|---|---|"]
    for claim in claims[:ROWS_SHOWN]:
        told = claim["quote"] if claim["outcome"] == "supported" else claim["reason"]
        rows.append(f"| {claim['number']} | {claim['outcome']} | {_cell(claim['statement'])} | {_cell(told or '')} |")
    if len(claims) > ROWS_SHOWN:
        rows.append(f"| … | | and {len(claims) - ROWS_SHOWN} more | |")
    return dg.MetadataValue.md("\n".join(rows))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("[", "\\[").replace("<", "&lt;")


OPS = (
    AgentOp(
        "plan",
        "Break the topic into three to eight questions.",
        lambda work: _generation(work).plan(),
    ),
    AgentOp(
        "research",
        "Look each question up on the web; what a question has cost is not paid again.",
        lambda work, planned: _generation(work).research(planned),
        needs=("plan",),
    ),
    AgentOp(
        "snapshots",
        "Store the text of each cited page under its hash.",
        lambda work, found: _generation(work).snapshots(found),
        needs=("research",),
    ),
    AgentOp(
        "claims",
        "Let statements be made of the stored pages, each with a quote.",
        lambda work, planned, found, taken: _generation(work).claims(planned, found, taken),
        needs=("plan", "research", "snapshots"),
    ),
    AgentOp(
        "check",
        "Remove or mark what its quote does not carry, and look for contradictions.",
        lambda work, planned, taken, stated: _generation(work).check(planned, taken, stated),
        needs=("plan", "snapshots", "claims"),
    ),
    AgentOp(
        "write",
        "Write title, summary, headings and charts of what stands.",
        lambda work, planned, found, taken, checked: _generation(work).write(planned, found, taken, checked),
        needs=("plan", "research", "snapshots", "check"),
    ),
    AgentOp(
        "render",
        "Draw the report with exactly as many pages as were asked for, and store the file.",
        lambda work, written: _generation(work).render(written),
        needs=("write",),
    ),
    AgentOp(
        "record",
        "Write down the report, its claims and the surest facts.",
        lambda work, conn, written, taken, made: _generation(work).record(conn, written, taken, made),
        needs=("write", "snapshots", "render"),
        transactional=True,
        after=_show,
    ),
)

research_generate_report = build_agent_job(JOB_TYPES["research.generate_report"], OPS, on_failure=list_failure)
