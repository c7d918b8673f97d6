"""An effect leaves at most once: what is certain is acted on, what is not is asked or held, and a person decides."""

from __future__ import annotations

import contextlib
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from studio import claims, decisions, lifecycle, outbox, queue
from studio.actions.context import ActionContext
from studio.approvals import Approval
from studio.claims import Claim
from studio.database.connection import Connection
from studio.delivery import Courier, Delivery, Receipt
from studio.errors import (
    Conflict,
    InvalidInput,
    JobBusy,
    LeaseLost,
    NotFound,
    PermissionRefused,
    ProviderUnavailable,
)
from studio.project_events import record as record_event
from tests.integration.test_row_level_security import acting_as
from tests.support.actions import EFFECTS, LEASE, Stage, attempt, execution, hook_client
from tests.support.approvals import ADS, DEPLOY, FOUNDER, HOOK, REPOSITORY
from tests.support.local_web import closed_port
from tests.support.model import Recorder
from tests.support.queue import InBackground
from tests.support.waiting import eventually


def state(stage: Stage, approval: Approval) -> tuple[str, str, str]:
    """Return the status of job, approval and effect."""
    return stage.job(approval).status, stage.status(approval), stage.effect(approval).status


# --- what a provider's end of it means


@pytest.mark.parametrize(("action", "status"), [(ADS, 429), (REPOSITORY, 429), (HOOK, 429), (HOOK, 408)])
def test_refused_for_now_is_tried_again(stage: Stage, action: str, status: int) -> None:
    _, approval = stage.approved(action)
    stage.providers.fault("status", status=status)
    assert stage.run(approval) == "queued"
    assert state(stage, approval) == ("queued", "queued", "pending")
    assert stage.run(approval) == "completed"
    assert state(stage, approval) == ("completed", "completed", "done")
    assert stage.happened(approval) == 1
    assert stage.effect(approval).attempts == 2


@pytest.mark.parametrize(
    ("action", "status", "body"),
    [
        (ADS, 400, {"error": {"message": "User request limit reached", "code": 17}}),
        (ADS, 400, {"error": {"message": "Please retry", "code": 999, "is_transient": True}}),
        (REPOSITORY, 403, {"message": "API rate limit exceeded for user ID 1."}),
    ],
)
def test_a_limit_that_comes_as_another_status_is_known(stage: Stage, action: str, status: int, body: Any) -> None:
    _, approval = stage.approved(action)
    stage.providers.fault("status", status=status, body=body)
    assert stage.run(approval) == "queued"
    assert stage.effect(approval).status == "pending"
    assert stage.run(approval) == "completed"


@pytest.mark.parametrize(
    ("action", "status"),
    [(ADS, 400), (ADS, 401), (REPOSITORY, 301), (REPOSITORY, 403), (REPOSITORY, 422), (HOOK, 307), (HOOK, 404)],
)
def test_refused_is_failed_with_the_reason_and_can_be_retried(stage: Stage, action: str, status: int) -> None:
    company, approval = stage.approved(action)
    stage.providers.fault(
        "status", status=status, body={"error": {"message": "Not like this"}, "message": "Not like this"}
    )
    assert stage.run(approval) == "failed"
    assert state(stage, approval) == ("failed", "failed", "failed")
    assert f"answered {status}" in (stage.effect(approval).error or "")
    assert "Not like this" in (stage.effect(approval).error or "")
    assert stage.effect(approval).error in (stage.job(approval).last_error or "")
    assert [event["message"] for event in company.events("execution.failed")] == [stage.job(approval).last_error]
    queue.retry(stage.db, stage.job(approval).id)
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        ({"kind": "drop"}, True),
        ({"kind": "drop"}, False),
        ({"kind": "status", "status": 500}, True),
        ({"kind": "status", "status": 503}, False),
        ({"kind": "hang"}, True),
        ({"kind": "hang"}, False),
        ({"kind": "raw", "body": b"HTTP/1.1 what?\r\n\r\n"}, True),
    ],
)
def test_what_meta_did_is_asked_of_meta(stage: Stage, fault: dict[str, Any], done: bool) -> None:
    stage.settings = stage.settings.model_copy(update={"provider_timeout_seconds": 0.7})
    _, approval = stage.approved(ADS)
    ordered = stage.providers.fault(**fault, done=done)
    assert stage.run(approval) == "queued"
    ordered.released.set()
    assert state(stage, approval) == ("queued", "queued", "sending")
    assert stage.run_to_end(approval) == "completed"
    assert state(stage, approval) == ("completed", "completed", "done")
    assert stage.happened(approval) == 1
    assert stage.effect(approval).provider_id == stage.providers.campaigns[0]["id"]
    assert len(stage.providers.changes()) == (1 if done else 2)


