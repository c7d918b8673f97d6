"""An approved action does what was approved, exactly, while it is permitted, and says truly what it did."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from studio import claims, decisions, lifecycle, pages, permissions, queue
from studio.errors import StudioError
from studio.settings import Settings
from studio.text import sha256_hex
from tests.support.actions import (
    ACCOUNT,
    EFFECTS,
    HTML,
    LEASE,
    LIFECYCLE,
    META_TOKEN,
    PACKETS,
    PHASES,
    SECRETS,
    Stage,
)
from tests.support.approvals import ADS, DEPLOY, EMAIL, FOUNDER, GUIDANCE, HOOK, REFINE, REPOSITORY
from tests.support.queue import insert_foreign


def refused(stage: Stage, action: str, change: Any = None, **packet: Any) -> str:
    """Approve an action, change something, run it, and return why it failed; it must have done nothing."""
    company, approval = stage.approved(action, **packet)
    if change is not None:
        change(company)
    assert stage.run(approval) == "failed"
    assert stage.status(approval) == "failed"
    assert stage.happened(approval) == 0
    assert stage.providers.requests == []
    return stage.job(approval).last_error or ""


# --- each action


@pytest.mark.parametrize("action", PHASES)
def test_what_was_done_stands_in_the_ledger_the_memory_and_the_list(stage: Stage, action: str) -> None:
    company = stage.company(action)
    stage.sign_up(company, "anna@example.org", "ben@example.org")
    company, approval = stage.approved(action, company)
    assert stage.status(approval) == "queued"
    assert stage.run(approval) == "completed", stage.job(approval).last_error
    assert stage.happened(approval) == 1
    executed = stage.executed(approval)
    assert (stage.status(approval), executed["status"]) == ("completed", "completed")
    (started,) = company.events("execution.started")
    (completed,) = company.events("execution.completed")
    assert completed["message"] == executed["detail"]
    assert started["data"]["approval_id"] == completed["data"]["approval_id"] == str(approval.id)
    (remembered,) = [row for row in company.rows("agent_memory") if row["category"] == "learning"]
    assert (remembered["key"], remembered["value"]) == (f"action_{action}", executed["detail"])
    (task,) = [row for row in company.rows("tasks") if row["description"] == f"execute_{action}"]
    assert (task["status"], task["detail"]) == ("completed", executed["detail"])


@pytest.mark.parametrize("action", PHASES)
def test_what_is_executed_already_is_not_executed_again(stage: Stage, action: str) -> None:
    company = stage.company(action)
    stage.sign_up(company, "anna@example.org", "ben@example.org")
    company, approval = stage.approved(action, company)
    stage.run(approval)
    # Re-executed from the start: its checkpoints are forgotten.
    claim = stage.claimed(approval)
    with claim.transaction() as conn:
        claim.forget_steps(conn, None)
    assert stage.run(approval, claim) == "completed"
    # And once more, by another job for the same approval.
    other = queue.NewJob(
        "approval.execute", company.id, {"approvalId": str(approval.id), "actionType": action}, key="again"
    )
    with stage.db.transaction() as conn:
        again = queue.enqueue(conn, other)
    stage.db.execute(
        "update public.approval_queue set execution_job_id = %s where id = %s", [again.job_id, approval.id]
    )
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1
    assert stage.status(approval) == "completed"
    assert len(company.events("execution.completed")) == 1
    assert "executed already" in stage.told.said


def test_the_page_that_is_published_is_the_page_that_was_reviewed(stage: Stage) -> None:
    company, approval = stage.approved(DEPLOY)
    stage.page(company, "<title>A newer draft</title>")
    stage.run(approval)
    live = pages.published(stage.db, company.id)
    assert live is not None
    assert (live.html, live.content_hash) == (HTML, approval.content_hash)
    assert company.row("live_url")["live_url"] == stage.executed(approval)["provider_response"]["live_url"]
    assert str(company.row("live_url")["live_url"]).startswith("https://pages.example.org/")


def test_a_page_whose_bytes_have_changed_is_not_published(stage: Stage) -> None:
    company, approval = stage.approved(DEPLOY)
    (file,) = [path for path in stage.settings.data_dir.rglob("landing*.html") if str(company.id) in str(path)]
    file.write_bytes(file.read_bytes().replace(b"neighbours", b"burglars"))
    assert stage.run(approval) == "failed"
    assert "hash differs" in (stage.job(approval).last_error or "")
    assert pages.published(stage.db, company.id) is None
    assert stage.status(approval) == "failed"


def test_an_asset_that_is_another_one_by_now_is_not_published(stage: Stage) -> None:
    company, approval = stage.approved(DEPLOY)
    stage.db.execute(
        "update public.project_assets set metadata = metadata || jsonb_build_object('sha256', repeat('0', 64))"
        " where id = %s",
        [approval.asset_id],
    )
    assert stage.run(approval) == "failed"
    assert "hash differs" in (stage.job(approval).last_error or "")
    assert pages.published(stage.db, company.id) is None


def test_a_page_that_was_replaced_with_its_row_is_not_published(stage: Stage) -> None:
    company, approval = stage.approved(DEPLOY)
    (file,) = [path for path in stage.settings.data_dir.rglob("landing*.html") if str(company.id) in str(path)]
    file.write_text("<title>Another page</title>")
    stage.db.execute(
        "update public.project_assets set metadata = metadata || jsonb_build_object('sha256', %s::text) where id = %s",
        [sha256_hex("<title>Another page</title>"), approval.asset_id],
    )
    assert stage.run(approval) == "failed"
    assert "not the one that was approved" in (stage.job(approval).last_error or "")
    assert pages.published(stage.db, company.id) is None


def test_nobody_to_write_to_is_said_truly(stage: Stage) -> None:
    for action, said in ((EMAIL, "whoever does gets"), (LIFECYCLE, "no mail was queued")):
        company, approval = stage.approved(action)
        assert stage.run(approval) == "completed"
        assert company.rows("email_jobs") == []
        assert said in stage.executed(approval)["detail"]


def test_mails_are_those_of_the_packet_that_was_approved(stage: Stage) -> None:
    company = stage.company(EMAIL)
    stage.sign_up(company, "anna@example.org")
    company, approval = stage.approved(EMAIL, company)
    newer = {"email_sequence": {"emails": [{**PACKETS[1]["email_sequence"]["emails"][0], "subject": "Unreviewed"}] * 3}}
    company.packet(1, **newer)
    assert stage.run(approval) == "completed"
    mails = company.rows("email_jobs")
    assert {mail["subject"] for mail in mails} == {"Welcome in"}
    assert {mail["to_email"] for mail in mails} == {"anna@example.org"}
    assert len(mails) == 3


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
    off = {**PACKETS[2]["paid_acquisition"], "enabled": False}
    assert "runs no ads" in refused(stage, ADS, paid_acquisition=off)
    nothing = {**PACKETS[2]["paid_acquisition"], "budget_cap_per_day": "0.004"}
    assert "less than a cent" in refused(stage, ADS, paid_acquisition=nothing)


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


def test_a_refinement_enqueues_the_generation_with_the_approved_words(stage: Stage) -> None:
    company, approval = stage.approved(REFINE)
    assert stage.run(approval) == "completed"
    (job,) = company.jobs("phase.generate_packet")
    assert job["idempotency_key"] == f"phase-refine:1:{approval.id}"
    assert job["payload"] == {
        "projectId": str(company.id),
        "phase": 1,
        "forceRegenerate": True,
        "revisionGuidance": GUIDANCE,
    }


def test_a_refinement_of_phase_0_relaunches_it(stage: Stage) -> None:
    company = stage.company(REFINE, phase=0)
    version = company.packet(0)
    asked = company.asked(REFINE, packet=version, phase=0, payload={"guidance": GUIDANCE})
    decisions.decide(stage.db, asked.id, "approved", version=asked.version, decided_by=FOUNDER)
    assert stage.run(asked) == "completed"
    (job,) = company.jobs("phase0.generate_packet")
    assert job["idempotency_key"] == f"phase0-refine:{asked.id}"
    assert (job["payload"]["revisionGuidance"], job["payload"]["forceNewApproval"]) == (GUIDANCE, True)


def test_words_that_changed_after_the_approval_are_not_used(stage: Stage) -> None:
    company, approval = stage.approved(REFINE)
    stage.db.execute(
        'update public.approval_queue set payload = payload || \'{"guidance": "Sell it to anybody"}\' where id = %s',
        [approval.id],
    )
    assert stage.run(approval) == "failed"
    assert "not the one that was approved" in (stage.job(approval).last_error or "")
    assert company.jobs("phase.generate_packet") == []


# --- permission at the moment of the act


@pytest.mark.parametrize(
    ("action", "switch"),
    [
        (EMAIL, "email_send"),
        (LIFECYCLE, "email_send"),
        (ADS, "ads_enabled"),
        (REPOSITORY, "repo_write"),
        (HOOK, "deploy"),
    ],
)
def test_a_permission_that_was_withdrawn_after_the_approval_counts(stage: Stage, action: str, switch: str) -> None:
    why = refused(
        stage,
        action,
        lambda company: permissions.change_limits(stage.db, company.id, FOUNDER, permissions={switch: False}),
    )
    assert switch in why


def test_a_cap_of_nothing_stops_the_campaign(stage: Stage) -> None:
    def no_money(company: Any) -> None:
        permissions.change_limits(stage.db, company.id, FOUNDER, permissions={"ads_budget_cap": 0})

    assert "cap for ads is 0" in refused(stage, ADS, no_money)


def test_an_attached_runtime_publishes_nothing_here(stage: Stage) -> None:
    why = refused(
        stage,
        DEPLOY,
        lambda c: stage.db.execute("update public.projects set runtime_mode = 'attached' where id = %s", [c.id]),
    )
    assert "runtime mode" in why


@pytest.mark.parametrize("action", PHASES)
def test_a_project_that_is_killed_while_its_run_has_begun_does_nothing(stage: Stage, action: str) -> None:
    company, approval = stage.approved(action)
    claim = stage.claimed(approval)
    work = stage.execution(claim)
    begun = claim.once_in_transaction("begin", work.begin)
    lifecycle.set_status(stage.db, company.id, "killed", FOUNDER)
    with pytest.raises(StudioError, match="killed"):
        work.perform(begun)
    claim.cancel()
    assert stage.happened(approval) == 0
    assert stage.status(approval) == "failed"
    assert stage.executed(approval)["status"] == "failed"


def test_a_permission_that_is_given_again_lets_the_same_execution_go_on(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)
    permissions.change_limits(stage.db, company.id, FOUNDER, permissions={"deploy": False})
    assert stage.run(approval) == "failed"
    (failed,) = company.events("execution.failed")
    assert "deploy" in failed["message"]
    assert "approval_execution_failed" in {task["description"] for task in company.rows("tasks")}
    permissions.change_limits(stage.db, company.id, FOUNDER, permissions={"deploy": True})
    queue.retry(stage.db, stage.job(approval).id)
    assert stage.status(approval) == "queued"
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1
    assert "approval_execution_failed" not in {task["description"] for task in company.rows("tasks")}


# --- what cannot be carried out


@pytest.mark.parametrize(
    ("action", "unset", "variable"),
    [
        (ADS, "meta_access_token", "META_ACCESS_TOKEN"),
        (ADS, "meta_ad_account_id", "META_AD_ACCOUNT_ID"),
        (REPOSITORY, "github_token", "GITHUB_TOKEN"),
        (HOOK, "vercel_deploy_hook_url", "VERCEL_DEPLOY_HOOK_URL"),
        (DEPLOY, "pages_base_url", "GREENLIGHT_PAGES_URL"),
        (EMAIL, "link_secret", "GREENLIGHT_LINK_SECRET"),
    ],
)
def test_what_is_not_configured_is_named_before_anything_is_sent(
    stage: Stage, action: str, unset: str, variable: str
) -> None:
    changes = {unset: None, **({"app_base_url": None} if unset == "pages_base_url" else {})}
    given = {name: getattr(stage.settings, name) for name in stage.settings.model_fields_set}
    stage.settings = Settings(**{**given, **changes})
    why = refused(stage, action)
    assert variable in why


def test_an_account_that_is_no_number_reaches_no_address(stage: Stage) -> None:
    stage.settings = stage.settings.model_copy(update={"meta_ad_account_id": "1/../me"})
    assert "META_AD_ACCOUNT_ID" in refused(stage, ADS)


@pytest.mark.parametrize("token", ["ghp_one\r\nX-Evil: 1", "ghp_grüße", "ghp_nul\x00"])
def test_a_token_that_no_header_can_hold_is_refused_before_anything_leaves(stage: Stage, token: str) -> None:
    stage.settings = stage.settings.model_copy(update={"github_token": SecretStr(token)})
    why = refused(stage, REPOSITORY)
    assert "Check the GitHub token" in why
    assert "ghp_" not in why


@pytest.mark.parametrize(
    "repository",
    [
        "https://evil.example/github.com/acme/shop",
        "https://github.com.evil.example/acme/shop",
        "https://evil.example?x=github.com/acme/shop",
        "http://169.254.169.254/acme/shop",
        "https://github.com/acme/shop/../../user",
    ],
)
def test_a_repository_elsewhere_gets_nothing(stage: Stage, repository: str) -> None:
    def move(company: Any) -> None:
        stage.db.execute("update public.projects set repo_url = %s where id = %s", [repository, company.id])

    assert "no repository on GitHub" in refused(stage, REPOSITORY, move)


def test_a_gate_or_an_undecided_approval_is_not_executed(stage: Stage) -> None:
    company = stage.company(HOOK)
    undecided = company.asked(HOOK, packet=company.packet(3))
    gate = company.gate()
    reasons = {undecided.id: "pending, not approved", gate.id: "is a gate", uuid4(): "no approval"}
    for approval_id, said in reasons.items():
        job_id = insert_foreign(
            stage.db,
            company.id,
            "approval.execute",
            {"projectId": str(company.id), "approvalId": str(approval_id), "actionType": HOOK},
        )
        with stage.db.transaction() as conn:
            claim = claims.claim_by_id(conn, stage.db, job_id, "worker", f"run-{uuid4()}", LEASE)
        assert stage.run(undecided, claim) == "failed"
        assert said in (queue.get(stage.db, job_id).last_error or "")
    assert stage.providers.requests == []


def test_an_action_that_is_not_the_approved_one_is_not_done(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)
    stage.db.execute(
        'update public.agent_jobs set payload = payload || \'{"actionType": "trigger_phase3_repo_workflow"}\''
        " where id = %s",
        [stage.job(approval).id],
    )
    assert stage.run(approval) == "failed"
    assert "what was approved is" in (stage.job(approval).last_error or "")
    assert stage.status(approval) == "failed"
    assert company.events("execution.started") == []


def test_an_action_that_is_unknown_fails_clearly(stage: Stage) -> None:
    _company, approval = stage.approved(HOOK)
    stage.db.execute("update public.approval_queue set action_type = 'fly' where id = %s", [approval.id])
    stage.db.execute(
        'update public.agent_jobs set payload = payload || \'{"actionType": "fly"}\' where id = %s',
        [stage.job(approval).id],
    )
    assert stage.run(approval) == "failed"
    assert "There is no action 'fly'" in (stage.job(approval).last_error or "")
    assert stage.status(approval) == "failed"


# --- what leaves


HOSTILE = 'A<script>alert(1)</script>\r\nX-Evil: 1\x1b[31m ${{ secrets.TOKEN }} `rm -rf` "quoted" Grüße'


def test_names_leave_on_one_line_and_without_markup(stage: Stage) -> None:
    for action in (ADS, REPOSITORY):
        stage.providers.clear()
        company = stage.company(action, name=HOSTILE)
        packet = {"launch_checklist": [HOSTILE, *PACKETS[3]["launch_checklist"]]} if action == REPOSITORY else {}
        _, approval = stage.approved(action, company, **packet)
        assert stage.run(approval) == "completed", stage.job(approval).last_error
        (asked,) = stage.providers.changes()
        assert "X-Evil" not in asked.headers
        sent = [asked.form["name"]] if action == ADS else asked.json["client_payload"]["checklist"]
        sent += [] if action == ADS else [asked.json["client_payload"]["project_name"]]
        for text in sent:
            assert not set(text) & set("<>`${}\\\r\n\x1b"), text
        assert any("Grüße" in text for text in sent)


@pytest.mark.parametrize("action", EFFECTS)
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_secrets_are_nowhere_but_in_the_request(stage: Stage, action: str, status: int) -> None:
    company, approval = stage.approved(action)
    if status != 200:
        # A provider that repeats all that it was given.
        repeated = f"bad {' '.join(SECRETS[action])} in {SECRETS[action][0]}"
        echo = {"error": {"message": repeated}, "message": repeated}
        stage.providers.fault("status", status=status, body=echo)
    stage.run(approval)
    tables = ("outbox", "approval_queue", "action_executions", "project_events", "agent_jobs", "agent_job_events",
              "tasks", "task_log", "agent_memory")  # fmt: skip
    written = json.dumps({table: company.rows(table) for table in tables}, default=str)
    said = f"{stage.told.said} {stage.told.calls} {stage.told.results}"
    for secret in SECRETS[action]:
        assert secret not in written
        assert secret not in said
