"""Assets: what the studio made and keeps in the storage, one row of `project_assets` each.

The file is stored first and its row written after it, in the caller's own fenced transaction: a row always has
its file. What a worker that died in between has left is a file without a row, which `sweep` removes. Neither gets
in the other's way: rows are written under a shared lock, after another look at the file, and files are removed
under the exclusive one, after another look at the rows. Files in a folder that is named like a job, and so made for it
alone, are left to that job for as long as it may go on from them.

Nothing is ever overwritten. A path that already holds other content gets the hash of the new one into its name,
so that what somebody has reviewed stays what it was.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, Protocol, TypeVar
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.errors import InvalidInput, NotFound, StorageConflict, StorageRefused, StorageUnavailable
from studio.storage.base import Storage, StoredFile
from studio.storage.paths import checked_path
from studio.text import require_storable, storable_json

T = TypeVar("T")

# A run that stores a file and dies is tried again within minutes; a day is far beyond any job's attempts.
ORPHAN_AGE = timedelta(days=1)
# A job that failed or was canceled goes on from what it has kept when somebody retries it, which takes them the time to
# see why it failed and to mend it. What a pause has stopped waits for the resume, however long that takes.
REVIVAL_AGE = timedelta(days=30)
# So many files at a time are removed, while nobody can write a row.
_BATCH = 100
# A file is removed under the hands of who stores it at most once, because storing it has made it a young one.
_TRIES = 3
_HASH_IN_NAME = 12
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Write(Protocol):
    """Runs work in a transaction of the caller's, like `Claim.write`: fenced, and again where a connection broke."""

    def __call__(self, work: Callable[[Connection], T], /) -> T:
        """Return what `work` returns."""


@dataclass(frozen=True)
class Asset:
    """A row of `project_assets`. `content_hash` is the SHA-256 of its bytes in hex; None where no one has said."""

    id: UUID
    project_id: UUID
    phase: int | None
    kind: str
    storage_path: str
    filename: str
    mime_type: str | None
    size_bytes: int | None
    content_hash: str | None
    metadata: dict[str, Any]
    status: str


def writing(db: Database) -> Write:
    """Return a `Write` for callers that hold no claim: an ordinary transaction."""

    def write(work: Callable[[Connection], T], /) -> T:
        with db.transaction() as conn:
            return work(conn)

    return write


def store(
    write: Write,
    storage: Storage,
    project_id: UUID,
    *,
    phase: int | None,
    kind: str,
    path: str,
    data: bytes,
    filename: str,
    mime_type: str,
    metadata: dict[str, Any],
    created_by: str,
) -> Asset:
    """Store `data` under `path` and return its asset; the same content under the same path is the same asset.

    `path` begins with the project's id. The asset's own path differs from it where other content lies there
    already. Raise `InvalidInput` for a path outside the project, `StorageError` where the file cannot be stored,
    `LeaseLost` where `write` is no longer allowed to.
    """
    path = checked_path(path)
    if not path.startswith(f"{project_id}/"):
        raise InvalidInput(f"The path {path} is not one of project {project_id}.", f"Begin it with {project_id}/.")
    require_storable(filename, "The file name")
    content_hash = hashlib.sha256(data).hexdigest()
    values = {
        "project": project_id,
        "phase": phase,
        "kind": kind,
        "filename": filename,
        "mime": mime_type,
        "size": len(data),
        "metadata": json.dumps(storable_json({**metadata, "sha256": content_hash})),
        "by": created_by,
    }
    for _ in range(_TRIES):
        stored = _stored(storage, path, data, mime_type, content_hash)
        made = write(_insertion(storage, stored.path, values | {"path": stored.path}))
        if made is not None:
            return made
    raise StorageUnavailable(f"The file {path} is removed again and again.", "Look who else cleans up the storage.")


def _insertion(storage: Storage, path: str, values: dict[str, Any]) -> Callable[[Connection], Asset | None]:
    """Return what writes the row of the file at `path`; it answers None where the file has been swept away."""

    def insert(conn: Connection) -> Asset | None:
        conn.execute("select pg_advisory_xact_lock_shared(hashtextextended('project_assets', 0))")
        if not any(file.path == path for file in storage.list(str(PurePosixPath(path).parent))):
            return None
        with translated():
            row = conn.execute(
                "insert into public.project_assets (project_id, phase, kind, storage_path, filename, mime_type,"
                " size_bytes, status, metadata, created_by) values (%(project)s, %(phase)s, %(kind)s, %(path)s,"
                " %(filename)s, %(mime)s, %(size)s, 'uploaded', %(metadata)s::jsonb, %(by)s)"
                # An upload that was announced, and the retry of this very insert.
                " on conflict (project_id, storage_path) do update set status = 'uploaded',"
                " size_bytes = excluded.size_bytes, mime_type = excluded.mime_type,"
                " metadata = project_assets.metadata || jsonb_build_object('sha256', excluded.metadata ->> 'sha256')"
                " where coalesce(project_assets.metadata ->> 'sha256', excluded.metadata ->> 'sha256')"
                " = excluded.metadata ->> 'sha256' returning *",
                values,
            ).fetchone()
        if row is None:
            raise StorageConflict(
                f"The asset under {path} had other content, and its file is gone.", "Choose another path."
            )
        return _asset(row)

    return insert