def test_an_answer_of_meta_without_a_campaign_is_no_success(stage: Stage) -> None:
    _, approval = stage.approved(ADS)
    stage.providers.fault("status", status=200, body={"success": True}, done=True)
    assert stage.run(approval) == "queued"
    assert stage.run_to_end(approval) == "completed"
    assert stage.happened(approval) == 1


@pytest.mark.parametrize(
    ("action", "fault", "done"),
    [
        (REPOSITORY, {"kind": "drop"}, True),
        (REPOSITORY, {"kind": "drop"}, False),
        (REPOSITORY, {"kind": "status", "status": 502}, True),
        (REPOSITORY, {"kind": "hang"}, False),
        (HOOK, {"kind": "drop"}, True),
        (HOOK, {"kind": "status", "status": 503}, False),
        (HOOK, {"kind": "hang"}, True),
        (HOOK, {"kind": "raw", "body": b"HTTP/1.1 what?\r\n\r\n"}, True),
    ],
)
def test_what_nobody_can_be_asked_about_is_held(stage: Stage, action: str, fault: dict[str, Any], done: bool) -> None:
    stage.settings = stage.settings.model_copy(update={"provider_timeout_seconds": 0.7})
    company, approval = stage.approved(action)
    ordered = stage.providers.fault(**fault, done=done)
    assert stage.run(approval) == "failed"
    ordered.released.set()
    assert state(stage, approval) == ("failed", "unknown", "unknown")
    assert stage.executed(approval)["status"] == "unknown"
    entry = stage.effect(approval)
    assert f"greenlight outbox resolve {entry.id}" in (stage.job(approval).last_error or "")
    (held,) = company.events("execution.unknown")
    assert str(entry.id) in held["message"]
    # Whoever just tries again changes nothing.
    queue.retry(stage.db, stage.job(approval).id)
    assert stage.status(approval) == "unknown"
    assert stage.run(approval) == "failed"
    assert state(stage, approval) == ("failed", "unknown", "unknown")
    assert len(stage.providers.changes()) == 1


@pytest.mark.parametrize("action", EFFECTS)
def test_a_closed_door_is_certainly_nothing_done(stage: Stage, action: str) -> None:
    _, approval = stage.approved(action)
    with closed_port() as address:
        here = f"http://{address[0]}:{address[1]}"
        settings = stage.settings.model_copy(update={"github_url": here, "meta_url": here})
        work = execution(stage.claimed(approval), settings, hook_client(address))
        assert attempt(work) == "queued"
    assert state(stage, approval) == ("queued", "queued", "pending")
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


def test_a_provider_that_is_away_for_good_fails_the_approval(stage: Stage) -> None:
    _, approval = stage.approved(REPOSITORY)
    stage.settings = stage.settings.model_copy(update={"github_url": "http://github.invalid"})
    assert stage.run_to_end(approval) == "failed"
    assert state(stage, approval) == ("failed", "failed", "failed")
    assert stage.effect(approval).attempts == stage.job(approval).max_attempts == 3


# --- asking


def test_a_campaign_that_somebody_has_archived_meanwhile_is_found(stage: Stage) -> None:
    for status in ("ARCHIVED", "DELETED"):
        _, approval = stage.approved(ADS)
        stage.providers.fault("drop", done=True)
        stage.run(approval)
        stage.providers.campaigns[-1]["status"] = status
        assert stage.run_to_end(approval) == "completed"
        assert stage.happened(approval) == 1


def test_a_campaign_is_looked_for_on_every_page(stage: Stage) -> None:
    _, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    stage.providers.campaigns[:0] = [{"id": str(n), "name": f"Other {n}", "status": "ACTIVE"} for n in range(5)]
    stage.providers.page_size = 2
    assert stage.run_to_end(approval) == "completed"
    assert stage.happened(approval) == 1
    assert len([asked for asked in stage.providers.requests if asked.method == "GET"]) == 3


def test_no_token_stands_in_an_address(stage: Stage) -> None:
    _, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    stage.run_to_end(approval)
    assert all("access_token" not in asked.query for asked in stage.providers.requests)


