"""A load of mixed jobs for a fleet: chats, packets, approved actions, mail and jobs that do nothing, in many projects.

Everything that costs time to set up is made before; what is left is to ask for each job, one after the other, over a
stretch of time in which the fleet may be struck. An asking that the database was not there for is repeated.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from uuid import UUID

import psycopg

from studio import chat, decisions, projects, queue
from studio.database.connection import Database
from studio.errors import Conflict, DatabaseError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.outbound import OutboundClient
from studio.queue import NewJob
from studio.settings import Settings
from tests.support.actions import PACKETS, PHASES, Stage
from tests.support.approvals import ADS, ALL_ON, FOUNDER, REPOSITORY, Company
from tests.support.fleet_world import World
from tests.support.mail import add_mail, sending_project

IDEA = "{name} is a tool library: neighbours lend each other drills, ladders and sewing machines."
# How often each kind comes, of a hundred.
MIX = {
    "chat": 34,
    "bench.realtime": 8,
    "bench.standard": 20,
    "bench.heavy": 10,
    ADS: 10,
    REPOSITORY: 6,
    "phase0": 4,
    "mail": 8,
}
# More attempts than the registry gives: what is tried here is whether they lead to an end, not when one gives up.
ATTEMPTS = 8
PROJECTS_PER_JOBS = 8
PATIENCE_SECONDS = 120.0
LOST = (DatabaseError, psycopg.OperationalError, psycopg.InterfaceError)


def owner_of(name: str) -> str:
    """Return whose project `name` is: a founder each, because some mails go to a person, not to a project."""
    return f"founder of {name}"


class Load:
    """`jobs` askings in a random but repeatable order. `projects` are those that will have jobs."""

    def __init__(self, db: Database, world: World, jobs: int, seed: int) -> None:
        self._db = db
        self._dice = random.Random(seed)
        self._settings = Settings()
        self._stage = Stage(db, self._settings, world.providers, OutboundClient(enabled=False))
        count = max(4, jobs // PROJECTS_PER_JOBS)
        self._chatting = [self._founded(f"Chatbox{number}") for number in range(count)]
        self.projects = [*self._chatting, SYSTEM_PROJECT_ID]
        # Each kind once in any case.
        kinds = [*MIX, *self._dice.choices([*MIX], [*MIX.values()], k=max(0, jobs - len(MIX)))]
        self._dice.shuffle(kinds)
        self._askings = [self._prepared(kind, number) for number, kind in enumerate(kinds)]
        # At night the shift would add a job for every project, and others by day none.
        db.execute("update public.projects set night_shift = false where id = any (%s)", [self.projects])
        # What the approvals' packets are said to come from: rows that never were in the queue.
        self.placed = {row["id"] for row in db.fetch_all("select id from public.agent_jobs where claim_no = 0")}
        self.asked = 0
        self.failure: BaseException | None = None

    def __len__(self) -> int:
        return len(self._askings)

    def run(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Ask for all jobs, spread over `seconds`; ask for the rest at once where `stop` is set."""
        stop = stop or threading.Event()
        pause = seconds / max(1, len(self._askings))
        for asking in self._askings:
            try:
                self._patiently(asking)
            except BaseException as exc:
                self.failure = exc
                raise
            self.asked += 1
            stop.wait(self._dice.uniform(0.5, 1.5) * pause)

    def unfinished(self) -> int:
        """Return how many jobs have not ended, but for those that wait for a later time by themselves."""
        row = self._db.fetch_one(
            "select count(*) as n from public.agent_jobs"
            " where status = 'running' or (status = 'queued' and (run_after <= now() or last_error is not null))"
        )
        return int(row["n"]) if row else 0

    def _patiently(self, asking: Callable[[], None]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                asking()
                return
            except LOST:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    # --- the kinds

    def _prepared(self, kind: str, number: int) -> Callable[[], None]:
        if kind == "chat":
            return partial(self._chat, self._dice.choice(self._chatting), number)
        if kind == "phase0":
            name = f"Packetbox{number}"
            project = self._founded(name)
            self.projects.append(project)
            payload = {"ownerClerkId": owner_of(name)}
            return partial(self._enqueue, NewJob("phase0.generate_packet", project, payload))
        if kind == "mail":
            project = sending_project(self._db)
            self.projects.append(project)
            return partial(self._mail, project, number)
        if kind in PHASES:
            return self._approval(kind)
        return partial(self._enqueue, NewJob(kind, self._dice.choice(self._chatting), {"sample": number}))

    def _founded(self, name: str) -> UUID:
        with self._db.transaction() as conn:
            idea, email = IDEA.format(name=name), f"{name.lower()}@example.org"
            return projects.create(
                conn, self._settings, owner_clerk_id=owner_of(name), idea=idea, name=name, email=email
            )

    def _approval(self, action: str) -> Callable[[], None]:
        phase = PHASES[action]
        company = Company(self._db, phase, dict(ALL_ON), {"repo_url": "https://github.com/acme/shop"})
        self.projects.append(company.id)
        version = company.packet(phase, **PACKETS[phase])
        asked = company.asked(action, packet=version, asked_by=FOUNDER)

        def decide() -> None:
            # Decided already, by an asking whose answer was lost.
            with contextlib.suppress(Conflict):
                decisions.decide(self._db, asked.id, "approved", version=asked.version, decided_by=FOUNDER)
            self._grant_attempts(company.id)

        return decide

    def _enqueue(self, new: NewJob) -> None:
        with self._db.transaction() as conn:
            queue.enqueue(conn, new)
        self._grant_attempts(new.project_id)

    def _chat(self, project: UUID, number: int) -> None:
        with self._db.transaction() as conn:
            chat.post(conn, project, "a founder", f"Question {number}: what should we find out first?")
        self._grant_attempts(project)

    def _mail(self, project: UUID, number: int) -> None:
        add_mail(self._db, project, to_email=f"reader-{number}@example.org", subject=f"Letter {number}")
        self._enqueue(NewJob("email.process_due", SYSTEM_PROJECT_ID, {}, key=f"fleet-mail-{number}"))

    def _grant_attempts(self, project: UUID) -> None:
        self._db.execute(
            "update public.agent_jobs set max_attempts = %s where project_id = %s and max_attempts <> %s"
            " and status in ('queued', 'running')",
            [ATTEMPTS, project, ATTEMPTS],
        )
