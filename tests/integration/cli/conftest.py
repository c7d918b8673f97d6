"""One migrated database per module, the command line on it, and a project with its jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from greenlight_dagster.cli import main, output
from studio import lanes, projects, queue
from studio.database.connection import Database
from studio.settings import Settings, get_settings
from tests.support.cli import IDEA, Greenlight, Ran
from tests.support.model import model_settings, open_model
from tests.support.phase0 import Studio, run_steps, write_corpus
from tests.support.postgres import TestServer
from tests.support.sandbox import SandboxThread


@pytest.fixture(scope="module")
def url(postgres: TestServer, database_template: str) -> Iterator[str]:
    """One database for the module: each test has projects of its own in it."""
    with postgres.temporary(database_template) as name:
        yield postgres.url(name)


@pytest.fixture(scope="module")
def db(url: str) -> Iterator[Database]:
    with Database(url) as db:
        lanes.prepare_database(db, Settings())
        yield db


@pytest.fixture(autouse=True)
def environment(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The database of the module, and a data folder on which no stack runs."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("GREENLIGHT_DATA_DIR", str(tmp_path / "data"))
    # Wide enough that no table folds what a test looks for; narrow terminals have a test of their own.
    monkeypatch.setattr(output.out, "_width", 300)
    monkeypatch.setattr(output.err, "_width", 300)


@pytest.fixture
def greenlight(db: Database, capsys: pytest.CaptureFixture[str]) -> Greenlight:
    """Runs a command in this process."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        get_settings.cache_clear()
        code = main.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def project(db: Database) -> UUID:
    with db.transaction() as conn:
        return projects.create(conn, Settings(), owner_clerk_id="local-owner", idea=IDEA)


@pytest.fixture
def job(db: Database, project: UUID) -> UUID:
    """A queued Phase 0 job."""
    with db.transaction() as conn:
        return queue.enqueue(
            conn, queue.NewJob("phase0.generate_packet", project, {"ownerClerkId": "local-owner"})
        ).job_id


@pytest.fixture(scope="module")
def finished(db: Database, tmp_path_factory: pytest.TempPathFactory) -> tuple[UUID, UUID]:
    """A project whose Phase 0 has really run, and its job."""
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"))
    with SandboxThread(corpus=corpus) as sandbox, open_model(sandbox.url, db) as model:
        studio = Studio(db, model_settings(sandbox.url), model)
        project_id = studio.project()
        claim = studio.launched(project_id)
        run_steps(studio.phase0(claim))
        claim.complete()
    return project_id, claim.job_id
