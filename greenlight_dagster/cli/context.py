"""What the commands share: settings, the database of the environment or of the running stack, parsed ids."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString
from uuid import UUID

import psycopg

from greenlight_dagster.stack.state import running_environment
from studio.database.connection import Database
from studio.database.pooled import Haste
from studio.errors import DatabaseError, InvalidInput, SettingsError, StackError
from studio.operations.figures import duration
from studio.settings import Settings, get_settings

# Somebody waits for the answer, or a monitor does: what takes longer is a fault to be told of.
HASTE = Haste(wait_seconds=10, statement_seconds=20, lock_seconds=5)
# Who keeps others from reading: holds the strongest lock on a table, or waits for one and lets nobody pass. The one
# that waits is kept waiting itself, by the first of those that block it.
_HOLDERS: LiteralString = """
select a.pid, coalesce(nullif(a.application_name, ''), a.usename, 'unknown') as name,
  extract(epoch from now() - coalesce(a.xact_start, a.query_start, now()))::float8 * 1000 as ms,
  array_agg(distinct c.relname::text order by c.relname::text) as tables,
  bool_or(l.granted) as holds, (pg_blocking_pids(a.pid))[1] as behind
from pg_locks l join pg_stat_activity a using (pid) join pg_class c on c.oid = l.relation
where l.mode = 'AccessExclusiveLock' and l.pid <> pg_backend_pid() and c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p') and l.database = (select oid from pg_database where datname = current_database())
group by a.pid, a.application_name, a.usename, a.xact_start, a.query_start
order by holds desc, ms desc limit 1
"""
_WHO_BLOCKS = (
    "See who holds one: select pid, pg_blocking_pids(pid), state, query from pg_stat_activity"
    " where state <> 'idle' order by xact_start"
)


def settings_of_stack() -> Settings:
    """Return the settings; where no DATABASE_URL is set, those of the stack that runs on the data folder.

    Raises `StackError` where neither is there.
    """
    settings = get_settings()
    if settings.database_url is None:
        try:
            adopt(running_environment(settings.data_dir))
        except StackError as exc:
            raise StackError(
                f"{exc.message} No DATABASE_URL is set either.", "Start the stack with `greenlight up`."
            ) from exc
    return get_settings()


def adopt(environment: dict[str, str]) -> None:
    """Take over a stack's environment for this process."""
    os.environ.update(environment)
    get_settings.cache_clear()


@contextmanager
def open_database(*, as_owner: bool = False) -> Iterator[tuple[Database, Settings]]:
    """Lend the studio's database with the settings; raise at once where it cannot be reached.

    `as_owner` is for commands that change the schema, or much at once: past a pooler, where a way is known.
    """
    settings = settings_of_stack()
    opened = Database.of_owner if as_owner else Database.from_settings
    with opened(settings, "greenlight-cli") as db:
        reach(db)
        yield db, settings


@contextmanager
def read_database() -> Iterator[tuple[Database, Settings]]:
    """Lend the studio's database to a command that is to answer soon, whatever holds the database up.

    Raises `DatabaseError`, which names who is in the way where that can be told, instead of waiting for longer than
    `HASTE` allows.
    """
    settings = settings_of_stack()
    with Database.from_settings(settings, application_name="greenlight-cli", haste=HASTE) as db:
        reach(db)
        try:
            yield db, settings
        except psycopg.errors.LockNotAvailable as exc:
            raise _locked(db) from exc
        except psycopg.errors.QueryCanceled as exc:
            raise DatabaseError(
                f"The database does not answer within {HASTE.statement_seconds:g} s.",
                "Ask for less, such as a shorter --since, or see what it is busy with:"
                " select pid, state, query from pg_stat_activity where state <> 'idle' order by query_start",
            ) from exc


def _locked(db: Database) -> DatabaseError:
    """Return the error of a statement that has waited for a lock; who holds it is asked once, and soon given up."""
    said = f"The database does not answer within {HASTE.lock_seconds:g} s: another session"
    try:
        holder = db.fetch_one(_HOLDERS)
    except (DatabaseError, psycopg.Error):
        holder = None
    if holder is None:
        return DatabaseError(f"{said} holds a lock.", _WHO_BLOCKS)
    verb = "locks" if holder["holds"] else "waits to lock"
    behind = f", behind {holder['behind']}" if holder["behind"] else ""
    pid = holder["behind"] or holder["pid"]
    return DatabaseError(
        f"{said}, {holder['pid']} ({holder['name']}{behind}), {verb} {', '.join(holder['tables'])}"
        f" for {duration(holder['ms'])} now.",
        f"Wait until it ends, or end it: select pg_terminate_backend({pid})",
    )


def reach(db: Database) -> None:
    """Connect once, because a pool tries for half a minute before it gives up.

    Raises `DatabaseError` where the server does not answer, `SettingsError` for a URL that is none.
    """
    if not _is_url(db.url):
        # It is not repeated here: what looks like a host or a port may be a part of the password.
        raise SettingsError(
            "DATABASE_URL is not the URL of a PostgreSQL database.",
            "Give one like postgresql://user@host:5432/database, with special characters percent-encoded.",
        )
    db.connect().close()


def _is_url(url: str) -> bool:
    try:
        ports = str(psycopg.conninfo.conninfo_to_dict(url).get("port") or "")
    except psycopg.ProgrammingError:
        return False
    # An unescaped slash in a password ends the host part early, and leaves letters for a port.
    return all(port.isdigit() for port in ports.split(",") if port)


def parse_id(text: str, what: str) -> UUID:
    """Return a UUID argument, or raise `InvalidInput` that names it."""
    try:
        return UUID(text)
    except ValueError as exc:
        raise InvalidInput(f"{what} {text!r} is not a UUID.", "Copy the whole id from a list command.") from exc
