"""`greenlight demo --full`: an idea through all four phases, and what came of it in a folder to look at."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

from rich.table import Table

from greenlight_dagster.cli.journey import LIVE, Journey
from greenlight_dagster.cli.output import INTERRUPTED, INTERRUPTS, err, out
from studio import pages, projects
from studio.database.connection import Database
from studio.deliverables import listed_in
from studio.errors import StudioError
from studio.mail.folder import FOLDER as OUTBOX
from studio.model import spend
from studio.settings import Settings
from studio.storage import storage_from_settings

DECK_SUFFIX = ".pptx"


def run(
    db: Database, settings: Settings, folder: Path, web: str, idea: str, domain: str | None, *, ask: bool, keep: Path
) -> dict[str, Any]:
    """Take the idea through all phases, copy what was made to a new folder below `keep`, and return the counts.

    Where Ctrl-C ends it, what there is by then is kept and counted, with the status `interrupted`.
    """
    began = time.monotonic()
    journey = Journey(db, settings, folder, web, ask)
    # Where a person said no, the project stops there, which is no failure.
    status, error = "completed", None
    try:
        journey.travel(idea, domain)
    except StudioError as exc:
        status, error = "failed", str(exc)
        err.print(error, style="red", highlight=False, soft_wrap=True, markup=False)
    except INTERRUPTS:
        status = INTERRUPTED
    project_id = journey.project_id
    if project_id is None:
        return {"status": status, "error": error, "seconds": round(time.monotonic() - began, 1)}
    kept = _folder(keep, project_id)
    try:
        found = _collected(db, settings, folder, kept, project_id)
    except INTERRUPTS:
        # Only a second Ctrl-C ends it without its counts.
        status = INTERRUPTED
        found = _collected(db, settings, folder, kept, project_id)
    result = {"status": status, "error": error, **found, "decisions": dict(journey.decided), "folder": str(kept)}
    result["seconds"] = round(time.monotonic() - began, 1)
    _show(kept, result)
    return result


def _folder(keep: Path, project_id: UUID) -> Path:
    # With the project, as two demos may end in the same second.
    return keep / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}-{project_id.hex[:8]}"


def _collected(db: Database, settings: Settings, folder: Path, kept: Path, project_id: UUID) -> dict[str, Any]:
    _keep(db, settings, folder, kept, project_id)
    return _counts(db, project_id, kept)


def _keep(db: Database, settings: Settings, folder: Path, kept: Path, project_id: UUID) -> None:
    """Copy page, mails and files of the project out of the stack's folder, which is about to go."""
    kept.mkdir(parents=True, exist_ok=True)
    live = pages.published(db, project_id)
    if live is not None:
        (kept / "page.html").write_text(live.html, encoding="utf-8", newline="")
    if (folder / OUTBOX).is_dir():
        shutil.copytree(folder / OUTBOX, kept / OUTBOX, ignore=shutil.ignore_patterns(".*"), dirs_exist_ok=True)
    storage = storage_from_settings(settings)
    for file in storage.list(f"{project_id}/"):
        path = kept / "files" / Path(file.path).relative_to(str(project_id))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(storage.read(file.path))


def _counts(db: Database, project_id: UUID, kept: Path) -> dict[str, Any]:
    project = projects.get(db, project_id)
    files = [path for path in (kept / "files").rglob("*") if path.is_file()]
    # The stack is the demo's own, and what the studio itself writes to the founder belongs to it.
    mails = _by(db, "select status as of, count(*) as n from public.email_jobs group by 1")
    jobs = _by(
        db, "select status as of, count(*) as n from public.agent_jobs where project_id = %s group by 1", project_id
    )
    done = _by(
        db,
        "select execution_status as of, count(*) as n from public.approval_queue"
        " where project_id = %s and type = 'execution' group by 1",
        project_id,
    )
    with db.connection() as conn:
        lacking = [
            f"phase {phase}: {entry.label} ({entry.error})"
            for phase in range(LIVE)
            for entry in listed_in(conn, project_id, phase)
            if entry.status != "stored"
        ]
    one = db.fetch_one(
        "select (select count(*) from public.phase_packet_versions where project_id = %(p)s) as packets,"
        " (select count(*) from public.agent_job_events where project_id = %(p)s) as events,"
        " (select count(*) from public.waitlist_signups where project_id = %(p)s and status = 'confirmed') as signups",
        {"p": project_id},
    )
    budget = spend.budget(db, project_id)
    return {
        "project_id": str(project_id),
        "phase": project.phase,
        "live": project.phase == LIVE,
        "packets": one["packets"] if one else 0,
        "jobs": jobs,
        "events": one["events"] if one else 0,
        "executions": done,
        "published": (kept / "page.html").exists(),
        "mails": mails,
        "mail_files": len(list((kept / OUTBOX).glob("*.eml"))),
        "confirmed_signups": one["signups"] if one else 0,
        "decks": sum(path.suffix == DECK_SUFFIX for path in files),
        "files": len(files),
        "missing": lacking,
        "model_calls": budget.calls,
        "cost_usd": spend.usd(budget.spent_micros),
    }


def _by(db: Database, query: LiteralString, *of: UUID) -> dict[str, int]:
    return {row["of"]: row["n"] for row in db.fetch_all(query, of)}


def _show(kept: Path, result: dict[str, Any]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    mails = ", ".join(f"{count} {status}" for status, count in sorted(result["mails"].items())) or "none"
    table.add_row("page", f"{kept / 'page.html'}" if result["published"] else "not published")
    table.add_row("mails", f"{mails}; the files lie in {kept / OUTBOX}")
    table.add_row("decks", f"{result['decks']} in {kept / 'files'}, {result['files']} files in all")
    for line in result["missing"]:
        table.add_row("missing", line)
    out.print()
    out.print(table)
