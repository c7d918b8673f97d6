"""With a user's token one sees one's own rows and nothing else; without one, nothing at all.

Most tests read the catalog, so that tables, views and functions of later migrations are covered as well.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from studio import sql as statements
from studio.database.connection import Connection, Database
from studio.database.migrations import migrate
from tests.support.postgres import TestServer
from tests.support.rows import Owner, make_owner, make_row

# Not a user's business, although they belong to a project or could.
SERVER_ONLY = {
    "action_types",
    "agent_job_lanes",
    "agent_job_types",
    "agent_job_steps",
    "alert_deliveries",
    "alerts",
    "database_identity",
    "database_restores",
    "domain_scan_cache",
    "model_calls",
    "page_visits",
    "pipeline_issues",
    "project_creations",
    "project_event_counters",
    "request_counts",
    "run_outputs",
    "run_takes",
    "sign_in_links",
    "sign_in_sessions",
    "synthetic_baselines",
    "synthetic_jobs",
    "tenant_limits",
    "visitor_salts",
    "waitlist_checks",
    "worker_heartbeats",
}
OUT_OF_REACH = {
    "permissions": "{}",
    "phase": "3",
    "status": "killed",
    "runtime_mode": "attached",
    "deploy_status": "ready",
    "live_url": "https://example.org/",
    "owner_clerk_id": "mallory",
    "user_id": None,
    "batch_id": None,
    "scan_results": "{}",
    "brand_kit": "{}",
    "repo_summary": "{}",
    "email_daily_cap": "1",
    "created_at": "2020-01-01",
}


@contextlib.contextmanager
def acting_as(database: Database, role: str, sub: str | None = None) -> Iterator[Connection]:
    """Lend a connection the way PostgREST does: the role of the token, and its claims."""
    with database.transaction() as conn:
        conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        claims = "" if sub is None else json.dumps({"sub": sub, "role": role})
        conn.execute("SELECT set_config('request.jwt.claims', %s, true)", (claims,))
        yield conn


def names(conn: Connection, query: str) -> set[str]:
    return {row["name"] for row in conn.execute(query.encode()).fetchall()}


def all_tables(conn: Connection) -> set[str]:
    return names(
        conn,
        "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
    )


def tables_without_rls(conn: Connection) -> set[str]:
    return names(
        conn,
        "SELECT relname AS name FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relrowsecurity",
    )


def open_to_anon(conn: Connection) -> set[str]:
    """Tables, views and sequences on which anon, by itself or as PUBLIC, holds any privilege."""
    return names(
        conn,
        "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND CASE"
        " WHEN relkind IN ('r', 'p', 'v', 'm', 'f') THEN"
        "  has_table_privilege('anon', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')"
        "  OR has_any_column_privilege('anon', oid, 'SELECT, INSERT, UPDATE, REFERENCES')"
        " WHEN relkind = 'S' THEN has_sequence_privilege('anon', oid, 'USAGE, SELECT, UPDATE') END",
    )


def callable_functions(conn: Connection) -> set[str]:
    return names(
        conn,
        "SELECT oid::regprocedure::text AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " AND (has_function_privilege('anon', oid, 'EXECUTE')"
        " OR has_function_privilege('authenticated', oid, 'EXECUTE'))",
    )


def views_of_their_owner(conn: Connection) -> set[str]:
    """Views that read with their owner's rights, and so past every policy."""
    return names(
        conn,
        "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND (relkind = 'm'"
        " OR relkind = 'v' AND NOT coalesce(reloptions && ARRAY['security_invoker=true', 'security_invoker=on'],"
        " false))",
    )


def writable_by_users(conn: Connection) -> set[str]:
    return names(
        conn,
        "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p', 'v')"
        " AND (has_table_privilege('authenticated', oid, 'DELETE, TRUNCATE, REFERENCES, TRIGGER')"
        " OR has_any_column_privilege('authenticated', oid, 'INSERT, UPDATE'))",
    )


