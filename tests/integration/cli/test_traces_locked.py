"""A reading `greenlight traces` command answers soon, and says who holds the database up where it does not."""

from __future__ import annotations

import threading

import pytest

from greenlight_dagster.cli import context
from studio.database.connection import Connection, Database, Haste
from tests.support.cli import Greenlight
from tests.support.waiting import eventually

COMMANDS = {
    "list": ["list"],
    "show": ["show", "abcdef0"],
    "slow": ["slow"],
    "compare": ["compare", "abcdef0"],
    "cost": ["cost"],
    "errors": ["errors"],
    "health": ["health"],
}


@pytest.fixture
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "HASTE", Haste(wait_seconds=10, statement_seconds=20, lock_seconds=0.1))


def pid(conn: Connection) -> int:
    return conn.info.backend_pid


@pytest.mark.usefixtures("haste")
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_it_names_who_holds_the_lock(greenlight: Greenlight, db: Database, command: list[str]) -> None:
    with db.transaction() as conn:
        conn.execute("lock table public.agent_jobs, public.pipeline_traces, public.pipeline_issues")
        greenlight("traces", *command).fails(
            f"another session, {pid(conn)} (greenlight), locks agent_jobs, pipeline_issues, pipeline_traces for",
            f"select pg_terminate_backend({pid(conn)})",
        )


@pytest.mark.usefixtures("haste")
def test_it_names_who_waits_for_a_lock_and_behind_whom(greenlight: Greenlight, db: Database) -> None:
    with db.transaction() as reader, db.connection() as waiting:
        reader.execute("select 1 from public.pipeline_traces limit 1")
        locking = threading.Thread(target=waiting.execute, args=["lock table public.pipeline_traces"], daemon=True)
        waiting.execute("begin")
        locking.start()
        eventually(lambda: db.fetch_one("select 1 from pg_locks where pid = %s and not granted", [pid(waiting)]))
        greenlight("traces", "list").fails(
            f"{pid(waiting)} (greenlight, behind {pid(reader)}), waits to lock pipeline_traces for",
            f"select pg_terminate_backend({pid(reader)})",
        )
        reader.execute("rollback")
        locking.join()
        waiting.execute("rollback")


@pytest.mark.usefixtures("haste")
def test_who_holds_a_weaker_lock_is_to_be_looked_for(greenlight: Greenlight, db: Database) -> None:
    db.execute(
        "insert into public.pipeline_issues (fingerprint, error_class) values ('c0ffee0000000009', 'unknown')"
        " on conflict do nothing"
    )
    with db.transaction() as conn:
        conn.execute("lock table public.pipeline_issues in share mode")
        greenlight("traces", "errors", "c0ffee0000000009", "--resolve").fails(
            "does not answer within 0.1 s: another session holds a lock.", "pg_blocking_pids(pid)"
        )


def test_what_takes_too_long_is_given_up(greenlight: Greenlight, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "HASTE", Haste(wait_seconds=10, statement_seconds=0.2, lock_seconds=20))
    with db.transaction() as conn:
        conn.execute("lock table public.pipeline_traces")
        greenlight("traces", "list").fails("does not answer within 0.2 s.", "pg_stat_activity")
