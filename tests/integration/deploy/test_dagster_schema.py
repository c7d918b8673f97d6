"""Dagster lives in a schema of the studio's database where a second database cannot be had, as on Supabase.

docs/supabase.md offers two ways: a search path in the URL's `options`, and one of the role's own. With either,
everything of Dagster's is in its schema, the studio's tables are not seen, and a restart finds what was there.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from dagster import DagsterInstance, job, op
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from greenlight_dagster.instance import engines
from greenlight_dagster.instance.storage import PooledPostgresStorage
from greenlight_dagster.stack.databases import Databases
from studio.paths import ROOT
from studio.settings import Settings

SCHEMA = "dagster"


@op
def nothing() -> None:
    pass


@job
def does_nothing() -> None:
    nothing()


def set_up(url: str, owner: str, role: str, password: str, *, path_of_role: bool) -> None:
    """Do what the guide says, word for word, as somebody who may do no more than Supabase's `postgres`."""
    guide = (ROOT / "docs" / "supabase.md").read_text(encoding="utf-8")
    [told] = re.findall(r"```sql\n(create role dagster .*?)```", guide, re.DOTALL)
    names = {"role dagster": f"role {role}", "grant dagster to postgres": f"grant {role} to {owner}"}
    names |= {"authorization dagster": f"authorization {role}", "ANOTHER PASSWORD": password}
    for theirs, ours in names.items():
        assert theirs in told
        told = told.replace(theirs, ours)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(sql.SQL("create role {} createrole createdb").format(sql.Identifier(owner)))
        conn.execute(
            sql.SQL("alter database {} owner to {}").format(sql.Identifier(conn.info.dbname), sql.Identifier(owner))
        )
        conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(owner)))
        for statement in told.split(";"):
            if path_of_role or "search_path" not in statement:
                conn.execute(statement.encode())


def url_of(url: str, role: str, password: str, *, path_of_role: bool) -> str:
    """Return the URL that the guide has one write, in the form of libpq."""
    parts = {**conninfo_to_dict(url), "user": role, "password": password}
    query = "&".join(f"{key}={quote(str(parts[key]), safe='')}" for key in ("host", "port") if key in parts)
    options = "" if path_of_role else f"&options={quote(f'-csearch_path={SCHEMA}', safe='')}"
    return f"postgresql://{role}:{password}@/{parts['dbname']}?{query}{options}"


@pytest.fixture(params=[False, True], ids=["path in the URL", "path of the role"])
def dagster_url(request: pytest.FixtureRequest, database_url: str) -> Iterator[str]:
    role, password = f"dagster_{secrets.token_hex(4)}", secrets.token_hex(8)
    owner = f"owner_{secrets.token_hex(4)}"
    set_up(database_url, owner, role, password, path_of_role=request.param)
    yield url_of(database_url, role, password, path_of_role=request.param)
    with psycopg.connect(database_url, autocommit=True) as conn:
        engines.disconnect()
        conn.execute(sql.SQL("alter database {} owner to current_user").format(sql.Identifier(conn.info.dbname)))
        for name in (role, owner):
            conn.execute(sql.SQL("drop owned by {} cascade").format(sql.Identifier(name)))
            conn.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def tables(url: str) -> dict[str, set[str]]:
    """Return the names of tables by schema."""
    with psycopg.connect(url) as conn:
        rows = conn.execute(
            "select schemaname, tablename from pg_tables where schemaname = any(%s)", [[SCHEMA, "public"]]
        )
        found: dict[str, set[str]] = {}
        for schema, table in rows:
            found.setdefault(schema, set()).add(table)
    return found


def test_all_of_dagster_is_in_its_schema(database_url: str, dagster_url: str, tmp_path: Path) -> None:
    before = tables(database_url)["public"]
    # As a stack hands it on.
    stack = Databases(Settings(database_url=database_url, dagster_database_url=dagster_url), tmp_path / "postgres")
    stack.prepare()
    url = str(stack.dagster_url)
    assert url.startswith("postgresql+psycopg2://")
    for _ in range(2):
        storage = {"module": PooledPostgresStorage.__module__, "class": "PooledPostgresStorage"}
        overrides = {
            "storage": {"custom": {**storage, "config": {"postgres_url": url}}},
            "telemetry": {"enabled": False},
        }
        with DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as instance:
            # The web server's engine has options of its own, for a statement's time.
            instance.optimize_for_webserver(statement_timeout=5000, pool_recycle=3600, max_overflow=20)
            assert does_nothing.execute_in_process(instance=instance).success
            count = instance.get_runs_count()
    assert count == 2
    found = tables(database_url)
    assert {"runs", "event_logs", "job_ticks", "daemon_heartbeats", "alembic_version"} <= found[SCHEMA]
    assert found["public"] == before


def test_dagsters_role_sees_nothing_of_the_studios(dagster_url: str) -> None:
    with psycopg.connect(dagster_url) as conn:
        assert conn.execute("select current_schema()").fetchone() == (SCHEMA,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select * from public.agent_jobs")
