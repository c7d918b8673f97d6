"""Uploads: files that people give to a project. Announced, brought, completed.

`announce` writes the pending row and fixes name, type and size; the bytes come to the studio (`receive`), or straight
into the bucket with a ticket of Supabase's; `complete` looks at what has arrived, and only then does the file count.
What an upload holds is never shown on the studio's pages: it leaves as an attachment, by a signed link
(domain specification §14, D11). A file never changes once it has arrived.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, Protocol, runtime_checkable
from uuid import UUID, uuid4

from studio import assets, links
from studio.assets import Asset
from studio.database.connection import Connection, Database
from studio.errors import Conflict, InvalidInput, LinkRefused, NotFound, StorageConflict, TooLarge
from studio.project_events import record
from studio.settings import Settings
from studio.storage.base import BUCKET, MAX_BYTES, Storage
from studio.text import storable_json
from studio.upload_types import checked_type, clean_name, require_content

KIND = "upload"
# A form takes five files (domain specification §8); this many under way at once are somebody's broken loop.
PENDING_LIMIT = 20
# Twenty of the largest files. The storage is paid for by the operator, not by who uploads.
QUOTA_BYTES = 20 * MAX_BYTES
# As long as Supabase's own tickets.
TICKET_LIFETIME = timedelta(hours=2)
# Nobody uploads 25 MiB for a day; the ticket is long over by then.
PENDING_AGE = timedelta(days=1)
DOWNLOAD_LIFETIME = timedelta(minutes=15)
# What lies in the folder under no other type is handed out as an attachment whatever is in it.
STORED_TYPE = "application/octet-stream"
_PURPOSE = "upload"
_SWEPT_AT_ONCE = 100
# What stands before the name in a path: the milliseconds and the id.
_PREFIX = re.compile(r"\d{13,}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-")


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


@dataclass(frozen=True)
class Ticket:
    """Permission to bring the bytes of one upload. `url` is where to, None where the studio itself takes them."""

    token: str
    url: str | None


@runtime_checkable
class DirectStorage(Protocol):
    """A storage that takes files from browsers, and hands them out as attachments by itself."""

    def signed_upload(self, path: str) -> tuple[str, str]:
        """Return address and token with which anybody can store a file under `path` once, within two hours."""

    def attachment_url(self, path: str, filename: str, *, expires_seconds: int) -> str:
        """Return a link like `signed_url`, under which a browser saves the file as `filename`."""


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


def ticket(settings: Settings, storage: Storage, announced: Announced) -> Ticket:
    """Return what the uploader needs to bring the bytes; call it after the announcement is committed.

    With a bucket this asks Supabase, and raises `StorageUnavailable` or `StorageRefused` as any request does.
    """
    if isinstance(storage, DirectStorage):
        url, token = storage.signed_upload(announced.path)
        return Ticket(token, url)
    return Ticket(links.sign(settings, _PURPOSE, str(announced.asset_id), TICKET_LIFETIME), None)


def admit(settings: Settings, asset_id: UUID, token: str) -> None:
    """Check the ticket of an upload to the studio itself; raise `LinkRefused` where it is not one for this file."""
    if links.verify(settings, _PURPOSE, token) != str(asset_id):
        raise LinkRefused("This ticket is for another file.", "Announce the upload again.")


def pending(db: Database, project_id: UUID, asset_id: UUID) -> Announced:
    """Return an upload that was announced and has not been completed.

    Raise `NotFound` where the project has no such upload, `Conflict` where it is over.
    """
    asset = _get(db, project_id, asset_id)
    if asset.status != "pending":
        raise Conflict(f"The upload of {asset.filename} is over.", "Announce the next one.")
    return _announced(asset)


class Body:
    """Collects the bytes of an announced upload as they come, and never more of them than were announced."""

    def __init__(self, announced: Announced) -> None:
        self._announced = announced
        self._data = bytearray()

    def add(self, chunk: bytes) -> None:
        """Take the next bytes; raise `TooLarge` as soon as they are too many."""
        if len(self._data) + len(chunk) > self._announced.size:
            raise TooLarge(
                f"{self._announced.filename} is longer than the {self._announced.size:,} bytes that were announced.",
                "Announce it with its real size.",
            )
        self._data += chunk

    def content(self) -> bytes:
        """Return everything; raise `InvalidInput` where it is less than was announced, or not of the announced type."""
        _require(self._announced, self._data)
        return bytes(self._data)


def receive(db: Database, storage: Storage, project_id: UUID, asset_id: UUID, chunks: Iterable[bytes]) -> Announced:
    """Store the bytes of an announced upload; `complete` is still to come.

    The same bytes may be sent again. Raise `NotFound` where the project has no such upload, `Conflict` where it is
    over or other bytes have arrived, `InvalidInput` where they are not what was announced, `StorageError`.
    """
    announced = pending(db, project_id, asset_id)
    body = Body(announced)
    for chunk in chunks:
        body.add(chunk)
    return keep(storage, announced, body.content())


def keep(storage: Storage, announced: Announced, data: bytes) -> Announced:
    """Store what a `Body` has collected; see `receive`, of which it is the second half."""
    try:
        # Never in the place of what has arrived: somebody may be completing that.
        storage.upload(announced.path, data, content_type=STORED_TYPE)
    except StorageConflict as exc:
        if storage.read(announced.path) != data:
            raise Conflict(
                f"Another file has arrived as {announced.filename} already.", "Announce this one as a new upload."
            ) from exc
    return announced


def complete(db: Database, storage: Storage, project_id: UUID, asset_id: UUID, *, by: str) -> Asset:
    """Let an upload count once its bytes are there: size and type are checked, the hash is kept.

    A completed one is returned as it is. Raise `NotFound` where the project has no such upload, `Conflict` where it
    has failed, `InvalidInput` where nothing has arrived yet, or where it is not what was announced: then the file is
    deleted and the upload has failed.
    """
    asset = _get(db, project_id, asset_id)
    if asset.status == "uploaded":
        return asset
    if asset.status == "failed":
        raise Conflict(f"The upload of {asset.filename} has failed.", "Announce it again.")
    try:
        data = storage.read(asset.storage_path)
    except NotFound as exc:
        raise InvalidInput(f"{asset.filename} has not arrived yet.", "Send its bytes first, then complete it.") from exc
    try:
        _require(_announced(asset), data)
    except InvalidInput:
        db.execute(
            "update public.project_assets set status = 'failed' where id = %s and status = 'pending'", [asset_id]
        )
        storage.delete([asset.storage_path])
        raise
    with db.transaction() as conn:
        row = conn.execute(
            "update public.project_assets set status = 'uploaded',"
            " metadata = metadata || jsonb_build_object('sha256', %s::text) where id = %s and status = 'pending'"
            " returning id",
            [hashlib.sha256(data).hexdigest(), asset_id],
        ).fetchone()
        if row is not None:
            record(
                conn,
                project_id,
                "asset.upload_completed",
                f"{asset.filename} was uploaded.",
                {"assetId": str(asset_id), "filename": asset.filename, "size": asset.size_bytes, "by": by},
            )
    return _get(db, project_id, asset_id)


def found(db: Database, project_id: UUID) -> list[Asset]:
    """Return a project's completed uploads, newest first."""
    return assets.find(db, project_id, kind=KIND)


