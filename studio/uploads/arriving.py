"""The bytes of an upload: never more than were announced, and looked at before the file counts."""

from __future__ import annotations

import hashlib
from uuid import UUID

from studio.assets import Asset
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput, NotFound, StorageConflict, TooLarge
from studio.project_events import record
from studio.storage.base import Storage
from studio.uploads.announcing import STORED_TYPE, Announced, announced_of, existing
from studio.uploads.kinds import require_content


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


def keep(storage: Storage, announced: Announced, data: bytes) -> Announced:
    """Store what a `Body` has collected; `complete` is still to come. The same bytes may be sent again.

    Raise `Conflict` where other bytes have arrived, `StorageError`.
    """
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
    asset = existing(db, project_id, asset_id)
    if asset.status == "uploaded":
        return asset
    if asset.status == "failed":
        raise Conflict(f"The upload of {asset.filename} has failed.", "Announce it again.")
    try:
        data = storage.read(asset.storage_path)
    except NotFound as exc:
        raise InvalidInput(f"{asset.filename} has not arrived yet.", "Send its bytes first, then complete it.") from exc
    try:
        _require(announced_of(asset), data)
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
    return existing(db, project_id, asset_id)


def _require(announced: Announced, data: bytes | bytearray) -> None:
    if len(data) != announced.size:
        raise InvalidInput(
            f"{announced.filename} has {len(data):,} bytes; {announced.size:,} were announced.", "Upload it again."
        )
    require_content(announced.filename, bytes(data))
