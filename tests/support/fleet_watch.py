"""Looking on while a fleet works: samples of the queue, and a live follower of every project's stream."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from studio import fleet
from studio.database.connection import Database
from studio.errors import DatabaseError
from studio.event_hub import EventHub
from studio.listener import Listener
from tests.support.fleet_history import Due, Held, Sample
from tests.support.waiting import eventually

SAMPLE_SECONDS = 0.5
CONNECT_SECONDS = 2

_OFFERED: LiteralString = """
select lane, public.offered_slots(%s, lane, %s) as slots from public.agent_job_lanes
"""
# One statement, so one moment.
_SAMPLE: LiteralString = """
select extract(epoch from now())::float8 as at,
  (select jsonb_object_agg(lane, jsonb_build_array(slots, project_limit)) from public.agent_job_lanes) as slots,
  coalesce((select jsonb_agg(jsonb_build_array(id, project_id, lane, claim_no, extract(epoch from leased_until)))
            from public.agent_jobs where status = 'running'), '[]') as held,
  coalesce((select jsonb_agg(jsonb_build_array(id, project_id, lane))
            from public.agent_jobs where status = 'queued' and run_after <= now()), '[]') as due
"""


class Sampler:
    """Looks at the queue about twice a second from a thread of its own. A context manager; `samples` is its harvest.

    While the database is away there is nothing to be seen; the audit is told by the gap.
    """

    def __init__(self, url: str, heartbeat_seconds: float | None = None) -> None:
        """With `heartbeat_seconds` there are workers that come and go, and are heard of so often."""
        self._url = url
        self._heartbeat_seconds = heartbeat_seconds
        self.samples: list[Sample] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet-sampler", daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(60.0)

    def _run(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(psycopg.OperationalError):
                # A look that hangs would hide what comes after it.
                options = "-c statement_timeout=5000 -c lock_timeout=5000"
                with psycopg.connect(
                    self._url, autocommit=True, connect_timeout=CONNECT_SECONDS, options=options, row_factory=dict_row
                ) as conn:
                    while not self._stopped.wait(SAMPLE_SECONDS):
                        self._look(conn)
            self._stopped.wait(SAMPLE_SECONDS)

    def _look(self, conn: psycopg.Connection[dict[str, object]]) -> None:
        row = conn.execute(_SAMPLE).fetchone()
        assert row is not None
        seen: dict[str, list[list[str]]] = row  # type: ignore[assignment]
        held = [
            Held(UUID(job), UUID(project), lane, int(claim), None if until is None else float(until))
            for job, project, lane, claim, until in seen["held"]
        ]
        due = [Due(UUID(job), UUID(project), lane) for job, project, lane in seen["due"]]
        slots = {lane: (int(counts[0]), int(counts[1])) for lane, counts in dict(row["slots"]).items()}  # type: ignore[call-overload]
        offered = None
        if self._heartbeat_seconds is not None:
            found = conn.execute(_OFFERED, [fleet.SERVICE, fleet.life(self._heartbeat_seconds)]).fetchall()
            offered = {str(one["lane"]): int(str(one["slots"])) for one in found}
        self.samples.append(Sample(float(row["at"]), slots, held, due, offered))  # type: ignore[arg-type]


class Followers:
    """Follows the streams of projects as a browser's stream does, by one hub, from their beginning."""

    def __init__(self, db: Database, projects: list[UUID]) -> None:
        self._db = db
        self._listener = Listener(db)
        self._hub = EventHub(db, self._listener)
        self.seen: dict[UUID, list[tuple[int, UUID]]] = {project: [] for project in projects}
        self._threads = [
            threading.Thread(target=self._follow, args=(project,), name="fleet-follower", daemon=True)
            for project in projects
        ]

    def __enter__(self) -> Followers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hub.close()
        self._listener.close()
        for thread in self._threads:
            thread.join(30.0)

    def caught_up(self, seconds: float) -> None:
        """Wait until every follower has been handed what is in the table; fail the test where one is not."""

        def is_there() -> bool:
            rows = self._db.fetch_all("select project_id, last_seq from public.project_event_counters")
            ends = {row["project_id"]: row["last_seq"] for row in rows}
            late = {
                project: (seen[-1][0] if seen else 0, ends[project])
                for project, seen in self.seen.items()
                if ends.get(project, 0) > (seen[-1][0] if seen else 0)
            }
            assert not late, f"behind: {late}"
            return True

        with contextlib.suppress(AssertionError):
            # What is missing is the audit's to say.
            eventually(is_there, seconds, "followers being handed everything")

    def until(self, ends: Mapping[UUID, int]) -> dict[UUID, list[tuple[int, UUID]]]:
        """Return what each was handed up to the seq in `ends`: what came later is not a matter of a history."""
        return {
            project: [event for event in seen if event[0] <= ends.get(project, 0)]
            for project, seen in self.seen.items()
        }

    def _follow(self, project: UUID) -> None:
        seen = self.seen[project]
        while not self._hub.closed:
            # A browser whose first look fails comes back, too.
            with contextlib.suppress(DatabaseError, psycopg.OperationalError):
                for event in self._hub.follow(project, seen[-1][0] if seen else 0):
                    seen.append((event.seq, event.id))
