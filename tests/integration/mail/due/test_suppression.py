"""Who does not want mail, or cannot get it, is sent none, whenever that became known."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail import suppression
from tests.integration.mail.due.senders import claim, sender
from tests.support.mail import add_mail, mail, sending_project, statuses


def suppress(db: Database, email: str, reason: Any, project_id: UUID | None) -> int:
    with db.transaction() as conn:
        return suppression.suppress(conn, email, reason, project_id=project_id)


def test_what_is_queued_is_not_sent_after_an_unsubscription(db: Database) -> None:
    project_id, other = sending_project(db), sending_project(db)
    ids = {
        (where, category): add_mail(db, where, to_email="Ada@Example.org", category=category)
        for where in (project_id, other)
        for category in ("sequence", "transactional", "waitlist")
    }
    assert suppress(db, "ada@example.org", "unsubscribed", project_id) == 1
    assert mail(db, ids[project_id, "sequence"])["status"] == "suppressed"
    assert {found.id for found in claim(db)} == set(ids.values()) - {ids[project_id, "sequence"]}


def test_a_bounce_ends_everything_from_everybody(db: Database) -> None:
    add_mail(db, sending_project(db), to_email="gone@example.org")
    add_mail(db, SYSTEM_PROJECT_ID, to_email="gone@example.org", sender="studio")
    assert suppress(db, "gone@example.org", "bounced", None) == 2
    add_mail(db, sending_project(db), to_email=" GONE@example.org")
    assert claim(db) == []


def test_suppressed_rows_of_other_clients_do_not_use_up_a_senders_turn(db: Database) -> None:
    project_id = sending_project(db)
    suppress(db, "never@example.org", "blocked", project_id)
    for _ in range(5):
        add_mail(db, project_id, to_email="never@example.org", scheduled_for="2025-01-01T00:00:00Z")
    wanted = add_mail(db, project_id)
    assert [found.id for found in claim(db, 2)] == [wanted]
    assert statuses(db, project_id) == {"suppressed": 5, "sending": 1}


def test_an_unsubscription_between_claim_and_sending_counts(db: Database) -> None:
    project_id = sending_project(db)
    add_mail(db, project_id, to_email="ada@example.org", category="sequence")
    due = sender(db)
    (claimed,) = due.claim(1)
    suppress(db, "ada@example.org", "unsubscribed", project_id)
    assert due.begin(claimed, "account", None) == "suppressed"
    assert mail(db, claimed.id)["status"] == "suppressed"


def test_the_studios_mail_and_a_projects_are_ended_apart(db: Database) -> None:
    project_id = sending_project(db)
    overview = add_mail(db, project_id, to_email="ada@example.org", category="overview", sender="studio")
    sequence = add_mail(db, project_id, to_email="ada@example.org", category="sequence")
    suppress(db, "ada@example.org", "unsubscribed", SYSTEM_PROJECT_ID)
    assert [found.id for found in claim(db)] == [sequence]
    assert mail(db, overview)["status"] == "suppressed"


def test_who_asks_again_is_written_to_again_unless_the_address_does_not_take_mail(db: Database) -> None:
    project_id = sending_project(db)
    for email, reason in (("back@example.org", "unsubscribed"), ("gone@example.org", "complained")):
        suppress(db, email, reason, project_id)
        # A later unsubscription does not make a complaint less of one.
        suppress(db, email, "unsubscribed", project_id)
        with db.transaction() as conn:
            assert suppression.lift(conn, email, project_id=project_id) == (reason == "unsubscribed")
        add_mail(db, project_id, to_email=email, category="sequence")
    assert [found.to_email for found in claim(db)] == ["back@example.org"]


def test_an_unsubscription_ends_the_place_on_the_waitlist(db: Database) -> None:
    project_id = sending_project(db)
    db.execute(
        "insert into public.waitlist_signups (project_id, email, status, confirmed_at)"
        " values (%s, 'ada@example.org', 'confirmed', now())",
        [project_id],
    )
    suppress(db, "Ada@Example.org", "unsubscribed", project_id)
    row = db.fetch_one(
        "select status, unsubscribed_at from public.waitlist_signups where project_id = %s", [project_id]
    )
    assert row is not None
    assert row["status"] == "unsubscribed"
    assert row["unsubscribed_at"] is not None
