"""Mails that another client has written itself are sent, or held, as those of the studio."""

from __future__ import annotations

from studio.database.connection import Database
from studio.settings import Settings
from tests.integration.mail.due.senders import claim
from tests.support.mail import add_mail, files, mail, send, sending_project, statuses
from tests.support.queue import make_project


def test_a_row_with_the_seeds_columns_alone_is_sent(db: Database, settings: Settings) -> None:
    project_id = sending_project(db, name="Tea & Co")
    email_id = add_mail(db, project_id, html_body="<h1>Tea</h1><p>It is <b>ready</b>.</p>")
    assert send(db, settings).sent == 1
    row = mail(db, email_id)
    assert row["category"] == "transactional"
    assert row["sent_at"] is not None
    assert row["provider_message_id"] == files(settings)[0].name


def test_a_row_of_an_approved_campaign_is_held_to_its_permission(db: Database) -> None:
    project_id = make_project(db)
    row = db.fetch_one(
        "insert into public.approval_queue (project_id, phase, title, description, risk, type, action_type)"
        " values (%s, 1, 'Send', 'Send it', 'low', 'execution', 'send_welcome_email_sequence') returning id",
        [project_id],
    )
    assert row is not None
    email_id = add_mail(db, project_id, approval_id=row["id"])
    assert mail(db, email_id)["category"] == "sequence"
    assert claim(db) == []


def test_dates_beyond_all_calendars_do_no_harm(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    add_mail(db, project_id, scheduled_for="infinity")
    add_mail(db, project_id, scheduled_for="-infinity")
    assert send(db, settings).sent == 1
    assert statuses(db, project_id) == {"sent": 1, "queued": 1}
