"""A permission that is turned on asks at once for what it makes possible, and for nothing that was settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from studio import approvals, decisions, grants, lifecycle, permissions
from studio.errors import InvalidInput, NotFound
from tests.support.approvals import ADS, DEPLOY, EMAIL, FOUNDER, HOOK, REPOSITORY, Company
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