def test_a_provider_that_does_not_say_is_asked_again_and_never_sent_to(stage: Stage) -> None:
    _, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    for _ in range(2):
        stage.providers.fault("status", method="GET", status=503)
    assert stage.run_to_end(approval) == "failed"
    # It has not been found out, so it is held.
    assert state(stage, approval) == ("failed", "unknown", "unknown")
    assert len(stage.providers.changes()) == 1
    # Here trying again is right: the provider can be asked.
    queue.retry(stage.db, stage.job(approval).id)
    assert stage.run(approval) == "completed"
    assert state(stage, approval) == ("completed", "completed", "done")
    assert stage.happened(approval) == 1


def test_a_provider_is_given_its_time_before_it_is_asked(stage: Stage) -> None:
    stage.settings = stage.settings.model_copy(update={"provider_timeout_seconds": 1.5})
    _, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    stage.run(approval)  # at once
    row = stage.db.fetch_one(
        "select settled_at - sent_at as passed from public.outbox where approval_id = %s", [approval.id]
    )
    assert row is not None
    assert row["passed"] >= timedelta(seconds=1.5)
    assert stage.happened(approval) == 1


# --- two at once


@pytest.mark.parametrize("action", EFFECTS)
def test_a_sender_that_lives_though_its_claim_is_lost_is_waited_for(stage: Stage, action: str) -> None:
    _, approval = stage.approved(action)
    old = stage.claimed(approval)
    slow = stage.providers.fault("slow")
    ends: dict[str, str] = {}

    def go(name: str, claim: Claim) -> threading.Thread:
        def run() -> None:
            ends[name] = attempt(execution(claim, stage.settings, stage.outbound, Recorder()))

        thread = threading.Thread(target=run, name=name)
        thread.start()
        return thread

    zombie = go("zombie", old)
    eventually(lambda: stage.providers.changes(), what="the zombie's request")
    stage.lose(old.job_id)
    successor = go("successor", stage.claimed(approval))
    eventually(
        lambda: stage.db.fetch_one("select 1 from pg_locks where locktype = 'advisory' and not granted"),
        what="the successor's wait",
    )
    slow.released.set()
    zombie.join()
    successor.join()
    assert ends == {"zombie": "lost", "successor": "completed"}
    assert stage.happened(approval) == 1
    assert state(stage, approval) == ("completed", "completed", "done")
    # What became of it was said by the one who knew.
    assert stage.effect(approval).claim_no == old.claim_no


@pytest.mark.parametrize("action", EFFECTS)
def test_who_has_lost_the_claim_before_it_sends_sends_nothing(stage: Stage, action: str) -> None:
    _, approval = stage.approved(action)
    old = stage.claimed(approval)
    work = stage.execution(old)
    begun = old.once_in_transaction("begin", work.begin)
    stage.lose(old.job_id)
    new = stage.claimed(approval)
    with pytest.raises(LeaseLost):
        work.perform(begun)
    assert stage.providers.requests == []
    assert stage.run(approval, new) == "completed"
    with pytest.raises(LeaseLost):
        work.perform(begun)
    assert stage.happened(approval) == 1


class Slow(Courier):
    effect = "effect"
    provider = "nobody"

    def open(self) -> None:
        pass

    def request(self, conn: Any) -> dict[str, Any]:
        return {}

    def send(self, request: Any, idempotency_key: str) -> Receipt:
        raise AssertionError("it must not be sent")


def test_who_waits_too_long_for_another_sender_comes_back_later(stage: Stage) -> None:
    _, approval = stage.approved(HOOK)
    claim = stage.claimed(approval)
    claim.once_in_transaction("begin", stage.execution(claim).begin)
    execution_id = stage.executed(approval)["id"]
    delivery = Delivery(claim, execution_id, timeout=0.1, grace=0.1, progress=Recorder())
    with claim.transaction() as conn:
        entry = conn.execute(
            "select id from public.enlist_outbox_effect(%s, %s, %s, 'effect', 'nobody', 'key')",
            [claim.job_id, claim.claim_no, execution_id],
        ).fetchone()
    assert entry is not None
    with stage.db.transaction() as other:
        other.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"outbox:{entry['id']}"])
        with pytest.raises(ProviderUnavailable, match="still waiting for nobody"):
            delivery.deliver(Slow(), "key")


