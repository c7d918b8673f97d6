"""A whole stack behind PgBouncer: jobs, chats and streams work as without it, also while pooler and server fall.

Part of `make chaos`; what a pooler does to a connection is tested in `make test`. Once with a direct connection for
LISTEN, and once by polling alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from studio import projects, queue
from studio.chat import messages
from studio.database.connection import Database
from studio.database.embedded import EmbeddedPostgres
from studio.queue import NewJob
from studio.settings import Settings
from tests.support.dagster import DAGSTER_WARNINGS, JOB_TYPE, OWNER, STEPS, steps, wait_for
from tests.support.pgbouncer import Pooler, needs_pgbouncer, pooler
from tests.support.queue import seqs, statuses
from tests.support.size import FULL, SECONDS
from tests.support.stack import UpStack
from tests.support.waiting import eventually

pytestmark = [
    *DAGSTER_WARNINGS,
    needs_pgbouncer,
    pytest.mark.chaos,
    pytest.mark.skipif(not FULL, reason="part of `make chaos`: two whole stacks"),
    pytest.mark.timeout(SECONDS),
]

PATIENCE = 240.0
PROJECTS = 6
# A stack has some dozens of connections; so many of them are at work at a time.
SESSIONS = 8


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="gl-pooled-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    running = EmbeddedPostgres(folder)
    running.start()
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=["listening", "polling"])
def placed(request: pytest.FixtureRequest, server: EmbeddedPostgres) -> Iterator[tuple[Pooler, UpStack, str]]:
    studio, dagster = f"studio_{request.param}", f"dagster_{request.param}"
    server.ensure_database(studio)
    server.ensure_database(dagster, synchronous_commit=False)
    with pooler(server, studio, dagster, pool_size=SESSIONS) as pgbouncer:
        settings = {
            "DATABASE_URL": pgbouncer.url(studio),
            "GREENLIGHT_DAGSTER_DATABASE_URL": pgbouncer.sqlalchemy_url(dagster),
            "GREENLIGHT_DB_POOLED": "true",
            "GREENLIGHT_LEASE_SECONDS": "20",
            "GREENLIGHT_LEASE_RENEW_SECONDS": "2",
            "GREENLIGHT_RETRY_SECONDS": "1",
            "WORKER_HEAVY_CONCURRENCY": "4",
        }
        if request.param == "listening":
            settings["GREENLIGHT_LISTEN_URL"] = pgbouncer.direct_url(studio)
        with UpStack(settings) as stack:
            yield pgbouncer, stack, studio


@pytest.fixture
def db(placed: tuple[Pooler, UpStack, str], server: EmbeddedPostgres) -> Iterator[Database]:
    """The database past the pooler: the test itself only looks."""
    with Database(server.url(placed[2]), pool_size=2) as opened:
        yield opened


def begin(db: Database, name: str) -> tuple[UUID, UUID]:
    with db.transaction() as conn:
        idea = f"{name} is a tool library: neighbours lend each other drills, ladders and sewing machines."
        project = projects.create(conn, Settings(), owner_clerk_id=OWNER, idea=idea, name=name, email="a@example.org")
        new = NewJob(JOB_TYPE, project, {"ownerClerkId": OWNER}, max_attempts=8)
        return project, queue.enqueue(conn, new).job_id


def assert_done_once(db: Database, project: UUID, job_id: UUID) -> None:
    said = statuses(db, job_id)
    assert said.count("completed") == 1
    assert said[-1] == "completed"
    assert set(steps(db, job_id)) == set(STEPS)
    found = seqs(db, project)
    assert found == list(range(1, len(found) + 1))


def test_a_job_and_a_chat_come_to_their_end(
    placed: tuple[Pooler, UpStack, str], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pgbouncer, stack, studio = placed
    for name in ("GREENLIGHT_DAGSTER_DATABASE_URL", "GREENLIGHT_DB_POOLED"):
        monkeypatch.setenv(name, stack.variables[name])
    project, job_id = begin(db, "First")
    wait_for(db, job_id, "completed", "failed", timeout=PATIENCE)
    assert_done_once(db, project, job_id)
    with db.transaction() as conn:
        asked = messages.post(conn, project, OWNER, "What should we find out first?")
    wait_for(db, asked.job.job_id, "completed", "failed", timeout=PATIENCE)
    assert messages.answer_to(db, project, asked.message_id) is not None
    with stack.instance() as instance:
        [run] = instance.get_runs(RunsFilter(tags={"greenlight/job_id": str(job_id)}))
        eventually(lambda: _is_over(instance, run.run_id), PATIENCE, "the end of the run")
        assert instance.get_run_by_id(run.run_id).status is DagsterRunStatus.SUCCESS
    [pool] = [pool for pool in pgbouncer.console("show databases") if pool["name"] == studio]
    assert 0 < int(str(pool["current_connections"])) <= SESSIONS


def test_jobs_survive_the_fall_of_pooler_and_server(
    placed: tuple[Pooler, UpStack, str], db: Database, server: EmbeddedPostgres
) -> None:
    pgbouncer, _, _ = placed
    begun = [begin(db, f"Storm{number}") for number in range(PROJECTS)]
    eventually(lambda: any(queue.get(db, job_id).status == "running" for _, job_id in begun), PATIENCE, "a run")
    for blow in (pgbouncer.stop, server.restart, pgbouncer.stop):
        blow()
        if pgbouncer.process is None:
            pgbouncer.start()
        time.sleep(2)
    for project, job_id in begun:
        wait_for(db, job_id, "completed", "failed", "canceled", timeout=PATIENCE)
        assert queue.get(db, job_id).last_error is None
        assert_done_once(db, project, job_id)


def _is_over(instance: DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is not None and run.is_finished
