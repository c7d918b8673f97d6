"""Rows for any table, made from the catalog: so that a table added tomorrow is tested without new code."""

from __future__ import annotations

import re
import secrets
from datetime import date, timedelta
from typing import Any, NamedTuple

from psycopg import sql
from psycopg.types.json import Jsonb

from studio.database.connection import Connection

# Where the type alone does not say what is allowed. A function is asked anew for each row.
SPECIAL: dict[tuple[str, str], Any] = {
    ("code_generations", "commit_sha"): "0" * 40,
    ("code_generations", "finished"): True,
    ("page_checks", "results"): Jsonb([]),
    ("page_publications", "content_hash"): "0" * 64,
    ("page_snapshots", "text_sha256"): "0" * 64,
    ("report_claims", "outcome"): "removed",
    ("pipeline_spans", "span_id"): lambda: secrets.token_hex(8),
    ("research_sources", "url"): "https://example.org/",
    ("research_sources", "quote_sha256"): "0" * 64,
    ("sign_in_links", "token_hash"): lambda: secrets.token_hex(32),
    ("sign_in_sessions", "token_hash"): lambda: secrets.token_hex(32),
    ("visitor_salts", "day"): lambda: date(2026, 1, 1) + timedelta(days=secrets.randbelow(100_000)),
}

_BY_TYPE: dict[str, Any] = {
    "int2": 1,
    "int4": 1,
    "int8": 1,
    "numeric": 1,
    "float8": 0.5,
    "bool": True,
    "timestamptz": "2026-03-01T00:00:00Z",
    "date": "2026-03-01",
    "jsonb": Jsonb({}),
}

_COLUMNS = """
SELECT a.attname AS name, t.typname AS type,
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS required,
       f.confrelid::regclass::text AS parent,
       (SELECT string_agg(pg_get_constraintdef(c.oid), ' ') FROM pg_constraint c
        WHERE c.conrelid = a.attrelid AND c.contype = 'c' AND c.conkey = ARRAY[a.attnum]) AS checks
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_constraint f ON f.conrelid = a.attrelid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

_ALLOWED_VALUES = re.compile(r"\(ARRAY\['([^']+)'")


class Owner(NamedTuple):
    """Somebody with one project, by the ids that rows refer to."""

    clerk_id: str
    project_id: Any
    user_id: Any


def make_owner(conn: Connection, clerk_id: str) -> Owner:
    user = conn.execute("INSERT INTO users (clerk_id) VALUES (%s) RETURNING id", (clerk_id,)).fetchone()
    assert user is not None
    project = conn.execute(
        "INSERT INTO projects (owner_clerk_id, user_id, name, idea_description) VALUES (%s, %s, 'A', 'B') RETURNING id",
        (clerk_id, user["id"]),
    ).fetchone()
    assert project is not None
    return Owner(clerk_id, project["id"], user["id"])


def make_row(conn: Connection, table: str, owner: Owner) -> dict[str, Any]:
    """Insert a row of `table` that belongs to `owner`, and what it needs; return it."""
    values: dict[str, Any] = {}
    for column in conn.execute(_COLUMNS, (f"public.{table}",)).fetchall():
        name = column["name"]
        if name == "project_id":
            values[name] = owner.project_id
        elif name == "user_id":
            values[name] = owner.user_id
        elif name in ("clerk_id", "owner_clerk_id"):
            values[name] = owner.clerk_id
        elif column["required"] and column["parent"]:
            values[name] = _parent(conn, column["parent"], owner)
        elif column["required"]:
            values[name] = _value(table, name, column["type"], column["checks"] or "")
    row = conn.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING RETURNING *").format(
            sql.Identifier("public", table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        ),
        list(values.values()),
    ).fetchone()
    # One row per project: an earlier table needed it, or a trigger made it.
    return row if row is not None else _newest(conn, table, owner)


def _parent(conn: Connection, table: str, owner: Owner) -> Any:
    key = conn.execute(
        "SELECT a.attname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid"
        " AND a.attnum = c.conkey[1] WHERE c.conrelid = %s::regclass AND c.contype = 'p'",
        (table,),
    ).fetchone()
    assert key is not None
    columns = conn.execute(_COLUMNS, (table,)).fetchall()
    if not any(column["name"] in ("project_id", "clerk_id") for column in columns):
        found = conn.execute(sql.SQL("SELECT * FROM {} LIMIT 1").format(sql.Identifier(table))).fetchone()
        if found is not None:
            return found[key["attname"]]
    return make_row(conn, table, owner)[key["attname"]]


def _newest(conn: Connection, table: str, owner: Owner) -> dict[str, Any]:
    row = conn.execute(
        sql.SQL("SELECT * FROM {} WHERE to_jsonb({}) ->> 'project_id' = %s LIMIT 1").format(
            sql.Identifier("public", table), sql.Identifier(table)
        ),
        (str(owner.project_id),),
    ).fetchone()
    assert row is not None, f"no row of {table} can be made"
    return row


def _value(table: str, name: str, kind: str, checks: str) -> Any:
    if (table, name) in SPECIAL:
        special = SPECIAL[table, name]
        return special() if callable(special) else special
    allowed = _ALLOWED_VALUES.search(checks)
    if allowed:
        return allowed[1]
    return _BY_TYPE[kind] if kind in _BY_TYPE else secrets.token_hex(16)
