"""What `greenlight doctor` says of a pooler before the database: whether it is one, and whether the settings know."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from greenlight_dagster.cli.doctor_tools import Finding
from greenlight_dagster.stack.urls import libpq_url
from studio.database.connection import CONNECT_TIMEOUT_SECONDS, Database, redact
from studio.database.pooled import TIME_ZONE, is_pooled
from studio.listener import Listener
from studio.operations import stream_lag
from studio.settings import Settings

_REMEDY = (
    "set GREENLIGHT_DB_POOLED=true, and GREENLIGHT_LISTEN_URL to a direct connection"
    " (without that, everybody polls instead of listening)"
)


def findings(settings: Settings, db: Database) -> Iterator[Finding]:
    """Yield what is to be said of a pooler; nothing where there is none and no setting speaks of one."""
    with contextlib.closing(db.connect()) as conn:
        pooled = is_pooled(conn)
        zone = conn.execute("show timezone").fetchone()
    if pooled and not settings.db_pooled and not _hears(db):
        yield Finding("pooler", "problem", f"DATABASE_URL leads to a pooler in transaction mode: {_REMEDY}")
        return
    if zone is not None and zone["TimeZone"] != TIME_ZONE:
        yield Finding(
            "pooler", "problem", f"sessions are in {zone['TimeZone']}: alter database … set timezone to '{TIME_ZONE}'"
        )
    if settings.db_pooled:
        yield _settings_fit(settings, db, pooled)
    elif (where := _pooled_dagster(settings)) is not None:
        yield Finding(
            "pooler",
            "warning",
            f"Dagster's database at {where} is behind a pooler, and DATABASE_URL is not: in transaction mode, put both"
            " behind it and set GREENLIGHT_DB_POOLED=true",
        )


def _settings_fit(settings: Settings, db: Database, pooled: bool) -> Finding:
    if not pooled:
        return Finding("pooler", "warning", "GREENLIGHT_DB_POOLED is set, and no pooler is there: unset it")
    if not settings.db_listen:
        return Finding("pooler", "warning", "GREENLIGHT_DB_LISTEN is off: everybody polls instead of listening")
    if settings.listen_url is None:
        return Finding(
            "pooler",
            "warning",
            "DATABASE_URL is pooled, so nobody can LISTEN there, and everybody polls: set GREENLIGHT_LISTEN_URL to a"
            " direct connection",
        )
    where = redact(settings.listen_url)
    if not _hears(db):
        return Finding(
            "pooler",
            "problem",
            f"LISTEN at {where} hears nothing of what is notified at DATABASE_URL: it leads to another database or"
            " through a pooler in transaction mode, and only the slow polls are left. Point GREENLIGHT_LISTEN_URL past"
            " the pooler, or unset it",
        )
    return Finding("pooler", "ok", f"transactions are pooled, LISTEN goes to {where}")


def _hears(db: Database) -> bool:
    """Say whether a notification comes back: the one thing that a pooler in transaction mode cannot do."""
    with Listener(db) as listener:
        return stream_lag.measure(db, listener) is not None


def _pooled_dagster(settings: Settings) -> str | None:
    """Return where Dagster's database is, if a pooler stands before it."""
    if settings.dagster_database_url is None:
        return None
    url = libpq_url(settings.dagster_database_url)
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_SECONDS, prepare_threshold=None) as conn:
            return redact(url) if is_pooled(conn) else None
    except psycopg.Error:
        return None  # what is wrong with it is said elsewhere
