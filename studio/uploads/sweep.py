"""Forgetting what was announced and never came."""

from __future__ import annotations

from datetime import timedelta

from studio.database.connection import Database
from studio.storage.base import Storage
from studio.uploads.announcing import KIND

# Nobody uploads 25 MiB for a day; the ticket is long over by then.
PENDING_AGE = timedelta(days=1)
_SWEPT_AT_ONCE = 100


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
