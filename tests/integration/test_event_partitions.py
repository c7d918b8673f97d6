"""The event table is partitioned while everybody works on it; for readers and writers it stays what it was."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from typer.testing import CliRunner

from greenlight_dagster.cli.db import app
from schedules.upkeep import prune_events, tend_partitions
from studio.database.connection import Database
from studio.database.contract import Contract, breaches, things_of
from studio.errors import Conflict, StudioError
from studio.operations import event_partitions
from studio.operations.event_partitions import SCHEMA, convert, partitions
from studio.settings import get_settings
from tests.support.queue import append, claim_next, enqueue, running, seqs
from tests.support.roles import a_role_of_its_own
from tests.support.size import FULL

pytestmark = pytest.mark.chaos

ROWS = 1_000_000 if FULL else 5_000


def fill(db: Database, rows: int = ROWS) -> UUID:
    """Return a project with an ended job of `rows` events, the first of them three months old."""
    claim = running(db)
    claim.complete()
    with db.transaction() as conn:
        conn.execute("set local session_replication_role = replica")
        conn.execute(
            "insert into agent_job_events (project_id, job_id, type, message, created_at, seq, attempt, claim_no)"
            " select %s, %s, case when n %% 2 = 0 then 'delta' else 'log' end, 'event ' || n,"
            " now() - interval '90 days' * (1 - n::float8 / %s), 1000 + n, 1, 1 from generate_series(1, %s) n",
            [claim.job.project_id, claim.job_id, rows, rows],
        )
        conn.execute("update project_event_counters set last_seq = %s", [1000 + rows])
    return claim.job.project_id


def test_it_is_the_same_table_for_who_reads_and_writes(database: Database) -> None:
    project = fill(database)
    before = Contract("0", "0", things_of(database))
    events = database.fetch_all("select * from agent_job_events order by project_id, seq")
    made = convert(database)
    assert [partition.name for partition in made][-1] == "beyond"
    assert made[0].name.startswith("until_")
    assert len(made) >= event_partitions.MONTHS_AHEAD + 1
    assert database.fetch_all("select * from agent_job_events order by project_id, seq") == events

    # What a partitioned table cannot hold, and what it has instead.
    key = "table agent_job_events constraint"
    assert [breach.path for breach in breaches(before, things_of(database))] == [
        f"{key} agent_job_events_part_seq_key",
        f"{key} agent_job_events_pkey",
        f"{key} agent_job_events_project_id_seq_key",
    ]
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute(
            "insert into agent_job_events (project_id, job_id, type, seq) select project_id, job_id, 'log', 7"
            " from agent_job_events, generate_series(1, 2) where project_id = %s and seq = 1001",
            [project],
        )
    with pytest.raises(Conflict, match="partitioned already"):
        convert(database)


def test_every_way_of_writing_goes_on(database: Database) -> None:
    project = fill(database)
    convert(database)
    with database.connect() as listener:
        listener.execute("listen agent_job_events")
        job = enqueue(database, project, "new")
        claim = claim_next(database)
        assert claim.job_id == job
        append(claim)
        # As another client does, which knows nothing of seqs; and with a clock of its own.
        for moment in ("now()", "now() + interval '10 years'", "now() - interval '10 years'"):
            database.execute(
                "insert into agent_job_events (project_id, job_id, type, message, created_at)"  # type: ignore[arg-type]
                f" values (%s, %s, 'log', 'foreign', {moment})",
                [project, job],
            )
        claim.complete()
        assert {notify.payload for notify in listener.notifies(timeout=5, stop_after=1)} == {str(project)}
    mine = database.fetch_all(
        "select seq, message, trace_id from agent_job_events where job_id = %s order by seq", [job]
    )
    assert [row["message"] for row in mine].count("foreign") == 3
    assert [row["message"] for row in mine][-1] == "completed"
    assert all(row["trace_id"] for row in mine)
    numbers = seqs(database, project)
    assert numbers[-len(mine) :] == list(range(numbers[-1] - len(mine) + 1, numbers[-1] + 1))


def test_owners_see_their_own_events_and_nobody_reaches_a_partition(database: Database) -> None:
    project = fill(database)
    convert(database)
    owner = database.fetch_one("select owner_clerk_id from projects where id = %s", [project])
    assert owner is not None
    count = "select count(*)::int as n from agent_job_events"
    for claims, expected in ((owner["owner_clerk_id"], True), ("a-stranger", False)):
        with database.transaction() as conn:
            conn.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": claims})])
            conn.execute("set local role authenticated")
            row = conn.execute(count).fetchone()  # type: ignore[arg-type]
            assert row is not None
            assert bool(row["n"]) is expected
    for role in ("authenticated", "anon", "service_role"):
        for partition in partitions(database):
            look = f"set local role {role}; select from {SCHEMA}.{partition.name}"
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                database.execute(look)  # type: ignore[arg-type]


def test_nothing_is_lost_that_is_written_meanwhile(database: Database) -> None:
    project = fill(database)
    enqueue(database, project, "new")
    claim = claim_next(database)
    over, failures, written = threading.Event(), [], 0

    def write() -> None:
        nonlocal written
        while not over.is_set():
            try:
                append(claim)
                written += 1
            except (psycopg.Error, StudioError) as exc:
                failures.append(exc)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        convert(database, lock_seconds=0.5)
    finally:
        over.set()
        writer.join()
    assert failures == []
    assert written > 0
    after = database.fetch_all("select seq from agent_job_events where job_id = %s order by seq", [claim.job_id])
    assert [row["seq"] for row in after] == list(range(after[0]["seq"], after[0]["seq"] + len(after)))


def test_a_conversion_that_broke_off_is_begun_again(database: Database) -> None:
    fill(database)
    with psycopg.connect(database.url) as reader:
        reader.execute("select from agent_job_events limit 1")
        with pytest.raises(Exception, match="was in use"):
            convert(database, patience_seconds=0.2, lock_seconds=0.1)
    assert not event_partitions.is_partitioned(database)
    convert(database)
    assert event_partitions.is_partitioned(database)


def test_what_is_made_of_the_table_keeps_it_from_being_converted(database: Database) -> None:
    fill(database)
    database.execute("create view public.recent_events as select * from agent_job_events")
    with pytest.raises(psycopg.errors.RaiseException, match="recent_events"):
        convert(database)
    assert not event_partitions.is_partitioned(database)


def test_old_events_go_by_batches_and_old_partitions_as_a_whole(database: Database) -> None:
    project = fill(database)
    convert(database)
    pruned = database.fetch_one("select prune_agent_job_deltas(interval '1 day', 100) as n")
    assert pruned == {"n": 100}
    database.execute("update agent_jobs set completed_at = now() - interval '80 days'")
    pruned = database.fetch_one("select * from prune_agent_job_events(interval '60 days', 1000)")
    assert pruned == {"jobs": 0, "events": 1000}

    # As it is when the old table's month is long over: the partition is renamed in time, not the clock.
    assert event_partitions.drop_older(database, timedelta(days=30)) == []
    old = partitions(database)[0]
    with database.connection() as conn:
        name = f"{SCHEMA}.{old.name}"
        conn.execute(f"alter table agent_job_events detach partition {name}")  # type: ignore[arg-type]
        conn.execute(f"delete from {name} where created_at > now() - interval '50 days'")  # type: ignore[arg-type]
        conn.execute(
            f"alter table agent_job_events attach partition {name} for values from (minvalue)"  # type: ignore[arg-type]
            f" to ('{(conn.execute('select now() as n').fetchone() or {})['n'] - timedelta(days=45):%Y-%m-%d}')"
        )
    database.execute("update agent_jobs set status = 'running', locked_at = now() where project_id = %s", [project])
    assert event_partitions.drop_older(database, timedelta(days=30)) == []
    # A job that has ended keeps all of its events for as long as they are kept, however long ago it began.
    database.execute(
        "update agent_jobs set status = 'completed', created_at = now() - interval '80 days', completed_at = now()"
    )
    assert event_partitions.drop_older(database, timedelta(days=30)) == []
    database.execute("update agent_jobs set completed_at = now() - interval '31 days'")
    assert event_partitions.drop_older(database, timedelta(days=30)) == [old.name]
    # The job's last words came later, and are there.
    left = database.fetch_all("select type, message from agent_job_events where project_id = %s", [project])
    assert {row["type"] for row in left} == {"status"}


def test_partitions_of_the_coming_months_are_made_and_a_project_takes_its_events_along(database: Database) -> None:
    project = fill(database)
    convert(database)
    there = [partition.name for partition in partitions(database)]
    database.execute(f"drop table {SCHEMA}.{there[-2]}")  # type: ignore[arg-type]
    event_partitions.prepare_ahead(database)
    assert [partition.name for partition in partitions(database)] == there
    database.execute("delete from projects where id = %s", [project])
    assert database.fetch_all("select 1 from agent_job_events where project_id = %s", [project]) == []


def test_a_month_is_made_although_some_of_its_events_have_come_too_early(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = fill(database)
    convert(database)
    # A clock that is far ahead; and the upkeep was away until the months that there were had passed.
    for moment in ("110 days", "140 days", "10 years"):
        database.execute(
            "insert into agent_job_events (project_id, job_id, type, message, created_at) select project_id, id, 'log',"
            " 'early', now() + %s::interval from agent_jobs",
            [moment],
        )
    before = database.fetch_all("select * from agent_job_events where project_id = %s order by seq", [project])
    monkeypatch.setattr(event_partitions, "MONTHS_AHEAD", 6)
    event_partitions.prepare_ahead(database)
    made = partitions(database)
    assert len(made) >= 1 + 6 + 1
    assert database.fetch_all("select * from agent_job_events where project_id = %s order by seq", [project]) == before
    left = database.fetch_all(f"select message from {SCHEMA}.{made[-1].name}")  # type: ignore[arg-type]
    assert left == [{"message": "early"}]


def test_who_does_not_own_the_schema_tends_its_partitions_as_who_does(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database)
    with a_role_of_its_own(database) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("GREENLIGHT_MIGRATE_URL", database.url)
        get_settings.cache_clear()
        assert "beyond" in CliRunner().invoke(app, ["partitions", "--convert"]).output
        there = [partition.name for partition in partitions(database)]
        database.execute(f"drop table {SCHEMA}.{there[-2]}")  # type: ignore[arg-type]
        with Database(url, pool_size=1) as worker:
            with pytest.raises(StudioError, match="may not"):
                tend_partitions(worker, get_settings().model_copy(update={"migrate_url": None}))
            tend_partitions(worker, get_settings())
    get_settings.cache_clear()
    assert [partition.name for partition in partitions(database)] == there


def test_the_command_converts_and_shows_and_the_upkeep_keeps_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database)
    monkeypatch.setenv("DATABASE_URL", database.url)
    greenlight = CliRunner()
    assert "not partitioned" in greenlight.invoke(app, ["partitions"]).output
    assert "beyond" in greenlight.invoke(app, ["partitions", "--convert"]).output
    assert json.loads(greenlight.invoke(app, ["partitions", "--json"]).output)[-1]["name"] == "beyond"

    database.execute("update agent_jobs set completed_at = now() - interval '80 days'")
    monkeypatch.setenv("GREENLIGHT_EVENT_RETENTION_DAYS", "60")
    get_settings.cache_clear()
    assert tend_partitions(database, get_settings()) == {"dropped_partitions": 0}
    assert prune_events(database, get_settings()) == {"deleted_events": ROWS + 3, "jobs_without_events": 1}
    assert prune_events(database, get_settings()) == {"deleted_events": 0, "jobs_without_events": 0}