def test_another_job_for_the_same_approval_waits_its_turn(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)
    first = stage.claimed(approval)
    first.once_in_transaction("begin", stage.execution(first).begin)
    second = other_job(stage, company.id, approval)
    with pytest.raises(JobBusy, match=str(first.job_id)):
        second.once_in_transaction("begin", execution(second, stage.settings, stage.outbound).begin)
    # It may take over what the first has left.
    stage.lose(first.job_id)
    assert attempt(execution(second, stage.settings, stage.outbound)) == "completed"
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


def other_job(stage: Stage, project_id: UUID, approval: Approval) -> Claim:
    payload = {"approvalId": str(approval.id), "actionType": approval.action_type}
    with stage.db.transaction() as conn:
        new = queue.NewJob("approval.execute", project_id, payload, key=f"other-{uuid4()}")
        job_id = queue.enqueue(conn, new).job_id
        return claims.claim_by_id(conn, stage.db, job_id, "worker", f"run-{uuid4()}", LEASE)


# --- the states in the database itself, whoever speaks to it


def enlisted(stage: Stage) -> tuple[Approval, Claim, UUID]:
    """An effect that is pending under a claim that has begun."""
    _, approval = stage.approved(HOOK)
    claim = stage.claimed(approval)
    claim.write(stage.execution(claim).begin)
    row = claim.write(
        lambda conn: conn.execute(
            "select id from public.enlist_outbox_effect(%s, %s, %s, 'effect', 'nobody', %s)",
            [claim.job_id, claim.claim_no, stage.executed(approval)["id"], str(approval.id)],
        ).fetchone()
    )
    assert row is not None
    return approval, claim, row["id"]


def send(claim: Claim, entry_id: UUID, attempts: int) -> None:
    claim.write(
        lambda conn: conn.execute(
            "select public.send_outbox_effect(%s, %s, %s, %s, '{}', 'hash')",
            [claim.job_id, claim.claim_no, entry_id, attempts],
        )
    )


def record(claim: Claim, entry_id: UUID, status: str) -> bool:
    row = claim.db.fetch_one(
        "select public.record_outbox_effect(%s, %s, %s, %s) as said", [claim.job_id, claim.claim_no, entry_id, status]
    )
    assert row is not None
    return bool(row["said"])


def test_only_what_was_certainly_not_done_can_be_sent(stage: Stage) -> None:
    _, claim, entry_id = enlisted(stage)
    with pytest.raises(LeaseLost):
        send(claim, entry_id, 1)
    send(claim, entry_id, 0)
    # The same statement again, whose answer was lost, changes nothing; the next one is another sending.
    send(claim, entry_id, 0)
    assert outbox.get(stage.db, entry_id).attempts == 1
    for status in ("sending", "unknown", "done"):
        if status != "sending":
            assert record(claim, entry_id, status)
            stage.db.execute("update public.outbox set status = 'sending' where id = %s", [entry_id])
            assert record(claim, entry_id, status)
        with pytest.raises(LeaseLost):
            send(claim, entry_id, 1)
        assert outbox.get(stage.db, entry_id).status == status
        stage.db.execute("update public.outbox set status = 'sending' where id = %s", [entry_id])


@pytest.mark.parametrize("certain", ["pending", "failed"])
def test_what_was_certainly_not_done_can_be_sent_again(stage: Stage, certain: str) -> None:
    _, claim, entry_id = enlisted(stage)
    send(claim, entry_id, 0)
    assert record(claim, entry_id, certain)
    send(claim, entry_id, 1)
    assert outbox.get(stage.db, entry_id).attempts == 2


def test_who_has_been_taken_over_has_no_more_say(stage: Stage) -> None:
    approval, old, entry_id = enlisted(stage)
    send(old, entry_id, 0)
    stage.lose(old.job_id)
    new = stage.claimed(approval)
    new.write(stage.execution(new).begin)
    # Nobody has looked yet: who sent it may say so, though his claim is lost.
    new.write(
        lambda conn: conn.execute(
            "select public.settle_outbox_effect(%s, %s, %s, 'pending')", [new.job_id, new.claim_no, entry_id]
        )
    )
    send(new, entry_id, 1)
    assert not record(old, entry_id, "failed")
    with pytest.raises(LeaseLost):
        send(old, entry_id, 2)
    assert record(new, entry_id, "done")
    assert outbox.get(stage.db, entry_id).status == "done"


