"""What the builders and the checker have made for a project, and what they are about to make.

A result belongs to its job and goes by its id. A job that waits, works or has failed is listed like the others,
without a result yet. Here is what the three kinds have in common; `builders_code`, `builders_reports` and
`builders_checks` have the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from studio import uploads
from studio.assets import Asset
from studio.database.connection import Database
from studio.errors import NotFound, StudioError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.queue import Job, job_from_row
from studio.settings import Settings
from studio.storage import Storage
from studio.storage.choice import look_url
from studio.text import one_line

# What a page shows at once; whoever has more asks for the jobs.
LISTED = 100
TITLE_CHARS = 90


@dataclass(frozen=True)
class Stored:
    """A file that belongs to a result."""

    asset: Asset

    @property
    def id(self) -> UUID:
        """The asset's id."""
        return self.asset.id

    def look(self, settings: Settings, lifetime: timedelta) -> str | None:
        """Return a link under which a browser shows it; None without an address of the pages, or without the file."""
        try:
            return look_url(settings, self.asset.storage_path, lifetime)
        except StudioError:
            return None

    def save(self, settings: Settings, storage: Storage, lifetime: timedelta) -> str | None:
        """Return a link under which it is saved; None without an address of the pages, or without the file."""
        try:
            return uploads.download_url(settings, storage, self.asset, lifetime=lifetime)
        except StudioError:
            return None


def jobs_of(db: Database, project_id: UUID, job_type: str, limit: int = LISTED) -> list[Job]:
    """Return a project's jobs of a type, the newest first."""
    rows = db.fetch_all(
        "select * from public.agent_jobs where project_id = %s and job_type = %s order by created_at desc, id limit %s",
        [project_id, job_type, limit],
    )
    return [job_from_row(row) for row in rows]


def job_of(db: Database, project_id: UUID | None, job_type: str, job_id: UUID, what: str) -> Job:
    """Return one job of a type; raise `NotFound` for any other, and for another project's where one is given."""
    row = db.fetch_one(
        "select * from public.agent_jobs where id = %(job)s and job_type = %(type)s and project_id <> %(system)s"
        " and (%(project)s::uuid is null or project_id = %(project)s)",
        {"job": job_id, "type": job_type, "project": project_id, "system": SYSTEM_PROJECT_ID},
    )
    if row is None:
        raise NotFound(f"There is no {what} {job_id}.", "It may have been deleted with its job.")
    return job_from_row(row)


def costs(db: Database, jobs: Iterable[Job]) -> dict[UUID, int]:
    """Return what the model calls of jobs have cost so far, in millionths of a dollar."""
    rows = db.fetch_all(
        "select job_id, sum(coalesce(cost_micros, reserved_micros))::bigint as cost from public.model_calls"
        " where job_id = any(%s) group by job_id",
        [[job.id for job in jobs]],
    )
    return {row["job_id"]: int(row["cost"]) for row in rows}


def files(db: Database, project_id: UUID, ids: Iterable[UUID | None]) -> dict[UUID, Stored]:
    """Return the stored files of a project by id; one that is gone, or another project's, is not among them."""
    wanted = [one for one in ids if one is not None]
    rows = db.fetch_all(
        "select * from public.project_assets where project_id = %s and id = any(%s) and status = 'uploaded'",
        [project_id, wanted],
    )
    return {row["id"]: Stored(_asset(row)) for row in rows}


def _asset(row: dict[str, Any]) -> Asset:
    metadata = row["metadata"] if isinstance(row["metadata"], dict) else {}
    values = {name: row[name] for name in Asset.__dataclass_fields__ if name not in ("content_hash", "metadata")}
    return Asset(**values, metadata=metadata, content_hash=metadata.get("sha256"))


def title(text: str, default: str) -> str:
    """Return a text as the title of what came of it: one line, cut between words; `default` for an empty one."""
    line = one_line(text, 2 * TITLE_CHARS)
    if len(line) <= TITLE_CHARS:
        return line or default
    whole_words, _, _ = line[:TITLE_CHARS].rpartition(" ")
    # Languages without spaces are cut where it is full.
    return f"{(whole_words if len(whole_words) > TITLE_CHARS // 2 else line[: TITLE_CHARS - 1]).rstrip(' ,.;:')}…"


# --- what stands in columns of JSON, which other clients write, too


def objects(value: Any) -> Sequence[dict[str, Any]]:
    """Return the objects of a list; nothing where it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any, default: str = "") -> str:
    """Return a text as it is, and what else stands in its place as JSON says it."""
    return default if value is None else str(value)


def whole(value: Any) -> int | None:
    """Return a whole number; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def said(job: Job, field: str) -> str:
    """Return what a job's payload says in a field; an empty text where it says nothing."""
    value = job.payload.get(field) if isinstance(job.payload, dict) else None
    return value if isinstance(value, str) else ""
