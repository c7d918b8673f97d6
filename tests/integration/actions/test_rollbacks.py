"""Going back to an earlier page: exactly the one that was approved, and only from the one that had failed."""

from __future__ import annotations

from dataclasses import fields
from uuid import UUID

import pytest

from studio import decisions, pages, queue
from studio.actions import rollback_landing_page
from studio.actions.context import ActionContext, Approved
from studio.approvals import Approval
from studio.database.connection import Connection
from studio.errors import InvalidInput
from studio.rollbacks import propose_rollback
from studio.text import sha256_hex
from tests.support.actions import HTML, Stage
from tests.support.approvals import DEPLOY, FOUNDER, Company
from tests.support.queue import InBackground, separate_connection
from tests.support.waiting import eventually

NEWER = HTML.replace("neighbours", "everybody")
NEWEST = HTML.replace("neighbours", "nobody")


def publish(stage: Stage, company: Company, html: str) -> None:
    with stage.db.transaction() as conn:
        put_out(conn, company, html)


def put_out(conn: Connection, company: Company, html: str) -> None:
    pages.publish(
        conn,
        company.id,
        asset_id=None,
        content_hash=sha256_hex(html),
        html=html,
        approval_id=None,
        base_url="https://pages.example.org",
    )


def agreed(stage: Stage, company: Company, number: int) -> Approval:
    """Let a failed check offer the way back, and a person agree."""
    with stage.db.transaction() as conn:
        offer = propose_rollback(conn, company.id, publication_no=number, failed=["meta_tags"], job_id=None)
    assert isinstance(offer.approval_id, UUID), offer.reason
    asked = stage.approval(offer.approval_id)
    decisions.decide(stage.db, asked.id, "approved", version=asked.version, decided_by=FOUNDER)
    return stage.approval(asked.id)


def taken_up(stage: Stage, approval: Approval) -> ActionContext:
    """Take an approval up; return what its action works with."""
    claim = stage.claimed(approval)
    work = stage.execution(claim)
    begun = claim.once_in_transaction("begin", work.begin)
    return ActionContext(
        claim=claim,
        execution_id=UUID(begun["execution_id"]),
        approved=Approved(**{field.name: getattr(approval, field.name) for field in fields(Approved)}),
        settings=stage.settings,
        progress=stage.told,
        outbound=work.outbound,
        storage=work.storage,
    )


def checks(stage: Stage, company: Company) -> list[object]:
    found = queue.find(stage.db, project_id=company.id)
    return [job.payload["publicationNo"] for job in found if job.job_type == "browser.check_page"]


def test_the_earlier_page_is_live_again_and_is_checked(stage: Stage) -> None:
    company = stage.company(DEPLOY)
    publish(stage, company, HTML)
    publish(stage, company, NEWER)
    approval = agreed(stage, company, 2)
    assert stage.run(approval) == "completed"
    live = pages.published(stage.db, company.id)
    assert live is not None
    assert live.html == HTML
    newest, *_ = pages.history(stage.db, company.id)
    assert (newest.publication_no, newest.restores_no, newest.published_by) == (3, 1, f"approval {approval.id}")
    assert checks(stage, company) == [3]
    # Once more it finds that it is done.
    assert stage.executed(approval)["provider_response"]["publication_no"] == 3


def test_a_page_that_was_taken_back_stays_taken_back(stage: Stage) -> None:
    company = stage.company(DEPLOY)
    for html in (HTML, NEWER):
        publish(stage, company, html)
    with stage.db.transaction() as conn:
        pages.rollback(conn, company.id, by=FOUNDER)
    publish(stage, company, NEWEST)
    assert stage.run(agreed(stage, company, 4)) == "completed"
    newest, *_ = pages.history(stage.db, company.id)
    assert (newest.publication_no, newest.restores_no, newest.content_hash) == (5, 1, sha256_hex(HTML))


def test_a_page_that_is_being_published_is_seen_before_anything_is_taken_back(stage: Stage) -> None:
    company = stage.company(DEPLOY)
    for html in (HTML, NEWER):
        publish(stage, company, html)
    context = taken_up(stage, agreed(stage, company, 2))
    with separate_connection(stage.db) as publishing:
        with publishing.transaction():
            put_out(publishing, company, NEWEST)
            carried_out = InBackground(lambda: rollback_landing_page.perform(context))
            waits = "select count(*) as n from pg_stat_activity where %s = any (pg_blocking_pids(pid))"
            pid = publishing.info.backend_pid
            eventually(lambda: stage.db.fetch_one(waits, [pid]) == {"n": 1}, what="a rollback that waits for its turn")
        with pytest.raises(InvalidInput, match="The page has changed since: publication 2 is not what the world sees"):
            carried_out.result()
    assert [page.content_hash for page in pages.history(stage.db, company.id) if page.current] == [sha256_hex(NEWEST)]


def test_a_page_other_than_the_approved_bytes_does_not_go_out(stage: Stage) -> None:
    company = stage.company(DEPLOY)
    for html in (HTML, NEWER):
        publish(stage, company, html)
    approval = agreed(stage, company, 2)
    stage.db.execute(
        "update public.approval_queue set content_hash = %s where id = %s", [sha256_hex(NEWEST), approval.id]
    )
    assert stage.run(approval) == "failed"
    assert "Publication 1 is not the page that was approved: its hash differs." in (
        stage.job(approval).last_error or ""
    )
    assert [page.publication_no for page in pages.history(stage.db, company.id)] == [2, 1]


def test_a_page_that_came_meanwhile_stays(stage: Stage) -> None:
    company = stage.company(DEPLOY)
    publish(stage, company, HTML)
    publish(stage, company, NEWER)
    approval = agreed(stage, company, 2)
    publish(stage, company, NEWEST)
    assert stage.run(approval) == "failed"
    assert "The page has changed since" in (stage.job(approval).last_error or "")
    live = pages.published(stage.db, company.id)
    assert live is not None
    assert live.html == NEWEST


def test_what_is_published_is_checked_in_the_same_breath(stage: Stage) -> None:
    company, approval = stage.approved(DEPLOY)
    assert checks(stage, company) == []
    stage.run(approval)
    assert checks(stage, company) == [1]
