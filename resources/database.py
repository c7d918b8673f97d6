"""The studio's database as a Dagster resource: one pool per process."""

import functools
import os

import dagster as dg

from studio.database.connection import Database, Thrift
from studio.listener import Listener
from studio.settings import get_settings

_thrift: Thrift | None = None


def be_thrifty(connections: int, patience_seconds: float) -> None:
    """Let this process, and those forked from it, get by with few connections; before the first use."""
    global _thrift
    _thrift = Thrift(connections, patience_seconds)


@functools.cache
def _database(_process: int) -> Database:
    return Database.from_settings(get_settings(), application_name="greenlight-dagster", thrift=_thrift)


@functools.cache
def _listener(process: int) -> Listener:
    settings = get_settings()
    return Listener(_database(process), listen=settings.listens, poll_seconds=settings.worker_poll_ms / 1000)


class StudioDatabase(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Lends the process's connection pool to sensors, schedules and runs."""

    def get(self) -> Database:
        """Return the pool of this process; a forked child gets its own."""
        return _database(os.getpid())

    def listener(self) -> Listener:
        """Return the listener of this process, which wakes whoever waits for rows of the database."""
        return _listener(os.getpid())
