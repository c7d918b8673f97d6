"""What the commands share: settings, the database of the environment or of the running stack, parsed ids."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg

from greenlight_dagster.stack.state import running_environment
from studio.database.connection import Database
from studio.errors import InvalidInput, SettingsError, StackError
from studio.settings import Settings, get_settings


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
def open_database() -> Iterator[tuple[Database, Settings]]:
    """Lend the studio's database with the settings; raise at once where it cannot be reached."""
    settings = settings_of_stack()
    with Database.from_settings(settings, application_name="greenlight-cli") as db:
        reach(db)
        yield db, settings


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