def test_an_execution_with_an_effect_that_is_not_done_is_not_complete(stage: Stage) -> None:
    approval, claim, _ = enlisted(stage)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="not done"):
        claim.write(
            lambda conn: conn.execute(
                "select public.finish_action_execution(%s, %s, %s, 'Done')",
                [claim.job_id, claim.claim_no, stage.executed(approval)["id"]],
            )
        )
    assert stage.status(approval) == "running"


def test_a_part_is_done_once_whatever_job_comes_next(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)

    def act(claim: Claim) -> Any:
        work = stage.execution(claim)
        taken, approved, _ = claim.write(work._take_up)
        context = ActionContext(
            claim, taken.execution_id, approved, stage.settings, stage.told, work.outbound, work.storage
        )

        def part(conn: Connection) -> Any:
            record_event(conn, company.id, "test.part", "It is done.")
            return {"by": claim.claim_no, "job": str(claim.job_id)}

        return context.once("part", part)

    first = stage.claimed(approval)
    outcome = act(first)
    assert act(first) == outcome
    stage.lose(first.job_id)
    assert act(stage.claimed(approval)) == outcome
    stage.lose(first.job_id)
    assert act(other_job(stage, company.id, approval)) == outcome
    assert len(company.events("test.part")) == 1
    with pytest.raises(LeaseLost):
        act(first)


# --- jobs that end outside their runs


def test_a_job_canceled_in_the_queue_leaves_nothing_running(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)
    queue.cancel(stage.db, stage.job(approval).id, "Not today.")
    assert stage.status(approval) == "failed"
    (failed,) = company.events("execution.failed")
    assert failed["message"] == "Not today."
    queue.retry(stage.db, stage.job(approval).id)
    assert stage.status(approval) == "queued"
    assert stage.run(approval) == "completed"


def test_a_job_canceled_while_nobody_knows_is_unknown(stage: Stage) -> None:
    _, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    assert stage.run(approval) == "queued"
    queue.cancel(stage.db, stage.job(approval).id)
    assert state(stage, approval) == ("canceled", "unknown", "unknown")


def test_a_job_that_is_lost_too_often_fails_its_approval(stage: Stage) -> None:
    _, approval = stage.approved(DEPLOY)
    for _ in range(20):
        if stage.job(approval).ended:
            break
        claim = stage.claimed(approval)
        claim.write(stage.execution(claim).begin)
        assert stage.status(approval) == "running"
        stage.lose(claim.job_id)
        assert stage.status(approval) in ("queued", "failed")
    assert stage.job(approval).status == "failed"
    assert (stage.status(approval), stage.executed(approval)["status"]) == ("failed", "failed")


def test_a_job_that_another_client_completes_has_not_carried_it_out(stage: Stage) -> None:
    _, approval = stage.approved(HOOK)
    claim = stage.claimed(approval)
    claim.once_in_transaction("begin", stage.execution(claim).begin)
    claim.complete()
    assert (stage.status(approval), stage.executed(approval)["status"]) == ("failed", "failed")
    assert "without having carried it out" in stage.executed(approval)["detail"]


def test_a_job_that_is_deleted_takes_no_approval_along(stage: Stage) -> None:
    _, approval = stage.approved(HOOK)
    stage.db.execute("delete from public.agent_jobs where id = %s", [stage.job(approval).id])
    assert stage.status(approval) == "failed"


def test_a_deleted_project_takes_everything_along(stage: Stage) -> None:
    company, approval = stage.approved(ADS)
    stage.run(approval)
    stage.db.execute("delete from public.projects where id = %s", [company.id])
    assert outbox.find(stage.db, project_id=company.id) == []


def test_a_pause_stops_an_execution_and_a_resume_carries_it_out(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)
    lifecycle.set_status(stage.db, company.id, "paused", FOUNDER)
    assert stage.status(approval) == "failed"
    lifecycle.set_status(stage.db, company.id, "active", FOUNDER)
    assert stage.status(approval) == "queued"
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


def test_a_kill_while_nobody_knows_does_not_say_that_nothing_happened(stage: Stage) -> None:
    company, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    lifecycle.set_status(stage.db, company.id, "killed", FOUNDER)
    assert state(stage, approval) == ("canceled", "unknown", "unknown")


# --- a person's word


def held(stage: Stage, action: str = HOOK, *, done: bool = True) -> tuple[Any, Approval]:
    company, approval = stage.approved(action)
    stage.providers.fault("drop", done=done)
    assert stage.run(approval) == "failed"
    assert stage.status(approval) == "unknown"
    return company, approval


