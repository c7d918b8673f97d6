"""Whatever form a database URL has, Dagster gets one for psycopg2 that leads to the same server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine

from greenlight_dagster.stack.urls import libpq_url, lies_in, sqlalchemy_url
from studio.errors import SettingsError

SOCKET = "postgresql://postgres@/greenlight?host=%2Fsrv%2Fa%20b%2Frun&port=5432"


def seen_by_psycopg2(url: str) -> dict[str, Any]:
    """What SQLAlchemy would call `psycopg2.connect` with."""
    engine = create_engine(url)
    assert engine.dialect.driver == "psycopg2"
    positional, named = engine.dialect.create_connect_args(engine.url)
    assert positional == []
    return {key: str(value) for key, value in named.items()}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://me:p%40s%2Fs%3A%25@db.example:6543/app?sslmode=require",
            {"user": "me", "password": "p@s/s:%", "host": "db.example", "port": "6543", "sslmode": "require"},
        ),
        ("postgres://me@db.example/app", {"user": "me", "host": "db.example"}),
        (SOCKET, {"user": "postgres", "host": "/srv/a b/run", "port": "5432"}),
        ("host=a,b port=1,2 user=me dbname=app", {"user": "me", "host": "a,b", "port": "1,2"}),
        ("postgresql+psycopg2://me:x@h/app", {"user": "me", "password": "x", "host": "h"}),
        ("postgresql://h/app?password=x", {"password": "x", "host": "h"}),
    ],
)
def test_dagster_reaches_the_same_server(url: str, expected: dict[str, str]) -> None:
    assert seen_by_psycopg2(sqlalchemy_url(url, "dagster")) == {"dbname": "dagster", **expected}
    assert seen_by_psycopg2(sqlalchemy_url(url))["dbname"] == ("greenlight" if url == SOCKET else "app")


def test_libpq_reads_what_dagster_was_given() -> None:
    there_and_back = libpq_url(sqlalchemy_url(SOCKET, "dagster"))
    assert conninfo_to_dict(there_and_back) == {**conninfo_to_dict(SOCKET), "dbname": "dagster"}


def test_libpq_leaves_key_value_strings_alone() -> None:
    assert libpq_url("host=a dbname=b") == "host=a dbname=b"


def test_something_else_is_refused_with_the_form_it_should_have() -> None:
    with pytest.raises(SettingsError, match="postgresql://user:password@host"):
        sqlalchemy_url("not a url")


@pytest.mark.parametrize(
    ("url", "folder", "inside"),
    [
        (SOCKET, "/srv/a b", True),
        (SOCKET, "/srv/a", False),
        (SOCKET, "/srv/a b/run", False),
        ("postgresql://srv/app", "/srv", False),
        ("postgresql:///app", "/", False),
    ],
)
def test_a_socket_below_a_folder_is_told_from_any_other_address(url: str, folder: str, inside: bool) -> None:
    assert lies_in(url, Path(folder)) is inside
