"""A studio under load whose database is copied in the middle, goes on, is lost, and comes back as it was then."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal
from uuid import UUID

from studio import approvals, assets, decisions, events, queue
from studio.approvals import Approval
from studio.claims import Claim
from studio.database.connection import Database
from studio.events import NewEvent
from tests.support.actions import EFFECTS, PACKETS, PHASES, Stage
from tests.support.approvals import ADS, FOUNDER
from tests.support.mail import ResendServer, add_mails, send, sending_project
from tests.support.queue import InBackground, enqueue, make_project, seqs
from tests.support.waiting import eventually

LEASE = timedelta(minutes=1)
LANE: Literal["heavy"] = "heavy"


@dataclass
class Load:
    """Mails, jobs and approved actions, of which some are done before the copy, and the others meanwhile."""

    stage: Stage
    resend: ResendServer
    mails: int
    jobs: int
    done: list[Approval] = field(default_factory=list)
    approved: list[Approval] = field(default_factory=list)
    pending: list[Approval] = field(default_factory=list)
    asset: UUID | None = None
    project: UUID | None = None
    work: UUID | None = None
    lost_claims: dict[UUID, int] = field(default_factory=dict)

    def begin(self) -> None:
        """Put everything in its place, and carry out what is to be done before."""
        db, stage = self.stage.db, self.stage
        self.project = sending_project(db, email_daily_cap=None)
        add_mails(db, self.project, self.mails)
        self.work = make_project(db)
        for _ in range(self.jobs):
            # The actions' own jobs are of another lane.
            enqueue(db, self.work, lane=LANE)
        for action in EFFECTS:
            _, first = stage.approved(action)
            assert stage.run_to_end(first) == "completed"
            self.done.append(first)
            self.approved.append(stage.approved(action)[1])
            company, phase = stage.company(action), PHASES[action]
            self.pending.append(company.asked(action, packet=company.packet(phase, **PACKETS[phase]), asked_by=FOUNDER))
        company = stage.company(ADS)
        self.asset, _ = stage.page(company)

    def run(self, copy: threading.Event) -> None:
        """Send mails and work on jobs, slowly past the middle until `copy` is set; return at the end of both."""
        half = self.mails // 2

        def slowly(count: int) -> None:
            # So that the copy is made in the middle, while mails leave and jobs run on.
            if half < count:
                copy.wait(0.1)

        self.resend.on_delivery = slowly
        sending = InBackground(lambda: send(self.stage.db, self.stage.settings, limit=self.mails))
        working = InBackground(lambda: work(self.stage.db, lambda: copy.wait(0.05)))
        sending.result(120)
        working.result(120)

    def wait_for_the_middle(self) -> None:
        """Return when mails and jobs are under way."""
        eventually(lambda: len(self.resend.delivered) > self.mails // 4, what="mails that leave")
        eventually(lambda: self._ended(self.stage.db) > 0, what="jobs that end")

    def act(self, stage: Stage) -> Counter[str]:
        """Decide what is open, carry everything out; return how often jobs ended with which status."""
        ends: Counter[str] = Counter()
        for approval in self.pending:
            if approvals.get(stage.db, approval.id).status == "pending":
                decisions.decide(stage.db, approval.id, "approved", version=approval.version, decided_by=FOUNDER)
        for approval in [*self.done, *self.approved, *self.pending]:
            ends[stage.run_to_end(approval)] += 1
        return ends

    def remember_claims(self) -> None:
        """Note the numbers that the history has given out which is about to be lost."""
        self.lost_claims = {row["id"]: row["claim_no"] for row in self.stage.db.fetch_all(_CLAIMS)}

    def on(self, db: Database, data_dir: str) -> Stage:
        """Return the same studio on the restored database."""
        changes = {"database_url": db.url, "data_dir": data_dir, "provider_timeout_seconds": 0.5}
        return replace(self.stage, db=db, settings=self.stage.settings.model_copy(update=changes))

    def finish(self, stage: Stage) -> Counter[str]:
        """Let everything come to its end after the restore; return as `act` does."""
        ends = self.act(stage)
        work(stage.db, lambda: None)
        send(stage.db, stage.settings, limit=self.mails)
        return ends

    def assert_nothing_twice(self, stage: Stage) -> None:
        """What left, left once; what ran, ran to its end; no claim number was given out twice."""
        assert self.resend.to() == {f"reader-{n}@example.org": 1 for n in range(1, self.mails + 1)}
        for approval in [*self.done, *self.approved, *self.pending]:
            assert stage.happened(approval) == 1, approval.action_type
        assert self._ended(stage.db) == self.jobs
        again = {row["id"]: row["claim_no"] for row in stage.db.fetch_all(_CLAIMS)}
        numbers = [(self.lost_claims[job], now) for job, now in again.items() if job in self.lost_claims]
        # What was done before the copy stands; what was claimed anew has no number that it had before.
        assert all(now >= lost for lost, now in numbers)
        assert sum(now > lost for lost, now in numbers) > 0
        found = seqs(stage.db, self.work)
        assert found == list(range(1, len(found) + 1))
        assert self.asset is not None
        assert assets.content(stage.storage, assets.get(stage.db, self.asset))

    def _ended(self, db: Database) -> int:
        return len([job for job in queue.find(db, project_id=self.work, limit=1000) if job.status == "completed"])


_CLAIMS = "select id, claim_no from public.agent_jobs"


def work(db: Database, pause: Callable[[], object]) -> None:
    """Claim and carry out jobs of the tests' own until none is due."""
    while jobs := queue.claim(db, "worker", limit=3, lane=LANE, lease=LEASE, slots=50, project_limit=50):
        for job in jobs:
            claim = Claim(db, job)
            with claim.transaction() as conn:
                events.append(conn, job.id, [NewEvent("log", "at work")], claim.claim_no)
            pause()
            claim.once("step", lambda: {"n": 1})
            claim.complete()
