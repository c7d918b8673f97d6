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
import signal
import threading
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError
from datetime import timedelta
from typing import Any
from uuid import UUID

import dagster as dg
import psycopg
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from resources import job_trace, run_tags
from resources.database import StudioDatabase
from studio import claims
from studio.claims import Claim
from studio.database.connection import Connection, Database
from studio.database.patience import is_absence
from studio.errors import Conflict, InvalidInput, LeaseLost, StudioError
from studio.event_writer import EventWriter
from studio.job_types import JOB_TYPES, JobType, Payload, parse_payload
from studio.leases import Alarm, LeaseKeeper
from studio.queue import NewJob
from studio.settings import Settings, get_settings
from studio.tracing import names, span
from studio.tracing.context import TraceContext

log = logging.getLogger(__name__)

# Called with the project, the job and the error, in the transaction in which the job fails for good.
OnFailure = Callable[[Connection, UUID, UUID, str], None]


class JobSession:
    """The job as a run holds it. Without a claim (`claim is None`) its ops do nothing, or say why they may not."""

    def __init__(
        self,
        *,
        run: DagsterRun,
        instance: DagsterInstance,
        settings: Settings,
        kind: JobType,
        claim: Claim | None,
        refusal: StudioError | None = None,
    ) -> None:
        self.run = run
        self.settings = settings
        self.kind = kind
        self.refusal = refusal
        self.on_failure: OnFailure | None = None
        self._claim = claim
        self._instance = instance
        self._failure: BaseException | None = None
        self._finished = False
        self._alarm: Alarm | None = None
        self._writer: EventWriter | None = None
        self._keeper: LeaseKeeper | None = None
        self._trace: TraceContext | None = None
        self._said: str | None = None

    @property
    def active(self) -> bool:
        """Whether the run holds the job."""
        return self._claim is not None

    @property
    def claim(self) -> Claim:
        """The claim; only where `active`."""
        if self._claim is None:
            raise LeaseLost("This run holds no claim.", "It was superseded by another one.")
        return self._claim

    @property
    def writer(self) -> EventWriter:
        """The claim's event writer; only where `active`."""
        if self._writer is None:
            raise LeaseLost("This run holds no claim.", "It was superseded by another one.")
        return self._writer

    def raise_refusal(self) -> None:
        """Raise why the run may not have the job, where it may not."""
        if self.refusal is not None:
            raise dg.Failure(str(self.refusal), allow_retries=False)

    @property
    def payload(self) -> Payload:
        """The job's payload as its model."""
        return parse_payload(self.kind, self.claim.job.project_id, self.claim.job.payload)

    @property
    def _timeout_seconds(self) -> float:
        milliseconds = self.settings.worker_job_timeout_ms
        return milliseconds / 1000 if milliseconds else self.kind.timeout_seconds

    def open(self) -> None:
        """Begin to write events and to renew the lease."""
        if self._claim is None:
            return
        # Outside of everything that reports progress: the trace is of all that the run does.
        self._trace = job_trace.begin(self._claim, self.run, self.settings, of_pickup=_is_of_pickup(self.run))
        self._writer = EventWriter(self._claim, self.run.run_id, flush_seconds=self.settings.event_flush_ms / 1000)
        self._keeper = LeaseKeeper(
            self._claim,
            lease_seconds=self.settings.lease_seconds,
            renew_seconds=self.settings.lease_renew_seconds,
            timeout_seconds=self._timeout_seconds,
            on_alarm=self._raise_alarm,
            watchdog=self.settings.run_owns_process,
        )
        self._keeper.start()

    def step(self, name: str) -> span:
        """Return the span of an op."""
        return span(names.named(names.STEP, name), parent=self._trace.root if self._trace is not None else None)

    def fail(self, failure: BaseException) -> None:
        """Note why the run cannot finish the job; the job's transition follows when the run ends."""
        self._failure = self._failure or failure

    def finish(self) -> None:
        """Note that the job's last op has done its work."""
        self._finished = True

    def close(self) -> None:
        """End the job as the run ended: completed, failed, canceled, or back in the queue."""
        if self._claim is None:
            return
        if self._keeper is not None:
            self._keeper.stop()
        if self._writer is not None:
            self._writer.flush()
        status = "lost"
        unended: Exception | None = None
        try:
            status = self._transition(self._claim)
        except LeaseLost as exc:
            unended = exc
            log.warning("Run %s ends without a say: %s", self.run.run_id, exc)
        except (StudioError, psycopg.Error, SQLAlchemyError) as exc:
            unended = exc
            # The lease runs out, and the next attempt finds every finished step.
            log.error("Job %s could not be ended and will be taken up again: %s", self._claim.job_id, exc)
        else:
            log.info("Job %s: %s", self._claim.job_id, status)
        finally:
            if self._writer is not None:
                self._writer.close()
            if self._trace is not None:
                job_trace.end(self._trace, status, unended or self._failure, self._said)

    def _transition(self, claim: Claim) -> str:
        if self._finished and self._failure is None:
            claim.complete()
            return "completed"
        if self._alarm == "lease_lost":
            self._failure = LeaseLost("The lease ran out while the run went on.", "Another attempt has the job.")
            return "lost"
        if self._alarm == "cancel_requested" or self._canceling():
            # Whoever asked for it through the queue has given his own reason, which stands.
            claim.cancel("Canceled in Dagster.")
            # Whatever the op has met with, it met with because of that.
            self._failure = CancelledError("The job was canceled.")
            return "canceled"
        if self._alarm == "timeout":
            # The op knows of nothing but an interrupt; the trace is to say what it was for.
            self._failure = TimeoutError(f"The run took longer than its {self._timeout_seconds:g} s.")
            return self._fail(claim, str(self._failure), permanent=False)
        failure = self._failure
        if failure is None and (error := self._step_failure()):
            return self._fail(claim, error, permanent=False)
        if failure is None or isinstance(failure, dg.DagsterExecutionInterruptedError):
            self._failure = failure or CancelledError("The run was interrupted.")
            return claim.release("The run was interrupted.")
        if is_absence(failure):
            # No fault of the attempt's: what it has finished stands, and the next one goes on there.
            return claim.release(f"The database was away. {failure}")
        permanent = isinstance(failure, StudioError) and failure.permanent
        return self._fail(claim, str(failure) or type(failure).__name__, permanent=permanent)

    def _fail(self, claim: Claim, error: str, *, permanent: bool) -> str:
        self._said = error

        def also(conn: Connection, status: str) -> None:
            # An attempt that is followed by another one has failed nothing yet.
            if self.on_failure is not None and status == "failed":
                self.on_failure(conn, claim.job.project_id, claim.job_id, error)

        base = timedelta(seconds=self.settings.retry_base_seconds)
        return claim.fail(error, permanent=permanent, retry_base=base, also=also)

    def _canceling(self) -> bool:
        run = self._instance.get_run_by_id(self.run.run_id)
        return run is not None and run.status in (DagsterRunStatus.CANCELING, DagsterRunStatus.CANCELED)

    def _step_failure(self) -> str | None:
        """Return why a step failed outside its own code, from the run's event log; None where none did."""
        failed = self._instance.all_logs(self.run.run_id, of_type=DagsterEventType.STEP_FAILURE)
        for entry in failed:
            error = entry.dagster_event and entry.dagster_event.step_failure_data.error
            # An interrupt before an op's own code began is a failure of its step, too.
            if error and error.cls_name != dg.DagsterExecutionInterruptedError.__name__:
                return f"Step {entry.step_key} failed: {error.message.strip()}"
        return None

    def _raise_alarm(self, alarm: Alarm) -> None:
        self._alarm = alarm
        log.warning("Run %s of job %s stops: %s", self.run.run_id, self.claim.job_id, alarm)
        if not self.settings.run_owns_process:
            return
        if alarm == "cancel_requested":
            # Dagster tells a cancel from a crash by the run's status at the interrupt.
            try:
                self._instance.report_run_canceling(self.run, "The job was canceled.")
            except Exception:
                log.warning("Dagster could not be told that run %s is canceled", self.run.run_id, exc_info=True)
        # To the main thread itself: a signal to the process may reach any thread, and then wakes no blocked read.
        signal.pthread_kill(_main_thread(), signal.SIGINT)


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
        if _is_of_pickup(run) or not _is_over(run, instance):
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
        if _is_of_pickup(run):
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


def _is_of_pickup(run: DagsterRun) -> bool:
    """Whether pickup has claimed the job for this very run: then its claim number says whether it may begin."""
    tagged, claim_no = run.tags.get(run_tags.JOB_ID), run.tags.get(run_tags.CLAIM_NO)
    return bool(tagged) and run.parent_run_id is None and run.tags.get(run_tags.RUN_KEY) == f"{tagged}:{claim_no}"


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


def _main_thread() -> int:
    identifier = threading.main_thread().ident
    assert identifier is not None  # noqa: S101 - it has been started
    return identifier


def _uuid(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise InvalidInput(f"{what} {text!r} is not a UUID.", "Copy it from `greenlight jobs list`.") from exc
