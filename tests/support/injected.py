"""Attempts at real jobs, one at a time, as the stack makes them: claimed from the queue, run by Dagster, traced.

The run shares this process, so that an attempt costs a fraction of a second. What it has left behind is read from the
database, as the pages do.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from dagster import DagsterInstance

from resources import run_tags
from studio import chat, queue
from studio.database.connection import Database
from studio.job_types import JOB_TYPES
from studio.operations import traces
from studio.operations.explanation import explain
from studio.operations.trace import Trace
from studio.queue import Job, NewJob
from studio.tracing import ids
from tests.support.dagster import OWNER, DagsterHome, defs, forget_process, make_project
from tests.support.forks import Command
from tests.support.queue import InBackground

LEASE = timedelta(minutes=5)
FAILED = ("error", "cancelled", "lost")


@dataclass
class Attempt:
    """What an attempt has left behind: the job after it, its trace, its spans in the order in which they began."""

    db: Database
    job: Job
    trace: Trace
    spans: list[dict[str, Any]]

    @classmethod
    def of(cls, db: Database, job_id: UUID, claim_no: int) -> Attempt:
        """Read it."""
        trace_id = ids.of_claim(job_id, claim_no)
        spans = db.fetch_all("select * from public.pipeline_spans where trace_id = %s order by span_id", [trace_id])
        made = cls(db, queue.get(db, job_id), traces.get(db, trace_id), spans)
        # A parent first, also where its child began in the same microsecond.
        made.spans = sorted(spans, key=lambda span: (span["start_time"], len(made.above(span))))
        return made

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the spans of a name."""
        return [span for span in self.spans if span["span_name"] == name]

    @property
    def origin(self) -> dict[str, Any]:
        """The one span in which the error came up."""
        (found,) = [span for span in self.spans if span["fingerprint"] is not None]
        return found

    @property
    def root(self) -> dict[str, Any]:
        """The span of all of it."""
        (found,) = [span for span in self.spans if span["parent_span_id"] is None]
        return found

    @property
    def failed(self) -> list[str]:
        """The names of the spans that did not end well, the outermost first."""
        return [span["span_name"] for span in self.spans if span["status"] in FAILED]

    def above(self, span: dict[str, Any]) -> list[str]:
        """Return the names on the way from the root to a span, which is the last of them."""
        return [found["span_name"] for found in reversed(self._outwards(span))]

    def nearest(self, span: dict[str, Any], name: str) -> dict[str, Any]:
        """Return the span of this name that is nearest on the way from a span outwards."""
        return next(found for found in self._outwards(span) if found["span_name"] == name)

    def _outwards(self, span: dict[str, Any]) -> list[dict[str, Any]]:
        by_id = {found["span_id"]: found for found in self.spans}
        way = [span]
        while (parent := by_id.get(way[-1]["parent_span_id"])) is not None:
            way.append(parent)
        return way

    @property
    def why(self) -> str:
        """The paragraph on it."""
        return explain(self.db, self.trace.trace_id)

    @property
    def ledger(self) -> dict[str, Any]:
        """What the spend ledger says of the claim: its calls, and what they have cost."""
        row = self.db.fetch_one(
            "select count(*)::int as calls, coalesce(sum(cost_micros), 0)::bigint as micros,"
            " count(*) filter (where status = 'reserved')::int as open"
            " from public.model_calls where job_id = %s and claim_no = %s",
            [self.job.id, self.trace.claim_no],
        )
        assert row is not None
        return row


@dataclass
class Pipeline:
    """The queue and whoever works on it."""

    db: Database
    instance: DagsterInstance
    home: DagsterHome
    patch: pytest.MonkeyPatch

    def configure(self, **settings: str) -> None:
        """Change settings for the attempts to come."""
        for name, value in settings.items():
            self.patch.setenv(name, value)
        forget_process()

    def elsewhere(self, job_id: UUID, **settings: str) -> tuple[Command, Job]:
        """Let the job be claimed, and run in a process of its own; return that, and the job as it is claimed."""
        (job,) = queue.claim(self.db, "worker", limit=1, lane=None, lease=LEASE)
        assert job.id == job_id
        name = JOB_TYPES[job.job_type].dagster_job
        tags = json.dumps({run_tags.RUN_KEY: run_tags.run_key(job), **run_tags.tags_of(job)})
        module = "greenlight_dagster.definitions"
        return self.home.dagster("job", "execute", "-m", module, "-j", name, "--tags", tags, **settings), job

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Let everything that is queued be worked off meanwhile, one job at a time."""
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                for job in queue.claim(self.db, "worker", limit=1, lane=None, lease=LEASE):
                    self.run(job)
                stop.wait(0.01)

        working = InBackground(work)
        try:
            yield
        finally:
            stop.set()
            working.result()

    def open_spans(self, job: Job) -> set[str]:
        """Return the names of the spans of the job's claim that have begun and not ended, as they are stored."""
        rows = self.db.fetch_all(
            "select span_name from public.pipeline_spans where trace_id = %s and end_time is null",
            [ids.of_claim(job.id, job.claim_no)],
        )
        return {row["span_name"] for row in rows}

    def attempt(self, job_id: UUID, definitions: Any = defs) -> Attempt:
        """Let the job be claimed, run and ended, as pickup, launcher and run do it; return what is left of that."""
        (job,) = queue.claim(self.db, "worker", limit=1, lane=None, lease=LEASE)
        assert job.id == job_id
        self.run(job, definitions)
        return Attempt.of(self.db, job_id, job.claim_no)

    def run(self, job: Job, definitions: Any = defs) -> None:
        """Run a claimed job."""
        definition = definitions.resolve_job_def(JOB_TYPES[job.job_type].dagster_job)
        tags = {run_tags.RUN_KEY: run_tags.run_key(job), **run_tags.tags_of(job)}
        definition.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False)

    def enqueue(self, job_type: str, project: UUID, **payload: Any) -> UUID:
        """Put a job into the queue."""
        with self.db.transaction() as conn:
            return queue.enqueue(conn, NewJob(job_type, project, payload)).job_id

    def project(self, **options: Any) -> UUID:
        """Return a new project that can pay."""
        return make_project(self.db, email=None, **options)

    def question(self, project: UUID | None = None, text: str = "What should we find out first?") -> UUID:
        """Ask something in a chat; return the job that is to answer."""
        asked = project or self.project()
        with self.db.transaction() as conn:
            return chat.post(conn, asked, OWNER, text).job.job_id
