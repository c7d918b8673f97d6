"""Projects of our own to measure on: made for one measurement, and removed with all that it left in them."""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

from studio.database.connection import Database
from studio.job_types import Lane
from studio.queue import NewJob

log = logging.getLogger(__name__)

# Nobody signs in under this name, and no command lists an owner's projects by it.
OWNER = "greenlight-bench"
# A run that has begun ends within a second or two; one whose process is lost holds its job until its lease ends.
QUIET_SECONDS = 90.0
POLL_SECONDS = 0.1
# What a measurement that was killed has left is of no use to anybody after this.
ABANDONED_MINUTES = 60


class Ground:
    """Projects to measure on. They take turns, so that no project's own limit is what is measured."""

    def __init__(self, db: Database, projects: list[UUID]) -> None:
        self.db = db
        self.projects = projects
        self._turns = itertools.cycle(projects)
        self._samples = itertools.count(1)

    def job(self, lane: Lane) -> NewJob:
        """Return the next job that does nothing in `lane`."""
        return NewJob(f"bench.{lane}", next(self._turns), {"sample": next(self._samples)})

    def quiet(self, seconds: float = QUIET_SECONDS) -> bool:
        """Cancel what is queued and wait until nothing runs; return whether that came within `seconds`."""
        self.db.execute(
            "update public.agent_jobs set status = 'canceled' where project_id = any (%s) and status = 'queued'",
            [self.projects],
        )
        deadline = time.monotonic() + seconds
        while self._running():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _running(self) -> int:
        row = self.db.fetch_one(
            "select count(*) as n from public.agent_jobs"
            " where project_id = any (%s) and status in ('queued', 'running')",
            [self.projects],
        )
        return int(row["n"]) if row else 0


@contextlib.contextmanager
def ground(db: Database, count: int) -> Iterator[Ground]:
    """Lend `count` fresh projects without budget; remove them, and what killed measurements left, at the end."""
    projects = [uuid4() for _ in range(count)]
    db.execute(
        "insert into public.projects (id, owner_clerk_id, name, idea_description)"
        " select id, %s, 'benchmark', 'Measures how fast jobs are picked up.' from unnest(%s::uuid[]) id",
        [OWNER, projects],
    )
    lent = Ground(db, projects)
    try:
        yield lent
    finally:
        if not lent.quiet():
            log.warning("some jobs of the measurement still ran when its projects were removed")
        # Jobs, steps and events go with their project.
        db.execute(
            "delete from public.projects where id = any (%s)"
            " or (owner_clerk_id = %s and created_at < now() - make_interval(mins => %s))",
            [projects, OWNER, ABANDONED_MINUTES],
        )
