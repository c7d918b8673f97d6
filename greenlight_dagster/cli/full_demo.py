"""`greenlight demo --full`: an idea through all four phases, and what came of it in a folder to look at."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

from greenlight_dagster.cli.journey import LIVE, Journey
from greenlight_dagster.cli.output import INTERRUPTED, INTERRUPTS, err, out
from studio import assets, pages, projects
from studio.code import local_repository
from studio.database.connection import Database
from studio.deliverables import listed_in
from studio.errors import StudioError
from studio.mail.folder import FOLDER as OUTBOX
from studio.model import spend
from studio.settings import Settings
from studio.storage import storage_from_settings
from studio.text import printable

DECK_SUFFIX = ".pptx"
REPOSITORY = "repository.git"
_LACKING = re.compile(r"(?P<what>phase \d+: .*?) \((?P<why>.*)\)", re.DOTALL)


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
    found["missing"] += journey.lacking
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
    repository = local_repository.path(settings, project_id)
    if repository.is_dir():
        shutil.copytree(repository, kept / REPOSITORY, dirs_exist_ok=True)
    storage = storage_from_settings(settings)
    # What jobs keep for their own next attempt lies beside these, and is no result.
    for asset in assets.find(db, project_id):
        path = _kept_file(kept, project_id, asset.storage_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(assets.content(storage, asset))


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
        "code": _code(db, project_id),
        "report": _report(db, project_id, kept),
        "page_check": _page_check(db, project_id, kept),
        "missing": lacking,
        "model_calls": budget.calls,
        "cost_usd": spend.usd(budget.spent_micros),
    }


def _code(db: Database, project_id: UUID) -> dict[str, Any] | None:
    row = db.fetch_one(
        "select branch, commit_sha as commit, finished, jsonb_array_length(files) as files, checks, sandbox"
        " from public.code_generations where project_id = %s order by created_at desc limit 1",
        [project_id],
    )
    return row and {**row, "checks": {check["command"]: check["outcome"] for check in row["checks"]}}


def _report(db: Database, project_id: UUID, kept: Path) -> dict[str, Any] | None:
    row = db.fetch_one(
        "select r.title, r.pages, r.nothing_found, r.claims_supported, a.storage_path from public.research_reports r"
        " join public.project_assets a on a.id = r.asset_id where r.project_id = %s order by r.created_at desc limit 1",
        [project_id],
    )
    return row and {**row, "storage_path": str(_kept_file(kept, project_id, row["storage_path"]))}


def _page_check(db: Database, project_id: UUID, kept: Path) -> dict[str, Any] | None:
    row = db.fetch_one(
        "select c.passed, c.results, d.storage_path as desktop, m.storage_path as mobile from public.page_checks c"
        " left join public.project_assets d on d.id = c.desktop_asset_id"
        " left join public.project_assets m on m.id = c.mobile_asset_id"
        " where c.project_id = %s order by c.created_at desc limit 1",
        [project_id],
    )
    if row is None:
        return None
    pictures = [_kept_file(kept, project_id, path) for path in (row["desktop"], row["mobile"]) if path]
    return {
        "passed": row["passed"],
        "checks": {result["check"]: result["outcome"] for result in row["results"]},
        "pictures": [str(path) for path in pictures],
    }


def _kept_file(kept: Path, project_id: UUID, storage_path: str) -> Path:
    return kept / "files" / Path(storage_path).relative_to(str(project_id))


def _by(db: Database, query: LiteralString, *of: UUID) -> dict[str, int]:
    return {row["of"]: row["n"] for row in db.fetch_all(query, of)}


def _show(kept: Path, result: dict[str, Any]) -> None:
    rows: list[tuple[str, str]] = []
    mails = ", ".join(f"{count} {status}" for status, count in sorted(result["mails"].items())) or "none"
    rows.append(("page", f"{kept / 'page.html'}" if result["published"] else "not published"))
    rows.append(("mails", f"{mails}; the files lie in {kept / OUTBOX}"))
    rows.append(("decks", f"{result['decks']} in {kept / 'files'}, {result['files']} files in all"))
    if (code := result["code"]) is not None:
        checks = ", ".join(f"{command} {outcome}" for command, outcome in code["checks"].items()) or "none declared"
        rows.append(("code", f"git clone -b {code['branch']} {kept / REPOSITORY}: {code['files']} files; {checks}"))
    if (report := result["report"]) is not None:
        found = "nothing was found" if report["nothing_found"] else f"{report['claims_supported']} claims with quotes"
        rows.append(("report", f"{report['storage_path']}: {report['pages']} pages, {found}"))
    if (check := result["page_check"]) is not None:
        rows.append(("page check", _said(check)))
        rows += [("", picture) for picture in check["pictures"]]
    rows += [("missing", line) for line in _by_reason(result["missing"])]
    width = max(len(name) for name, _ in rows)
    out.print()
    for name, text in rows:
        # Not in a table, which would cut paths that are there to be copied.
        out.print(f"{name:<{width}}  {printable(text)}", soft_wrap=True, highlight=False, markup=False)


def _by_reason(missing: Sequence[str]) -> list[str]:
    """Return a line per reason: "phase 0: A logo (No image model.)" and others of the same reason become one."""
    reasons: dict[str, list[str]] = {}
    for entry in missing:
        found = _LACKING.fullmatch(entry)
        # What is no part of a phase is a sentence of its own.
        reasons.setdefault(found["why"] if found else entry, []).extend([found["what"]] if found else [])
    return [f"{'; '.join(whats)} ({why})" if whats else why for why, whats in reasons.items()]


def _said(check: dict[str, Any]) -> str:
    if check["passed"]:
        return f"green: {sum(outcome == 'passed' for outcome in check['checks'].values())} checks passed"
    failed = ", ".join(name for name, outcome in check["checks"].items() if outcome == "failed")
    return f"failed: {failed}"
