"""Dagster's PostgreSQL storage on one pool of connections per process.

Set in `dagster.yaml` under `storage.custom`; everything that opens the instance has it: daemon, code server,
web server, run workers and the command line. What is private to Dagster in here: that its three storages
keep their engine in `_engine` and take every connection from `connect` or `_connect`, and that whoever stores an event
asks nothing of the statements it executes in `index_transaction`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy
from dagster import EventLogEntry
from dagster._core.storage.config import PostgresStorageConfig, pg_config
from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy.engine import Connection

from greenlight_dagster.instance import engines

# One of each of its storages.
_MAIN_TABLES = frozenset({"runs", "event_logs", "jobs", "instance_info"})
_known_to_be_there: set[tuple[str, ...]] = set()


class _OnSharedEngine:
    """Makes a storage of dagster-postgres work on the process's engine."""

    postgres_url: str
    _engine: sqlalchemy.engine.Engine

    def share_engine(self) -> None:
        """Take the process's engine; the one that Dagster made has no connection yet."""
        self._engine = engines.shared_engine(self.postgres_url)

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Take an engine with the web server's statement timeout (milliseconds); the pool is ours either way."""
        self._engine = engines.shared_engine(self.postgres_url, statement_timeout)

    def connect(self, run_id: str | None = None) -> AbstractContextManager[Connection]:
        """Lend a connection."""
        return engines.connect(self._engine)

    _connect = connect


def _remembered(name: str) -> Any:
    """Return a method that asks `name` of the parent class whether the schema has something, until it has.

    Dagster asks before most statements, which costs more than these. A table or column that is there stays; a
    migration that is missing may be made at any time, so a no is asked again.
    """

    def ask(self: Any, *arguments: Any) -> bool:
        key = (self.postgres_url, type(self).__name__, name, *(item for item in arguments if isinstance(item, str)))
        if key not in _known_to_be_there:
            answer = getattr(super(type(self), self), name)
            # Some are properties, whose value is the answer.
            if answer(*arguments) if callable(answer) else answer:
                _known_to_be_there.add(key)
        return key in _known_to_be_there

    return ask


class _RunStorage(_OnSharedEngine, PostgresRunStorage):
    has_built_index = _remembered("has_built_index")
    has_run_stats_index_cols = _remembered("has_run_stats_index_cols")
    has_bulk_actions_selector_cols = _remembered("has_bulk_actions_selector_cols")
    has_backfill_id_column = _remembered("has_backfill_id_column")
    has_bulk_action_job_name_column = _remembered("has_bulk_action_job_name_column")
    has_backfill_tags_table = _remembered("has_backfill_tags_table")


class _Storing(threading.local):
    """Whether this thread is storing events just now."""

    active = False


_storing = _Storing()


class _EventLogStorage(_OnSharedEngine, PostgresEventLogStorage):
    has_table = _remembered("has_table")
    has_secondary_index = _remembered("has_secondary_index")
    has_default_pool_limit_col = property(_remembered("has_default_pool_limit_col"))
    has_concurrency_limits_table = property(_remembered("has_concurrency_limits_table"))

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event; what goes with one of an asset survives a restart of the database as well."""
        with _stores():
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Do the same for several events."""
        with _stores():
            super().store_event_batch(events)

    def index_transaction(self) -> Any:
        """Lend a connection in a transaction; while events are stored, one whose statements can be sent again."""
        return engines.collected(self._engine) if _storing.active else super().index_transaction()


@contextlib.contextmanager
def _stores() -> Iterator[None]:
    before, _storing.active = _storing.active, True
    try:
        yield
    finally:
        _storing.active = before


class _ScheduleStorage(_OnSharedEngine, PostgresScheduleStorage):
    has_built_index = _remembered("has_built_index")
    has_secondary_index_table = _remembered("has_secondary_index_table")
    has_instigators_table = _remembered("has_instigators_table")
    _has_instigators_table = _remembered("_has_instigators_table")
    _has_asset_daemon_asset_evaluations_table = _remembered("_has_asset_daemon_asset_evaluations_table")


class PooledPostgresStorage(DagsterPostgresStorage):
    """`DagsterPostgresStorage` with pooled connections; `should_autocreate_tables` is always on."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open the storage; make Dagster's tables where the database has none."""
        if (postgres_url,) not in _known_to_be_there:
            _ensure_tables(postgres_url)
            _known_to_be_there.add((postgres_url,))
        super().__init__(postgres_url, should_autocreate_tables=False, inst_data=inst_data)
        self._run_storage = _RunStorage(postgres_url, should_autocreate_tables=False)
        self._event_log_storage = _EventLogStorage(postgres_url, should_autocreate_tables=False)
        self._schedule_storage = _ScheduleStorage(postgres_url, should_autocreate_tables=False)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage.share_engine()

    @classmethod
    def config_type(cls) -> Any:
        """Return the configuration of Dagster's own PostgreSQL storage."""
        return pg_config()

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any] | PostgresStorageConfig
    ) -> PooledPostgresStorage:
        """Return the storage that `config_value` describes."""
        return cls(pg_url_from_config(config_value), inst_data)


def _ensure_tables(url: str) -> None:
    with engines.connect(engines.shared_engine(url)) as connection:
        present = set(sqlalchemy.inspect(connection).get_table_names())
    if not present >= _MAIN_TABLES:
        DagsterPostgresStorage(url, should_autocreate_tables=True)
