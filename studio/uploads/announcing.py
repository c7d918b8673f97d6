"""The row of a file that is about to come: what it must be, and whether there is room for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from studio import assets
from studio.assets import Asset
from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.errors import Conflict, InvalidInput, NotFound, TooLarge
from studio.project_events import record
from studio.settings import Settings
from studio.storage.base import BUCKET, MAX_BYTES
from studio.text import storable_json
from studio.uploads.kinds import checked_type, clean_name

KIND = "upload"
# A form takes five files (domain specification §8); this many under way at once are somebody's broken loop.
PENDING_LIMIT = 20
# Twenty of the largest files. The storage is paid for by the operator, not by who uploads.
QUOTA_BYTES = 20 * MAX_BYTES
# What lies in the folder under no other type is handed out as an attachment whatever is in it.
STORED_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Announced:
    """A pending upload: where its bytes belong, and what they must be."""

    asset_id: UUID
    project_id: UUID
    bucket: str
    path: str
    filename: str
    mime_type: str
    size: int


def announce(
    conn: Connection, settings: Settings, project_id: UUID, *, name: str, size: int, mime_type: str, by: str
) -> Announced:
    """Write the row of a file that is about to come, in the caller's transaction.

    `name` is cleaned; `mime_type` may be empty where the browser does not know it. Raise `InvalidInput` for a name, a
    type or a size that is not taken, `NotFound` where there is no such project, `Conflict` where it is killed, has too
    many uploads under way or no room left.
    """
    filename = clean_name(name)
    kind = checked_type(filename, mime_type)
    if size > MAX_BYTES:
        raise TooLarge(f"{filename} has {size:,} bytes; at most {MAX_BYTES:,} (25 MiB) are taken.", "Make it smaller.")
    if size < 1:
        raise InvalidInput(f"{filename} is empty.", "Choose a file with something in it.")
    # One after the other, or two at once would both find the last room.
    conn.execute("select pg_advisory_xact_lock(hashtextextended('uploads:' || %s::text, 0))", [project_id])
    project = conn.execute(
        "select status, floor(extract(epoch from clock_timestamp()) * 1000)::bigint as moment"
        " from public.projects where id = %s",
        [project_id],
    ).fetchone()
    if project is None:
        raise NotFound(f"There is no project {project_id}.", "See `greenlight projects list`.")
    if project["status"] == "killed":
        raise Conflict("The project is killed: it takes no files any more.", "Upload to a project that is alive.")
    _require_room(conn, project_id, size)
    path = f"{project_id}/uploads/{project['moment']}-{uuid4()}-{filename}"
    told = json.dumps(storable_json({"announced": name[:300]}))
    with translated():
        row = conn.execute(
            "insert into public.project_assets (project_id, kind, storage_bucket, storage_path, filename, mime_type,"
            " size_bytes, status, metadata, created_by) values (%s, %s, %s, %s, %s, %s, %s, 'pending', %s::jsonb, %s)"
            " returning id",
            [
                project_id,
                KIND,
                BUCKET,
                path,
                filename,
                kind,
                size,
                told,
                by,
            ],
        ).fetchone()
    assert row is not None  # noqa: S101 - an insert returns its row
    record(
        conn,
        project_id,
        "asset.upload_requested",
        f"{filename} is being uploaded.",
        {"assetId": str(row["id"]), "filename": filename, "size": size, "by": by},
    )
    return Announced(row["id"], project_id, BUCKET, path, filename, kind, size)


def _require_room(conn: Connection, project_id: UUID, size: int) -> None:
    row = conn.execute(
        "select count(*) filter (where status = 'pending') as pending, coalesce(sum(size_bytes), 0)::bigint as total"
        " from public.project_assets where project_id = %s and kind = %s and status <> 'failed'",
        [project_id, KIND],
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate returns a row
    if row["pending"] >= PENDING_LIMIT:
        raise Conflict(
            f"{PENDING_LIMIT} uploads of the project are under way, as many as there may be.",
            "Finish those; what never came is forgotten after a day.",
        )
    if row["total"] + size > QUOTA_BYTES:
        raise Conflict(
            f"The project's uploads take {row['total']:,} of {QUOTA_BYTES:,} bytes; this file does not fit any more.",
            "Make it smaller.",
        )


def pending(db: Database, project_id: UUID, asset_id: UUID) -> Announced:
    """Return an upload that was announced and has not been completed.

    Raise `NotFound` where the project has no such upload, `Conflict` where it is over.
    """
    asset = existing(db, project_id, asset_id)
    if asset.status != "pending":
        raise Conflict(f"The upload of {asset.filename} is over.", "Announce the next one.")
    return announced_of(asset)


def existing(db: Database, project_id: UUID, asset_id: UUID) -> Asset:
    """Return an upload of the project in whatever state it is, or raise `NotFound`."""
    try:
        asset = assets.get(db, asset_id)
    except NotFound:
        raise _missing(asset_id) from None
    if asset.project_id != project_id or asset.kind != KIND:
        raise _missing(asset_id)
    return asset


def _missing(asset_id: UUID) -> NotFound:
    return NotFound(f"The project has no upload {asset_id}.", "It may have been forgotten; announce it again.")


def announced_of(asset: Asset) -> Announced:
    """Return what an upload was announced as."""
    values: dict[str, Any] = {
        "asset_id": asset.id,
        "project_id": asset.project_id,
        "bucket": BUCKET,
        "path": asset.storage_path,
        "filename": asset.filename,
        "mime_type": asset.mime_type or STORED_TYPE,
        "size": asset.size_bytes or 0,
    }
    return Announced(**values)
