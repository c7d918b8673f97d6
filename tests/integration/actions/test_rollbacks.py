"""Going back to an earlier page: exactly the one that was approved, and only from the one that had failed."""

from __future__ import annotations

from uuid import UUID

from studio import decisions, pages, queue
from studio.approvals import Approval
from studio.rollbacks import propose_rollback
from studio.text import sha256_hex
from tests.support.actions import HTML, Stage
from tests.support.approvals import DEPLOY, FOUNDER, Company

NEWER = HTML.replace("neighbours", "everybody")
NEWEST = HTML.replace("neighbours", "nobody")


def publish(stage: Stage, company: Company, html: str) -> None:
    with stage.db.transaction() as conn:
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
