"""The studio's database as a Dagster resource: one pool per process."""

import functools
import os

import dagster as dg

from studio.database.connection import Database
from studio.settings import get_settings


@functools.cache
def _database(_process: int) -> Database:
    return Database.from_settings(get_settings(), application_name="greenlight-dagster")


class StudioDatabase(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Lends the process's connection pool to sensors, schedules and runs."""

    def get(self) -> Database:
        """Return the pool of this process; a forked child gets its own."""
        return _database(os.getpid())
