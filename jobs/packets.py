"""What the jobs that make packets show in Dagster: the packet and each of its deliverables as materializations.

The event mirror turns them into artifact events.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from jobs.factory import Work, emitted_before
from studio.claims import Json
from studio.mail import dispatch
from studio.model.spend import usd


def materialize_packet(work: Work, phase: int, saved: Json, **more: Any) -> None:
    """Record the packet as an asset materialization, once per version; `more` is further metadata."""
    if emitted_before(work, "packet_version_id", saved["packet_version_id"]):
        return
    work.dagster.log_event(
        dg.AssetMaterialization(
            asset_key=["packets", f"phase{phase}"],
            partition=str(work.claim.job.project_id),
            description=f"Phase {phase} packet, version {saved['version']}: {saved['headline']}",
            metadata={
                "recommendation": saved["recommendation"],
                "confidence": saved["confidence"],
                "packet": _where(work),
                "packet_id": saved["packet_id"],
                "packet_version_id": saved["packet_version_id"],
                "version": saved["version"],
                "model": saved["model"],
                "cost_usd": usd(saved["cost_micros"]),
                "model_calls": saved["model_calls"],
                "tokens": saved["tokens"],
                "duration_seconds": round(work.seconds_since_start(), 1),
                **more,
            },
        )
    )


def materialize_deliverables(work: Work, phase: int, made: Json) -> None:
    """Record each stored deliverable as an asset materialization, once per asset."""
    for entry in made:
        asset_id = entry["asset_id"]
        if asset_id is None or emitted_before(work, "asset_id", asset_id):
            continue
        metadata = {
            "asset_id": asset_id,
            "storage_path": entry["storage_path"],
            "sha256": entry["content_hash"],
            "score": entry["score"],
        }
        work.dagster.log_event(
            dg.AssetMaterialization(
                asset_key=["deliverables", f"phase{phase}", entry["kind"]],
                partition=str(work.claim.job.project_id),
                description=f"{entry['label']}: {entry['storage_path']}",
                metadata={name: value for name, value in metadata.items() if value is not None},
            )
        )


def table(entries: list[Json]) -> dg.MarkdownMetadataValue:
    """Return the deliverables as a table: what is there and where, what is not and why."""
    rows = ["| deliverable | status | where, or why not |", "|---|---|---|"]
    for entry in entries:
        told = f"`{entry['storage_path']}`" if entry["storage_path"] else _cell(entry["error"] or "")
        score = f", score {entry['score']}" if entry["score"] is not None else ""
        rows.append(f"| {_cell(entry['label'])} | {entry['status']}{score} | {told} |")
    return dg.MetadataValue.md("\n".join(rows))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _where(work: Work) -> dg.MetadataValue[Any]:
    base = work.settings.app_base_url
    if base:
        return dg.MetadataValue.url(f"{base.rstrip('/')}/projects/{work.claim.job.project_id}")
    return dg.MetadataValue.text(f"greenlight projects show {work.claim.job.project_id}")


def send_notice(work: Work, announced: Json) -> None:
    """Have the mail that an announcement has queued sent now: the founder waits for it."""
    if announced["mail"] == "queued":
        dispatch.send_soon(work.claim.db)
