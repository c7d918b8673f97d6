"""No tenant takes what all share: not by many jobs, not by many projects, not by many clients at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from greenlight_dagster.cli.tenant_limits import limits as command
from studio import fan_out, queue, tenants, worker_health
from studio.database.connection import Database
from studio.database.errors import translated
from studio.errors import LimitReached
from studio.job_types import SYSTEM_PROJECT_ID
from studio.operations import health, metrics
from studio.queue import NewJob
from studio.settings import Settings, get_settings
from tests.support.queue import claim, enqueue, insert_foreign, make_project, set_lane


def allow(database: Database, queued: int = 0, stored: int = 0) -> None:
    figures = {"GREENLIGHT_PROJECT_QUEUE_LIMIT": queued, "GREENLIGHT_PROJECT_STORAGE_BYTES": stored}
    with database.transaction() as conn:
        tenants.write_limits(conn, Settings.model_validate(figures))


def owner_limit(database: Database, limit: int | None, lane: str = "standard") -> None:
    database.execute("update agent_job_lanes set owner_limit = %s where lane = %s", [limit, lane])


def queued(database: Database, project: UUID) -> int:
    row = database.fetch_one(
        "select count(*) as n from agent_jobs where project_id = %s and status = 'queued'", [project]
    )
    return row["n"] if row else 0


# --- places in the queue


def test_a_project_with_its_queue_full_is_told_which_limit_and_what_to_do(database: Database) -> None:
    allow(database, queued=3)
    project, other = make_project(database), make_project(database)
    for _ in range(3):
        enqueue(database, project)
    for attempt in (enqueue, lambda db, to: insert_foreign(db, to, "test.work")):
        with (
            pytest.raises(LimitReached, match=rf"{project} has 3 jobs in the queue, as many.*greenlight limits"),
            translated(),
        ):
            attempt(database, project)
    assert queued(database, project) == 3
    enqueue(database, other)
    # What runs or is done takes no place.
    assert len(claim(database, limit=1)) == 1
    enqueue(database, project)


def test_a_batch_that_does_not_fit_is_refused_as_a_whole(database: Database) -> None:
    allow(database, queued=3)
    project = make_project(database)
    jobs = [NewJob("nightshift.cycle_project", project, {"day": f"2026-01-0{day}"}) for day in range(1, 5)]

    def one_by_one() -> None:
        with database.transaction() as conn:
            for job in jobs:
                queue.enqueue(conn, job)

    def together() -> None:
        with database.transaction() as conn:
            queue.enqueue_many(conn, jobs)

    for attempt in (one_by_one, together):
        with pytest.raises(LimitReached, match="has 3 jobs"):
            attempt()
        assert queued(database, project) == 0


def test_what_is_there_already_needs_no_place(database: Database) -> None:
    allow(database, queued=1)
    project = make_project(database)
    job = enqueue(database, project, "same")
    assert enqueue(database, project, "same") == job
    # And a job that is tried again has its place whatever there is besides.
    claim(database, limit=1)
    enqueue(database, project, "next")
    database.execute("select release_agent_job(%s, 1)", [job])
    assert queued(database, project) == 2


def test_the_limit_holds_for_clients_that_come_at_once(database: Database) -> None:
    allow(database, queued=5)
    project = make_project(database)

    def come(_: int) -> bool:
        try:
            database.execute(
                "insert into agent_jobs (project_id, job_type, agent_key, idempotency_key)"
                " values (%s, 'test.work', 'ceo', gen_random_uuid()::text)",
                [project],
            )
        except psycopg.Error:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(come, range(40))) == 5
    assert queued(database, project) == 5


def test_the_studios_own_jobs_and_the_night_are_not_refused(database: Database) -> None:
    allow(database, queued=1)
    for _ in range(3):
        enqueue(database, SYSTEM_PROJECT_ID)
    full = make_project(database, night_shift=True)
    enqueue(database, full)
    row = database.fetch_one("select now() + interval '1 day' as night")
    assert row is not None
    assert fan_out.night_shift(database, row["night"]).queued == 1
    assert queued(database, full) == 2


def test_the_settings_figures_are_what_the_database_asks(database: Database) -> None:
    allow(database, queued=7)
    assert (tenants.limits(database).queued_per_project, tenants.limits(database).bytes_per_project) == (7, None)


# --- jobs at once


def test_many_projects_are_no_way_around_the_limit_per_owner(database: Database) -> None:
    set_lane(database, "standard", slots=10, project_limit=2)
    owner_limit(database, 3)
    greedy = [make_project(database, owner_clerk_id="greedy") for _ in range(4)]
    modest = make_project(database, owner_clerk_id="modest")
    first = [enqueue(database, project) for project in greedy for _ in range(3)]
    theirs = enqueue(database, modest)
    got = claim(database, limit=10)
    assert len([job for job in got if job in first]) == 3
    assert theirs in got
    assert claim(database, limit=10) == []
    # A place of his is free again: one more of his may run.
    done = next(job for job in got if job in first)
    database.execute("select complete_agent_job(%s, 'completed', null, 1)", [done])
    assert len(claim(database, limit=10)) == 1


def test_a_backlog_of_an_owner_at_his_limit_keeps_nobody_waiting(database: Database) -> None:
    set_lane(database, "standard", slots=50, project_limit=2)
    owner_limit(database, 1)
    for _ in range(25):
        project = make_project(database, owner_clerk_id="greedy")
        with database.transaction() as conn:
            conn.execute(
                "insert into agent_jobs (project_id, job_type, agent_key, idempotency_key, priority)"
                " select %s, 'test.work', 'ceo', 'k' || n, 100 from generate_series(1, 40) n",
                [project],
            )
    theirs = enqueue(database, make_project(database, owner_clerk_id="modest"))
    got = claim(database, limit=10)
    assert len(got) == 2
    assert theirs in got


def test_the_limit_per_owner_holds_for_claimers_that_come_at_once(database: Database) -> None:
    set_lane(database, "standard", slots=30, project_limit=2)
    owner_limit(database, 4)
    for _ in range(10):
        project = make_project(database, owner_clerk_id="greedy")
        for _ in range(2):
            enqueue(database, project)
    with ThreadPoolExecutor(6) as pool:
        taken = [job for jobs in pool.map(lambda _: claim(database, limit=2), range(12)) for job in jobs]
    assert len(taken) == len(set(taken)) == 4


def test_what_the_studio_does_for_everybody_counts_for_no_owner(database: Database) -> None:
    set_lane(database, "standard", slots=10, project_limit=5)
    owner_limit(database, 1)
    jobs = [enqueue(database, SYSTEM_PROJECT_ID) for _ in range(3)]
    assert sorted(claim(database, limit=10)) == sorted(jobs)


def test_a_job_that_its_owners_limit_holds_back_waits_for_no_worker(database: Database) -> None:
    set_lane(database, "standard", slots=10, project_limit=5)
    owner_limit(database, 1)
    projects = [make_project(database, owner_clerk_id="greedy") for _ in range(2)]
    for project in projects:
        enqueue(database, project)
    claim(database, limit=1)
    lane = next(lane for lane in worker_health.look(database).lanes if lane.lane == "standard")
    assert (lane.due, lane.takeable) == (1, 0)


# --- room in the storage


def add_file(database: Database, project: UUID, size: int, **columns: Any) -> None:
    values = {
        "project_id": project,
        "kind": "upload",
        "storage_path": str(uuid4()),
        "filename": "f",
        "size_bytes": size,
    }
    values |= {"status": "uploaded", **columns}
    database.execute(
        f"insert into project_assets ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})",  # type: ignore[arg-type]
        list(values.values()),
    )


def test_a_projects_files_take_no_more_room_than_they_may(database: Database) -> None:
    allow(database, stored=100)
    project, other = make_project(database), make_project(database)
    add_file(database, project, 60)
    add_file(database, project, 90, status="failed")
    with pytest.raises(LimitReached, match=rf"files of project {project} take 60 bytes; with 50 more"), translated():
        add_file(database, project, 50)
    add_file(database, project, 40)
    add_file(database, other, 100)

    def come(_: int) -> bool:
        try:
            add_file(database, third, 30)
        except psycopg.Error:
            return False
        return True

    third = make_project(database)
    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(come, range(12))) == 3


# --- who is at a limit


def test_operators_see_who_is_near_a_limit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    allow(database, queued=10, stored=100)
    owner_limit(database, 1)
    full = make_project(database, name="Full", owner_clerk_id="greedy")
    for _ in range(9):
        enqueue(database, full)
    half = make_project(database, name="Half")
    for _ in range(5):
        enqueue(database, half)
    add_file(database, half, 95)
    claim(database, limit=1)
    enqueue(database, full)
    found = {(one.limit, one.name): (one.taken, one.allowed) for one in tenants.at_limit(database)}
    assert found == {
        ("queued", "Full"): (9, 10),
        ("storage", "Half"): (95, 100),
        ("running", "greedy in the standard lane"): (1, 1),
    }
    seen = health.look(database, get_settings())
    assert "3 tenants near a limit: `greenlight limits` says which." in [problem.words for problem in seen.problems]
    text = metrics.exposition(metrics.registry(lambda: seen)).decode()
    assert 'greenlight_tenants_at_limit{limit="queued"} 1.0' in text

    monkeypatch.setenv("DATABASE_URL", database.url)
    get_settings.cache_clear()
    app = typer.Typer()
    app.command()(command)
    shown = CliRunner().invoke(app, ["--json"])
    assert {one["name"] for one in json.loads(shown.output)["at_limit"]} == {name for _, name in found}
    assert "Full" in CliRunner().invoke(app, []).output