@pytest.fixture
def owners(database: Database) -> tuple[Owner, Owner]:
    """Two owners, each with a row in every table."""
    with database.transaction() as conn:
        ada, bob = make_owner(conn, "user_ada"), make_owner(conn, "user_bob")
        for table in sorted(all_tables(conn) - {"users", "projects"}):
            for owner in (ada, bob):
                make_row(conn, table, owner)
    return ada, bob


def test_no_table_is_without_row_level_security(database: Database) -> None:
    with database.connection() as conn:
        assert len(all_tables(conn)) > 30
        assert tables_without_rls(conn) == set()
        conn.execute("CREATE TABLE public.forgotten (id int)")
        assert tables_without_rls(conn) == {"forgotten"}


def test_anon_holds_no_privilege_on_anything(database: Database) -> None:
    with database.connection() as conn:
        assert open_to_anon(conn) == set()
        conn.execute("CREATE TABLE public.later (id serial)")
        assert open_to_anon(conn) == set(), "a table made later is open by default"
        conn.execute("GRANT SELECT (id) ON public.later TO public")
        assert open_to_anon(conn) == {"later"}


def test_anon_reads_nothing_from_any_table(database: Database, owners: tuple[Owner, Owner]) -> None:
    with database.connection() as conn:
        tables = all_tables(conn)
    for table in tables:
        for role, sub in (("anon", None), ("anon", owners[0].clerk_id)):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), acting_as(database, role, sub) as conn:
                conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", table)))


@pytest.mark.parametrize("sub", [None, "", "user_mallory"])
def test_a_token_without_a_known_owner_sees_no_row(
    database: Database, owners: tuple[Owner, Owner], sub: str | None
) -> None:
    with database.connection() as conn:
        readable = all_tables(conn) - SERVER_ONLY
    seen = {}
    for table in readable:
        with acting_as(database, "authenticated", sub) as conn:
            seen[table] = _count(conn, table)
    assert set(seen.values()) == {0}, {table for table, count in seen.items() if count}


def test_an_owner_sees_his_own_rows_and_nobody_elses(database: Database, owners: tuple[Owner, Owner]) -> None:
    ada, bob = owners
    with database.connection() as conn:
        owned = names(
            conn,
            "SELECT relname AS name FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND attname = 'project_id' AND NOT attisdropped",
        )
        assert len(owned) > 25
    for table in sorted(owned - SERVER_ONLY):
        query = sql.SQL("SELECT DISTINCT project_id FROM {}").format(sql.Identifier("public", table))
        with database.connection() as conn:
            everyone = {row["project_id"] for row in conn.execute(query)}
        assert everyone >= {ada.project_id, bob.project_id}, f"{table} holds no rows to tell apart"
        for owner in owners:
            with acting_as(database, "authenticated", owner.clerk_id) as conn:
                assert {row["project_id"] for row in conn.execute(query)} == {owner.project_id}, table
    with acting_as(database, "authenticated", ada.clerk_id) as conn:
        assert conn.execute("SELECT id FROM projects").fetchall() == [{"id": ada.project_id}]
        assert conn.execute("SELECT id FROM users").fetchall() == [{"id": ada.user_id}]
        for table in ("batches", "github_connections", "drip_email_log"):
            assert _count(conn, table) == 1, table


def test_what_is_the_servers_alone_no_user_reads(database: Database, owners: tuple[Owner, Owner]) -> None:
    for table in SERVER_ONLY:
        refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
        with refused, acting_as(database, "authenticated", owners[0].clerk_id) as conn:
            _count(conn, table)


@pytest.mark.parametrize(
    ("table", "column"),
    [("github_connections", "github_token"), ("project_integrations", "config_encrypted")],
)
def test_secrets_are_not_even_their_owners_to_read(
    database: Database, owners: tuple[Owner, Owner], table: str, column: str
) -> None:
    query = sql.SQL("SELECT {} FROM {}")
    with acting_as(database, "authenticated", owners[0].clerk_id) as conn:
        assert conn.execute(query.format(sql.Identifier("id"), sql.Identifier(table))).fetchone()
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        acting_as(database, "authenticated", owners[0].clerk_id) as conn,
    ):
        conn.execute(query.format(sql.Identifier(column), sql.Identifier(table)))


