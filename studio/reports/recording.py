"""What a report leaves: its file, its row, its claims, and what the project remembers of it."""

from __future__ import annotations

import base64
import io
import unicodedata
from collections.abc import Callable, Mapping
from uuid import UUID

from pydantic import ValidationError

from studio import assets, memory, projects
from studio.brand import Brand, brand_of
from studio.claims import Claim as Held
from studio.claims import Json
from studio.database.connection import Connection, Database
from studio.job_types import ReportPayload
from studio.model import spend
from studio.packets import versions
from studio.packets.phase1 import BrandKit
from studio.project_events import record as record_event
from studio.reports.model import Claim, Report
from studio.reports.quotes import composed
from studio.reports.snapshots import Keeper, Snapshot
from studio.settings import Settings
from studio.tasks import forget_task, log_task
from studio.text import canonical_json, clip, sha256_hex

AGENT = "research_agent"
FAILED = "report_failed"
SLUG_CHARS, TOPIC_CHARS, JOB_CHARS = 60, 40, 8
# A name may have 200 bytes, of which the job and the ending take some.
SLUG_BYTES = 170
# Forty memories reach a prompt; a report is not to push out all others.
MOST_FACTS = 8
FACT_CHARS = 500
# A picture in the metadata of a run travels with every event of it.
LARGEST_THUMBNAIL = 24 * 1024
THUMBNAIL_SIZE = (320, 240)


def slug(text: str, chars: int, joint: str = "-") -> str:
    """Return `text` as a part of a name: its letters and figures in lower case, in whatever script, joined."""
    plain = composed(text).lower()
    kept = "".join(char if unicodedata.category(char)[0] in "LNM" else " " for char in plain)
    name = joint.join(kept.split())[:chars]
    while len(name.encode()) > SLUG_BYTES:
        name = name[:-1]
    return name.strip(joint) or "report"


def brand(db: Database, project_id: UUID, note: Callable[[str], None]) -> Brand:
    """Return the brand of the project's latest Phase 1 packet, or of its idea before there is one."""
    project = projects.get(db, project_id)
    packet = versions.latest(db, project_id, 1)
    kit = None
    if packet is not None:
        try:
            kit = BrandKit.model_validate(packet.packet.get("brand_kit"))
        except ValidationError:
            note("The Phase 1 packet has no usable brand kit; the idea's own colours are taken.")
    return brand_of(kit, project.idea_description, project.name)


def render(
    report: Report, payload: ReportPayload, settings: Settings, look: Brand, keeper: Keeper, db: Database
) -> Json:
    """Draw the report, store the file, and return what the storage has of it.

    A file that an interrupted attempt has stored of this very report is taken: a PDF drawn twice is another file.
    """
    content = sha256_hex(canonical_json(report.model_dump(mode="json")))
    for there in assets.find(db, keeper.project_id, kind="report"):
        if (there.metadata.get("job_id"), there.metadata.get("report_sha256")) == (str(keeper.job_id), content):
            return _made(there, there.metadata.get("thumbnail"))
    # Here, because drawing needs what a process that only reads the definitions does not.
    from studio.reports.rendering import render as draw

    drawn = draw(report, format=payload.format, pages=payload.max_slides, brand=look, settings=settings)
    thumbnail = _thumbnail(drawn.thumbnail_png)
    job = str(keeper.job_id)[:JOB_CHARS]
    name = f"{slug(report.title, SLUG_CHARS)}-{job}.{payload.format}"
    asset = assets.store(
        keeper.write,
        keeper.storage,
        keeper.project_id,
        phase=None,
        kind="report",
        path=f"{keeper.project_id}/reports/{name}",
        data=drawn.data,
        filename=name,
        mime_type=drawn.mime_type,
        metadata={
            "report": True,
            "job_id": str(keeper.job_id),
            "report_sha256": content,
            "thumbnail": thumbnail,
            "title": report.title,
            "topic": clip(report.topic, FACT_CHARS),
            "language": report.language,
            "pages": drawn.pages,
            "contradictions": [one.model_dump(mode="json") for one in report.contradictions],
            "next_steps": [one.model_dump(mode="json") for one in report.next_steps],
            "limits": list(report.limits),
        },
        created_by="agent",
    )
    return _made(asset, thumbnail)


def _made(asset: assets.Asset, thumbnail: str | None) -> Json:
    return {
        "asset_id": str(asset.id),
        "storage_path": asset.storage_path,
        "sha256": asset.content_hash,
        "filename": asset.filename,
        "size_bytes": asset.size_bytes,
        "pages": asset.metadata["pages"],
        "thumbnail": thumbnail,
    }


def _thumbnail(png: bytes | None) -> str | None:
    """Return a small PNG of a picture in base64, None where there is none or it does not become small."""
    if png is None:
        return None
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        picture.thumbnail(THUMBNAIL_SIZE)
        small = io.BytesIO()
        picture.convert("RGB").quantize(64).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode() if small.tell() <= LARGEST_THUMBNAIL else None