def get(db: Database, project_id: UUID, asset_id: UUID) -> Asset:
    """Return a completed upload of the project, or raise `NotFound`."""
    asset = _get(db, project_id, asset_id)
    if asset.status != "uploaded":
        raise _missing(asset_id)
    return asset


def download_url(settings: Settings, storage: Storage, asset: Asset, *, lifetime: timedelta = DOWNLOAD_LIFETIME) -> str:
    """Return a link under which a browser saves the file, on the origin of public pages or in the bucket.

    Raise `Conflict` where the upload is not completed, `SettingsError` without an origin, `StorageError`.
    """
    if asset.status != "uploaded":
        raise Conflict(f"{asset.filename} is not there yet.", "Complete its upload first.")
    seconds = round(lifetime.total_seconds())
    if isinstance(storage, DirectStorage):
        return storage.attachment_url(asset.storage_path, asset.filename, expires_seconds=seconds)
    return links.file_url(settings, asset.storage_path, lifetime, saved=True)


def given_name(path: str) -> str:
    """Return the file name that a stored path is saved under: for an upload without the time and id before it."""
    parts = PurePosixPath(path)
    return _PREFIX.sub("", parts.name, count=1) if parts.parent.name == "uploads" else parts.name


def sweep_pending(db: Database, storage: Storage, *, older_than: timedelta = PENDING_AGE) -> int:
    """Forget uploads that never came or failed, and what has arrived of them; return how many."""
    swept = 0
    while True:
        with db.transaction() as conn:
            # A row that somebody is completing now is none of these.
            rows = conn.execute(
                "delete from public.project_assets where id in (select id from public.project_assets"
                " where kind = %s and status in ('pending', 'failed') and created_at < now() - %s"
                " order by created_at limit %s for update skip locked) returning storage_path",
                [KIND, older_than, _SWEPT_AT_ONCE],
            ).fetchall()
            if rows:
                # Before the commit: where the storage is away, the rows stay and the next sweep tries again.
                storage.delete([row["storage_path"] for row in rows])
        swept += len(rows)
        if len(rows) < _SWEPT_AT_ONCE:
            return swept


def _require(announced: Announced, data: bytes | bytearray) -> None:
    if len(data) != announced.size:
        raise InvalidInput(
            f"{announced.filename} has {len(data):,} bytes; {announced.size:,} were announced.", "Upload it again."
        )
    require_content(announced.filename, bytes(data))


def _get(db: Database, project_id: UUID, asset_id: UUID) -> Asset:
    try:
        asset = assets.get(db, asset_id)
    except NotFound:
        raise _missing(asset_id) from None
    if asset.project_id != project_id or asset.kind != KIND:
        raise _missing(asset_id)
    return asset


def _missing(asset_id: UUID) -> NotFound:
    return NotFound(f"The project has no upload {asset_id}.", "It may have been forgotten; announce it again.")


def _announced(asset: Asset) -> Announced:
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
