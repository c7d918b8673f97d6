"""The jobs of mail as Dagster runs: what they do, the one artifact each leaves, and what they put into the queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult

from studio import queue
from studio.database.connection import Database
from studio.job_types import JOB_TYPES, SYSTEM_PROJECT_ID
from studio.mail.dispatch import DUE_MAIL, send_soon
from studio.queue import NewJob
from studio.settings import get_settings
from tests.support.dagster import DAGSTER_WARNINGS, defs, events
from tests.support.mail import KEY, add_mail, add_mails, files, mails, sending_project, statuses
from tests.support.queue import claim_next, make_project

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


@pytest.fixture(autouse=True)
def signed_links(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_BASE_URL", "https://studio.test")
    monkeypatch.setenv("GREENLIGHT_LINK_SECRET", "a secret of the tests, long enough")
    get_settings.cache_clear()


def enqueued(db: Database, job_type: str, payload: dict[str, Any] | None = None) -> UUID:
    with db.transaction() as conn:
        return queue.enqueue(conn, NewJob(job_type, SYSTEM_PROJECT_ID, payload or {})).job_id


def execute(instance: DagsterInstance, job_type: str, job_id: UUID) -> ExecuteInProcessResult:
    job = defs.resolve_job_def(JOB_TYPES[job_type].dagster_job)
    return job.execute_in_process(instance=instance, run_config={"job_id": str(job_id)}, raise_on_error=False)


def waiting(db: Database, job_type: str) -> list[dict[str, Any]]:
    return db.fetch_all(
        "select id, idempotency_key from public.agent_jobs where job_type = %s and status = 'queued'", [job_type]
    )


def test_due_mail_is_sent_and_counted_in_one_artifact(instance: DagsterInstance, database: Database) -> None:
    project_id = sending_project(database)
    add_mails(database, project_id, 3)
    add_mail(database, project_id, to_email="nonsense")
    job_id = enqueued(database, DUE_MAIL)
    assert execute(instance, DUE_MAIL, job_id).success
    assert queue.get(database, job_id).status == "completed"
    assert statuses(database, project_id) == {"sent": 3, "failed": 1}
    assert len(files(get_settings())) == 3
    (record,) = instance.fetch_materializations(AssetKey(["mail", "due"]), limit=5).records
    shown = record.asset_materialization
    assert shown is not None
    assert shown.description == "Due mail: 3 sent, 1 failed."
    counts = {name: value.value for name, value in shown.metadata.items()}
    assert (counts["sent"], counts["failed"], counts["unknown"], counts["more"]) == (3, 1, 0, False)
    assert "is not a mail address" in str(counts["errors"])
    (artifact,) = events(database, job_id, "artifact")
    assert (artifact["data"]["sent"], artifact["data"]["failed"]) == (3, 1)
    assert waiting(database, DUE_MAIL) == []


def test_what_waits_and_why_is_said_in_artifact_and_log(instance: DagsterInstance, database: Database) -> None:
    add_mails(database, sending_project(database, email_daily_cap=1), 3)
    add_mail(database, make_project(database), category="sequence")
    job_id = enqueued(database, DUE_MAIL)
    assert execute(instance, DUE_MAIL, job_id).success
    told = "Due mail: 1 sent. 3 wait: 2 for the daily cap, 1 for the permission to send mail."
    (artifact,) = events(database, job_id, "artifact")
    assert artifact["message"].endswith(told)
    counted = {"sent": 1, "waiting": 3, "waiting_daily_cap": 2, "waiting_permission": 1, "waiting_quiet_hours": 0}
    assert {name: artifact["data"][name] for name in counted} == counted
    (line,) = [event for event in events(database, job_id, "log") if event["message"] == told]
    assert {name: line["data"][name] for name in counted} == counted


def test_a_job_that_an_earlier_release_began_is_finished(instance: DagsterInstance, database: Database) -> None:
    add_mails(database, sending_project(database), 2)
    job_id = enqueued(database, DUE_MAIL)
    database.execute(
        "insert into public.agent_job_steps (job_id, step, output, claim_no, attempt)"
        " values (%s, 'enroll', '{\"queued\": 0}', 1, 1)",
        [job_id],
    )
    assert execute(instance, DUE_MAIL, job_id).success
    (artifact,) = events(database, job_id, "artifact")
    assert artifact["message"].endswith("Due mail: 2 sent.")


def test_what_a_job_leaves_behind_gets_another_job(instance: DagsterInstance, database: Database) -> None:
    project_id = sending_project(database)
    add_mails(database, project_id, 5)
    job_id = enqueued(database, DUE_MAIL, {"limit": 2})
    assert execute(instance, DUE_MAIL, job_id).success
    assert statuses(database, project_id) == {"sent": 2, "queued": 3}
    (following,) = waiting(database, DUE_MAIL)
    assert following["idempotency_key"] == f"email_due:after:{job_id}"
    assert execute(instance, DUE_MAIL, following["id"]).success
    assert statuses(database, project_id) == {"sent": 5}
    assert waiting(database, DUE_MAIL) == []


def test_half_a_configuration_fails_the_job_and_names_the_variable(
    instance: DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESEND_API_KEY", KEY)
    get_settings.cache_clear()
    project_id = sending_project(database)
    add_mails(database, project_id, 1)
    job_id = enqueued(database, DUE_MAIL)
    assert not execute(instance, DUE_MAIL, job_id).success
    job = queue.get(database, job_id)
    assert (job.status, statuses(database, project_id)) == ("failed", {"queued": 1})
    assert "RESEND_FROM_EMAIL" in str(job.last_error)


@pytest.mark.parametrize(
    ("job_type", "asset", "subject"),
    [
        ("drip.process_digests", "queue_digests", "Your week: 1 waiting for you in Tools"),
        ("drip.process_nudges", "queue_nudges", "The pitch of Tools waits for you"),
    ],
)
def test_drips_are_queued_counted_and_sent_soon(
    instance: DagsterInstance, database: Database, job_type: str, asset: str, subject: str
) -> None:
    database.execute(
        "insert into public.users (clerk_id, email, created_at)"
        " values ('ada', 'ada@example.org', now() - interval '9 days')"
    )
    project_id = make_project(database, owner_clerk_id="ada", name="Tools")
    database.execute(
        "insert into public.approval_queue (project_id, phase, title, description, risk, type, action_type)"
        " values (%s, 0, 'Gate', 'Look', 'low', 'phase_advance', 'phase0_packet_review')",
        [project_id],
    )
    job_id = enqueued(database, job_type)
    assert execute(instance, job_type, job_id).success
    assert [row["subject"] for row in mails(database, SYSTEM_PROJECT_ID)] == [subject]
    (record,) = instance.fetch_materializations(AssetKey(["mail", asset]), limit=5).records
    assert record.asset_materialization is not None
    assert record.asset_materialization.metadata["queued"].value == 1
    (sending,) = waiting(database, DUE_MAIL)
    assert execute(instance, DUE_MAIL, sending["id"]).success
    assert len(files(get_settings())) == 1


def test_letters_of_a_moment_cause_one_job_and_later_ones_another(database: Database) -> None:
    first = send_soon(database)
    assert {send_soon(database) for _ in range(5)} == {first}
    claim_next(database)
    # What runs already may have looked before this letter was queued.
    assert send_soon(database) != first