def test_it_was_done_so_it_is_not_done_again(stage: Stage) -> None:
    company, approval = held(stage)
    entry = stage.effect(approval)
    resolved = outbox.resolve(
        stage.db, entry.id, "done", by=FOUNDER, provider_id="dpl_1", note="I saw it in the dashboard."
    )
    assert (resolved.status, resolved.job_outcome) == ("done", "revived")
    assert stage.status(approval) == "queued"
    # Neither permission nor configuration is needed any more to say that it was done.
    stage.settings = stage.settings.model_copy(update={"vercel_deploy_hook_url": None})
    assert stage.run(approval) == "completed"
    assert state(stage, approval) == ("completed", "completed", "done")
    assert stage.executed(approval)["provider_response"]["deployment_id"] == "dpl_1"
    assert len(stage.providers.changes()) == 1
    (said,) = company.events("outbox.resolved")
    assert said["data"] == {
        "outbox_id": str(entry.id),
        "approval_id": str(approval.id),
        "resolution": "done",
        "by": FOUNDER,
        "provider_id": "dpl_1",
        "note": "I saw it in the dashboard.",
    }
    after = stage.effect(approval)
    assert (after.resolved_by, after.note) == (FOUNDER, "I saw it in the dashboard.")


def test_it_was_not_done_so_it_is_done_now(stage: Stage) -> None:
    _, approval = held(stage, REPOSITORY, done=False)
    outbox.resolve(stage.db, stage.effect(approval).id, "retry", by=FOUNDER)
    assert state(stage, approval) == ("queued", "queued", "pending")
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


def test_only_what_is_unknown_can_be_resolved_and_only_once(stage: Stage) -> None:
    _, approval = held(stage, done=False)
    entry = stage.effect(approval)
    outbox.resolve(stage.db, entry.id, "retry", by=FOUNDER)
    for resolution in ("done", "retry"):
        with pytest.raises(Conflict, match="pending"):
            outbox.resolve(stage.db, entry.id, resolution, by=FOUNDER)  # type: ignore[arg-type]
    stage.run(approval)
    with pytest.raises(Conflict, match="is done"):
        outbox.resolve(stage.db, entry.id, "retry", by=FOUNDER)
    assert stage.happened(approval) == 1
    with pytest.raises(NotFound):
        outbox.resolve(stage.db, uuid4(), "done", by=FOUNDER)
    with pytest.raises(InvalidInput, match="The note"):
        outbox.resolve(stage.db, entry.id, "done", by=FOUNDER, note="\x00")


def test_nothing_is_resolved_under_a_job_that_is_at_it(stage: Stage) -> None:
    _, approval = held(stage)
    queue.retry(stage.db, stage.job(approval).id)
    claim = stage.claimed(approval)
    with pytest.raises(JobBusy):
        outbox.resolve(stage.db, stage.effect(approval).id, "retry", by=FOUNDER)
    assert stage.run(approval, claim) == "failed"
    assert stage.status(approval) == "unknown"


def test_it_was_done_where_the_job_is_gone(stage: Stage) -> None:
    _, approval = held(stage)
    stage.db.execute("delete from public.agent_jobs where id = %s", [stage.job(approval).id])
    assert outbox.resolve(stage.db, stage.effect(approval).id, "done", by=FOUNDER).job_outcome is None
    assert (stage.status(approval), stage.executed(approval)["status"]) == ("completed", "completed")


def test_a_mail_that_nobody_knows_of_is_settled_in_the_same_way(stage: Stage) -> None:
    company = stage.company(HOOK)
    for resolution, status in (("done", "sent"), ("retry", "queued")):
        row = stage.db.fetch_one(
            "insert into public.email_jobs (project_id, to_email, subject, html_body, scheduled_for, status)"
            " values (%s, 'anna@example.org', 'Hello', '<p>Hello</p>', now(), 'unknown') returning id",
            [company.id],
        )
        assert row is not None
        assert outbox.resolve(stage.db, row["id"], resolution, by=FOUNDER).status == status  # type: ignore[arg-type]
        assert outbox.listed(stage.db, row["id"]).status == status
        with pytest.raises(Conflict):
            outbox.resolve(stage.db, row["id"], resolution, by=FOUNDER)  # type: ignore[arg-type]
    assert len(company.events("email.outbound.resolved")) == 2


# --- who sees it


