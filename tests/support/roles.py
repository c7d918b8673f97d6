"""A role that may work in a database of the studio and owns nothing of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from uuid import uuid4

import psycopg

from studio.database.connection import Database


@contextlib.contextmanager
def a_role_of_its_own(database: Database) -> Iterator[str]:
    """Lend the address of the database for a role that may work in it and owns nothing."""
    name = f"worker_{uuid4().hex[:12]}"
    database.execute(f"create role {name} login bypassrls password 'x' in role service_role")  # type: ignore[arg-type]
    try:
        parts = psycopg.conninfo.conninfo_to_dict(database.url)
        yield psycopg.conninfo.make_conninfo(**{**parts, "user": name, "password": "x"})
    finally:
        database.execute(f"drop role {name}")  # type: ignore[arg-type]
