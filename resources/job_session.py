"""The job as a run holds it: its claim, lease, event writer and trace, from the first op to the last word."""

import logging
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from datetime import timedelta
from uuid import UUID

import dagster as dg
import psycopg
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus
from sqlalchemy.exc import SQLAlchemyError

from resources import job_trace, run_tags
from studio.claims import Claim
from studio.database.connection import Connection
from studio.database.patience import is_absence
from studio.errors import LeaseLost, PayloadTooNew, StudioError
from studio.event_writer import EventWriter
from studio.job_types import JobType, Payload, parse_payload
from studio.leases import Alarm, LeaseKeeper
from studio.settings import Settings
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
        job = self.claim.job
        return parse_payload(self.kind, job.project_id, job.payload, job.payload_version)

    @property
    def _timeout_seconds(self) -> float:
        milliseconds = self.settings.worker_job_timeout_ms
        return milliseconds / 1000 if milliseconds else self.kind.timeout_seconds

    def open(self) -> None:
        """Begin to write events and to renew the lease."""
        if self._claim is None:
            return
        # Outside of everything that reports progress: the trace is of all that the run does.
        self._trace = job_trace.begin(self._claim, self.run, self.settings, of_pickup=run_tags.is_of_pickup(self.run))
        self._writer = EventWriter(
            self._claim,
            self.run.run_id,
            flush_seconds=self.settings.event_flush_ms / 1000,
            limit=self.settings.events_per_attempt,
        )
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
        if isinstance(failure, PayloadTooNew):
            # Pickup knew it, so a later release is being rolled out, and this worker is still of the one before.
            return claim.hand_back(str(failure))
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


def _main_thread() -> int:
    identifier = threading.main_thread().ident
    assert identifier is not None  # noqa: S101 - it has been started
    return identifier
