"""What a person says once after the database was set back, promoted or copied, and what follows from it.

The database tells by itself that it is another one than was last used, and gives out no work until then. The rules
are in SQL (migration `restores`): claim numbers go on above all that were lost, running jobs are taken from their
runs, and what may have left in the meantime is asked for under the same key, or held.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from studio.database.connection import Database
from studio.database.errors import translated
from studio.errors import Conflict, DatabaseRestored

# All programs of the studio name themselves like this to the server.
_PROGRAMS = "greenlight%"


@dataclass(frozen=True)
class Restored:
    """What was done after a restore, by counts, and how much of what happened meanwhile is in doubt."""

    restored_to: datetime
    restored_at: datetime
    claim_floor: int
    jobs_queued_again: int
    jobs_canceled: int
    model_calls_counted_in_full: int
    forms_not_sent_again: int
    sessions_ended: int
    sign_in_links_ended: int
    mails_in_doubt: int
    executions_in_doubt: int
    approvals_pending: int
    held: int


def is_known(db: Database) -> bool:
    """Say whether the database is the one that was last used, as far as it can tell."""
    row = db.fetch_one("select public.database_is_known() as known")
    return row is None or bool(row["known"])


def require_known(db: Database) -> None:
    """Raise `DatabaseRestored` where the database is another one than was last used."""
    if not is_known(db):
        raise DatabaseRestored(
            "The database was restored or promoted since it was last used.",
            "Run `greenlight db after-restore` before anything is started.",
        )


def others_at_work(db: Database) -> list[str]:
    """Return the names of the studio's programs that are connected, this one excepted."""
    rows = db.fetch_all(
        "select distinct application_name as name from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and application_name like %s order by 1",
        [_PROGRAMS],
    )
    return [row["name"] for row in rows]


def settle(
    db: Database, *, restored_to: datetime | None, by: str, claim_floor: int = 0, anyway: bool = False
) -> Restored:
    """Settle a restore to the moment `restored_to` (None: to the last thing that the database knows of).

    `claim_floor` is a claim number above all that Dagster's database knows of. Nothing may be at work, and the
    database must be another one than was last used, unless `anyway`. Raise `Conflict` where that is not so,
    `InvalidInput` where it cannot have been restored to that moment.
    """
    if not anyway:
        if is_known(db):
            raise Conflict(
                "This is the database that was last used: nothing was restored, as far as it can tell.",
                "Repeat it with --anyway after a copy of the server's whole folder was put back.",
            )
        if others := others_at_work(db):
            raise Conflict(
                f"Programs of the studio are connected: {', '.join(others)}.", "Stop them first, on every machine."
            )
    with translated(), db.transaction() as conn:
        row = conn.execute(
            "select (said ->> 'restored_to')::timestamptz as restored_to,"
            " (said ->> 'restored_at')::timestamptz as restored_at,"
            " said - array['restored_to', 'restored_at'] as counts"
            " from public.after_restore(%s, %s, %s) as said",
            [restored_to, by, claim_floor],
        ).fetchone()
    assert row is not None  # noqa: S101 - the function returns a row or raises
    return Restored(restored_to=row["restored_to"], restored_at=row["restored_at"], **row["counts"])


def note(db: Database, restored: Restored, what: dict[str, int]) -> None:
    """Add what was done elsewhere to what the last restore changed."""
    db.execute(
        "update public.database_restores set did = did || %s where restored_at = %s",
        [Jsonb(what), restored.restored_at],
    )


def recognise(db: Database) -> None:
    """Take the database for the one that was last used, with nothing lost."""
    with translated(), db.transaction() as conn:
        conn.execute("select public.recognise_database()")
