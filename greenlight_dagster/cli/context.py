"""What the commands share: settings, the database of the environment or of the running stack, parsed ids."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from greenlight_dagster.stack.state import running_environment
from studio.database.connection import Database
from studio.errors import InvalidInput, StackError
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
    """Lend the studio's database with the settings."""
    settings = settings_of_stack()
    with Database.from_settings(settings, application_name="greenlight-cli") as db:
        yield db, settings


def parse_id(text: str, what: str) -> UUID:
    """Return a UUID argument, or raise `InvalidInput` that names it."""
    try:
        return UUID(text)
    except ValueError as exc:
        raise InvalidInput(f"{what} {text!r} is not a UUID.", "Copy the whole id from a list command.") from exc
