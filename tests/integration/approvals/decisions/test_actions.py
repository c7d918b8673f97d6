"""An approved action is queued once, where it is permitted and can be carried out when it is decided."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from studio import approvals, permissions, queue
from studio.errors import Conflict, PermissionRefused
from tests.integration.approvals.decisions.deciding import MakeCompany, decide, fits_the_registry
from tests.support.approvals import ADS, DEPLOY, EMAIL, FOUNDER, GUIDANCE, HOOK, REFINE, REPOSITORY, Company


def test_an_approved_action_is_queued_for_execution(company: Company) -> None:
    company.packet()
    approval = company.asked(EMAIL)
    made = decide(company, approval, "approved")
    (job,) = company.jobs("approval.execute")
    assert (made.job_id, made.job_outcome) == (job["id"], "created")
    assert job["idempotency_key"] == f"approval:{approval.id}"
    assert job["payload"] == {
        "projectId": str(company.id), "approvalId": str(approval.id), "actionType": EMAIL,
    }  # fmt: skip
    fits_the_registry(job)
    row = approvals.get(company.db, approval.id)
    assert (row.execution_status, row.execution_job_id) == ("queued", made.job_id)
    assert company.row("phase")["phase"] == 1


@pytest.mark.parametrize(
    ("phase", "action", "revoked"),
    [
        (1, EMAIL, {"email_send": False}),
        (2, ADS, {"ads_enabled": False}),
        (2, ADS, {"ads_budget_cap": 0}),
        (3, REPOSITORY, {"repo_write": False}),
        (3, HOOK, {"deploy": False}),
    ],
)
def test_what_was_permitted_when_asked_is_not_approved_when_revoked_since(
    make_company: MakeCompany, phase: int, action: str, revoked: dict[str, Any]
) -> None:
    company = make_company(phase=phase)
    company.packet()
    approval = company.asked(action)
    permissions.change_limits(company.db, company.id, FOUNDER, permissions=revoked)
    before = company.snapshot()
    with pytest.raises(PermissionRefused, match=r"does not permit|cap for ads is 0"):
        decide(company, approval, "approved")
    assert company.snapshot() == before
    assert decide(company, approval, "denied").status == "denied"


def test_ads_of_a_packet_without_them_are_not_approved(make_company: MakeCompany) -> None:
    company = make_company(phase=2)
    company.packet(paid_acquisition={"enabled": False, "budget_cap_per_day": 0.0})
    approval = company.foreign(ADS)
    before = company.snapshot()
    with pytest.raises(PermissionRefused, match="runs no ads") as caught:
        decide(company, approval, "approved")
    assert "Revise it" in caught.value.remedy
    assert company.snapshot() == before
    revised = decide(company, approval, "revised", guidance="Plan ads within the cap.")
    assert (revised.status, revised.job_outcome) == ("revised", "created")
    company.packet(paid_acquisition={"enabled": True, "budget_cap_per_day": "12.50"})
    assert decide(company, company.foreign(ADS), "approved").status == "approved"


def test_what_another_client_asks_holds_for_the_repository_of_that_moment(make_company: MakeCompany) -> None:
    company = make_company(phase=3)
    company.packet()
    approval = company.foreign(REPOSITORY)
    assert approval.payload["executes"] == {"repository": "https://github.com/acme/shop"}


def test_a_page_is_not_approved_in_an_attached_runtime_or_when_it_is_gone(company: Company) -> None:
    company.packet()
    asset_id, _ = company.page()
    approval = company.asked(DEPLOY)
    company.db.execute("update public.projects set runtime_mode = 'attached' where id = %s", [company.id])
    with pytest.raises(PermissionRefused, match="needs shared"):
        decide(company, approval, "approved")
    company.db.execute("update public.projects set runtime_mode = 'shared' where id = %s", [company.id])
    company.db.execute("delete from public.project_assets where id = %s", [asset_id])
    with pytest.raises(Conflict, match="names no page"):
        decide(company, approval, "approved")


def test_an_action_of_another_client_that_names_nothing_is_not_approved(company: Company) -> None:
    company.db.execute(
        "insert into public.approval_queue (project_id, phase, title, description, risk, action_type)"
        " values (%s, 1, 'T', 'd', 'low', %s)",
        [company.id, EMAIL],
    )
    (approval,) = approvals.find(company.db, project_id=company.id)
    with pytest.raises(Conflict, match="names no packet"):
        decide(company, approval, "approved")


def test_an_unknown_action_is_not_approved(company: Company) -> None:
    company.db.execute(
        "insert into public.approval_queue (project_id, phase, title, description, risk, action_type)"
        " values (%s, 1, 'T', 'd', 'low', 'launch_rocket')",
        [company.id],
    )
    (approval,) = approvals.find(company.db, project_id=company.id)
    with pytest.raises(PermissionRefused, match="no action launch_rocket"):
        decide(company, approval, "approved")
    assert decide(company, approval, "denied").status == "denied"


def test_a_refinement_can_be_approved(company: Company) -> None:
    company.packet()
    approval = company.asked(REFINE, payload={"guidance": GUIDANCE})
    made = decide(company, approval, "approved")
    assert isinstance(made.job_id, UUID)
    assert company.jobs("approval.execute")[0]["payload"]["actionType"] == REFINE


def test_what_was_retried_meanwhile_is_not_approved_a_second_time(company: Company) -> None:
    """A failed execution was asked anew; then its job was retried: only one of the two may act."""
    company.packet()
    first = company.asked(EMAIL)
    made = decide(company, first, "approved")
    assert made.job_id is not None
    queue.cancel(company.db, made.job_id, "Not now.")
    assert approvals.get(company.db, first.id).execution_status == "failed"
    second = company.asked(EMAIL)
    queue.retry(company.db, made.job_id)
    with pytest.raises(Conflict, match=f"as {first.id}, whose execution is queued"):
        decide(company, second, "approved")
    company.db.execute(
        "insert into public.action_executions (approval_id, project_id, action_type, status)"
        " values (%s, %s, %s, 'completed')",
        [first.id, company.id, EMAIL],
    )
    company.db.execute("update public.approval_queue set execution_status = 'completed' where id = %s", [first.id])
    with pytest.raises(Conflict, match="whose execution is completed"):
        decide(company, second, "approved")
    decide(company, second, "denied")
    asked = company.asked(EMAIL, asked_by=FOUNDER)
    assert decide(company, asked, "approved").job_outcome == "created", "a person may want the same again"
