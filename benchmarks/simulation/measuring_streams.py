"""What event streams cost the web application: for each that is open, each frame that is sent, each event it reads.

Some crowds, each with another mix of the three; from the first ones the costs follow, and the others show how well.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from benchmarks import processes, streams
from benchmarks.fixtures import make_project
from studio import events
from studio.database.connection import Database
from studio.events import NewEvent

# Longer than a stream lasts, so that each has come back once.
SECONDS, QUICK_SECONDS = 28.0, 4.0
WARM_UP_SECONDS = 2.0
TEXT = "Some words of an answer, as a model writes them."


class Crowd(NamedTuple):
    """Browsers on `projects` projects, `each` per project; each project has `per_second` events a second.

    `elsewhere` a second are of projects that nobody follows here: the process is told of those, too.
    """

    projects: int
    each: int
    per_second: float
    elsewhere: float = 0.0

    @property
    def name(self) -> str:
        """As the record calls it."""
        more = f", {self.elsewhere:g}/s elsewhere" if self.elsewhere else ""
        return f"{self.projects} projects × {self.each} browsers × {self.per_second:g}/s{more}"


FITTED = (Crowd(300, 1, 0.0), Crowd(1, 300, 10.0), Crowd(150, 1, 1.0), Crowd(50, 1, 0.0, 300.0))
CHECKED = (Crowd(1, 500, 5.0), Crowd(50, 4, 2.0), Crowd(60, 2, 1.0, 150.0))


def measure(db: Database, quick: bool) -> dict[str, Any]:
    """Return for each crowd what it asked of the web application, and the CPU seconds a second that this took."""
    seconds = QUICK_SECONDS if quick else SECONDS
    found: dict[str, Any] = {"fitted": {}, "checked": {}}
    with streams.web_server(db) as (port, server):
        cookie = streams.signed_in(db, port)
        for group, crowds in (("fitted", FITTED), ("checked", CHECKED)):
            for crowd in crowds:
                projects = [make_project(db) for _ in range(crowd.projects)]
                paths = [streams.path_of(project) for project in projects for _ in range(crowd.each)]
                turns = _turns(db, projects, crowd)
                with streams.crowd(port, paths, cookie) as browsers:
                    _append(db, turns, crowd, WARM_UP_SECONDS)
                    streams.told(browsers, "")
                    used, began = processes.cpu_seconds([server]), time.monotonic()
                    sent = _append(db, turns, crowd, seconds)
                    passed, used = time.monotonic() - began, processes.cpu_seconds([server]) - used
                    faults = streams.told(browsers, "")["faults"]
                if faults:
                    raise RuntimeError(f"{faults} events were lost or came twice.")
                followed = crowd.projects * crowd.per_second
                share = followed / (followed + crowd.elsewhere) if sent else 0.0
                found[group][crowd.name] = {
                    "streams": crowd.projects * crowd.each,
                    "frames_per_second": sent * share * crowd.each / passed,
                    "reads_per_second": sent * share / passed,
                    "heard_per_second": sent / passed,
                    "cpu_share": used / passed,
                }
    return found


def _turns(db: Database, projects: list[UUID], crowd: Crowd) -> Iterator[UUID]:
    """Return the jobs that events are appended to, in turn: those that are followed, and others in their share."""
    followed = [_job(db, project) for project in projects]
    others = [_job(db, make_project(db)) for _ in range(10)]
    share = crowd.elsewhere / max(1e-9, crowd.projects * crowd.per_second + crowd.elsewhere)
    ours, theirs, due = itertools.cycle(followed), itertools.cycle(others), 0.0
    while True:
        due += share
        if due >= 1.0:
            due -= 1.0
            yield next(theirs)
        else:
            yield next(ours)


def _job(db: Database, project_id: UUID) -> UUID:
    job_id = uuid4()
    db.execute(
        "insert into public.agent_jobs (id, project_id, job_type, agent_key, idempotency_key)"
        " values (%s, %s, 'email.process_due', 'outreach', 'bench')",
        [job_id, project_id],
    )
    return job_id


def _append(db: Database, turns: Iterator[UUID], crowd: Crowd, seconds: float) -> int:
    """Append to one job after the other for so long; return how many events that were."""
    per_second = crowd.projects * crowd.per_second + crowd.elsewhere
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        if count >= per_second * (time.monotonic() - began):
            time.sleep(min(0.01, 1 / max(per_second, 1.0)))
            continue
        with db.transaction() as conn:
            delta = NewEvent("delta", TEXT, {"at": time.monotonic_ns()})
            events.append(conn, next(turns), [delta])
        count += 1
    return count
