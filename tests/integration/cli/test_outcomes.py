"""`greenlight approvals show` says what became of an approved action, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from greenlight_dagster.cli import output
from studio import decisions, lifecycle, outbox, queue
from studio.approvals import Approval
from studio.database.connection import Database
from tests.support.actions import ADS, LIFECYCLE, Stage, action_settings, hook_client
from tests.support.approvals import DEPLOY, EMAIL, FOUNDER, HOOK, REPOSITORY, Company
from tests.support.cli import Greenlight
from tests.support.providers import providers


@pytest.fixture(scope="module")
def stage(db: Database, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with providers() as running:
        settings = action_settings(url, running, tmp_path_factory.mktemp("data"))
        yield Stage(db, settings, running, hook_client(running.hook_address))


def failed(stage: Stage) -> tuple[Company, Approval]:
    """An approved hook that the project may not call any more."""
    company, approval = stage.approved(HOOK)
    stage.providers.fault("status", status=404)
    assert stage.run(approval) == "failed"
    return company, approval


def test_what_is_under_way_can_be_followed(greenlight: Greenlight, stage: Stage) -> None:
    _, approval = stage.approved(HOOK)
    shown = greenlight("approvals", "show", approval.id)
    job = stage.job(approval)
    assert f"{job.id}, queued" in shown.said
    assert f"Follow it with: greenlight jobs tail {job.id}" in shown.out
    assert "error" not in shown.out


def test_what_was_done_says_what_it_did(greenlight: Greenlight, stage: Stage) -> None:
    company, approval = stage.approved(ADS)
    assert stage.run(approval) == "completed"
    shown = greenlight("approvals", "show", approval.id)
    effect = stage.effect(approval)
    assert str(stage.executed(approval)["detail"]) in shown.said
    assert f"create_campaign at meta: done, the provider's id is {effect.provider_id} its id {effect.id}" in shown.said
    assert "error" not in shown.out
    told = greenlight("approvals", "show", approval.id, "--json").json["outcome"]
    assert (told["execution_status"], told["job_status"], told["error"]) == ("completed", "completed", None)
    assert told["provider_response"] == stage.executed(approval)["provider_response"]
    _, page = stage.approved(DEPLOY)
    assert stage.run(page) == "completed"
    assert f"greenlight pages list {page.project_id}" in greenlight("approvals", "show", page.id).out
    assert company.id != page.project_id


def test_mails_that_an_approval_has_queued_are_counted(greenlight: Greenlight, stage: Stage) -> None:
    company = stage.company(LIFECYCLE)
    stage.sign_up(company, "anna@example.org", "ben@example.org")
    _, approval = stage.approved(LIFECYCLE, company)
    assert stage.run(approval) == "completed"
    stage.db.execute(
        "update public.email_jobs set status = case to_email when 'anna@example.org' then 'unknown' else 'failed' end"
        " where approval_id = %s",
        [approval.id],
    )
    shown = greenlight("approvals", "show", approval.id)
    assert "1 failed, 1 unknown" in shown.said
    assert f"greenlight outbox list --project {company.id} --status unknown" in shown.out
    assert f"greenlight outbox list --project {company.id} --status failed" in shown.out


def test_what_failed_says_why_and_how_to_try_again(greenlight: Greenlight, stage: Stage) -> None:
    company, approval = failed(stage)
    job = stage.job(approval)
    shown = greenlight("approvals", "show", approval.id)
    assert "approved, failed" in shown.said
    assert f"error {stage.effect(approval).error}" in shown.said
    assert f"greenlight jobs retry {job.id}" in shown.out
    told = greenlight("approvals", "show", approval.id, "--json").json["outcome"]
    assert told["error"] == stage.effect(approval).error
    assert told["steps"] == [f"Set right what the error says, then try it again: greenlight jobs retry {job.id}"]
    # What it says is so.
    assert greenlight("jobs", "retry", job.id).code == 0
    assert stage.run(approval) == "completed"
    assert company.id == approval.project_id


def test_what_failed_before_it_had_begun_has_its_jobs_error(greenlight: Greenlight, stage: Stage) -> None:
    _, approval = stage.approved(HOOK)
    queue.cancel(stage.db, stage.job(approval).id, "Not today.")
    shown = greenlight("approvals", "show", approval.id)
    assert "Not today." in shown.said
    assert f"greenlight jobs retry {stage.job(approval).id}" in shown.out


def test_what_failed_and_was_approved_anew_points_there(greenlight: Greenlight, stage: Stage) -> None:
    company, approval = failed(stage)
    again = company.asked(HOOK)
    decisions.decide(stage.db, again.id, "approved", version=again.version, decided_by=FOUNDER)
    shown = greenlight("approvals", "show", approval.id)
    assert f"greenlight approvals show {again.id}" in shown.out
    assert "jobs retry" not in shown.out


def test_what_failed_in_a_project_that_is_not_active_cannot_just_be_retried(
    greenlight: Greenlight, stage: Stage
) -> None:
    company, approval = failed(stage)
    lifecycle.set_status(stage.db, company.id, "paused", FOUNDER)
    assert f"greenlight projects resume {company.id}" in greenlight("approvals", "show", approval.id).out
    lifecycle.set_status(stage.db, company.id, "killed", FOUNDER)
    shown = greenlight("approvals", "show", approval.id)
    assert "is killed" in shown.out
    assert "jobs retry" not in shown.out


def test_what_failed_and_has_no_job_any_more_is_proposed_anew(greenlight: Greenlight, stage: Stage) -> None:
    _, approval = failed(stage)
    stage.db.execute("delete from public.agent_jobs where id = %s", [stage.job(approval).id])
    assert "may be proposed and approved anew" in greenlight("approvals", "show", approval.id).out


def test_what_is_held_says_where_to_look_and_how_to_settle_it(
    greenlight: Greenlight, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, approval = stage.approved(REPOSITORY)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    shown = greenlight("approvals", "show", approval.id)
    effect = stage.effect(approval)
    assert "approved, unknown" in shown.said
    monkeypatch.setattr(output.out, "_width", 80)
    narrow = greenlight("approvals", "show", approval.id).out
    assert f"greenlight outbox resolve {effect.id} --done, or --retry" in narrow
    assert any(line.split() == ["its", "id", str(effect.id)] for line in narrow.splitlines())
    assert f"Look at github, then say so: greenlight outbox resolve {effect.id} --done, or --retry" in shown.out
    assert str(effect.error) in shown.said
    outbox.resolve(stage.db, effect.id, "done", by=FOUNDER)
    assert "Follow it with" in greenlight("approvals", "show", approval.id).out


def test_what_is_not_approved_has_no_outcome(greenlight: Greenlight, stage: Stage) -> None:
    company = stage.company(EMAIL)
    company.packet()
    asked, gate = company.asked(EMAIL), company.gate()
    for approval, decision in ((asked, "denied"), (gate, "approved")):
        assert greenlight("approvals", "show", approval.id, "--json").json["outcome"] is None
        decisions.decide(stage.db, approval.id, decision, version=approval.version, decided_by=FOUNDER)  # type: ignore[arg-type]
        assert greenlight("approvals", "show", approval.id, "--json").json["outcome"] is None
