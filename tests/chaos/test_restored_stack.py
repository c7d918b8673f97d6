"""A stack whose studio database was set back behind Dagster's: its jobs run again, which Dagster has run already.

Part of `make chaos`: what the real daemon does with run keys that it has seen cannot be tested without one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from studio import projects, queue
from studio.database.connection import Database
from studio.database.embedded import SUPERUSER, EmbeddedPostgres
from studio.lanes import prepare_database
from studio.queue import NewJob
from studio.settings import Settings
from tests.support.backup import backed_up, moment_of, script
from tests.support.cli import process
from tests.support.dagster import JOB_TYPE, OWNER, STEPS, steps, wait_for
from tests.support.queue import seqs, statuses
from tests.support.size import FULL, SECONDS
from tests.support.stack import UpStack

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(not FULL, reason="part of `make chaos`: a whole stack, twice"),
    pytest.mark.timeout(SECONDS),
]

PATIENCE = 240.0
JOBS = 3


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="gl-set-back-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    running = EmbeddedPostgres(folder)
    running.start()
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def begin(db: Database, name: str) -> UUID:
    with db.transaction() as conn:
        idea = f"{name} is a tool library: neighbours lend each other drills, ladders and sewing machines."
        project = projects.create(conn, Settings(), owner_clerk_id=OWNER, idea=idea, name=name, email="a@example.org")
        return queue.enqueue(conn, NewJob(JOB_TYPE, project, {"ownerClerkId": OWNER})).job_id


def test_jobs_run_again_that_dagster_has_run_before(server: EmbeddedPostgres, tmp_path: Path) -> None:
    server.ensure_database("greenlight")
    server.ensure_database("dagster", synchronous_commit=False)
    url, dagster = server.url("greenlight"), server.sqlalchemy_url("dagster")
    settings = {
        "DATABASE_URL": url,
        "GREENLIGHT_DAGSTER_DATABASE_URL": dagster,
        "GREENLIGHT_RETRY_SECONDS": "1",
    }
    with Database(url) as db:
        prepare_database(db, Settings())
        jobs = [begin(db, f"Setback{number}") for number in range(JOBS)]
        backup = backed_up(tmp_path / "backups", DATABASE_URL=url)
        with UpStack(settings):
            for job_id in jobs:
                wait_for(db, job_id, "completed", "failed", timeout=PATIENCE)
        assert 1 in {queue.get(db, job_id).claim_no for job_id in jobs}
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as conn:
        conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier("greenlight")))
    done = script("restore.sh", backup, DATABASE_URL=url)
    assert done.returncode == 0, done.stderr

    with pytest.raises(RuntimeError, match="after-restore"), UpStack(settings):
        pass
    # Dagster's database is as new as ever: it has run each of these jobs under its first claim.
    said = process(
        *("db", "after-restore", "--to", moment_of(backup), "--json"),
        DATABASE_URL=url,
        GREENLIGHT_DAGSTER_DATABASE_URL=dagster,
    ).json
    assert said["claim_floor"] > 1_000_000_000
    with Database(url) as db:
        assert {queue.get(db, job_id).status for job_id in jobs} == {"queued"}
        with UpStack(settings):
            for job_id in jobs:
                wait_for(db, job_id, "completed", "failed", timeout=PATIENCE)
        for job_id in jobs:
            job = queue.get(db, job_id)
            assert (job.status, job.attempts) == ("completed", 1)
            assert job.claim_no >= said["claim_floor"]
            assert statuses(db, job_id).count("completed") == 1
            assert set(steps(db, job_id)) == set(STEPS)
            found = seqs(db, job.project_id)
            assert found == list(range(1, len(found) + 1))
