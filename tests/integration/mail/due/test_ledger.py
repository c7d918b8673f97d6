"""What became of mails is recorded by their current sender alone, and counted per project and outcome."""

from __future__ import annotations

from studio.database.connection import Database
from studio.mail.due import Sent
from studio.settings import Settings
from tests.integration.mail.due.senders import sender
from tests.support.mail import add_mail, add_mails, mail, send, sending_project


def test_a_run_is_one_entry_per_project_and_outcome_with_the_count(db: Database, settings: Settings) -> None:
    project_id, other = sending_project(db), sending_project(db)
    add_mails(db, project_id, 30)
    add_mail(db, project_id, to_email="not an address")
    add_mails(db, other, 1)
    summary = send(db, settings)
    assert summary.counts == {"sent": 31, "failed": 1}
    events = db.fetch_all(
        "select project_id, event_type, message, data from public.project_events"
        " where event_type like 'email.outbound.%%' and project_id = any (%s)",
        [[project_id, other]],
    )
    assert {(row["project_id"], row["event_type"], row["message"], row["data"]["mails"]) for row in events} == {
        (project_id, "email.outbound.sent", "30 mails sent", 30),
        (project_id, "email.outbound.failed", "1 mail could not be sent", 1),
        (other, "email.outbound.sent", "1 mail sent", 1),
    }
    tasks = db.fetch_all("select description, status, detail from public.tasks where project_id = %s", [project_id])
    assert {(row["description"], row["status"], row["detail"]) for row in tasks} == {
        ("email_job_sent", "completed", "30 mails sent"),
        ("email_job_failed", "failed", "1 mail failed"),
    }
    log = db.fetch_all("select step from public.task_log where project_id = %s", [project_id])
    assert sorted(row["step"] for row in log) == ["email_job_failed", "email_job_sent"]


def test_each_outcome_is_only_its_current_senders_to_record(db: Database) -> None:
    project_id = sending_project(db)
    email_id = add_mail(db, project_id)
    first, second = sender(db), sender(db)
    (claimed,) = first.claim(1)
    db.execute("update public.email_jobs set leased_until = now() - interval '1 second' where id = %s", [email_id])
    (again,) = second.claim(1)
    assert again.claim_no == claimed.claim_no + 1
    assert first.begin(claimed, "account", None) == "lost"
    assert not first.finish(claimed, Sent("sent", provider_message_id="1"))
    assert second.begin(again, "account", None) == "go"
    assert mail(db, email_id)["status"] == "sending"
