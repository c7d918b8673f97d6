"""A round of due mail says what it came to, and what waits and why, as the database has it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from studio.database.connection import Database
from studio.mail import suppression, tally
from studio.mail.due import DueMail, waits_because
from studio.mail.sender import Sender
from studio.mail.tally import Start
from studio.settings import Settings
from tests.integration.mail.due.senders import claim
from tests.support.mail import add_mail, sending_project
from tests.support.queue import make_project

SEQUENCE = {"category": "sequence"}


def test_what_waits_is_counted_by_its_reason_as_each_mail_says_it(db: Database) -> None:
    quiet = sending_project(db)
    db.execute(
        "update public.projects set quiet_hours_start = (now() at time zone 'UTC' - interval '1 hour')::time,"
        " quiet_hours_end = (now() at time zone 'UTC' + interval '1 hour')::time where id = %s",
        [quiet],
    )
    paused, refused, free = sending_project(db, status="paused"), make_project(db), sending_project(db)
    capped = sending_project(db, email_daily_cap=0)
    waiting = {
        "permission": [add_mail(db, refused, **SEQUENCE) for _ in range(3)],
        "quiet_hours": [add_mail(db, quiet, **SEQUENCE) for _ in range(2)],
        "inactive": [add_mail(db, paused)],
        "daily_cap": [add_mail(db, capped, **SEQUENCE), add_mail(db, capped)],
        "next_round": [add_mail(db, free), add_mail(db, quiet), add_mail(db, refused)],
        "put_off": [add_mail(db, free, scheduled_for="2099-01-01T00:00:00Z", error="The provider is away.")],
    }
    add_mail(db, free, scheduled_for="2099-01-01T00:00:00Z")
    add_mail(db, free, status="sent")
    assert tally.waiting(db) == {why: len(mails) for why, mails in waiting.items()}
    words = {
        "permission": "no permission to send mail",
        "quiet_hours": "within the project's quiet hours",
        "inactive": "is paused",
        "daily_cap": "cap of 0 mails a day is reached",
        "next_round": "The next round",
        "put_off": "for later",
    }
    for why, mails in waiting.items():
        assert all(words[why] in str(waits_because(db, found)) for found in mails), why
    # Those of the next round go, and are then in a sender's hands.
    assert len(claim(db)) == 3
    after = tally.waiting(db)
    assert (after.get("next_round"), after["sender"], after["permission"]) == (None, 3, 3)


def test_a_round_counts_what_all_its_attempts_have_done_and_nobody_elses(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    run = str(uuid4())
    add_mail(db, project_id, to_email="gone@example.org")
    with db.transaction() as conn:
        assert suppression.suppress(conn, "gone@example.org", "bounced", project_id=project_id) == 1
    started = Start.from_json(tally.start(db).as_json())
    for day, address in enumerate(
        ("a@x.test", "b@x.test", "c@x.test", "gone@example.org", "none", "d@x.test"), start=1
    ):
        add_mail(db, project_id, to_email=address, scheduled_for=f"2026-01-{day:02}T00:00:00Z")
    # The first attempt is lost after two; somebody else takes the third; a second attempt does the rest.
    Sender(db, settings, run=run).send_due(2)
    DueMail(db, "elsewhere", "another-run", timedelta(hours=1)).claim(1)
    Sender(db, settings, run=run).send_due(100)
    counted = tally.count(db, run, started)
    assert (counted.sent, counted.failed, counted.unknown, counted.suppressed) == (3, 1, 0, 1)
    assert counted.waiting == {"sender": 1}
    rows = db.fetch_all("select status, count(*)::int as n from public.email_jobs group by status")
    assert {row["status"]: row["n"] for row in rows} == {"sent": 3, "failed": 1, "suppressed": 2, "sending": 1}
    assert tally.count(db, str(uuid4()), started).sent == 0


def test_it_is_told_in_a_sentence(db: Database, settings: Settings) -> None:
    started = tally.start(db)
    assert tally.count(db, "r", started).told == "nothing was sent."
    project_id = sending_project(db, email_daily_cap=2)
    for _ in range(5):
        add_mail(db, project_id)
    add_mail(db, make_project(db), **SEQUENCE)
    Sender(db, settings, run="r").send_due(100)
    counted = tally.count(db, "r", started)
    assert counted.told == "2 sent. 4 wait: 3 for the daily cap, 1 for the permission to send mail."
    assert counted.as_json() == {
        "sent": 2, "failed": 0, "unknown": 0, "suppressed": 0, "waiting": 4, "waiting_daily_cap": 3,
        "waiting_quiet_hours": 0, "waiting_permission": 1, "waiting_inactive": 0, "waiting_next_round": 0,
        "waiting_put_off": 0, "waiting_sender": 0,
    }  # fmt: skip
