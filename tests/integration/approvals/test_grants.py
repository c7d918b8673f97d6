"""A permission that is turned on asks at once for what it makes possible, and for nothing that was settled."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from studio import approvals, decisions, grants, lifecycle, permissions
from studio.errors import InvalidInput, NotFound
from tests.support.approvals import ADS, DEPLOY, EMAIL, FOUNDER, GUIDANCE, HOOK, REFINE, REPOSITORY, Company
from tests.support.queue import InBackground

NOBODY = UUID("00000000-0000-4000-8000-000000000000")
LIFECYCLE = "send_phase2_lifecycle_email"
MakeCompany = Callable[..., Company]


@pytest.fixture
def company(make_company: MakeCompany) -> Company:
    """A project that may do nothing, and has packets of phases 1 and 2."""
    company = make_company(permitted={}, phase=2)
    company.packet(1)
    company.packet(2)
    return company


def change(company: Company, **permitted: Any) -> dict[str, str]:
    """Change permissions; return what was proposed, by action, with its approval's status."""
    grant = grants.change(company.db, company.id, FOUNDER, permissions=permitted, reason="Go.")
    assert all(proposal.outcome == "created" for proposal in grant.proposed)
    found = {proposal.action_type: proposal.approval_id for proposal in grant.proposed}
    return {name: approvals.get(company.db, id).status for name, id in found.items() if id is not None}


def pending(company: Company) -> set[str]:
    return {row["action_type"] for row in company.rows("approval_queue") if row["status"] == "pending"}


def test_what_a_permission_makes_possible_is_asked_for_at_once(company: Company) -> None:
    assert change(company, email_send=True) == {EMAIL: "pending", LIFECYCLE: "pending"}
    latest = {row["phase"]: row["version_id"] for row in company.rows("phase_packets")}
    asked = {row["action_type"]: row for row in company.rows("approval_queue")}
    assert asked[EMAIL]["packet_version_id"] == latest[1]
    assert asked[LIFECYCLE]["packet_version_id"] == latest[2]
    assert asked[EMAIL]["title"] == "Send the welcome sequence"
    assert {event["data"]["source"] for event in company.events("approval.requested")} == {"ceo_agent"}


def test_phases_that_are_not_there_are_asked_for_nothing(company: Company) -> None:
    assert change(company, deploy=True, repo_write=True) == {}
    company.packet(3)
    assert change(company, deploy=False) == {}
    assert change(company, deploy=True) == {HOOK: "pending", REPOSITORY: "pending"}


def test_ads_are_asked_for_when_switch_and_cap_allow_them(company: Company) -> None:
    assert change(company, ads_enabled=True) == {}
    assert change(company, ads_budget_cap=20) == {ADS: "pending"}


NO_ADS = {"paid_acquisition": {"enabled": False, "budget_cap_per_day": 0.0, "target_audiences": ["Neighbours"]}}


def grant(company: Company, **permitted: Any) -> grants.Grant:
    return grants.change(company.db, company.id, FOUNDER, permissions=permitted)


def test_ads_that_the_packet_was_made_without_are_planned_first(company: Company) -> None:
    packet = company.packet(2, **NO_ADS)
    made = grant(company, ads_enabled=True, ads_budget_cap=Decimal("20.25"))
    (withheld,) = made.withheld
    assert (withheld.action_type, withheld.outcome) == (ADS, "refused")
    assert "Have Phase 2 revised" in withheld.reason
    (proposed,) = made.proposed
    assert proposed.action_type == REFINE
    assert pending(company) == {REFINE}
    assert proposed.approval_id is not None
    asked = approvals.get(company.db, proposed.approval_id)
    assert (asked.phase, asked.packet_version_id) == (2, packet.id)
    assert "at most $20.25 a day" in asked.payload["guidance"]
    decisions.decide(company.db, asked.id, "approved", version=asked.version, decided_by=FOUNDER)
    # Carried out, it makes a packet with ads, of which they are proposed.
    company.packet(2, job_id=company.job())
    assert company.propose(ADS, phase=2).outcome == "created"


def test_planning_ads_is_asked_once_and_not_again_after_a_no(company: Company) -> None:
    company.packet(2, **NO_ADS)
    assert len(grant(company, ads_enabled=True, ads_budget_cap=20).proposed) == 1
    for _ in range(2):
        grant(company, ads_enabled=False)
        again = grant(company, ads_enabled=True)
        assert (again.proposed, [answer.action_type for answer in again.withheld]) == ((), [ADS])
        for row in company.rows("approval_queue"):
            if row["status"] == "pending":
                decisions.decide(company.db, row["id"], "denied", version=row["version"], decided_by=FOUNDER)
    assert pending(company) == set()


