"""The tables keep their promises by themselves, whoever writes: versions stay, doubles are refused."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from studio.database.connection import Connection, Database
from tests.support.rows import Owner, make_owner, make_row

SYSTEM_PROJECT = "00000000-0000-0000-0000-000000000000"
# Its own functions are the only writers, and set the column themselves.
SETS_UPDATED_AT_ITSELF = {"project_budgets"}


@pytest.fixture
def owner(database: Database) -> Owner:
    with database.transaction() as conn:
        return make_owner(conn, "user_ada")


def one(database: Database, query: Any, params: tuple[Any, ...] = ()) -> dict[str, Any]:
    row = database.fetch_one(query, params)
    assert row is not None
    return row


def write_version(conn: Connection, owner: Owner, word: str, confidence: int = 70) -> dict[str, Any]:
    row = conn.execute(
        "INSERT INTO phase_packet_versions (project_id, phase, packet, confidence, synopsis)"
        " VALUES (%s, 0, %s, %s, %s) RETURNING id, version",
        (owner.project_id, Jsonb({"tagline": word}), confidence, Jsonb({"decision": "greenlight"})),
    ).fetchone()
    assert row is not None
    return row


def foreign_upsert(database: Database, owner: Owner, **columns: Any) -> None:
    """Write the way PostgREST does it: only the given columns, in one upsert."""
    given = {"project_id": owner.project_id, "phase": 0} | columns
    identifiers = [sql.Identifier(name) for name in given]
    with database.transaction() as conn:
        conn.execute(
            sql.SQL(
                "INSERT INTO phase_packets ({}) VALUES ({}) ON CONFLICT (project_id, phase) DO UPDATE SET {}"
            ).format(
                sql.SQL(", ").join(identifiers),
                sql.SQL(", ").join(sql.Placeholder() * len(given)),
                sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in identifiers),
            ),
            [Jsonb(value) if isinstance(value, dict) else value for value in given.values()],
        )


# ----------------------------------------------------------------------------------- core


def test_the_system_project_may_do_nothing(database: Database) -> None:
    row = one(
        database, "SELECT owner_clerk_id, permissions, night_shift FROM projects WHERE id = %s", (SYSTEM_PROJECT,)
    )
    assert row["owner_clerk_id"] == "system"
    assert row["night_shift"] is False
    assert set(row["permissions"]) == {"repo_write", "deploy", "email_send", "ads_enabled", "ads_budget_cap"}
    assert not any(row["permissions"].values())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("permissions", '{"deploy": "false"}'),
        ("permissions", '{"ads_enabled": 1}'),
        ("permissions", '{"ads_budget_cap": -1}'),
        ("permissions", '{"ads_budget_cap": "100"}'),
        ("permissions", '["deploy"]'),
        ("phase", "5"),
        ("phase", "-1"),
        ("status", "resting"),
        ("runtime_mode", "dedicated"),
        ("deploy_status", "maybe"),
        ("wizard_state", "[]"),
    ],
)
def test_a_project_holds_no_value_that_could_be_misread(
    database: Database, owner: Owner, column: str, value: str
) -> None:
    with database.connection() as conn, pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(
            sql.SQL("UPDATE projects SET {} = %s WHERE id = %s").format(sql.Identifier(column)),
            (value, owner.project_id),
        )


def test_every_change_moves_updated_at(database: Database, owner: Owner) -> None:
    with database.transaction() as conn:
        tables = [
            row["table_name"]
            for row in conn.execute(
                "SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t"
                " USING (table_schema, table_name) WHERE table_schema = 'public' AND column_name = 'updated_at'"
                " AND table_type = 'BASE TABLE'"
            )
        ]
        assert len(tables) > 10
        for table in sorted(set(tables) - {"projects"}):
            make_row(conn, table, owner)
    unmoved = []
    for table in set(tables) - SETS_UPDATED_AT_ITSELF:
        with database.connection() as conn:
            rows = conn.execute(
                sql.SQL("UPDATE {} SET updated_at = '2020-01-01' RETURNING updated_at > '2020-06-01' AS moved").format(
                    sql.Identifier(table)
                )
            ).fetchall()
        assert rows, table
        if not all(row["moved"] for row in rows):
            unmoved.append(table)
    assert unmoved == []


def test_deleting_a_parent_never_scans_a_table(database: Database) -> None:
    """Old jobs and events are deleted in bulk, so each key that follows them has an index to find its rows."""
    scanned = database.fetch_all(
        "SELECT c.conrelid::regclass::text || '.' || a.attname AS key FROM pg_constraint c"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
        " WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace AND c.confdeltype IN ('c', 'n')"
        " AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1]"
        "  AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = format('(%%I IS NOT NULL)', a.attname)))"
    )
    assert scanned == []


# -------------------------------------------------------------------------------------- packets


def test_versions_are_numbered_per_project_and_phase(database: Database, owner: Owner) -> None:
    with database.transaction() as conn:
        assert [write_version(conn, owner, word)["version"] for word in "abc"] == [1, 2, 3]
        other = make_owner(conn, "user_bob")
        assert write_version(conn, other, "a")["version"] == 1


def test_versions_written_at_once_get_different_numbers(database: Database, owner: Owner) -> None:
    together = threading.Barrier(6)

    def write(_: int) -> int:
        with database.connection() as conn:
            together.wait()
            with conn.transaction():
                return int(write_version(conn, owner, "x")["version"])

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(write, range(6))) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE phase_packet_versions SET packet = '{}'",
        "UPDATE phase_packet_versions SET version = 9, source_job_id = NULL",
        "UPDATE phase_packet_versions SET created_at = '2020-01-01'",
        "DELETE FROM phase_packet_versions",
    ],
)
def test_a_version_never_changes(database: Database, owner: Owner, statement: str) -> None:
    with database.transaction() as conn:
        write_version(conn, owner, "first")
    with database.connection() as conn, pytest.raises(psycopg.Error) as caught:
        conn.execute(statement.encode())
    assert caught.value.sqlstate == "GL020"
    assert one(database, "SELECT packet, version FROM phase_packet_versions") == {
        "packet": {"tagline": "first"},
        "version": 1,
    }


def test_a_version_outlives_its_job_but_not_its_project(database: Database, owner: Owner) -> None:
    with database.transaction() as conn:
        job = make_row(conn, "agent_jobs", owner)
        version = conn.execute(
            "INSERT INTO phase_packet_versions (project_id, phase, packet, confidence, synopsis, source_job_id)"
            " VALUES (%s, 0, '{}', 50, '{}', %s) RETURNING id",
            (owner.project_id, job["id"]),
        ).fetchone()
        assert version is not None
        conn.execute(
            "INSERT INTO phase_packets (project_id, phase, version_id) VALUES (%s, 0, %s)",
            (owner.project_id, version["id"]),
        )
    database.execute("DELETE FROM agent_jobs WHERE id = %s", (job["id"],))
    assert one(database, "SELECT source_job_id FROM phase_packet_versions") == {"source_job_id": None}
    database.execute("DELETE FROM projects WHERE id = %s", (owner.project_id,))
    assert one(
        database,
        "SELECT (SELECT count(*) FROM phase_packet_versions) + (SELECT count(*) FROM phase_packets) AS left",
    ) == {"left": 0}


def test_the_latest_packet_is_the_version_it_points_at(database: Database, owner: Owner) -> None:
    with database.transaction() as conn:
        first, second = write_version(conn, owner, "first", 40), write_version(conn, owner, "second", 80)
    for version, word, confidence in ((first, "first", 40), (second, "second", 80)):
        foreign_upsert(database, owner, version_id=version["id"])
        row = one(database, "SELECT * FROM phase_packets")
        assert row["version"] == version["version"]
        assert row["packet"] == row["packet_data"] == {"tagline": word}
        assert row["confidence"] == row["confidence_score"] == confidence
        assert row["synopsis"] == row["reasoning_synopsis"] == {"decision": "greenlight"}
        assert row["ceo_recommendation"] == "greenlight"
    assert one(database, "SELECT count(*) FROM phase_packet_versions") == {"count": 2}


def test_the_latest_packet_points_at_no_other_projects_version(database: Database, owner: Owner) -> None:
    with database.transaction() as conn:
        stranger = make_owner(conn, "user_bob")
        version = write_version(conn, stranger, "theirs")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        foreign_upsert(database, owner, version_id=version["id"])


def test_a_client_that_knows_no_versions_makes_them_all_the_same(database: Database, owner: Owner) -> None:
    base = {"confidence": 60, "synopsis": {"decision": "revise"}}
    foreign_upsert(database, owner, packet={"n": 1}, packet_data={"n": 1}, **base)
    foreign_upsert(database, owner, packet={"n": 2}, packet_data={"n": 2}, **base)
    foreign_upsert(database, owner, packet={"n": 2}, packet_data={"n": 2}, **base)
    database.execute("UPDATE phase_packets SET deliverables = '[]'")
    database.execute("UPDATE phase_packets SET packet_data = '{\"n\": 3}'")
    versions = database.fetch_all("SELECT version, packet FROM phase_packet_versions ORDER BY version")
    assert versions == [{"version": n, "packet": {"n": n}} for n in (1, 2, 3)]
    row = one(database, "SELECT * FROM phase_packets")
    assert (row["version"], row["packet"], row["packet_data"]) == (3, {"n": 3}, {"n": 3})
    assert (row["confidence_score"], row["reasoning_synopsis"]) == (60, {"decision": "revise"})
    assert (row["ceo_recommendation"], row["deliverables"]) == ("revise", [])


def test_upserts_at_once_lose_no_version(database: Database, owner: Owner) -> None:
    together = threading.Barrier(5)

    def write(n: int) -> None:
        together.wait()
        foreign_upsert(database, owner, packet={"n": n}, confidence=50, synopsis={})

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(write, range(5)))
    versions = database.fetch_all("SELECT version, packet FROM phase_packet_versions ORDER BY version")
    assert [row["version"] for row in versions] == [1, 2, 3, 4, 5]
    assert sorted(row["packet"]["n"] for row in versions) == [0, 1, 2, 3, 4]
    assert one(database, "SELECT packet, version FROM phase_packets") == {
        "packet": versions[-1]["packet"],
        "version": 5,
    }


# ------------------------------------------------------------------------------ once, and only once


def insert_approval(database: Database, owner: Owner, **columns: Any) -> dict[str, Any]:
    given = {
        "project_id": owner.project_id,
        "phase": 0,
        "title": "t",
        "description": "d",
        "risk": "low",
        "action_type": "phase0_packet_review",
    } | columns
    with database.connection() as conn:
        row = conn.execute(
            sql.SQL("INSERT INTO approval_queue ({}) VALUES ({}) RETURNING *").format(
                sql.SQL(", ").join(map(sql.Identifier, given)),
                sql.SQL(", ").join(sql.Placeholder() * len(given)),
            ),
            list(given.values()),
        ).fetchone()
    assert row is not None
    return row


def test_one_gate_at_a_time_is_pending(database: Database, owner: Owner) -> None:
    gate = insert_approval(database, owner)
    with pytest.raises(psycopg.errors.UniqueViolation):
        insert_approval(database, owner)
    insert_approval(database, owner, phase=1, action_type="phase1_validate_review")
    database.execute("UPDATE approval_queue SET status = 'revised' WHERE id = %s", (gate["id"],))
    insert_approval(database, owner)


def test_executions_wait_side_by_side_but_each_action_once(database: Database, owner: Owner) -> None:
    first = insert_approval(database, owner, action_type="deploy_landing_page")
    assert first["type"] == "execution"
    insert_approval(database, owner, action_type="send_welcome_email_sequence")
    with pytest.raises(psycopg.errors.UniqueViolation):
        insert_approval(database, owner, action_type="deploy_landing_page")
    database.execute("UPDATE approval_queue SET status = 'denied' WHERE id = %s", (first["id"],))
    insert_approval(database, owner, action_type="deploy_landing_page")


def test_an_approval_is_completed_from_what_the_writer_knows(database: Database, owner: Owner) -> None:
    gate = insert_approval(database, owner, risk=None, risk_level="high")
    assert (gate["type"], gate["risk"], gate["risk_level"]) == ("phase_advance", "high", "high")
    assert (gate["status"], gate["version"], gate["execution_status"]) == ("pending", 1, "idle")
    database.execute("UPDATE approval_queue SET risk = 'medium'")
    assert one(database, "SELECT risk_level FROM approval_queue") == {"risk_level": "medium"}
    database.execute("UPDATE approval_queue SET risk_level = 'low'")
    assert one(database, "SELECT risk FROM approval_queue") == {"risk": "low"}
    with pytest.raises(psycopg.errors.CheckViolation):
        insert_approval(database, owner, phase=4)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("action_executions", {"approval_id": "APPROVAL", "action_type": "a", "status": "running"}),
        ("waitlist_signups", {"email": "Ada@Example.org"}),
        (
            "email_jobs",
            {"to_email": "a@b.c", "subject": "s", "html_body": "h", "scheduled_for": "2026-01-01", "outbox_key": "k"},
        ),
        ("agent_memory", {"category": "fact", "key": "k", "value": "v", "agent_key": "ceo"}),
        ("project_assets", {"kind": "upload", "storage_path": "p/x", "filename": "x"}),
        ("project_recurring_tasks", {"task_key": "t", "cron_expr": "* * * * *", "job_type": "j", "agent_key": "a"}),
        ("project_integrations", {"provider": "resend", "config_encrypted": "x"}),
        ("project_payment_events", {"provider": "p", "external_id": "e", "event_type": "t", "status": "succeeded"}),
        ("project_runtime_secrets", {"secret_key": "k", "secret_ref": "r"}),
        ("packet_share_links", {"token": "0123456789abcdef"}),
        (
            "research_sources",
            {"job_id": "JOB", "url": "https://a.example/", "quote": "q", "quote_sha256": "a" * 64, "retrieved_by": "w"},
        ),
        ("inbound_email_messages", {"provider": "r", "provider_message_id": "m", "from_email": "a", "to_email": "b"}),
    ],
)
def test_the_second_of_a_kind_is_refused(database: Database, owner: Owner, table: str, columns: dict[str, Any]) -> None:
    with database.transaction() as conn:
        given = {"project_id": owner.project_id} | columns
        for name, parent in (("approval_id", "approval_queue"), ("job_id", "agent_jobs")):
            if name in given:
                given[name] = make_row(conn, parent, owner)["id"]
    insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, given)),
        sql.SQL(", ").join(sql.Placeholder() * len(given)),
    )
    with database.connection() as conn:
        conn.execute(insert, list(given.values()))
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute(insert, list(given.values()))


def test_two_projects_may_have_the_same_person_waiting(database: Database, owner: Owner) -> None:
    with database.transaction() as conn:
        other = make_owner(conn, "user_bob")
        for project in (owner, other):
            conn.execute(
                "INSERT INTO waitlist_signups (project_id, email) VALUES (%s, 'Ada@Example.org')",
                (project.project_id,),
            )
    rows = database.fetch_all("SELECT email, status FROM waitlist_signups")
    assert rows == [{"email": "ada@example.org", "status": "pending"}] * 2


@pytest.mark.parametrize(
    ("kind", "same", "different"),
    [
        ("welcome", {}, None),
        ("nudge_no_reviews", {}, None),
        ("nudge_no_signoffs", {}, None),
        ("weekly_digest", {"digest_week": "2026-W01"}, {"digest_week": "2026-W02"}),
        ("phase0_ready", {"project_id": "PROJECT"}, {"project_id": "OTHER"}),
        ("phase1_ready", {"project_id": "PROJECT"}, {"project_id": "OTHER"}),
    ],
)
def test_a_drip_mail_is_logged_once_for_its_occasion(
    database: Database, owner: Owner, kind: str, same: dict[str, str], different: dict[str, str] | None
) -> None:
    with database.transaction() as conn:
        ids = {"PROJECT": owner.project_id, "OTHER": make_owner(conn, "user_bob").project_id}

    def log(columns: dict[str, str]) -> None:
        given = {"user_id": owner.user_id, "email_type": kind, "to_email": "a@b.c", "subject": "s"}
        given |= {name: ids.get(value, value) for name, value in columns.items()}
        with database.connection() as conn:
            conn.execute(
                sql.SQL("INSERT INTO drip_email_log ({}) VALUES ({})").format(
                    sql.SQL(", ").join(map(sql.Identifier, given)),
                    sql.SQL(", ").join(sql.Placeholder() * len(given)),
                ),
                list(given.values()),
            )

    log(same)
    with pytest.raises(psycopg.errors.UniqueViolation):
        log(same)
    if different is not None:
        log(different)


def test_a_message_is_answered_once(database: Database, owner: Owner) -> None:
    say = (
        "INSERT INTO project_chat_messages (project_id, owner_clerk_id, role, content, reply_to)"
        " VALUES (%s, %s, %s, %s, %s) RETURNING id"
    )
    question = one(database, say, (owner.project_id, owner.clerk_id, "user", "Why?", None))
    one(database, say, (owner.project_id, owner.clerk_id, "user", "And how?", None))
    one(database, say, (owner.project_id, owner.clerk_id, "assistant", "Because.", question["id"]))
    with pytest.raises(psycopg.errors.UniqueViolation):
        one(database, say, (owner.project_id, owner.clerk_id, "assistant", "Because!", question["id"]))


@pytest.mark.parametrize("content", ["", "x" * 8001])
def test_a_message_has_a_readable_length(database: Database, owner: Owner, content: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        database.execute(
            "INSERT INTO project_chat_messages (project_id, owner_clerk_id, role, content)"
            " VALUES (%s, 'o', 'user', %s)",
            (owner.project_id, content),
        )


def test_a_share_link_ends_by_itself(database: Database, owner: Owner) -> None:
    link = one(
        database,
        "INSERT INTO packet_share_links (project_id, token) VALUES (%s, 'abcdefghijklmnop')"
        " RETURNING expires_at - created_at AS life, revoked_at",
        (owner.project_id,),
    )
    assert link == {"life": timedelta(days=30), "revoked_at": None}
    with pytest.raises(psycopg.errors.NotNullViolation):
        database.execute("UPDATE packet_share_links SET expires_at = NULL")
