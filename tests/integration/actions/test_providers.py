"""Meta, GitHub and the deploy host are asked for exactly what was approved, within its limits."""

from __future__ import annotations

from typing import Any

from studio import permissions
from tests.integration.actions.refusals import refused
from tests.support.actions import ACCOUNT, META_TOKEN, PACKETS, Stage
from tests.support.approvals import ADS, FOUNDER, HOOK, REPOSITORY, Company


def test_a_campaign_is_created_paused_within_the_lower_of_both_caps(stage: Stage) -> None:
    for permitted, packet, cents in ((20, "12.50", 1250), (7, "12.50", 700), (20, "12.509", 1250)):
        stage.providers.clear()
        company = stage.company(ADS)
        ads = {**PACKETS[2]["paid_acquisition"], "budget_cap_per_day": packet}
        company, approval = stage.approved(ADS, company, paid_acquisition=ads)
        permissions.change_limits(stage.db, company.id, FOUNDER, permissions={"ads_budget_cap": permitted})
        assert stage.run(approval) == "completed"
        (asked,) = stage.providers.changes()
        assert asked.path == f"/v21.0/act_{ACCOUNT}/campaigns"
        name = f"{company.row('name')['name']} · gl-{approval.id.hex}"
        assert asked.form == {
            "name": name,
            "objective": "OUTCOME_TRAFFIC",
            "status": "PAUSED",
            "buying_type": "AUCTION",
            "special_ad_categories": "[]",
            "daily_budget": str(cents),
            "access_token": META_TOKEN,
        }
        entry = stage.effect(approval)
        assert (entry.status, entry.provider_id, entry.attempts) == ("done", "12000", 1)
        assert f"${cents / 100:.2f} a day" in stage.executed(approval)["detail"]


def test_a_packet_without_ads_starts_none(stage: Stage) -> None:
    for changes, said in (({"enabled": False}, "runs no ads"), ({"budget_cap_per_day": "0.004"}, "less than a cent")):

        def pin_another(company: Company, changes: dict[str, Any] = changes) -> None:
            ads = {**PACKETS[2]["paid_acquisition"], **changes}
            packet = company.packet(2, **{**PACKETS[2], "paid_acquisition": ads})
            # Neither is approved of such a packet; what another client has written is not carried out either.
            stage.db.execute(
                "update public.approval_queue set packet_version_id = %s where project_id = %s", [packet.id, company.id]
            )

        assert said in refused(stage, ADS, pin_another)


def test_the_repository_gets_one_event_with_what_was_approved(stage: Stage) -> None:
    company, approval = stage.approved(REPOSITORY)
    assert stage.run(approval) == "completed"
    (asked,) = stage.providers.changes()
    assert asked.path == "/repos/acme/shop/dispatches"
    assert asked.headers["Authorization"].startswith("Bearer ghp_")
    assert asked.json == {
        "event_type": "greenlight_phase3_launch",
        "client_payload": {
            "project_id": str(company.id),
            "project_name": company.row("name")["name"],
            "phase": 3,
            "approval_id": str(approval.id),
            "merge_policy": PACKETS[3]["merge_policy"],
            "checklist": PACKETS[3]["launch_checklist"],
        },
    }


def test_the_deploy_hook_is_posted_to_over_tls(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)
    assert stage.run(approval) == "completed"
    (asked,) = stage.providers.changes()
    assert asked.json == {"projectId": str(company.id), "action": "trigger_phase3_deploy", "phase": 3}
    assert asked.headers["Idempotency-Key"] == f"{approval.id}:trigger_deploy"
    assert stage.effect(approval).provider_id == "job-1"
