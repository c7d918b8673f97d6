"""Dagster for tests: an instance on the test server, and real runs against it.

The fixtures are in `tests.support.dagster_fixtures`, which a module names in `pytest_plugins`. Runs are
processes of their own, forked from `tests.support.forks`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from dagster import DagsterInstance, DagsterRun

from resources import database as database_resource
from resources import model as model_resource
from studio import projects, queue
from studio.database.connection import Database
from studio.paths import ROOT
from studio.queue import NewJob
from studio.settings import Settings, get_settings
from tests.support.forks import Command, Forks
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

JOB_NAME = "phase0_generate_packet"
JOB_TYPE = "phase0.generate_packet"
OWNER = "anna"
IDEA = "A tool library for city blocks: neighbours lend each other drills, ladders and sewing machines."
STEPS = (
    "load_context",
    "measure_presence",
    "research",
    "synthesize",
    "save_packet",
    "deck",
    "open_gate",
    "remember",
    "announce",
)
# The titles of the sandbox's request record, by which a fault finds its call, too.
SYNTHESIS = "Phase0Synthesis"
MARKET = "MarketFindings"
COMPETITORS = "CompetitorFindings"

# What Dagster warns itself of, for the `pytestmark` of modules that let it work in the tests' process: that it
# uses what pydantic and Dagster call deprecated, and what Dagster calls beta.
DAGSTER_WARNINGS = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]

with warnings.catch_warnings():
    # A mark does not reach the import.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="dagster")
    from greenlight_dagster.definitions import defs as defs


class DagsterHome:
    """A DAGSTER_HOME with the project's own `dagster.yaml`, and what a process needs to work on it."""

    def __init__(self, folder: Path, database_url: str, dagster_url: str, model_url: str, forks: Forks) -> None:
        self.folder = folder
        self.variables = {
            "DATABASE_URL": database_url,
            "GREENLIGHT_DAGSTER_DATABASE_URL": dagster_url,
            "DAGSTER_HOME": str(folder),
            "ANTHROPIC_BASE_URL": model_url,
            "ANTHROPIC_API_KEY": "sandbox",
            "CLAUDE_DIRECT_MODEL": "sandbox",
            "GREENLIGHT_MODEL_RETRIES": "0",
            "GREENLIGHT_RETRY_SECONDS": "0",
            "GREENLIGHT_RUN_OWNS_PROCESS": "true",
            "GREENLIGHT_DATA_DIR": str(folder / "data"),
        }
        self._forks = forks
        self._names = itertools.count(1)
        folder.mkdir()
        shutil.copy(ROOT / "dagster.yaml", folder)
        # Capturing output starts four more processes a run.
        self.configure(
            compute_logs={"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
        )

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment of a process on this home; `settings` come last."""
        return {**os.environ, **self.variables, **settings}

    def configure(self, **sections: Any) -> None:
        """Change sections of this home's `dagster.yaml`."""
        file = self.folder / "dagster.yaml"
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **sections}))

    def dagster(self, *arguments: str, **settings: str) -> Command:
        """Run a `dagster` command in a process of its own."""
        log = self.folder / f"command-{next(self._names)}.log"
        return self._forks.dagster(*arguments, environment=self.environment(**settings), log=log)

    def execute(self, config: Mapping[str, Any], **settings: str) -> Command:
        """Run `dagster job execute` with `config` as its configuration file."""
        return self.dagster(*self.execute_arguments(config), **settings)

    def execute_arguments(self, config: Mapping[str, Any]) -> list[str]:
        """Return the arguments of `dagster` that execute the job with `config`."""
        file = self.folder / f"config-{next(self._names)}.yaml"
        file.write_text(yaml.safe_dump(json.loads(json.dumps(config, default=str))))
        return ["job", "execute", "-m", "greenlight_dagster.definitions", "-j", JOB_NAME, "-c", str(file)]


@contextlib.contextmanager
def in_this_process(home: DagsterHome, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let settings and resources of this process be those of `home`."""
    for name, value in home.variables.items():
        monkeypatch.setenv(name, value)
    # A run that shares the process with the tests must not interrupt it.
    monkeypatch.setenv("GREENLIGHT_RUN_OWNS_PROCESS", "false")
    forget_process()
    yield
    forget_process()


def forget_process() -> None:
    """Let the settings and resources of this process be made anew when somebody asks for them."""
    if model_resource._model.cache_info().currsize:
        # Its kept connections would be complained of whenever the collector comes by, in whatever test that is.
        model_resource._model(os.getpid(), database_resource.StudioDatabase()).close()
    if database_resource._listener.cache_info().currsize:
        database_resource.StudioDatabase().listener().close()
    if database_resource._database.cache_info().currsize:
        database_resource.StudioDatabase().get().close()
    database_resource._listener.cache_clear()
    database_resource._database.cache_clear()
    model_resource._model.cache_clear()
    get_settings.cache_clear()


def make_project(db: Database, idea: str = IDEA, email: str | None = "anna@example.org", **options: Any) -> UUID:
    """Create a project with a budget, as the command line does. Its owner is told by mail, where he has an address."""
    with db.transaction() as conn:
        return projects.create(conn, Settings(), owner_clerk_id=OWNER, idea=idea, email=email, **options)


def enqueue(db: Database, project_id: UUID, **options: Any) -> UUID:
    """Put the project's Phase 0 into the queue."""
    with db.transaction() as conn:
        return queue.enqueue(conn, NewJob(JOB_TYPE, project_id, {"ownerClerkId": OWNER}, **options)).job_id


def run_of(instance: DagsterInstance, db: Database, job_id: UUID) -> DagsterRun:
    """Return the Dagster run that has, or last had, the job."""
    run_id = queue.get(db, job_id).dagster_run_id
    assert run_id is not None, f"job {job_id} has no run"
    run = instance.get_run_by_id(run_id)
    assert run is not None, f"run {run_id} is gone"
    return run


def wait_for(db: Database, job_id: UUID, *statuses: str, timeout: float = 30.0) -> queue.Job:
    """Wait until the job has one of `statuses`, and return it."""

    def reached() -> queue.Job | None:
        job = queue.get(db, job_id)
        assert job.status in statuses, f"the job is {job.status}: {job.last_error}"
        return job

    return eventually(reached, timeout, f"job {job_id} being {' or '.join(statuses)}")


def wait_for_call(model: SandboxThread, title: str, count: int = 1) -> None:
    """Wait until `count` requests for a schema of this title have arrived at the model."""
    eventually(lambda: len(model.requests(title=title)) >= count, what=f"{count} calls for {title}")


def steps(db: Database, job_id: UUID) -> dict[str, int]:
    """Return the finished steps of a job, without their parts, and the claim each was finished under."""
    rows = db.fetch_all(
        "select step, claim_no from public.agent_job_steps where job_id = %s and step not like '%%/%%'", [job_id]
    )
    return {row["step"]: row["claim_no"] for row in rows}


def events(db: Database, job_id: UUID, *types: str) -> list[dict[str, Any]]:
    """Return the job's events in order, only those of `types` where given."""
    return db.fetch_all(
        "select * from public.agent_job_events where job_id = %s and (%s = 0 or type = any (%s)) order by seq",
        [job_id, len(types), list(types)],
    )


def versions(db: Database, project_id: UUID) -> list[dict[str, Any]]:
    """Return the versions of the project's Phase 0 packet, the oldest first."""
    return db.fetch_all(
        "select * from public.phase_packet_versions where project_id = %s and phase = 0 order by version", [project_id]
    )
