"""The event table in monthly partitions, for installations whose old events are too many to be deleted row by row.

The table is converted while everybody works on it. What wants time is done beforehand and keeps nobody out: a check
that the rows there are older than a bound, and the two unique indexes that a partitioned table demands. Then the table
becomes the first partition of a new one of its name, in a transaction of milliseconds. Each step finds what an earlier
attempt has done, so that a conversion that broke off is begun again.

Readers and writers notice nothing. Partitions lie in a schema of their own, which PostgREST does not show, and nobody
but the owner may reach them by their own names. What a partitioned table cannot hold is a key without the moment:
`(project_id, seq)` is unique in each partition, and over all of them because seqs come from one counter per project.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import LiteralString

from psycopg import sql as compose

from studio import sql
from studio.database.connection import Connection, Database
from studio.database.migration_turn import PATIENCE_SECONDS, TABLE_LOCK_SECONDS, patiently
from studio.errors import Conflict

SCHEMA = "agent_job_event_parts"
# The default partition.
BEYOND = "beyond"
# So many months there are partitions for beforehand. A row beyond them, which only a client with a clock of its own
# writes, goes into the default partition.
MONTHS_AHEAD = 3
# The old table takes what is written until its bound: the conversion has to be over by then.
SOONEST_BOUND = timedelta(days=2)
# A job's last events may be younger than its first ones by as much as it took.
LONGEST_JOB = timedelta(days=7)

# The table's own statements: a name here is a constant of this module or of the catalog.
_BOUND_CHECK = "agent_job_events_part_bound"
_INDEXES: dict[str, LiteralString] = {
    "agent_job_events_part_pkey": "create unique index concurrently agent_job_events_part_pkey"
    " on public.agent_job_events (id, created_at)",
    "agent_job_events_part_seq": "create unique index concurrently agent_job_events_part_seq"
    " on public.agent_job_events (project_id, seq, created_at)",
}


@dataclass(frozen=True)
class Partition:
    """A partition: its name, the bounds of `created_at` in UTC (None: unbounded, or the default), and its bytes."""

    name: str
    first: datetime | None
    until: datetime | None
    size_bytes: int


def is_partitioned(db: Database) -> bool:
    """Return whether the event table is partitioned."""
    row = db.fetch_one("select relkind = 'p' as yes from pg_class where oid = 'public.agent_job_events'::regclass")
    return bool(row and row["yes"])


def partitions(db: Database) -> list[Partition]:
    """Return the partitions, oldest first and the default one last; none where the table is not partitioned."""
    rows = db.fetch_all(
        "select c.relname as name, pg_total_relation_size(c.oid) as size_bytes,"
        " (regexp_match(b.bound, 'FROM \\(''([^'']+)'))[1]::timestamptz as first,"
        " (regexp_match(b.bound, 'TO \\(''([^'']+)'))[1]::timestamptz as until"
        " from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " cross join lateral (select pg_get_expr(c.relpartbound, c.oid) as bound) b"
        " where i.inhparent = 'public.agent_job_events'::regclass order by until nulls last, name"
    )
    return [Partition(**row) for row in rows]


def convert(
    db: Database, *, patience_seconds: float = PATIENCE_SECONDS, lock_seconds: float = TABLE_LOCK_SECONDS
) -> list[Partition]:
    """Convert the table and return its partitions. Raise `Conflict` where it is converted already.

    Takes as long as two indexes of the table take to build, and about as much room.
    """
    if is_partitioned(db):
        raise Conflict("The event table is partitioned already.", "See `greenlight db partitions`.")
    with contextlib.closing(db.connect()) as conn:
        conn.execute("set statement_timeout = 0; set lock_timeout = 0")
        for name, statement in _INDEXES.items():
            _index(conn, name, statement)

    def in_turn(step: Callable[[Connection], None]) -> None:
        patiently(db, step, patience_seconds, lock_seconds)

    in_turn(_Steps.bound)
    with contextlib.closing(db.connect()) as conn:
        conn.execute("set statement_timeout = 0; set lock_timeout = 0")
        conn.execute(f"alter table public.agent_job_events validate constraint {_BOUND_CHECK}")
    in_turn(_Steps.swap)
    in_turn(_Steps.ahead)
    db.execute("analyze public.agent_job_events")
    return partitions(db)


def prepare_ahead(db: Database) -> None:
    """Make the partitions of the coming months; nothing where the table is not partitioned."""
    if is_partitioned(db):
        patiently(db, _Steps.ahead, TABLE_LOCK_SECONDS * 2, TABLE_LOCK_SECONDS)


def drop_older(db: Database, kept: timedelta) -> list[str]:
    """Drop the partitions all of whose jobs ended longer ago than `kept`; return their names."""
    if not is_partitioned(db):
        return []
    row = db.fetch_one("select now() - %s::interval as bound", [kept + LONGEST_JOB])
    assert row is not None  # noqa: S101 - a select without a table returns its row
    gone = []
    for partition in partitions(db):
        if partition.until is None or partition.until > row["bound"] or _is_needed(db, partition, kept):
            continue
        patiently(db, partial(_Steps.drop, name=partition.name), TABLE_LOCK_SECONDS * 2, TABLE_LOCK_SECONDS)
        gone.append(partition.name)
    return gone


def _is_needed(db: Database, partition: Partition, kept: timedelta) -> bool:
    """Say whether it has events of a job that has not ended, or not for as long as its events are kept."""
    with db.connection() as conn:
        found = conn.execute(
            compose.SQL(
                "select 1 from public.agent_jobs j where (j.status in ('queued', 'running')"
                " or j.events_pruned_at is null and j.status in ('completed', 'failed', 'canceled')"
                "    and j.completed_at > now() - %(kept)s and j.created_at < %(until)s)"
                " and exists (select from {} e where e.job_id = j.id) limit 1"
            ).format(_name(partition.name)),
            {"kept": kept, "until": partition.until},
        ).fetchone()
    return found is not None


def _index(conn: Connection, name: str, statement: LiteralString) -> None:
    row = conn.execute(
        "select indisvalid as valid from pg_index where indexrelid = to_regclass(%s)", [f"public.{name}"]
    ).fetchone()
    if row is not None and row["valid"]:
        return
    if row is not None:
        conn.execute(compose.SQL("drop index concurrently {}").format(compose.Identifier("public", name)))
    conn.execute(statement)


def _name(partition: str) -> compose.Identifier:
    return compose.Identifier(SCHEMA, partition)


def _months(first: datetime, count: int) -> list[datetime]:
    found = [first]
    for _ in range(count):
        found.append((found[-1] + timedelta(days=32)).replace(day=1))
    return found


class _Steps:
    """What is done under the lock of migrations, each in a transaction of its own."""

    @staticmethod
    def bound(conn: Connection) -> None:
        """Say until when the old table takes rows, and that its rows are older."""
        there = conn.execute(
            "select 1 from pg_constraint where conrelid = 'public.agent_job_events'::regclass and conname = %s",
            [_BOUND_CHECK],
        ).fetchone()
        if there is not None:
            return
        row = conn.execute("select now() as now").fetchone()
        assert row is not None  # noqa: S101 - a select without a table returns its row
        first = (row["now"] + SOONEST_BOUND).astimezone(UTC)
        bound = _months(first.replace(day=1, hour=0, minute=0, second=0, microsecond=0), 1)[-1]
        conn.execute(
            compose.SQL(
                "alter table public.agent_job_events add constraint {} check (created_at < {}) not valid"
            ).format(compose.Identifier(_BOUND_CHECK), compose.Literal(bound))
        )

    @staticmethod
    def swap(conn: Connection) -> None:
        """Let the old table be the first partition of the new one."""
        row = conn.execute(
            "select (regexp_match(pg_get_constraintdef(oid), '''([^'']+)'''))[1]::timestamptz as bound"
            " from pg_constraint where conrelid = 'public.agent_job_events'::regclass and conname = %s",
            [_BOUND_CHECK],
        ).fetchone()
        assert row is not None  # noqa: S101 - the step before made it
        bound: datetime = row["bound"]
        if bound < datetime.now(UTC) + timedelta(hours=1):
            raise Conflict(
                "The month that the conversion was begun for is over.",
                f"Drop the constraint {_BOUND_CHECK} of agent_job_events, and begin again.",
            )
        conn.execute(compose.SQL("create schema if not exists {}").format(compose.Identifier(SCHEMA)))
        conn.execute(
            "select set_config('greenlight.partition_bound', %s, true),"
            " set_config('greenlight.partition_name', %s, true)",
            [bound.isoformat(), f"until_{bound:%Y_%m}"],
        )
        conn.execute(sql.load("event_partitions_swap"))
        _Steps._make(conn, BEYOND, None)

    @staticmethod
    def ahead(conn: Connection) -> None:
        """Make the partitions of the coming months that are not there."""
        row = conn.execute(
            "select now() as now,"
            " max((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \\(''([^'']+)'))[1]::timestamptz) as until"
            " from pg_inherits i join pg_class c on c.oid = i.inhrelid"
            " where i.inhparent = 'public.agent_job_events'::regclass"
        ).fetchone()
        assert row is not None  # noqa: S101 - an aggregate returns a row
        last = row["now"] + timedelta(days=31 * MONTHS_AHEAD)
        first = row["until"].astimezone(UTC)
        while first < last:
            following = _months(first, 1)[-1]
            _Steps._make(conn, f"of_{first:%Y_%m}", (first, following))
            first = following

    @staticmethod
    def drop(conn: Connection, name: str) -> None:
        """Take a partition away, with its events."""
        conn.execute(compose.SQL("alter table public.agent_job_events detach partition {}").format(_name(name)))
        conn.execute(compose.SQL("drop table {}").format(_name(name)))

    @staticmethod
    def _make(conn: Connection, name: str, bounds: tuple[datetime, datetime] | None) -> None:
        """Make a partition beside the table and attach it: made as a part of it, it would lock readers out."""
        table = _name(name)
        conn.execute(
            compose.SQL(
                "create table {} (like public.agent_job_events including all, unique (project_id, seq))"
                " with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)"
            ).format(table)
        )
        conn.execute(compose.SQL("alter table {} enable row level security").format(table))
        # Supabase grants new tables to everybody by default.
        conn.execute(compose.SQL("revoke all on {} from public, anon, authenticated").format(table))
        values: compose.Composable = compose.SQL("default")
        if bounds is not None:
            _Steps._take_over(conn, table, bounds)
            values = compose.SQL("for values from ({}) to ({})").format(*map(compose.Literal, bounds))
        conn.execute(compose.SQL("alter table public.agent_job_events attach partition {} {}").format(table, values))

    @staticmethod
    def _take_over(conn: Connection, table: compose.Identifier, bounds: tuple[datetime, datetime]) -> None:
        """Move the rows of its months that have come too early out of the default partition; nobody adds one meanwhile.

        Of a client whose clock is far ahead, or of everybody where no partition was made in time.
        """
        beyond = _name(BEYOND)
        between = compose.SQL("created_at >= {} and created_at < {}").format(*map(compose.Literal, bounds))
        if conn.execute("select to_regclass(%s) as there", [f"{SCHEMA}.{BEYOND}"]).fetchone() == {"there": None}:
            return
        conn.execute(compose.SQL("lock table {} in share row exclusive mode").format(beyond))
        conn.execute(
            compose.SQL(
                "with early as (delete from {} where {} returning *) insert into {} select * from early"
            ).format(beyond, between, table)
        )