def test_effects_and_mails_stand_in_one_list_of_their_owner(stage: Stage) -> None:
    company = stage.company(HOOK, owner_clerk_id=f"owner-{uuid4()}")
    company, approval = stage.approved(HOOK, company)
    stage.run(approval)
    stage.db.execute(
        "insert into public.email_jobs (project_id, to_email, subject, html_body, scheduled_for)"
        " values (%s, 'anna@example.org', 'Hello', '<p>Hello</p>', now())",
        [company.id],
    )
    listed = outbox.find(stage.db, project_id=company.id)
    assert {(entry.kind, entry.status) for entry in listed} == {("effect", "done"), ("mail", "queued")}
    assert [e.kind for e in outbox.find(stage.db, project_id=company.id, status="done")] == ["effect"]
    assert [e.kind for e in outbox.find(stage.db, project_id=company.id, kind="mail")] == ["mail"]
    owner = company.row("owner_clerk_id")["owner_clerk_id"]
    with acting_as(stage.db, "authenticated", owner) as conn:
        assert len(conn.execute("select * from public.outbox_entries").fetchall()) == 2
    with acting_as(stage.db, "authenticated", "mallory") as conn:
        assert conn.execute("select * from public.outbox_entries").fetchall() == []


@pytest.mark.parametrize("life", ["paused", "killed"])
def test_it_was_done_in_a_project_that_is_not_active(stage: Stage, life: Any) -> None:
    company, approval = held(stage)
    entry = stage.effect(approval)
    lifecycle.set_status(stage.db, company.id, life, FOUNDER)
    with pytest.raises(PermissionRefused, match=f"is {life}") as refused:
        outbox.resolve(stage.db, entry.id, "retry", by=FOUNDER)
    assert "say" in refused.value.remedy
    assert state(stage, approval) == ("failed", "unknown", "unknown")
    resolved = outbox.resolve(stage.db, entry.id, "done", by=FOUNDER, provider_id="dpl_1", note="I saw it.")
    assert (resolved.status, resolved.job_outcome) == ("done", "existing")
    assert state(stage, approval) == ("failed", "completed", "done")
    done = stage.executed(approval)
    assert (done["status"], done["detail"], done["provider_response"]["provider_id"]) == (
        "completed",
        "I saw it.",
        "dpl_1",
    )
    assert stage.happened(approval) == 1


def test_it_was_not_done_where_the_job_is_gone_so_it_can_be_asked_anew(stage: Stage) -> None:
    company, approval = held(stage, done=False)
    stage.db.execute("delete from public.agent_jobs where id = %s", [stage.job(approval).id])
    resolved = outbox.resolve(stage.db, stage.effect(approval).id, "retry", by=FOUNDER)
    assert (resolved.status, resolved.job_outcome) == ("failed", None)
    assert (stage.status(approval), stage.executed(approval)["status"]) == ("failed", "failed")
    assert company.propose(HOOK).outcome == "created"


# --- an answer that comes after the end


def ended(stage: Stage, sender: Claim, *, by: str = "failed") -> None:
    """Let the job of a sender that lives end without it."""
    with stage.db.transaction() as conn:
        conn.execute("set local greenlight.transition = 'on'")
        conn.execute(
            "update public.agent_jobs set status = %s, last_error = 'It was lost.', locked_by = null,"
            " leased_until = null where id = %s",
            [by, sender.job_id],
        )


@pytest.mark.parametrize(
    ("answer", "effect", "end"),
    [("done", "done", "completed"), ("failed", "failed", "failed"), ("pending", "failed", "failed")],
)
def test_an_answer_that_comes_after_the_job_has_ended_is_taken(
    stage: Stage, answer: str, effect: str, end: str
) -> None:
    approval, claim, entry_id = enlisted(stage)
    send(claim, entry_id, 0)
    ended(stage, claim)
    assert state(stage, approval) == ("failed", "unknown", "unknown")
    # Twice: what says so may have been all that was lost.
    assert record(claim, entry_id, answer)
    assert record(claim, entry_id, answer)
    assert state(stage, approval) == ("failed", end, effect)
    assert stage.executed(approval)["status"] == end
    row = stage.db.fetch_one(
        "select count(*) as n from public.project_events where project_id = %s and event_type = %s",
        [approval.project_id, f"execution.{end}"],
    )
    assert row == {"n": 1}


