"""The run-scoped resource that holds the job: it claims before the first op and ends the job after the last.

A resource does the claiming, so that a re-execution from failure, which skips ops, cannot skip it. What a
run may find:

- its tags name a job and a claim that pickup made → it takes that claim up; where the claim is no longer
  current (a duplicate launch, a late one), the run does nothing and ends quietly;
- it re-executes another run → it claims the job afresh, unless somebody holds a live lease;
- its configuration names a job, or a project and a payload → it claims that job, or inserts and claims it
  in one transaction.
"""

import contextlib
import logging
from collections.abc import Generator
from datetime import timedelta
from typing import Any
from uuid import UUID

import dagster as dg
from dagster import DagsterInstance, DagsterRun
from pydantic import Field

from resources import job_trace, run_tags
from resources.database import StudioDatabase
from resources.job_session import JobSession
from studio import claims
from studio.claims import Claim
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput, LeaseLost, StudioError
from studio.job_types import JOB_TYPES, JobType
from studio.queue import NewJob
from studio.settings import Settings, get_settings

log = logging.getLogger(__name__)


class AgentJobResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Claims the run's job, keeps its lease, and ends it with the run."""

    database: dg.ResourceDependency[StudioDatabase]
    job_id: str | None = Field(default=None, description="The job to run.")
    project_id: str | None = Field(default=None, description="The project of a new job.")
    payload: dict[str, Any] | None = Field(default=None, description="The payload of a new job.")

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[JobSession, None, None]:
        """Yield the session of the run's job."""
        run, instance = context.run, context.instance
        if run is None or instance is None:
            raise InvalidInput("An agent job runs inside a Dagster run.", "Launch it from the queue or the UI.")
        session = self._session(run, instance)
        with contextlib.ExitStack() as traced:
            if session.active:
                traced.enter_context(job_trace.collecting(session.settings, self.database.get()))
            session.open()
            try:
                yield session
            finally:
                session.close()

    def _session(self, run: DagsterRun, instance: DagsterInstance) -> JobSession:
        settings = get_settings()
        kind = next(kind for kind in JOB_TYPES.values() if kind.dagster_job == run.job_name)
        claim: Claim | None = None
        refusal: StudioError | None = None
        if run_tags.is_of_pickup(run) or not _is_over(run, instance):
            try:
                claim = self._claim(run, instance, kind, self.database.get(), settings)
            except LeaseLost as exc:
                log.info("Run %s has nothing to do: %s", run.run_id, exc)
            except StudioError as exc:
                refusal = exc
        return JobSession(run=run, instance=instance, settings=settings, kind=kind, claim=claim, refusal=refusal)

    def _claim(
        self, run: DagsterRun, instance: DagsterInstance, kind: JobType, db: Database, settings: Settings
    ) -> Claim:
        _require_last_op(run)
        lease = timedelta(seconds=settings.lease_seconds)
        tagged = run.tags.get(run_tags.JOB_ID)
        if run_tags.is_of_pickup(run):
            return claims.start(db, UUID(tagged), int(run.tags[run_tags.CLAIM_NO]), run.run_id, lease)
        if tagged and run.parent_run_id is not None:
            claim = self._claim_again(run, UUID(tagged), db, lease)
        elif self.job_id:
            claim = self._claim_existing(run, kind, _uuid(self.job_id, "job_id"), db, lease)
        elif self.project_id:
            new = NewJob(kind.name, _uuid(self.project_id, "project_id"), self.payload or {})
            claim = claims.enqueue_and_claim(db, new, _worker(run), run.run_id, lease)
        elif tagged:
            # An earlier run was opened in the launchpad: its tags came along, its configuration was empty.
            claim = self._claim_existing(run, kind, UUID(tagged), db, lease)
        else:
            raise InvalidInput("The run's configuration names no job.", "Give job_id, or project_id and payload.")
        instance.add_run_tags(run.run_id, run_tags.tags_of(claim.job))
        return claim

    def _claim_again(self, run: DagsterRun, job_id: UUID, db: Database, lease: timedelta) -> Claim:
        """Claim the job of a re-execution; what is to be executed again is forgotten in the same transaction."""
        with db.transaction() as conn:
            claim = claims.claim_by_id(conn, db, job_id, _worker(run), run.run_id, lease)
            if run.tags.get(run_tags.RESUME_RETRY) != "true":
                claim.forget_steps(conn, run.step_keys_to_execute)
        return claim

    def _claim_existing(self, run: DagsterRun, kind: JobType, job_id: UUID, db: Database, lease: timedelta) -> Claim:
        with db.transaction() as conn:
            claim = claims.claim_by_id(conn, db, job_id, _worker(run), run.run_id, lease, unless_completed=True)
            if claim.job.job_type != kind.name:
                raise Conflict(
                    f"Job {claim.job_id} is of type {claim.job.job_type}, not {kind.name}.",
                    "Use the Dagster job of its type.",
                )
        return claim


def _is_over(run: DagsterRun, instance: DagsterInstance) -> bool:
    """Whether the run has ended: `dagster job execute` sets resources up once more then."""
    stored = instance.get_run_by_id(run.run_id)
    return stored is not None and stored.is_finished


def _require_last_op(run: DagsterRun) -> None:
    """Refuse a run that leaves out the op with which the job ends: it could only break off a job that stands."""
    last = run.tags.get(run_tags.LAST_OP)
    selected = run.step_keys_to_execute or run.resolved_op_selection
    if last is not None and selected is not None and last not in selected:
        raise InvalidInput(
            f"The run leaves out {last}, with which the job ends.",
            "Select an op and all that follow it, for instance save_packet*.",
        )


def _worker(run: DagsterRun) -> str:
    return f"run:{run.run_id}"


def _uuid(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise InvalidInput(f"{what} {text!r} is not a UUID.", "Copy it from `greenlight jobs list`.") from exc
