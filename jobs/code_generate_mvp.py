"""`code.generate_mvp`: the ops of a code base, one per step of `studio.code.generation`."""

from __future__ import annotations

from typing import cast

import dagster as dg

from jobs.factory import AgentOp, Work, build_agent_job, emitted_before
from studio.claims import Json
from studio.code.generation import Generation, list_failure
from studio.job_types import JOB_TYPES, CodePayload
from studio.model.spend import usd

FILES_SHOWN = 200


def _generation(work: Work) -> Generation:
    return Generation(
        claim=work.claim,
        payload=cast("CodePayload", work.payload),
        settings=work.settings,
        model=work.model,
        progress=work.progress,
        storage=work.storage,
    )


def _materialize(work: Work, recorded: Json) -> None:
    """Show the code base in Dagster, with its files and checks, once per commit; the mirror makes it an event."""
    if emitted_before(work, "commit", recorded["commit"]):
        return
    _, inspected = work.claim.saved_step("inspect")
    _, checks = work.claim.saved_step("check")
    _, written = work.claim.saved_step("write")
    url = recorded["pull_request_url"]
    work.dagster.log_event(
        dg.AssetMaterialization(
            asset_key=["code", "mvp"],
            partition=str(work.claim.job.project_id),
            description=recorded["told"],
            metadata={
                "commit": recorded["commit"],
                "branch": recorded["branch"],
                "pull_request": dg.MetadataValue.url(url) if url else "none: the code lies in the local repository",
                "files": _files(inspected["changes"]),
                "checks": _checks(checks),
                "left_out": len(inspected["left_out"]),
                "archive": ", ".join(kept["storage_path"] for kept in inspected["archives"]),
                "asset_id": inspected["archives"][0]["asset_id"],
                "finished": written["reason"] is None,
                "turns": written["turns"],
                "cost_usd": usd(recorded["cost_micros"]),
                "deployment": recorded["deployment"],
                "duration_seconds": round(work.seconds_since_start(), 1),
            },
        )
    )


def _files(changes: list[Json]) -> dg.MarkdownMetadataValue:
    rows = [f"| `{_cell(c['path'])}` | {c['status']} | {c['size']:,} | `{c['sha256'][:12]}` |" for c in changes]
    more = [f"| and {len(rows) - FILES_SHOWN} more | | | |"] if len(rows) > FILES_SHOWN else []
    head = ["| file | status | bytes | sha-256 |", "|---|---|---|---|"]
    return dg.MetadataValue.md("\n".join([*head, *rows[:FILES_SHOWN], *more]))


def _checks(checks: list[Json]) -> dg.MarkdownMetadataValue:
    rows = [f"| `{_cell(c['command'])}` | {c['outcome']} | {c['seconds']:g} s |" for c in checks]
    return dg.MetadataValue.md("\n".join(["| check | outcome | took |", "|---|---|---|", *rows]))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("`", "'")


OPS = (
    AgentOp(
        "prepare",
        "Look at the repository, choose the sandbox, and gather what the agent is told.",
        lambda work: _generation(work).prepare(),
    ),
    AgentOp(
        "write",
        "Let the agent write in the sandbox, turn by turn; each turn is kept.",
        lambda work, prepared: _generation(work).write(prepared),
        needs=("prepare",),
    ),
    AgentOp(
        "inspect",
        "Take what may be committed out of what the agent left, and look it through for secrets.",
        lambda work, prepared, written: _generation(work).inspect(prepared, written),
        needs=("prepare", "write"),
    ),
    AgentOp(
        "check",
        "Run the build and the tests that the project declares, in a fresh sandbox, on exactly what is committed.",
        lambda work, prepared, inspected: _generation(work).check(prepared, inspected),
        needs=("prepare", "inspect"),
    ),
    AgentOp(
        "push",
        "Commit, and push to a new branch.",
        lambda work, prepared, inspected, checks: _generation(work).push(prepared, inspected, checks),
        needs=("prepare", "inspect", "check"),
    ),
    AgentOp(
        "offer",
        "Open a pull request, which only a person merges.",
        lambda work, *found: _generation(work).offer(*found),
        needs=("prepare", "write", "inspect", "check", "push"),
    ),
    AgentOp(
        "record",
        "Write down what came of it, remember it, and ask about the deployment.",
        lambda work, conn, *found: _generation(work).record(conn, *found),
        needs=("prepare", "write", "inspect", "check", "push", "offer"),
        transactional=True,
        after=_materialize,
    ),
)

code_generate_mvp = build_agent_job(JOB_TYPES["code.generate_mvp"], OPS, on_failure=list_failure)
