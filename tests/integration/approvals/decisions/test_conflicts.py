"""A decision is made once and on what was shown: of many at once one wins, and the others are told what stands."""

from __future__ import annotations

from collections import Counter

import psycopg
import pytest

from studio import approvals, lifecycle
from studio.decisions import Decision
from studio.errors import DecisionConflict
from tests.integration.approvals.decisions.deciding import MakeCompany, at_once, decide
from tests.integration.approvals.racing import blocked
from tests.support.approvals import EMAIL, FOUNDER, GUIDANCE, Company
from tests.support.queue import separate_connection


@pytest.mark.parametrize("first", ["approved", "denied", "revised"])
@pytest.mark.parametrize("second", ["approved", "denied", "revised"])
def test_what_is_decided_is_not_decided_again(company: Company, first: str, second: str) -> None:
    gate = company.gate()
    decide(company, gate, first, guidance=GUIDANCE)
    before = company.snapshot()
    for version in (1, 2):
        with pytest.raises(DecisionConflict, match=f"is {first} already") as caught:
            decide(company, gate, second, version=version, guidance=GUIDANCE)
        assert (caught.value.expected_version, caught.value.status) == (2, first)
    assert company.snapshot() == before


def test_a_decision_on_what_a_newer_packet_has_replaced_is_told_the_version(company: Company) -> None:
    seen = company.gate()
    company.gate(company.packet())
    before = company.snapshot()
    with pytest.raises(DecisionConflict, match="at version 2 by now, not 1") as caught:
        decide(company, seen, "approved")
    assert (caught.value.expected_version, caught.value.status) == (2, "pending")
    assert company.snapshot() == before


def test_twenty_approvals_at_once_are_one_execution(company: Company) -> None:
    company.packet()
    approval = company.asked(EMAIL)
    outcomes = at_once(*[lambda: decide(company, approval, "approved")] * 20)
    made = [outcome for outcome in outcomes if isinstance(outcome, Decision)]
    assert len(made) == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, DecisionConflict)]
    assert Counter((r.expected_version, r.status) for r in refused) == {(2, "approved"): 19}
    assert len(company.jobs("approval.execute")) == 1
    assert len(company.events("approval.decided")) == len(company.rows("tasks")) == 1


@pytest.mark.parametrize("kind", ["gate", "action"])
def test_of_an_approval_and_a_denial_at_once_one_wins(company: Company, kind: str) -> None:
    packet = company.packet()
    for _ in range(4):
        approval = company.gate(packet) if kind == "gate" else company.asked(EMAIL, asked_by=FOUNDER)
        outcomes = at_once(
            *[lambda a=approval: decide(company, a, "approved")] * 5,  # type: ignore[misc]
            *[lambda a=approval: decide(company, a, "denied")] * 5,  # type: ignore[misc]
        )
        (won,) = [outcome for outcome in outcomes if isinstance(outcome, Decision)]
        lost = [outcome for outcome in outcomes if isinstance(outcome, DecisionConflict)]
        assert {(r.expected_version, r.status) for r in lost} == {(2, won.status)}
        assert len(lost) == 9
        assert approvals.get(company.db, approval.id).status == won.status
        follow = company.jobs("phase.generate_packet" if kind == "gate" else "approval.execute")
        assert (len(follow) == 1) is (won.status == "approved")
        company.db.execute("delete from public.agent_jobs where id = any (%s)", [[job["id"] for job in follow]])
        company.db.execute("update public.projects set phase = 1 where id = %s", [company.id])
        packet = company.packet()


def test_a_decision_and_a_kill_at_once_leave_nothing_running(make_company: MakeCompany) -> None:
    for _ in range(4):
        company = make_company()
        company.packet()
        approval = company.asked(EMAIL)
        at_once(
            lambda c=company, a=approval: decide(c, a, "approved"),  # type: ignore[misc]
            lambda c=company: lifecycle.set_status(c.db, c.id, "killed", FOUNDER),  # type: ignore[misc]
        )
        assert company.row("status")["status"] == "killed"
        assert [job["status"] for job in company.jobs("approval.execute")] in ([], ["canceled"])
        assert approvals.get(company.db, approval.id).status in ("approved", "denied")


def test_a_client_that_writes_the_row_itself_is_waited_for(company: Company) -> None:
    """Who does not use the function has no less won: a decision does not write over what is just being committed."""
    gate = company.gate()
    with separate_connection(company.db) as other:
        with other.transaction():
            other.execute(
                "update public.approval_queue set status = 'denied', version = version + 1 where id = %s", [gate.id]
            )
            approving = blocked(company.db, "select public.decide_approval(%s, 'approved', 1, 'founder')", [gate.id])
        with pytest.raises(psycopg.Error) as caught:
            approving.result()
    assert caught.value.sqlstate == "GL031"
    assert approvals.get(company.db, gate.id).status == "denied"