def test_the_server_role_sees_everything(database: Database, owners: tuple[Owner, Owner]) -> None:
    with database.connection() as conn:
        counts = {table: _count(conn, table) for table in all_tables(conn)}
    assert min(counts.values()) > 0, "every table has rows to see"
    with acting_as(database, "service_role") as conn:
        assert {table: _count(conn, table) for table in counts} == counts


# -------------------------------------------------------------------------------------------- writing


def test_users_write_to_four_tables_only(database: Database) -> None:
    with database.connection() as conn:
        assert writable_by_users(conn) == {"users", "batches", "projects", "project_chat_messages"}


@pytest.mark.parametrize(("column", "value"), list(OUT_OF_REACH.items()))
def test_an_owner_cannot_set_what_only_decisions_move(
    database: Database, owners: tuple[Owner, Owner], column: str, value: str | None
) -> None:
    ada, _ = owners
    name = sql.Identifier(column)
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        acting_as(database, "authenticated", ada.clerk_id) as conn,
    ):
        conn.execute(sql.SQL("UPDATE projects SET {} = %s").format(name), (value,))
    if column == "owner_clerk_id":
        return
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        acting_as(database, "authenticated", ada.clerk_id) as conn,
    ):
        conn.execute(
            sql.SQL(
                "INSERT INTO projects (owner_clerk_id, name, idea_description, {}) VALUES (%s, 'n', 'i', %s)"
            ).format(name),
            (ada.clerk_id, value),
        )


def test_the_columns_of_a_project_are_either_the_owners_or_out_of_reach(database: Database) -> None:
    with database.connection() as conn:
        columns = names(
            conn,
            "SELECT attname AS name FROM pg_attribute WHERE attrelid = 'public.projects'::regclass"
            " AND attnum > 0 AND NOT attisdropped"
            " AND NOT has_column_privilege('authenticated', attrelid, attnum, 'UPDATE')",
        )
    assert columns == {*OUT_OF_REACH, "id", "updated_at"}


def test_an_owner_describes_his_own_project_only(database: Database, owners: tuple[Owner, Owner]) -> None:
    ada, bob = owners
    with acting_as(database, "authenticated", ada.clerk_id) as conn:
        changed = conn.execute("UPDATE projects SET name = 'Renamed', night_shift = false RETURNING id")
        assert changed.fetchall() == [{"id": ada.project_id}]
        made = conn.execute(
            "INSERT INTO projects (owner_clerk_id, name, idea_description) VALUES (%s, 'New', 'Idea')"
            " RETURNING phase, status, permissions",
            (ada.clerk_id,),
        ).fetchone()
    assert made is not None
    assert (made["phase"], made["status"]) == (0, "active")
    assert not any(made["permissions"].values())
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        acting_as(database, "authenticated", ada.clerk_id) as conn,
    ):
        conn.execute(
            "INSERT INTO projects (owner_clerk_id, name, idea_description) VALUES (%s, 'New', 'Idea')",
            (bob.clerk_id,),
        )
    assert database.fetch_one("SELECT name FROM projects WHERE id = %s", (bob.project_id,)) == {"name": "A"}


def test_a_user_makes_and_changes_his_own_record_only(database: Database, owners: tuple[Owner, Owner]) -> None:
    with acting_as(database, "authenticated", "user_new") as conn:
        conn.execute("INSERT INTO users (clerk_id, email) VALUES ('user_new', 'a@example.org')")
        assert conn.execute("UPDATE users SET email = 'b@example.org'").rowcount == 1
    for clerk_id in ("user_other", owners[0].clerk_id):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            acting_as(database, "authenticated", "user_new") as conn,
        ):
            conn.execute("INSERT INTO users (clerk_id) VALUES (%s)", (clerk_id,))