def record(
    conn: Connection,
    held: Held,
    payload: ReportPayload,
    report: Report,
    snapshots: Mapping[str, Snapshot],
    made: Json,
) -> Json:
    """Write the report down in the caller's transaction; return what the run shows of it.

    A job that is executed again replaces what it has written itself, and nothing of any other report.
    """
    project_id, job_id = held.job.project_id, held.job_id
    counts = {
        outcome: sum(claim.outcome == outcome for claim in report.claims)
        for outcome in ("supported", "marked", "removed")
    }
    cost = spend.spent_by_job_in(conn, job_id).cost_micros
    row = {
        "job": job_id,
        "project": project_id,
        "topic": payload.topic,
        "format": payload.format,
        "title": report.title,
        "summary": "\n".join(sentence.text for sentence in report.summary),
        "pages": made["pages"],
        "asset": made["asset_id"],
        "nothing": report.nothing_found,
        "questions": len(report.questions),
        **counts,
        "contradictions": len(report.contradictions),
        "sources": len(report.sources),
        "cost": cost,
    }
    conn.execute("delete from public.report_claims where job_id = %s", [job_id])
    conn.execute("delete from public.research_reports where job_id = %s", [job_id])
    conn.execute(
        "insert into public.research_reports (job_id, project_id, topic, format, title, summary, pages, asset_id,"
        " nothing_found, questions, claims_supported, claims_marked, claims_removed, contradictions, sources,"
        " cost_micros) values (%(job)s, %(project)s, %(topic)s, %(format)s, %(title)s, %(summary)s, %(pages)s,"
        " %(asset)s, %(nothing)s, %(questions)s, %(supported)s, %(marked)s, %(removed)s, %(contradictions)s,"
        " %(sources)s, %(cost)s)",
        row,
    )
    questions = {question.number: question.text for question in report.questions}
    for claim in report.claims:
        snapshot = snapshots.get(claim.source or "")
        conn.execute(
            "insert into public.report_claims (job_id, project_id, claim_no, question, statement, quote, snapshot_id,"
            " outcome, reason, confidence) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                job_id,
                project_id,
                claim.number,
                questions[claim.question],
                claim.statement,
                claim.quote,
                snapshot.id if snapshot else None,
                claim.outcome,
                claim.reason,
                claim.confidence,
            ],
        )
    remembered = _remember(conn, held, report, snapshots)
    log_task(conn, project_id, job_id, AGENT, "report_complete", "completed", report.title)
    forget_task(conn, job_id, AGENT, FAILED)
    record_event(
        conn,
        project_id,
        "research.report_generated",
        f"Report: {report.title}",
        {
            "job_id": str(job_id),
            "asset_id": made["asset_id"],
            "format": payload.format,
            "pages": made["pages"],
            "nothing_found": report.nothing_found,
            **counts,
            "contradictions": len(report.contradictions),
        },
    )
    return {**made, **counts, "title": report.title, "cost_micros": cost, "remembered": remembered}


def _remember(conn: Connection, held: Held, report: Report, snapshots: Mapping[str, Snapshot]) -> list[str]:
    """Remember what the report says and its surest facts; return category and key of each."""
    project_id, job_id = held.job.project_id, held.job_id
    short = str(job_id)[:JOB_CHARS]
    # What an earlier execution of this job has found stands for nothing any more.
    conn.execute(
        "delete from public.agent_memory where project_id = %s and source_job_id = %s and key like 'research\\_%%'",
        [project_id, job_id],
    )
    key = f"research_{slug(report.topic, TOPIC_CHARS, '_')}"
    taken = conn.execute(
        "select 1 from public.agent_memory where project_id = %s and category = 'context' and key = %s",
        [project_id, key],
    ).fetchone()
    entries: list[tuple[memory.Category, str, str, float]] = [
        ("context", f"{key}_{short}" if taken else key, _told(report), 1.0)
    ]
    for claim in _surest(report):
        url = snapshots[claim.source or ""].url
        day = snapshots[claim.source or ""].retrieved_at.date()
        room = FACT_CHARS - len(url)
        value = f"{clip(claim.statement, max(room, FACT_CHARS // 2))} (source: {url}, retrieved {day})"
        entries.append(("fact", f"research_{short}_{claim.number}", value, claim.confidence / 100))
    for category, name, value, confidence in entries:
        memory.remember(
            conn,
            project_id,
            category,
            name,
            value,
            agent_key="research",
            job_id=job_id,
            confidence=confidence,
            # A statement repeats what a page says; that a report was made is the studio's own knowledge.
            origin="web" if category == "fact" else "agent",
        )
    return [f"{category}.{name}" for category, name, _, _ in entries]


def _told(report: Report) -> str:
    day = report.asked_at.date()
    if report.nothing_found:
        return f"A report on {clip(report.topic, TOPIC_CHARS * 3)} ({day}) found nothing that can be quoted."
    standing = sum(claim.outcome == "supported" for claim in report.claims)
    return (
        f"A report on {clip(report.topic, TOPIC_CHARS * 3)} ({day}): “{report.title}”, {standing} supported statements,"
        f" {len(report.contradictions)} contradictions. Its statements are kept as facts."
    )


def _surest(report: Report) -> list[Claim]:
    """Return the claims to remember: what the summary says first, then the surest."""
    cited = [number for sentence in report.summary for number in sentence.claims]
    standing = [claim for claim in report.claims if claim.outcome == "supported"]
    order = sorted(standing, key=lambda claim: (claim.number not in cited, -claim.confidence, claim.number))
    return order[:MOST_FACTS]


def list_failure(conn: Connection, project_id: UUID, job_id: UUID, error: str) -> None:
    """List that a report has failed for good, and why, in the transaction in which it does."""
    # A second failure is news, also where it says what the first one did.
    forget_task(conn, job_id, AGENT, FAILED)
    log_task(conn, project_id, job_id, AGENT, FAILED, "failed", error)
