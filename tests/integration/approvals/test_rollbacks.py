"""A failed check of the published page offers the way back: once, to the page before, and never over a newer page."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from greenlight_dagster.cli.approval_view import see_also
from studio import approvals, decisions, pages, proposals
from studio.errors import DecisionConflict
from studio.page_checks import asking
from studio.proposals import Proposal
from studio.rollbacks import ACTION, propose_rollback
from studio.text import sha256_hex
from tests.support.approvals import FOUNDER, Company

BASE = "https://pages.example.org"


def publish(company: Company, html: str) -> int:
    with company.db.transaction() as conn:
        page = pages.publish(
            conn,
            company.id,
            asset_id=None,
            content_hash=sha256_hex(html),
            html=html,
            approval_id=None,
            base_url=BASE,
        )
    return page.publication_no


def offered(company: Company, number: int, failed: tuple[str, ...] = ("meta_tags", "console_errors")) -> Proposal:
    with company.db.transaction() as conn:
        return propose_rollback(conn, company.id, publication_no=number, failed=failed, job_id=None)


def decide(company: Company, approval_id: UUID | None, decision: Any) -> None:
    assert approval_id is not None
    found = approvals.get(company.db, approval_id)
    decisions.decide(company.db, found.id, decision, version=found.version, decided_by=FOUNDER)


def test_it_asks_to_go_back_and_says_from_what_to_what_and_why(company: Company) -> None:
    publish(company, "<p>one")
    publish(company, "<p>two")
    offer = offered(company, 2)
    assert offer.outcome == "created"
    assert offer.approval_id is not None
    asked = approvals.get(company.db, offer.approval_id)
    assert (asked.action_type, asked.status, asked.phase) == (ACTION, "pending", 1)
    assert asked.content_hash == sha256_hex("<p>one")
    assert (asked.payload["from"], asked.payload["to"]) == (2, 1)
    assert "publication 2 failed: meta tags, console errors" in asked.description
    again = offered(company, 2)
    assert (again.outcome, again.approval_id) == ("pending", offer.approval_id)


def test_there_is_nothing_to_ask_without_an_earlier_page_or_about_one_that_is_gone(company: Company) -> None:
    assert offered(company, 1).reason == "Publication 1 is not what the world sees any more."
    publish(company, "<p>one")
    first = offered(company, 1)
    assert (first.outcome, first.reason) == ("refused", "There is no earlier page to go back to.")
    publish(company, "<p>two")
    assert offered(company, 1).outcome == "refused"
    assert approvals.find(company.db, project_id=company.id, status="pending") == []


def test_a_no_is_remembered_for_that_page_alone(company: Company) -> None:
    for html in ("<p>one", "<p>two"):
        publish(company, html)
    decide(company, offered(company, 2).approval_id, "denied")
    assert offered(company, 2).outcome == "denied_before"
    publish(company, "<p>three")
    assert offered(company, 3).outcome == "created"


def test_a_question_about_a_page_that_was_replaced_ends(company: Company) -> None:
    for html in ("<p>one", "<p>two"):
        publish(company, html)
    old = offered(company, 2)
    publish(company, "<p>three")
    new = offered(company, 3)
    assert new.outcome == "created"
    assert old.approval_id is not None
    assert approvals.get(company.db, old.approval_id).status == "revised"


def test_after_a_way_back_the_next_leads_further(company: Company) -> None:
    for html in ("<p>one", "<p>two", "<p>three"):
        publish(company, html)
    with company.db.transaction() as conn:
        page = pages.rollback(conn, company.id, by=FOUNDER)
    assert (page.publication_no, page.restores_no) == (4, 2)
    offer = offered(company, 4)
    assert offer.approval_id is not None
    assert approvals.get(company.db, offer.approval_id).payload["to"] == 1


def test_a_page_that_was_taken_back_is_not_offered(company: Company) -> None:
    for html in ("<p>one", "<p>two"):
        publish(company, html)
    with company.db.transaction() as conn:
        pages.rollback(conn, company.id, by=FOUNDER)
    publish(company, "<p>three")
    offer = offered(company, 4)
    assert offer.approval_id is not None
    asked = approvals.get(company.db, offer.approval_id)
    assert (asked.payload["from"], asked.payload["to"]) == (4, 1)
    assert asked.content_hash == sha256_hex("<p>one")


def test_whoever_publishes_ends_the_question_about_the_page_before(company: Company) -> None:
    for html in ("<p>one", "<p>two"):
        publish(company, html)
    offer = offered(company, 2)
    assert offer.approval_id is not None
    with company.db.transaction() as conn:
        asking.after_publication(conn, pages.history(company.db, company.id)[0])
    asked = approvals.get(company.db, offer.approval_id)
    assert asked.status == "pending", "it is about what the world sees"
    publish(company, "<p>three")
    with company.db.transaction() as conn:
        asking.after_publication(conn, pages.history(company.db, company.id)[0])
    ended = approvals.get(company.db, offer.approval_id)
    assert (ended.status, ended.version, ended.decided_by) == ("revised", asked.version + 1, "system")
    with pytest.raises(DecisionConflict):
        decisions.decide(company.db, asked.id, "approved", version=asked.version, decided_by=FOUNDER)
    [event] = company.db.fetch_all(
        "select message, data from project_events where project_id = %s and event_type = 'approval.outdated'",
        [company.id],
    )
    assert "nothing is left to decide about publication 2, as publication 3 is what the world sees" in event["message"]
    assert event["data"]["approval_id"] == str(asked.id)
    assert any("Another page was published" in line for line in see_also(ended))
    assert not any("Another page was published" in line for line in see_also(asked))


def looked(company: Company, number: int, ago: int = 0, **outcomes: str) -> None:
    """Leave a look at a publication, some minutes ago."""
    results = [{"check": name, "outcome": outcome.replace("_", " ")} for name, outcome in outcomes.items()]
    company.db.execute(
        "insert into public.page_checks (job_id, project_id, url, publication_no, passed, results, checked_at)"
        " values (%s, %s, 'https://pages.example.org', %s, false, %s::jsonb, now() - %s * interval '1 minute')",
        [company.job("browser.check_page"), company.id, number, json.dumps(results), ago],
    )


def test_what_the_earlier_page_failed_as_well_is_said(company: Company) -> None:
    def described(number: int, *failed: str) -> tuple[str, Any]:
        offer = offered(company, number, failed)
        assert offer.approval_id is not None
        asked = approvals.get(company.db, offer.approval_id)
        decide(company, asked.id, "denied")
        return asked.description, asked.payload["executes"].get("failed_there_as_well")

    publish(company, "<p>one")
    looked(company, 1, 9, meta_tags="failed", page_weight="passed", accessibility="failed")
    looked(company, 1, 5, meta_tags="not_measured", accessibility="passed")
    publish(company, "<p>two")
    looked(company, 2, meta_tags="failed", page_weight="failed")
    told, listed = described(2, "meta_tags", "page_weight", "accessibility")
    assert told.endswith("publication 1 out again, which failed meta tags as well when it was checked.")
    assert listed == ["meta_tags"]
    with company.db.transaction() as conn:
        pages.rollback(conn, company.id, by=FOUNDER)
    looked(company, 3, accessibility="failed")
    publish(company, "<p>three")
    # What was seen of it when it had come back counts as well.
    told, listed = described(4, "meta_tags", "accessibility")
    assert told.endswith("publication 1 out again, which failed the same as well when it was checked.")
    assert listed == ["meta_tags", "accessibility"]
    publish(company, "<p>four")
    told, listed = described(5, "meta_tags")
    assert (told.endswith("This puts publication 4 out again."), listed) == (True, None)


def test_the_same_page_is_no_way_back(company: Company) -> None:
    for html in ("<p>one", "<p>two", "<p>two"):
        publish(company, html)
    offer = offered(company, 3)
    assert (offer.outcome, offer.reason) == ("refused", "The earlier page, publication 2, is the very same.")


@pytest.mark.parametrize("status", ["paused", "killed"])
def test_a_project_that_rests_is_asked_nothing(company: Company, status: str) -> None:
    for html in ("<p>one", "<p>two"):
        publish(company, html)
    company.db.execute("update public.projects set status = %s where id = %s", [status, company.id])
    assert offered(company, 2).outcome == "refused"


def test_nobody_else_proposes_it(company: Company) -> None:
    company.packet(1)
    with company.db.transaction() as conn:
        answer = proposals.propose(
            conn, company.id, ACTION, phase=1, packet=None, title="Back", description="Back", agent_source="ceo_agent"
        )
    assert answer.outcome == "refused"
    assert "where a check of the page has failed" in answer.reason
