"""What cannot be carried out is named before anything leaves, and its approval fails."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from studio import claims, decisions, queue
from studio.settings import Settings
from tests.integration.actions.refusals import refused
from tests.support.actions import LEASE, Stage
from tests.support.approvals import ADS, DEPLOY, EMAIL, FOUNDER, HOOK, REPOSITORY
from tests.support.queue import insert_foreign


def moved(stage: Stage, repository: str) -> Any:
    def move(company: Any) -> None:
        stage.db.execute("update public.projects set repo_url = %s where id = %s", [repository, company.id])

    return move


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
    assert "no repository on GitHub" in refused(stage, REPOSITORY, moved(stage, repository))


@pytest.mark.parametrize("repository", ["https://github.com/acme/other", "git@github.com:evil/shop.git"])
def test_another_repository_than_the_approved_one_gets_nothing(stage: Stage, repository: str) -> None:
    why = refused(stage, REPOSITORY, moved(stage, repository))
    assert "The approval was for the repository https://github.com/acme/shop, but the project's is" in why
    assert "Have it proposed anew." in why


def test_an_approval_that_names_no_repository_starts_nothing(stage: Stage) -> None:
    def forget(company: Any) -> None:
        stage.db.execute(
            "update public.approval_queue set payload = payload - 'executes' where project_id = %s", [company.id]
        )

    assert "names no repository. Have it proposed anew." in refused(stage, REPOSITORY, forget)


@pytest.mark.parametrize("same", ["git@github.com:Acme/Shop.git", "https://github.com/acme/shop/"])
def test_the_same_repository_under_another_address_is_the_approved_one(stage: Stage, same: str) -> None:
    company, approval = stage.approved(REPOSITORY)
    moved(stage, same)(company)
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


def test_what_failed_for_another_repository_is_proposed_anew_for_it(stage: Stage) -> None:
    company, approval = stage.approved(REPOSITORY)
    moved(stage, "https://github.com/acme/other")(company)
    assert stage.run(approval) == "failed"
    again = company.asked(REPOSITORY)
    decisions.decide(stage.db, again.id, "approved", version=again.version, decided_by=FOUNDER)
    assert stage.run(stage.approval(again.id)) == "completed"
    (sent,) = stage.providers.changes()
    assert sent.path == "/repos/acme/other/dispatches"


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