@pytest.mark.parametrize("change", [{"role": "assistant"}, {"role": "system"}, {"owner": 1}, {"project": 1}])
def test_nobody_speaks_for_the_studio_or_for_somebody_else(
    database: Database, owners: tuple[Owner, Owner], change: dict[str, Any]
) -> None:
    message = {"role": "user", "owner": 0, "project": 0}

    def say(given: dict[str, Any]) -> None:
        with acting_as(database, "authenticated", owners[0].clerk_id) as conn:
            conn.execute(
                "INSERT INTO project_chat_messages (project_id, owner_clerk_id, role, content)"
                " VALUES (%s, %s, %s, 'hello')",
                (owners[given["project"]].project_id, owners[given["owner"]].clerk_id, given["role"]),
            )

    say(message)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        say(message | change)


# ---------------------------------------------------------------------------------- functions and views


def test_no_function_is_for_users_to_call(database: Database) -> None:
    with database.connection() as conn:
        assert callable_functions(conn) == set()
        conn.execute("CREATE FUNCTION public.later() RETURNS int LANGUAGE sql RETURN 1")
        assert callable_functions(conn) == set(), "a function made later is open by default"
        conn.execute("GRANT EXECUTE ON FUNCTION public.later() TO public")
        assert callable_functions(conn) == {"later()"}


def test_the_server_role_may_call_every_function(database: Database) -> None:
    with database.connection() as conn:
        conn.execute("CREATE FUNCTION public.later() RETURNS int LANGUAGE sql RETURN 1")
        refused = names(
            conn,
            "SELECT oid::regprocedure::text AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND NOT has_function_privilege('service_role', oid, 'EXECUTE')",
        )
    assert refused == set()


def test_every_function_names_its_search_path(database: Database) -> None:
    """Else whoever can create objects in another schema decides what a function of ours calls."""
    with database.connection() as conn:
        loose = names(
            conn,
            "SELECT oid::regprocedure::text AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND NOT coalesce(array_to_string(proconfig, ',') ~ 'search_path=', false)",
        )
    assert loose == set()


def test_every_view_reads_with_the_rights_of_whoever_asks(database: Database) -> None:
    with database.connection() as conn:
        assert views_of_their_owner(conn) == set()
        conn.execute("CREATE VIEW public.leaky AS SELECT * FROM projects")
        conn.execute("CREATE VIEW public.tight WITH (security_invoker = true) AS SELECT * FROM projects")
        assert views_of_their_owner(conn) == {"leaky"}


def test_every_policy_works_the_callers_name_out_once_per_statement(database: Database) -> None:
    policies = database.fetch_all(
        "SELECT tablename, policyname, coalesce(qual, '') || ' ' || coalesce(with_check, '') AS condition"
        " FROM pg_policies WHERE schemaname = 'public'"
    )
    assert len(policies) > 30
    per_row = [
        policy["policyname"]
        for policy in policies
        if policy["condition"].count("auth.jwt()") != policy["condition"].count("SELECT (auth.jwt()")
    ]
    assert per_row == []


def test_the_stock_grants_of_supabase_open_nothing(postgres: TestServer) -> None:
    """Supabase opens every new table and function of `public` to its API roles; the migrations close them."""
    with postgres.temporary() as name, Database(postgres.url(name), pool_size=2) as database:
        with database.connection() as conn:
            conn.execute(statements.load("prelude"))
            for objects in ("TABLES", "SEQUENCES", "FUNCTIONS"):
                conn.execute(
                    sql.SQL(
                        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON {} TO anon, authenticated, service_role"
                    ).format(sql.SQL(objects))
                )
            conn.execute("CREATE FUNCTION public.earlier() RETURNS int LANGUAGE sql RETURN 1")
            assert callable_functions(conn) == {"earlier()"}
        migrate(database)
        with database.connection() as conn:
            assert tables_without_rls(conn) == set()
            conn.execute("CREATE TABLE public.later (id serial)")
            conn.execute("CREATE FUNCTION public.later() RETURNS int LANGUAGE sql RETURN 1")
            assert open_to_anon(conn) == set()
            assert callable_functions(conn) == set()
            assert writable_by_users(conn) == {"users", "batches", "projects", "project_chat_messages"}


def _count(conn: Connection, table: str) -> int:
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", table))).fetchone()
    assert row is not None
    return int(row["count"])
