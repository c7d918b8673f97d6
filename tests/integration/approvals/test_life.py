"""A pause stops a project's work and a resume brings exactly that back; a kill ends it for good."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio import approvals, claims, decisions, launch, lifecycle, queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput, NotFound, PermissionRefused, StudioError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.lifecycle import LifeChange
from studio.queue import NewJob
from tests.integration.approvals.racing import blocked
from tests.support.approvals import EMAIL, FOUNDER, Company
from tests.support.queue import LEASE, InBackground, enqueue, job, lose, separate_connection, steps

MakeCompany = Callable[..., Company]
LATER = datetime.now(UTC) + timedelta(days=3)


def become(company: Company, status: Any, reason: str | None = None) -> LifeChange:
    return lifecycle.set_status(company.db, company.id, status, FOUNDER, reason)


def held(company: Company, job_id: UUID) -> Claim:
    with company.db.transaction() as conn:
        return claims.claim_by_id(conn, company.db, job_id, "worker", f"run-{uuid4()}", LEASE)


def audit(company: Company) -> list[dict[str, Any]]:
    return [row for row in company.rows("project_audit_log") if row["what"] == "status"]


# --- pause and resume


def test_a_pause_stops_what_is_queued_and_what_runs(company: Company) -> None:
    queued, running = enqueue(company.db, company.id), held(company, enqueue(company.db, company.id))
    made = become(company, "paused", "Back in May.")
    assert (made.before, made.outcome, made.jobs_canceled, made.jobs_stopping) == ("active", "changed", 1, 1)
    assert (job(company.db, queued).status, job(company.db, queued).last_error) == (
        "canceled",
        "The project was paused.",
    )
    assert job(company.db, running.job_id).cancel_requested_at is not None
    (entry,) = audit(company)
    assert (entry["actor"], entry["before"], entry["after"], entry["reason"]) == (
        FOUNDER, "active", "paused", "Back in May.",
    )  # fmt: skip
    assert {one["id"] for one in entry["details"]["jobs"]} == {str(queued), str(running.job_id)}
    (event,) = company.events("project.paused")
    assert "Back in May." in event["message"]


def test_a_resume_revives_exactly_what_the_pause_stopped(company: Company) -> None:
    queued = enqueue(company.db, company.id, priority=7)
    waiting = enqueue(company.db, company.id, run_after=LATER)
    running = held(company, enqueue(company.db, company.id))
    running.once("research", lambda: {"found": 3})
    canceled_before, failed_before = enqueue(company.db, company.id), enqueue(company.db, company.id)
    queue.cancel(company.db, canceled_before, "Not wanted.")
    held(company, failed_before).fail("It broke.", permanent=True, retry_base=timedelta(0))
    stopping_before = held(company, enqueue(company.db, company.id))
    queue.cancel(company.db, stopping_before.job_id, "Not wanted.")
    become(company, "paused")
    running.cancel()
    stopping_before.cancel()
    made = become(company, "active")
    assert made.jobs_revived == 3
    assert [job(company.db, j).status for j in (queued, waiting, running.job_id)] == ["queued"] * 3
    assert job(company.db, queued).priority == 7
    assert job(company.db, waiting).run_after == LATER
    assert job(company.db, running.job_id).attempts == 0
    assert steps(company.db, running.job_id) == ["research"], "finished work was thrown away"
    assert job(company.db, canceled_before).status == "canceled"
    assert job(company.db, failed_before).status == "failed"
    assert job(company.db, stopping_before.job_id).status == "canceled", "what somebody had canceled came back"


def test_a_second_pause_forgets_the_first(company: Company) -> None:
    kept, dropped = enqueue(company.db, company.id), enqueue(company.db, company.id)
    become(company, "paused")
    become(company, "active")
    queue.cancel(company.db, dropped, "Not wanted.")
    become(company, "paused")
    assert become(company, "active").jobs_revived == 1
    assert (job(company.db, kept).status, job(company.db, dropped).status) == ("queued", "canceled")


def test_a_resume_waits_for_runs_that_still_stop(company: Company) -> None:
    running = held(company, enqueue(company.db, company.id))
    become(company, "paused")
    before = company.snapshot()
    with pytest.raises(Conflict, match="1 have not come to a halt") as caught:
        become(company, "active")
    assert "moment" in caught.value.remedy
    assert company.snapshot() == before
    running.cancel()
    assert become(company, "active").jobs_revived == 1


def test_a_run_that_is_lost_while_it_stops_comes_back_with_the_resume(company: Company) -> None:
    running = held(company, enqueue(company.db, company.id))
    become(company, "paused")
    lose(running)
    assert job(company.db, running.job_id).status == "canceled"
    assert become(company, "active").jobs_revived == 1


def test_a_run_that_ends_before_it_notices_is_not_done_again(company: Company) -> None:
    running = held(company, enqueue(company.db, company.id))
    become(company, "paused")
    running.complete()
    assert become(company, "active").jobs_revived == 0
    assert job(company.db, running.job_id).status == "completed"


def test_what_a_pause_stopped_is_only_taken_up_by_a_resume(company: Company) -> None:
    job_id = enqueue(company.db, company.id)
    become(company, "paused")
    with pytest.raises(PermissionRefused, match="is paused"):
        queue.retry(company.db, job_id)
    with pytest.raises(PermissionRefused, match="is paused"):
        held(company, job_id)
    assert job(company.db, job_id).status == "canceled"


@pytest.mark.parametrize("status", ["paused", "killed"])
def test_nothing_new_starts_in_a_project_that_is_not_active(company: Company, status: str) -> None:
    company.packet()
    become(company, status)
    with company.db.transaction() as conn:
        with pytest.raises(PermissionRefused, match=f"is {status}"):
            launch.launch(conn, company.id)
    with pytest.raises(PermissionRefused, match=f"is {status}"), company.db.transaction() as conn:
        queue.enqueue(conn, NewJob("bench.standard", company.id))
    assert company.propose(EMAIL).outcome == "refused"
    assert company.jobs("bench.standard") == []


def test_a_project_that_is_not_active_does_not_stop_others(make_company: MakeCompany) -> None:
    paused, active = make_company(), make_company()
    become(paused, "paused")
    assert enqueue(active.db, active.id)


def test_an_enqueue_that_has_not_committed_is_stopped_as_well(company: Company) -> None:
    """A pause waits for whoever is just enqueuing, so that no job slips by."""
    with separate_connection(company.db) as other:
        with other.transaction():
            other.execute("select public.enqueue_agent_job(%s, 'test.work', 'ceo', '{}', 'late')", [company.id])
            pausing = blocked(company.db, "select public.set_project_status(%s, 'paused', 'founder')", [company.id])
        pausing.result()
    assert [row["status"] for row in company.jobs("test.work")] == ["canceled"]


def test_a_pause_and_many_enqueues_at_once_leave_nothing_queued(make_company: MakeCompany) -> None:
    for _ in range(3):
        company, start = make_company(), threading.Barrier(7)

        def work(act: Callable[[], Any], start: threading.Barrier = start) -> Any:
            start.wait()
            try:
                return queue.transiently(act)
            except StudioError as exc:
                return exc

        def put(company: Company = company) -> Any:
            with company.db.transaction() as conn:
                return queue.enqueue(conn, NewJob("bench.standard", company.id, {"sample": 1}, key=str(uuid4())))

        racers = [InBackground(lambda: work(put)) for _ in range(6)]
        racers.append(InBackground(lambda company=company: work(lambda: become(company, "paused"))))  # type: ignore[misc]
        outcomes = [racer.result() for racer in racers]
        assert {row["status"] for row in company.jobs("bench.standard")} <= {"canceled"}
        enqueued = sum(isinstance(outcome, queue.Enqueued) for outcome in outcomes)
        assert become(company, "active").jobs_revived == enqueued


def test_a_pause_and_a_running_job_that_asks_something_do_not_wait_for_each_other(make_company: MakeCompany) -> None:
    for _ in range(3):
        company = make_company()
        claim = held(company, enqueue(company.db, company.id))
        start = threading.Barrier(2)

        def ask(claim: Claim = claim, company: Company = company, start: threading.Barrier = start) -> Any:
            start.wait()
            try:
                with claim.transaction() as conn:
                    return approvals.hold_active_project(conn, company.id)["status"]
            except PermissionRefused:
                return "refused"

        def pause(company: Company = company, start: threading.Barrier = start) -> Any:
            start.wait()
            return become(company, "paused").outcome

        asking, pausing = InBackground(ask), InBackground(pause)
        assert pausing.result() == "changed"
        # Whoever of the two came first: the one asked in an active project, or was refused.
        assert asking.result() in ("active", "refused")


# --- kill


def test_a_kill_ends_everything(company: Company) -> None:
    packet = company.packet()
    approved = company.asked(EMAIL)
    decisions.decide(company.db, approved.id, "approved", version=1, decided_by=FOUNDER)
    gate = company.gate(packet)
    running = held(company, enqueue(company.db, company.id))
    company.db.execute(
        "insert into public.email_jobs (project_id, to_email, subject, html_body, scheduled_for, status)"
        " select %s, 'a@example.org', 's', 'h', now(), status from unnest(array['queued', 'sent', 'queued']) status",
        [company.id],
    )
    made = become(company, "killed", "Nobody wants it.")
    assert (made.jobs_canceled, made.jobs_stopping, made.approvals_denied, made.mails_stopped) == (1, 1, 1, 2)
    assert [j["status"] for j in company.jobs("approval.execute")] == ["canceled"]
    assert approvals.get(company.db, approved.id).execution_status == "failed"
    denied = approvals.get(company.db, gate.id)
    assert (denied.status, denied.version, denied.decided_by) == ("denied", 2, FOUNDER)
    mails = [(m["status"], m["error"]) for m in company.rows("email_jobs")]
    assert sorted(mails, key=str) == [
        ("failed", "The project was killed."), ("failed", "The project was killed."), ("sent", None),
    ]  # fmt: skip
    memories = {m["key"]: m["value"] for m in company.rows("agent_memory")}
    assert "Nobody wants it." in memories["project_killed"]
    assert "denied_phase1_validate_review" in memories
    assert len(company.events("project.killed")) == 1
    assert [e["data"]["decision"] for e in company.events("approval.decided")] == ["approved", "denied"]
    running.cancel()
    assert job(company.db, running.job_id).status == "canceled"


@pytest.mark.parametrize("status", ["active", "paused"])
def test_a_kill_is_final(company: Company, status: str) -> None:
    enqueue(company.db, company.id)
    become(company, "killed")
    before = company.snapshot()
    with pytest.raises(Conflict, match="is killed, which is final") as caught:
        become(company, status)
    assert "projects create" in caught.value.remedy
    assert company.snapshot() == before


def test_a_paused_project_can_be_killed(company: Company) -> None:
    job_id = enqueue(company.db, company.id)
    become(company, "paused")
    made = become(company, "killed")
    assert (made.before, made.jobs_canceled) == ("paused", 0)
    assert job(company.db, job_id).status == "canceled"


@pytest.mark.parametrize("status", ["active", "paused", "killed"])
def test_the_status_it_has_already_changes_nothing(company: Company, status: str) -> None:
    if status != "active":
        become(company, status)
    before = company.snapshot()
    assert become(company, status).outcome == "unchanged"
    assert company.snapshot() == before


# --- what cannot be used


def test_there_must_be_such_a_project_and_status(company: Company, db: Database) -> None:
    for project_id in (uuid4(), SYSTEM_PROJECT_ID):
        with pytest.raises(NotFound, match="no project"):
            lifecycle.set_status(db, project_id, "paused", FOUNDER)
    with pytest.raises(InvalidInput, match="active, paused or killed, not asleep"):
        become(company, "asleep")
    with pytest.raises(InvalidInput, match="who makes it"):
        lifecycle.set_status(db, company.id, "paused", " ")
    with pytest.raises(InvalidInput, match="NUL"):
        become(company, "paused", "\x00")
    assert company.row("status")["status"] == "active"
