"""A launch puts one Phase 0 job into the queue: the same wish twice is one job, another wish is never swallowed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio import approvals, claims, queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput, InvalidPayload, NotFound, PermissionRefused
from studio.job_types import GUIDANCE_LIMIT
from studio.launch import Launched, launch
from studio.model.spend import Spent
from studio.packets import versions
from studio.text import sha1_hex
from tests.support.postgres import TestServer
from tests.support.queue import LEASE, InBackground, everything, make_project, separate_connection

NO_WAIT = timedelta(0)
GUIDANCE = "Aim it at schools."


@pytest.fixture(scope="module")
def db(postgres: TestServer, database_template: str) -> Iterator[Database]:
    """One database for the module: each test has a project of its own in it."""
    with postgres.temporary(database_template) as name, Database(postgres.url(name), pool_size=12) as db:
        yield db


@pytest.fixture
def project(db: Database) -> UUID:
    return make_project(db)


def launched(db: Database, project_id: UUID, **wish: Any) -> Launched:
    with db.transaction() as conn:
        return launch(conn, project_id, **wish)


def claimed(db: Database, job_id: UUID) -> Claim:
    with db.transaction() as conn:
        return claims.claim_by_id(conn, db, job_id, "worker", f"run-{uuid4()}", LEASE)


def deliver(db: Database, job_id: UUID) -> None:
    """Do what a Phase 0 run leaves behind: a new packet version and its gate; then complete the job."""
    claim = claimed(db, job_id)
    job, synopsis = claim.job, {"confidence": 50}
    with claim.transaction() as conn:
        version = versions.save(
            conn,
            job.project_id,
            0,
            {"tagline": "T", "reasoning_synopsis": synopsis},
            synopsis=synopsis,
            job_id=job.id,
            claim_no=claim.claim_no,
            model="sandbox",
            prompt_version="p",
            spent=Spent(0, 0, 0, 0, 0),
            provenance={},
        )
        force = bool(job.payload.get("forceNewApproval"))
        approvals.open_gate(conn, version, title="Review", description="T", supersede=force, job_id=job.id)
    claim.complete()


def jobs_of(db: Database, project_id: UUID) -> list[queue.Job]:
    return queue.find(db, project_id=project_id)


# --- one wish, one job


def test_a_launch_is_keyed_and_queued_as_in_the_seed(db: Database, project: UUID) -> None:
    first = launched(db, project)
    assert (first.outcome, first.status, first.started) == ("created", "queued", True)
    job = queue.get(db, first.job_id)
    assert job.idempotency_key == f"phase0:{project}:{sha1_hex('')}:0"
    assert (job.job_type, job.lane, job.priority, job.agent_key) == ("phase0.generate_packet", "heavy", 100, "ceo")
    assert job.payload == {"projectId": str(project), "ownerClerkId": "owner", "forceNewApproval": False}


@pytest.mark.parametrize("wish", [{}, {"guidance": GUIDANCE}, {"force_new_approval": True}])
def test_the_same_launch_again_is_the_same_job(db: Database, project: UUID, wish: dict[str, Any]) -> None:
    first = launched(db, project, **wish)
    before = everything(db, first.job_id)
    assert launched(db, project, **wish) == Launched(first.job_id, "existing", "queued")
    assert everything(db, first.job_id) == before
    claimed(db, first.job_id)
    again = launched(db, project, **wish)
    assert again == Launched(first.job_id, "existing", "running")
    assert not again.started
    assert len(jobs_of(db, project)) == 1


PLAIN: dict[str, Any] = {}
GUIDED = {"guidance": GUIDANCE}
OTHERWISE = {"guidance": "Aim it at farmers."}
FORCED = {"force_new_approval": True}


@pytest.mark.parametrize("status", ["queued", "running"])
@pytest.mark.parametrize(
    ("delivered", "first", "second"),
    [
        (False, PLAIN, GUIDED),
        (False, PLAIN, FORCED),
        (False, GUIDED, PLAIN),
        (False, GUIDED, OTHERWISE),
        (False, GUIDED, GUIDED | FORCED),
        (False, FORCED, GUIDED),
        (True, GUIDED, OTHERWISE),
        (True, GUIDED, FORCED),
        (True, GUIDED, GUIDED | FORCED),
        (True, FORCED, GUIDED),
    ],
)
def test_another_wish_while_one_is_under_way_is_refused_not_swallowed(
    db: Database, project: UUID, delivered: bool, first: dict[str, Any], second: dict[str, Any], status: str
) -> None:
    if delivered:
        deliver(db, launched(db, project).job_id)
    job_id = launched(db, project, **first).job_id
    if status == "running":
        claimed(db, job_id)
    before, count = everything(db, job_id), len(jobs_of(db, project))
    with pytest.raises(Conflict, match=f"already {status} as job {job_id}") as caught:
        launched(db, project, **second)
    assert "greenlight jobs tail" in caught.value.remedy
    assert everything(db, job_id) == before
    assert len(jobs_of(db, project)) == count, "a refused launch left a job behind"


# --- again, after an end


@pytest.mark.parametrize("end", ["failed", "canceled"])
@pytest.mark.parametrize("wish", [{}, {"guidance": GUIDANCE}, {"force_new_approval": True}])
def test_a_launch_that_did_not_succeed_can_be_repeated(
    db: Database, project: UUID, end: str, wish: dict[str, Any]
) -> None:
    job_id = launched(db, project, **wish).job_id
    claim = claimed(db, job_id)
    claim.once("research", lambda: {"found": 3})
    if end == "failed":
        claim.fail("The model refuses the key.", permanent=True, retry_base=NO_WAIT)
    else:
        claim.cancel("Not now.")
    again = launched(db, project, **wish)
    assert again == Launched(job_id, "revived", "queued")
    assert again.started
    job = queue.get(db, job_id)
    assert (job.attempts, job.last_error) == (0, None)
    # What was paid for is not thrown away.
    assert claimed(db, job_id).saved_step("research") == (True, {"found": 3})


def test_a_failed_revision_can_be_repeated_with_other_guidance(db: Database, project: UUID) -> None:
    deliver(db, launched(db, project).job_id)
    failed = launched(db, project, guidance=GUIDANCE)
    claim = claimed(db, failed.job_id)
    claim.once("synthesize", lambda: {"tagline": "Schools"})
    claim.fail("It broke.", permanent=True, retry_base=NO_WAIT)
    again = launched(db, project, guidance="Aim it at farmers.")
    assert again.started
    job = queue.get(db, again.job_id)
    assert job.payload["revisionGuidance"] == "Aim it at farmers."
    assert claimed(db, again.job_id).saved_step("synthesize") == (False, None), "the old wish's work was kept"


def test_a_completed_launch_is_not_repeated_without_a_wish(db: Database, project: UUID) -> None:
    job_id = launched(db, project).job_id
    deliver(db, job_id)
    again = launched(db, project)
    assert again == Launched(job_id, "existing", "completed")
    assert not again.started


@pytest.mark.parametrize("guidance", [[GUIDANCE, GUIDANCE, GUIDANCE], [GUIDANCE, "Shorter.", GUIDANCE]])
def test_one_revision_after_another_is_a_job_each(db: Database, project: UUID, guidance: list[str]) -> None:
    deliver(db, launched(db, project).job_id)
    for number, text in enumerate(guidance, start=2):
        revision = launched(db, project, guidance=text)
        assert (revision.outcome, revision.started) == ("created", True), f"revision {number} was swallowed"
        deliver(db, revision.job_id)
    assert len(jobs_of(db, project)) == 1 + len(guidance)
    latest = versions.latest(db, project, 0)
    assert latest is not None
    assert latest.version == 1 + len(guidance)


def test_one_forced_packet_after_another_is_a_job_each(db: Database, project: UUID) -> None:
    deliver(db, launched(db, project).job_id)
    for _ in range(3):
        forced = launched(db, project, force_new_approval=True)
        assert forced.outcome == "created"
        deliver(db, forced.job_id)
    statuses = Counter(
        row["status"]
        for row in db.fetch_all("select status from public.approval_queue where project_id = %s", [project])
    )
    assert statuses == {"revised": 3, "pending": 1}


def test_a_revision_after_a_decision_is_a_new_job(db: Database, project: UUID) -> None:
    deliver(db, launched(db, project).job_id)
    first = launched(db, project, guidance=GUIDANCE)
    deliver(db, first.job_id)
    db.execute(
        "update public.approval_queue set status = 'revised', version = version + 1 where project_id = %s", [project]
    )
    second = launched(db, project, guidance=GUIDANCE)
    assert second.outcome == "created"
    assert second.job_id != first.job_id


def gate_passed(db: Database, project: UUID) -> None:
    """Deliver a first packet, and let its gate be approved."""
    deliver(db, launched(db, project).job_id)
    db.execute(
        "update public.approval_queue set status = 'approved', version = version + 1 where project_id = %s", [project]
    )
    db.execute("update public.projects set phase = 1 where id = %s", [project])


def test_one_revision_after_another_is_a_job_each_though_the_gate_is_passed(db: Database, project: UUID) -> None:
    gate_passed(db, project)
    for number, text in enumerate([GUIDANCE, "Shorter.", GUIDANCE], start=2):
        revision = launched(db, project, guidance=text)
        assert (revision.outcome, revision.started) == ("created", True), f"revision {number} was swallowed"
        assert launched(db, project, guidance=text) == Launched(revision.job_id, "existing", "queued")
        deliver(db, revision.job_id)
    assert len(jobs_of(db, project)) == 4
    row = db.fetch_one("select count(*) as n from public.approval_queue where project_id = %s", [project])
    assert row == {"n": 1}


@pytest.mark.parametrize("other", [{"guidance": "Shorter."}, {"force_new_approval": True}])
@pytest.mark.parametrize("passed", [False, True])
def test_another_wish_is_not_swallowed_by_one_that_left_nothing(
    db: Database, project: UUID, passed: bool, other: dict[str, Any]
) -> None:
    gate_passed(db, project) if passed else deliver(db, launched(db, project).job_id)
    first = launched(db, project, guidance=GUIDANCE)
    claimed(db, first.job_id).complete()
    with pytest.raises(Conflict, match=f"as job {first.job_id}, which is completed"):
        launched(db, project, **other)
    assert launched(db, project, guidance=GUIDANCE) == Launched(first.job_id, "existing", "completed")


# --- at once


def race(db: Database, project: UUID, wishes: list[dict[str, Any]]) -> list[Launched | str]:
    start = threading.Barrier(len(wishes))

    def work(wish: dict[str, Any]) -> Launched | str:
        start.wait()
        try:
            return queue.transiently(lambda: launched(db, project, **wish))
        except Conflict:
            return "refused"

    racers = [InBackground(lambda wish=wish: work(wish)) for wish in wishes]  # type: ignore[misc]
    return [racer.result() for racer in racers]


@pytest.mark.parametrize("delivered", [False, True])
def test_many_launches_at_once_are_one_job(db: Database, project: UUID, delivered: bool) -> None:
    if delivered:
        deliver(db, launched(db, project).job_id)
    outcomes = race(db, project, [{"guidance": GUIDANCE}] * 8)
    assert Counter(outcome.outcome for outcome in outcomes if isinstance(outcome, Launched)) == {
        "created": 1,
        "existing": 7,
    }
    assert len({outcome.job_id for outcome in outcomes if isinstance(outcome, Launched)}) == 1


@pytest.mark.parametrize("delivered", [False, True])
def test_of_many_wishes_at_once_one_is_taken(db: Database, project: UUID, delivered: bool) -> None:
    if delivered:
        deliver(db, launched(db, project).job_id)
    wishes: list[dict[str, Any]] = [{"guidance": f"Wish {n}."} for n in range(7)]
    outcomes = race(db, project, [*wishes, {"force_new_approval": True}])
    (taken,) = [outcome for outcome in outcomes if isinstance(outcome, Launched)]
    assert taken.outcome == "created"
    assert outcomes.count("refused") == 7
    assert [job.id for job in jobs_of(db, project) if not job.ended] == [taken.job_id]


# --- what is refused


def test_there_must_be_such_a_project(db: Database) -> None:
    with pytest.raises(NotFound, match="no project"):
        launched(db, uuid4())


@pytest.mark.parametrize("status", ["paused", "killed"])
def test_a_project_that_is_not_active_is_not_launched(db: Database, status: str) -> None:
    project = make_project(db, status=status)
    with pytest.raises(PermissionRefused, match=f"is {status}") as caught:
        launched(db, project)
    assert caught.value.permanent
    assert jobs_of(db, project) == []


@pytest.mark.parametrize(
    ("guidance", "error"),
    [("x" * (GUIDANCE_LIMIT + 1), InvalidPayload), ("NUL \x00", InvalidInput), ("\udcff", InvalidInput)],
)
def test_guidance_that_cannot_be_used_is_refused(
    db: Database, project: UUID, guidance: str, error: type[InvalidInput]
) -> None:
    with pytest.raises(error):
        launched(db, project, guidance=guidance)
    assert jobs_of(db, project) == []


@pytest.mark.parametrize("guidance", ["", "  \n "])
def test_guidance_that_says_nothing_is_none(db: Database, project: UUID, guidance: str) -> None:
    first = launched(db, project)
    assert launched(db, project, guidance=guidance).job_id == first.job_id


def test_a_launch_takes_part_in_the_callers_transaction(db: Database, project: UUID) -> None:
    with separate_connection(db) as conn, conn.transaction(force_rollback=True):
        launch(conn, project)
        assert jobs_of(db, project) == [], "the job was there before its transaction was committed"
    assert jobs_of(db, project) == []
