"""The queue's SQL does what a small model of it in Python does, whatever is asked of it in whatever order.

Hypothesis drives both with the same requests, of our own workers, of workers of other clients, and of
workers that have lost their claim. After each one the jobs, their status events, their steps and the
positions in the event stream must be the model's.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, LiteralString
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from studio import claims, events, queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.database.errors import translated
from studio.errors import Conflict, JobBusy, LeaseLost
from studio.events import NewEvent
from studio.job_types import SYSTEM_PROJECT_ID
from tests.support.queue import LEASE, claim_foreign, enqueue_in, expire_lease, make_project, set_lane
from tests.support.size import FULL, SECONDS

SETTINGS = settings(
    max_examples=400 if FULL else 50,
    stateful_step_count=60 if FULL else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

# Few of everything, so that requests meet each other.
LIMITS = {"realtime": (2, 1), "standard": (3, 2), "heavy": (1, 1)}
KEYS = ["a", "b", "c"]
PROJECTS = 2
FREE_INTERRUPTIONS = 5
FAR = timedelta(hours=1)

Lease = Literal["none", "live", "expired"]

indexes = st.integers(min_value=0, max_value=7)
keys = st.sampled_from(KEYS)
projects = st.integers(min_value=0, max_value=PROJECTS - 1)
payloads = st.sampled_from([{}, {"a": 1}, {"a": {"b": [2]}}])
priorities = st.integers(min_value=-1, max_value=1)
lanes = st.sampled_from(list(LIMITS))
# Mostly the holder itself; now and then somebody who was it, or who never was.
staleness = st.sampled_from([0, 0, 0, 0, 1, 2, -1])


@dataclass
class ModelJob:
    """What a job is, as far as the queue promises anything."""

    id: UUID
    project: UUID
    lane: str
    rank: tuple[datetime, UUID]
    payload: dict[str, Any]
    priority: int
    max_attempts: int
    due: bool
    status: str = ""
    attempts: int = 0
    interruptions: int = 0
    claim_no: int = 0
    lease: Lease = "none"
    # A claim without a lease is stale ten minutes after it was made.
    stale: bool = False
    # Claimed by its id, which no limit of a lane stops.
    by_id: bool = False
    cancel_requested: bool = False
    run: str | None = None
    steps: set[str] = field(default_factory=set)
    told: list[tuple[str, int]] = field(default_factory=list)
    logs: int = 0

    def tell(self, message: str) -> None:
        if self.told[-1:] != [(message, self.claim_no)]:
            self.told.append((message, self.claim_no))

    def become(self, status: str) -> None:
        self.status = status
        if status != "running":
            self.lease, self.stale, self.by_id, self.cancel_requested = "none", False, False, False
        self.tell(status)

    def claimed(self, lease: Lease, run: str | None = None) -> None:
        self.claim_no += 1
        self.lease, self.stale, self.run = lease, False, run
        self.become("running")

    def is_held_by(self, claim_no: int) -> bool:
        return self.status == "running" and self.claim_no == claim_no

    def is_busy(self) -> bool:
        return self.status == "running" and (self.lease == "live" or (self.lease == "none" and not self.stale))

    def is_lost(self) -> bool:
        return self.status == "running" and (self.lease == "expired" or (self.lease == "none" and self.stale))

    def fail(self, *, permanent: bool, due: bool) -> str:
        if self.cancel_requested:
            self.become("canceled")
        elif permanent or self.attempts >= self.max_attempts:
            self.become("failed")
        else:
            self.due = due
            self.become("queued")
        return self.status

    def release(self) -> str:
        if self.interruptions >= FREE_INTERRUPTIONS:
            return self.fail(permanent=False, due=False)
        self.attempts = max(0, self.attempts - 1)
        self.interruptions += 1
        self.due = True
        self.become("canceled" if self.cancel_requested else "queued")
        return self.status


class QueueMachine(RuleBasedStateMachine):
    """The queue in `db` beside its model."""

    db: Database

    def __init__(self) -> None:
        super().__init__()
        self.db.execute("delete from public.projects where id <> %s", [SYSTEM_PROJECT_ID])
        self.projects = [make_project(self.db) for _ in range(PROJECTS)]
        self.jobs: dict[tuple[UUID, str], ModelJob] = {}
        self.highest_claims: Counter[UUID] = Counter()

    # --- the model's help

    def pick(self, index: int) -> ModelJob:
        jobs = list(self.jobs.values())
        return jobs[index % len(jobs)]

    def pick_held(self, index: int) -> ModelJob:
        """Return a running job, mostly: requests about others are refused, and that is soon said."""
        running = [job for job in self.jobs.values() if job.status == "running"]
        return running[index % len(running)] if running and index < 6 else self.pick(index)

    def claim_of(self, job: ModelJob, behind: int) -> Claim:
        """Return the claim of the job's holder, or one that is so many claims behind."""
        return Claim(self.db, dataclasses.replace(queue.get(self.db, job.id), claim_no=job.claim_no - behind))

    def fenced(self, job: ModelJob, behind: int, write: Callable[[Claim], Any], then: Callable[[], Any]) -> None:
        """Let a claim write: as the model says where it is the current one, `LeaseLost` where it is not."""
        claim = self.claim_of(job, behind)
        if job.is_held_by(claim.claim_no):
            assert write(claim) == then()
            return
        try:
            write(claim)
        except LeaseLost:
            return
        raise AssertionError(f"claim {claim.claim_no} of {job} wrote")

    def expect_enqueued(
        self, project: UUID, key: str, payload: dict[str, Any], priority: int, max_attempts: int, due: bool
    ) -> tuple[str, str]:
        """Enqueue in the model, where the job is not a new one; return outcome and status."""
        job = self.jobs[(project, key)]
        if job.status not in ("failed", "canceled"):
            return "existing", job.status
        if job.payload != payload:
            job.steps.clear()
        job.attempts = job.interruptions = 0
        job.payload, job.priority, job.max_attempts, job.due, job.run = payload, priority, max_attempts, due, None
        job.become("queued")
        return "revived", "queued"

    def created(
        self, job_id: UUID, project: UUID, key: str, lane: str, payload: dict[str, Any], priority: int,
        max_attempts: int, due: bool,
    ) -> None:  # fmt: skip
        """Take over into the model what only the database knows: id and time."""
        # Jobs of one transaction are of one age, and their random ids would decide, otherwise in each run.
        row = self.db.fetch_one(
            "update public.agent_jobs set created_at = clock_timestamp() where id = %s returning created_at", [job_id]
        )
        assert row is not None
        job = ModelJob(job_id, project, lane, (row["created_at"], job_id), payload, priority, max_attempts, due)
        job.become("queued")
        self.jobs[(project, key)] = job

    # --- enqueuing

    @initialize(limit=st.integers(0, 4))
    def begin_with_work(self, limit: int) -> None:
        self.enqueue_many([(number % PROJECTS, key, {}) for number, key in enumerate(KEYS)], "standard")
        self.claim_any_lane(limit)

    @rule(
        project=projects, key=keys, payload=payloads, priority=priorities, lane=lanes,
        max_attempts=st.integers(1, 3), due=st.sampled_from([True, True, True, False]),
    )  # fmt: skip
    def enqueue(
        self, project: int, key: str, payload: dict[str, Any], priority: int, lane: str, max_attempts: int, due: bool
    ) -> None:
        owner = self.projects[project]
        known = (owner, key) in self.jobs
        with self.db.transaction() as conn:
            answer = enqueue_in(
                conn, owner, key, payload, lane=lane, priority=priority, max_attempts=max_attempts,
                run_after=None if due else datetime.now(UTC) + FAR,
            )  # fmt: skip
        if not known:
            assert answer[1:] == ("created", "queued")
            self.created(answer.job_id, owner, key, lane, payload, priority, max_attempts, due)
        else:
            assert answer.job_id == self.jobs[(owner, key)].id
            assert answer[1:] == self.expect_enqueued(owner, key, payload, priority, max_attempts, due)

    @rule(wanted=st.lists(st.tuples(projects, keys, payloads), max_size=5), lane=lanes)
    def enqueue_many(self, wanted: list[tuple[int, str, dict[str, Any]]], lane: str) -> None:
        rows = [
            {"project_id": str(self.projects[project]), "job_type": "test.work", "agent_key": "ceo",
             "idempotency_key": key, "payload": payload, "lane": lane}
            for project, key, payload in wanted
        ]  # fmt: skip
        answers = self.db.fetch_all(
            "select * from public.enqueue_agent_jobs(%s::jsonb) order by ordinality", [json.dumps(rows)]
        )
        assert len(answers) == len(wanted)
        for (project, key, payload), answer in zip(wanted, answers, strict=True):
            owner = self.projects[project]
            if (owner, key) in self.jobs:
                expected = self.expect_enqueued(owner, key, payload, 0, 3, True)
            else:
                expected = ("created", "queued")
                self.created(answer["job_id"], owner, key, lane, payload, 0, 3, True)
            assert answer["job_id"] == self.jobs[(owner, key)].id
            assert (answer["outcome"], answer["status"]) == expected

    @precondition(lambda self: self.jobs)
    @rule(index=indexes)
    def enqueue_under_another_type(self, index: int) -> None:
        project, key = list(self.jobs)[index % len(self.jobs)]
        try:
            with translated(), self.db.transaction() as conn:
                enqueue_in(conn, project, "new-and-undone")
                enqueue_in(conn, project, key, job_type="other.work")
        except Conflict:
            return
        raise AssertionError("a key was shared by two job types")

    @precondition(lambda self: self.jobs)
    @rule(index=indexes)
    def revive(self, index: int) -> None:
        job = self.pick(index)
        row = self.db.fetch_one("select * from public.revive_agent_job(%s)", [job.id])
        assert row is not None
        if job.status not in ("failed", "canceled"):
            assert (row["outcome"], row["status"]) == ("existing", job.status)
            return
        assert (row["outcome"], row["status"]) == ("revived", "queued")
        # Payload, priority and finished steps stay, unlike in an enqueue.
        job.attempts = job.interruptions = 0
        job.due, job.run = True, None
        job.become("queued")

    # --- claiming

    def expect_claimed(self, lanes_asked: list[str], limit: int, lease: Lease) -> list[UUID]:
        offered: list[ModelJob] = []
        for lane in lanes_asked:
            slots, project_limit = LIMITS[lane]
            running = [job for job in self.jobs.values() if job.lane == lane and job.status == "running"]
            per_project = Counter(job.project for job in running)
            free = min(limit, slots - len(running))
            waiting = [job for job in self.jobs.values() if job.lane == lane and job.status == "queued" and job.due]
            for job in sorted(waiting, key=lambda job: (-job.priority, job.rank)):
                if free > 0 and per_project[job.project] < project_limit:
                    per_project[job.project] += 1
                    free -= 1
                    offered.append(job)
        chosen = sorted(offered, key=lambda job: (-job.priority, job.rank))[:limit]
        for job in chosen:
            job.attempts += 1
            job.claimed(lease)
        return [job.id for job in chosen]

    @rule(lane=lanes, limit=st.integers(0, 4))
    def claim(self, lane: Any, limit: int) -> None:
        held = queue.claim(self.db, "worker", limit=limit, lane=lane, lease=LEASE)
        assert [job.id for job in held] == self.expect_claimed([lane], limit, "live")

    @rule(limit=st.integers(0, 4))
    def claim_any_lane(self, limit: int) -> None:
        held = queue.claim(self.db, "worker", limit=limit, lane=None, lease=LEASE)
        assert [job.id for job in held] == self.expect_claimed(list(LIMITS), limit, "live")

    @rule(limit=st.integers(1, 3))
    def claim_as_a_foreign_worker(self, limit: int) -> None:
        assert claim_foreign(self.db, limit=limit) == self.expect_claimed(list(LIMITS), limit, "none")

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, run=st.sampled_from(["run-1", "run-2"]))
    def claim_by_id(self, index: int, run: str) -> None:
        job = self.pick(index)
        try:
            with self.db.transaction() as conn:
                claims.claim_by_id(conn, self.db, job.id, "operator", run, LEASE)
        except JobBusy:
            assert job.is_busy()
            return
        assert not job.is_busy()
        if job.status in ("queued", "running"):
            job.attempts += 1
        else:
            job.attempts, job.interruptions = 1, 0
        job.cancel_requested, job.by_id = False, True
        job.claimed("live", run)

    @precondition(lambda self: self.jobs)
    @rule(index=indexes)
    def claim_by_a_direct_update(self, index: int) -> None:
        job = self.pick(index)
        if job.status == "queued":
            self.db.execute(
                "update public.agent_jobs set status = 'running', locked_at = now(), locked_by = 'x' where id = %s",
                [job.id],
            )
            job.by_id = True
            job.claimed("none", job.run)

    # --- what the holder of a claim does, or would like to

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, behind=staleness, run=st.sampled_from(["run-1", "run-2"]))
    def start(self, index: int, behind: int, run: str) -> None:
        job = self.pick_held(index)
        claim_no = job.claim_no - behind
        try:
            claims.start(self.db, job.id, claim_no, run, LEASE)
        except LeaseLost:
            assert not job.is_held_by(claim_no) or job.run not in (None, run)
            return
        assert job.is_held_by(claim_no)
        assert job.run in (None, run)
        job.run, job.lease = run, "live"

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, behind=staleness)
    def renew(self, index: int, behind: int) -> None:
        job = self.pick_held(index)
        claim = self.claim_of(job, behind)
        renewal = claim.renew(LEASE)
        assert (renewal is not None) == job.is_held_by(claim.claim_no)
        if renewal is not None:
            assert renewal.cancel_requested == job.cancel_requested
            job.lease = "live"

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, behind=staleness, count=st.integers(1, 3))
    def append(self, index: int, behind: int, count: int) -> None:
        job = self.pick_held(index)

        def write(claim: Claim) -> None:
            with self.db.transaction() as conn:
                events.append(conn, job.id, [NewEvent("log", "x")] * count, claim.claim_no)

        def then() -> None:
            job.logs += count

        self.fenced(job, behind, write, then)

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, behind=staleness, step=st.sampled_from(["one", "two"]))
    def save_step(self, index: int, behind: int, step: str) -> None:
        job = self.pick_held(index)

        def write(claim: Claim) -> None:
            with claim.transaction() as conn:
                claim.save_step(conn, step, {"by": claim.claim_no})

        self.fenced(job, behind, write, lambda: job.steps.add(step))

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, behind=staleness)
    def complete(self, index: int, behind: int) -> None:
        job = self.pick_held(index)
        self.fenced(job, behind, lambda claim: claim.complete(), lambda: job.become("completed"))

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, behind=staleness)
    def stop_for_a_cancel(self, index: int, behind: int) -> None:
        job = self.pick_held(index)
        self.fenced(job, behind, lambda claim: claim.cancel(), lambda: job.become("canceled"))

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, behind=staleness, permanent=st.booleans(), due=st.booleans())
    def fail(self, index: int, behind: int, permanent: bool, due: bool) -> None:
        job = self.pick_held(index)
        base = timedelta(0) if due else FAR
        # Without an attempt there is nothing to multiply the pause by.
        due = due or job.attempts == 0
        self.fenced(
            job,
            behind,
            lambda claim: claim.fail("It broke.", permanent=permanent, retry_base=base),
            lambda: job.fail(permanent=permanent, due=due),
        )

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, behind=staleness)
    def release(self, index: int, behind: int) -> None:
        job = self.pick_held(index)
        self.fenced(job, behind, lambda claim: claim.release("Interrupted."), job.release)

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, times=st.integers(2, 7))
    def crash_again_and_again(self, index: int, times: int) -> None:
        job = self.pick_held(index)
        for _ in range(times):
            if job.status != "running":
                return
            self.fenced(job, 0, lambda claim: claim.release("Crashed."), job.release)
            self.what_waited_becomes_due()
            self.claim_any_lane(4)

    # --- what others do

    @precondition(lambda self: self.jobs)
    @rule(index=indexes)
    def cancel(self, index: int) -> None:
        job = self.pick_held(index)
        answer = queue.cancel(self.db, job.id)
        if job.status == "running" and job.lease == "live":
            job.cancel_requested = True
            assert answer == "cancel_requested"
        else:
            if job.status in ("queued", "running"):
                job.become("canceled")
            assert answer == job.status

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, status=st.sampled_from(["completed", "failed", "canceled"]))
    def complete_by_id(self, index: int, status: str) -> None:
        job = self.pick_held(index)
        statement: LiteralString = "select public.complete_agent_job(%s, %s) as done"
        if job.status == "running" and job.lease != "none":
            with pytest.raises(psycopg.Error, match="no longer current"):
                self.db.execute(statement, [job.id, status])
            return
        assert self.db.fetch_one(statement, [job.id, status]) == {"done": job.status == "running"}
        if job.status == "running":
            job.become(status)

    @precondition(lambda self: self.jobs)
    @rule(index=indexes)
    def requeue_by_a_direct_update(self, index: int) -> None:
        job = self.pick_held(index)
        statement: LiteralString = "update public.agent_jobs set status = 'queued', run_after = now() where id = %s"
        if job.status == "running" and job.lease != "none":
            with pytest.raises(psycopg.Error, match="is leased by claim"):
                self.db.execute(statement, [job.id])
            return
        self.db.execute(statement, [job.id])
        job.due = True
        if job.status != "queued":
            job.become("queued")

    @precondition(lambda self: self.jobs)
    @rule(index=indexes, message=st.sampled_from(["running", "completed", "failed"]))
    def say_so_as_a_foreign_worker(self, index: int, message: str) -> None:
        job = self.pick_held(index)
        self.db.execute(
            "insert into public.agent_job_events (project_id, job_id, type, message) values (%s, %s, 'status', %s)",
            [job.project, job.id, message],
        )
        job.tell(message)

    # --- what time does

    @precondition(lambda self: any(job.status == "running" and job.lease == "live" for job in self.jobs.values()))
    @rule(index=indexes)
    def a_lease_ends(self, index: int) -> None:
        live = [job for job in self.jobs.values() if job.status == "running" and job.lease == "live"]
        job = live[index % len(live)]
        expire_lease(self.db, job.id)
        job.lease = "expired"

    @precondition(lambda self: any(job.status == "running" and job.lease == "none" for job in self.jobs.values()))
    @rule(index=indexes)
    def ten_minutes_pass_for_a_foreign_worker(self, index: int) -> None:
        held = [job for job in self.jobs.values() if job.status == "running" and job.lease == "none"]
        job = held[index % len(held)]
        self.db.execute(
            "update public.agent_jobs set locked_at = now() - interval '11 minutes' where id = %s", [job.id]
        )
        job.stale = True

    @rule()
    def what_waited_becomes_due(self) -> None:
        self.db.execute("update public.agent_jobs set run_after = now() where status = 'queued'")
        for job in self.jobs.values():
            if job.status == "queued":
                job.due = True

    @rule()
    def reclaim(self) -> None:
        lost = [job for job in self.jobs.values() if job.is_lost()]
        assert queue.reclaim_stale(self.db) == len(lost)
        for job in lost:
            job.release()

    # --- what must hold

    @invariant()
    def jobs_are_as_in_the_model(self) -> None:
        rows = self.db.fetch_all(
            "select id, project_id, status, lane, attempts, interruptions, claim_no, payload, priority, max_attempts,"
            " dagster_run_id, cancel_requested_at is not null as cancel, run_after <= now() as due,"
            " case when leased_until is null then 'none' when leased_until > now() then 'live' else 'expired' end"
            " as lease, locked_by is not null as locked,"
            " completed_at is not null as ended from public.agent_jobs"
        )
        assert {row["id"] for row in rows} == {job.id for job in self.jobs.values()}
        found = {row["id"]: row for row in rows}
        for job in self.jobs.values():
            row = found[job.id]
            assert row == {
                "id": job.id, "project_id": job.project, "status": job.status, "lane": job.lane,
                "attempts": job.attempts, "interruptions": job.interruptions, "claim_no": job.claim_no,
                "payload": job.payload, "priority": job.priority, "max_attempts": job.max_attempts,
                "dagster_run_id": job.run, "cancel": job.cancel_requested,
                # When an ended job would have been due says nothing.
                "due": job.due if job.status == "queued" else row["due"],
                "lease": job.lease, "locked": job.status == "running",
                "ended": job.status in ("completed", "failed", "canceled"),
            }  # fmt: skip

    @invariant()
    def claim_numbers_only_rise(self) -> None:
        for job in self.jobs.values():
            assert job.claim_no >= self.highest_claims[job.id]
            self.highest_claims[job.id] = job.claim_no

    @invariant()
    def no_more_runs_than_lanes_and_projects_allow(self) -> None:
        rows = self.db.fetch_all("select id, lane, project_id from public.agent_jobs where status = 'running'")
        exempt = {job.id for job in self.jobs.values() if job.by_id}
        counted = [row for row in rows if row["id"] not in exempt]
        for lane, (slots, project_limit) in LIMITS.items():
            per_project = Counter(row["project_id"] for row in counted if row["lane"] == lane)
            assert per_project.total() <= slots
            assert max(per_project.values(), default=0) <= project_limit

    @invariant()
    def the_stream_tells_each_transition_once_and_has_no_gap(self) -> None:
        rows = self.db.fetch_all(
            "select project_id, job_id, type, message, claim_no, seq from public.agent_job_events"
            " order by project_id, seq"
        )
        told: dict[UUID, list[tuple[str, int]]] = defaultdict(list)
        logs: Counter[UUID] = Counter()
        seqs: dict[UUID, list[int]] = defaultdict(list)
        for row in rows:
            seqs[row["project_id"]].append(row["seq"])
            if row["type"] == "status":
                told[row["job_id"]].append((row["message"], row["claim_no"]))
            else:
                logs[row["job_id"]] += 1
        for job in self.jobs.values():
            assert told[job.id] == job.told
            assert logs[job.id] == job.logs
        for project in self.projects:
            assert seqs[project] == list(range(1, len(seqs[project]) + 1))
            assert events.last_seq(self.db, project) == len(seqs[project])

    @invariant()
    def steps_are_as_in_the_model(self) -> None:
        rows = self.db.fetch_all("select job_id, step from public.agent_job_steps")
        found: dict[UUID, set[str]] = defaultdict(set)
        for row in rows:
            found[row["job_id"]].add(row["step"])
        assert found == {job.id: job.steps for job in self.jobs.values() if job.steps}


@pytest.mark.chaos
@pytest.mark.timeout(SECONDS)
def test_the_queue_does_what_its_model_does(database: Database) -> None:
    for lane, (slots, project_limit) in LIMITS.items():
        set_lane(database, lane, slots, project_limit)

    class Machine(QueueMachine):
        db = database

    run_state_machine_as_test(Machine, settings=SETTINGS)