def test_a_sender_whose_job_is_ended_under_it_keeps_what_it_heard(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)
    claim = stage.claimed(approval)
    slow = stage.providers.fault("slow")
    ends: list[str] = []
    sender = threading.Thread(target=lambda: ends.append(stage.run(approval, claim)))
    sender.start()
    eventually(lambda: stage.providers.changes(), what="the request")
    ended(stage, claim)
    slow.released.set()
    sender.join()
    assert ends == ["lost"]
    assert state(stage, approval) == ("failed", "completed", "done")
    assert stage.effect(approval).response is not None
    assert company.propose(HOOK).outcome == "executed_before"
    queue.retry(stage.db, claim.job_id)
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


def test_after_a_persons_word_nobody_elses_counts(stage: Stage) -> None:
    approval, claim, entry_id = enlisted(stage)
    send(claim, entry_id, 0)
    ended(stage, claim)
    outbox.resolve(stage.db, entry_id, "done", by=FOUNDER)
    assert not record(claim, entry_id, "failed")
    assert outbox.get(stage.db, entry_id).status == "done"
    # Nor where a second run ended without an answer to what it was told to do again.
    stage.db.execute("update public.outbox set status = 'unknown' where id = %s", [entry_id])
    assert not record(claim, entry_id, "failed")
    assert stage.effect(approval).status == "unknown"


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_what_was_done_is_not_called_failed_because_its_job_ended(stage: Stage, status: str) -> None:
    approval, claim, entry_id = enlisted(stage)
    send(claim, entry_id, 0)
    assert record(claim, entry_id, "done")
    ended(stage, claim, by=status)
    assert state(stage, approval) == (status, "completed", "done")
    assert "It was done" in stage.executed(approval)["detail"]


# --- the same thing, approved once more


def failed_and_asked_anew(stage: Stage) -> tuple[Approval, Approval]:
    """Return an approval whose execution was refused, and a pending one for the same packet."""
    company, first = stage.approved(HOOK)
    stage.providers.fault("status", status=404)
    assert stage.run(first) == "failed"
    return first, company.asked(HOOK)


def approve(stage: Stage, approval: Approval) -> Approval:
    decisions.decide(stage.db, approval.id, "approved", version=approval.version, decided_by=FOUNDER)
    return stage.approval(approval.id)


@pytest.mark.parametrize("first_runs", ["before", "after"])
def test_what_was_approved_anew_is_not_done_by_retrying_the_old_approval(stage: Stage, first_runs: str) -> None:
    first, second = failed_and_asked_anew(stage)
    second = approve(stage, second)
    if first_runs == "after":
        assert stage.run(second) == "completed"
    queue.retry(stage.db, stage.job(first).id)
    assert stage.status(first) == "failed", "a superseded approval is shown as under way"
    assert stage.run(first) == "failed"
    assert f"superseded by approval {second.id}" in (stage.job(first).last_error or "")
    assert stage.run_to_end(second) == "completed"
    assert (stage.status(first), stage.status(second)) == ("failed", "completed")
    assert stage.happened(second) == 1


def test_of_a_retry_and_a_new_approval_at_once_one_goes_on(stage: Stage) -> None:
    for _ in range(3):
        stage.providers.clear()
        first, second = failed_and_asked_anew(stage)
        retried = InBackground(lambda first=first: queue.retry(stage.db, stage.job(first).id))
        with contextlib.suppress(Conflict):
            second = approve(stage, second)
        retried.result()
        stage.run_to_end(first)
        if second.status == "approved":
            stage.run_to_end(second)
        assert stage.happened(first) == 1


def test_where_the_new_one_has_failed_too_the_old_one_may_go_on(stage: Stage) -> None:
    first, second = failed_and_asked_anew(stage)
    second = approve(stage, second)
    stage.providers.fault("status", status=404)
    assert stage.run(second) == "failed"
    queue.retry(stage.db, stage.job(first).id)
    assert stage.status(first) == "queued"
    queue.retry(stage.db, stage.job(second).id)
    assert stage.status(second) == "failed"
    assert stage.run(second) == "failed"
    assert stage.run(first) == "completed"
    assert stage.happened(first) == 1


def test_the_same_page_under_another_packet_is_the_same_thing(stage: Stage) -> None:
    company, first = stage.approved(DEPLOY)
    queue.cancel(stage.db, stage.job(first).id)
    company.packet(1)
    second = company.asked(DEPLOY, asset_id=first.asset_id, content_hash=first.content_hash)
    queue.retry(stage.db, stage.job(first).id)
    with pytest.raises(Conflict, match=f"approved before as {first.id}"):
        approve(stage, second)
    assert stage.run(first) == "completed"
