"""Of two who work on one approval one sends: the other waits, comes back later, or has lost its claim."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from studio.claims import Claim
from studio.delivery import Courier, Delivery, Receipt
from studio.errors import JobBusy, LeaseLost, ProviderUnavailable
from tests.integration.actions.outbox.effects import other_job, state
from tests.support.actions import EFFECTS, Stage, attempt, execution
from tests.support.approvals import HOOK
from tests.support.model import Recorder
from tests.support.waiting import eventually


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