def _stored(storage: Storage, path: str, data: bytes, mime_type: str, content_hash: str) -> StoredFile:
    try:
        return storage.upload(path, data, content_type=mime_type)
    except StorageConflict:
        try:
            there = hashlib.sha256(storage.read(path)).hexdigest()
        except NotFound:
            # Swept away just now.
            return storage.upload(path, data, content_type=mime_type)
        if there != content_hash:
            name = PurePosixPath(path)
            # Under this name there can be nothing but this content, or a torn upload of it.
            path = str(name.with_name(f"{name.stem}.{content_hash[:_HASH_IN_NAME]}{name.suffix}"))
        # Also where the very same lies there already: it may be a dead worker's, and old enough to be swept away.
        return storage.upload(path, data, content_type=mime_type, upsert=True)


def get(db: Database, asset_id: UUID) -> Asset:
    """Return the asset, or raise `NotFound`."""
    with db.connection() as conn:
        return get_in(conn, asset_id)


def get_in(conn: Connection, asset_id: UUID) -> Asset:
    """Return the asset as the caller's transaction sees it, or raise `NotFound`."""
    row = conn.execute("select * from public.project_assets where id = %s", [asset_id]).fetchone()
    if row is None:
        raise NotFound(f"There is no asset {asset_id}.", "It may have been deleted with its project.")
    return _asset(row)


def find(db: Database, project_id: UUID, *, phase: int | None = None, kind: str | None = None) -> list[Asset]:
    """Return a project's stored assets, newest first; only those of a phase or kind where given."""
    rows = db.fetch_all(
        "select * from public.project_assets where project_id = %(project)s and status = 'uploaded'"
        " and (%(phase)s::integer is null or phase = %(phase)s) and (%(kind)s::text is null or kind = %(kind)s)"
        " order by created_at desc, id",
        {"project": project_id, "phase": phase, "kind": kind},
    )
    return [_asset(row) for row in rows]


def content(storage: Storage, asset: Asset) -> bytes:
    """Return the asset's bytes; raise `StorageRefused` where they are not the ones that were stored."""
    data = storage.read(asset.storage_path)
    if asset.content_hash is not None and hashlib.sha256(data).hexdigest() != asset.content_hash:
        raise StorageRefused(
            f"The file {asset.storage_path} is not the one that was stored: its hash differs.",
            "Somebody has changed it. Generate it again.",
        )
    return data


def sweep(db: Database, storage: Storage, *, older_than: timedelta = ORPHAN_AGE) -> int:
    """Delete files that no row names, such as a deleted project's; return how many.

    Younger ones are left alone: their row may be about to be written. So are those in the folder of a job that may go
    on from them: one that has not ended, however long it sleeps; and one that failed or was canceled and has kept
    steps, for `REVIVAL_AGE` and for as long as its project is paused. So is a storage of which the database knows no
    file at all: it is another one's.
    """
    with db.connection() as conn:
        # Rows and files are compared by one clock, as far as that is possible.
        row = conn.execute("select now() - %s as moment", [older_than]).fetchone()
        assert row is not None  # noqa: S101 - a select without a table returns a row
        old = [file.path for file in storage.list("") if file.modified_at < row["moment"]]
        orphans = [path for batch in _batches(old) for path in _unnamed(conn, batch)]
    if len(orphans) == len(old):
        return 0
    swept = 0
    for batch in _batches(orphans):
        with db.transaction() as conn:
            conn.execute("select pg_advisory_xact_lock(hashtextextended('project_assets', 0))")
            unnamed = _unnamed(conn, batch)
            storage.delete(unnamed)
            swept += len(unnamed)
    return swept


def _batches(paths: list[str]) -> list[list[str]]:
    return [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]


def _unnamed(conn: Connection, paths: list[str]) -> list[str]:
    rows = conn.execute("select storage_path from public.project_assets where storage_path = any(%s)", [paths])
    named = {row["storage_path"] for row in rows}
    unnamed = [path for path in paths if path not in named]
    folders = {path: PurePosixPath(path).parent.name for path in unnamed}
    going_on = conn.execute(
        "select j.id::text as id from public.agent_jobs j join public.projects p on p.id = j.project_id"
        " where j.id = any(%s::uuid[]) and (j.status not in ('completed', 'failed', 'canceled')"
        " or (j.status <> 'completed' and (p.status = 'paused' or j.completed_at > now() - %s)"
        " and exists (select from public.agent_job_steps s where s.job_id = j.id)))",
        [[name for name in set(folders.values()) if _UUID.fullmatch(name)], REVIVAL_AGE],
    )
    jobs = {row["id"] for row in going_on}
    return [path for path in unnamed if folders[path] not in jobs]


def _asset(row: dict[str, Any]) -> Asset:
    values = {name: row[name] for name in Asset.__dataclass_fields__ if name != "content_hash"}
    return Asset(**values, content_hash=row["metadata"].get("sha256"))