def test_a_refinement_that_waits_already_is_not_joined_by_another(company: Company) -> None:
    company.packet(2, **NO_ADS)
    other = company.asked(REFINE, phase=1, payload={"guidance": GUIDANCE})
    made = grant(company, ads_enabled=True, ads_budget_cap=20)
    assert (made.proposed, [answer.action_type for answer in made.withheld]) == ((), [ADS])
    assert approvals.get(company.db, other.id).status == "pending"


def test_another_permission_plans_no_ads(company: Company) -> None:
    permissions.change_limits(company.db, company.id, FOUNDER, permissions={"ads_enabled": True, "ads_budget_cap": 20})
    company.packet(2, **NO_ADS)
    made = grant(company, email_send=True)
    assert ({answer.action_type for answer in made.proposed}, made.withheld) == ({EMAIL, LIFECYCLE}, ())


def test_a_permission_that_helps_nothing_says_why(company: Company) -> None:
    company.packet(3)
    company.db.execute(
        "update public.projects set repo_url = 'https://git.example.org/a/b' where id = %s", [company.id]
    )
    made = grant(company, repo_write=True)
    assert made.proposed == ()
    ((action, reason),) = [(answer.action_type, answer.reason) for answer in made.withheld]
    assert (action, "names no repository on GitHub" in reason) == (REPOSITORY, True)


def test_it_is_kept_whose_act_led_to_a_question(company: Company) -> None:
    made = grants.change(company.db, company.id, "anna", permissions={"email_send": True})
    for proposal in made.proposed:
        assert proposal.approval_id is not None
        asked = approvals.get(company.db, proposal.approval_id)
        assert (asked.agent_source, asked.payload["requested_by"]) == ("ceo_agent", "anna")
    assert [event["data"]["requested_by"] for event in company.events("approval.requested")] == ["anna", "anna"]


def test_a_change_that_turns_nothing_on_asks_for_nothing(company: Company) -> None:
    permissions.change_limits(company.db, company.id, FOUNDER, permissions={"email_send": True, "ads_budget_cap": 5})
    for permitted in ({"email_send": True}, {"ads_budget_cap": 30}, {"ads_budget_cap": 0}, {"email_send": False}):
        assert change(company, **permitted) == {}
    budget = grants.change(company.db, company.id, FOUNDER, budget={"cap_calls": 7})
    assert (budget.limits.changed, budget.proposed) == (True, ())
    assert pending(company) == set()


def test_what_waits_was_denied_or_was_done_is_not_asked_for_again(company: Company) -> None:
    asset_id, digest = company.page()
    page = company.asked(DEPLOY, phase=1, asset_id=asset_id, content_hash=digest)
    assert set(change(company, email_send=True)) == {EMAIL, LIFECYCLE}
    for row in company.rows("approval_queue"):
        if row["action_type"] != DEPLOY:
            decision: Any = "denied" if row["action_type"] == EMAIL else "approved"
            decisions.decide(company.db, row["id"], decision, version=row["version"], decided_by=FOUNDER)
    change(company, email_send=False)
    assert change(company, email_send=True) == {}
    assert pending(company) == {DEPLOY}
    assert approvals.get(company.db, page.id).version == page.version


@pytest.mark.parametrize("life", ["paused", "killed"])
def test_a_project_that_is_not_active_is_asked_for_nothing(company: Company, life: Any) -> None:
    lifecycle.set_status(company.db, company.id, life, FOUNDER)
    assert change(company, email_send=True) == {}
    assert company.row("permissions")["permissions"]["email_send"] is True
    assert pending(company) == set()


def test_change_and_questions_stand_or_fall_together(company: Company) -> None:
    with pytest.raises(InvalidInput, match="no permission"):
        grants.change(company.db, company.id, FOUNDER, permissions={"email_send": True, "fly": True})
    with company.db.transaction() as conn:
        assert len(grants.change_in(conn, company.id, FOUNDER, permissions={"email_send": True}).proposed) == 2
        raise psycopg.Rollback
    assert company.row("permissions")["permissions"]["email_send"] is False
    assert pending(company) == set()
    with pytest.raises(NotFound):
        grants.change(company.db, NOBODY, FOUNDER, permissions={"email_send": True})


def test_who_turns_it_on_at_once_asks_once(company: Company) -> None:
    racers = [InBackground(lambda: change(company, email_send=True)) for _ in range(6)]
    proposed = [racer.result() for racer in racers]
    assert sorted(map(len, proposed)) == [0, 0, 0, 0, 0, 2]
    assert pending(company) == {EMAIL, LIFECYCLE}
