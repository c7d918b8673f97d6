"""A mail that waits says why, and what a lost sender may hold is looked at in time."""

from __future__ import annotations

from uuid import uuid4

from studio.database.connection import Database
from studio.mail import dispatch
from studio.mail.due import waits_because
from tests.integration.mail.due.senders import claim
from tests.support.mail import add_mail, sending_project
from tests.support.queue import make_project


def test_a_mail_that_waits_says_why(db: Database) -> None:
    capped, quiet = sending_project(db, email_daily_cap=1), sending_project(db)
    paused, refused = sending_project(db, status="paused"), make_project(db)
    local = db.fetch_one(
        "select (now() - interval '1 hour')::time as start, (now() + interval '1 hour')::time as until"
    )
    assert local is not None
    db.execute(
        "update public.projects set quiet_hours_start = %s, quiet_hours_end = %s where id = %s",
        [local["start"], local["until"], quiet],
    )
    waiting = {name: add_mail(db, of, category="sequence") for name, of in (
        ("quiet", quiet), ("paused", paused), ("refused", refused))}  # fmt: skip
    waiting |= {f"capped {n}": add_mail(db, capped, category="sequence") for n in (1, 2)}
    later = add_mail(db, capped, scheduled_for="2099-01-01T00:00:00Z")
    [taken] = claim(db)
    left = next(found for name, found in waiting.items() if name.startswith("capped") and found != taken.id)
    assert "A sender has it" in str(waits_because(db, taken.id))
    assert waits_because(db, left) == "The project's cap of 1 mails a day is reached."
    assert waits_because(db, waiting["quiet"]) == "It is within the project's quiet hours."
    assert waits_because(db, waiting["paused"]) == "The project is paused."
    assert waits_because(db, waiting["refused"]) == "The project has no permission to send mail."
    assert waits_because(db, later) == "It is for later."
    assert waits_because(db, uuid4()) is None


def test_what_a_lost_sender_may_hold_is_looked_at_when_its_lease_is_over(db: Database) -> None:
    assert dispatch.send_after_leases(db, after=uuid4()) is None
    add_mail(db, sending_project(db))
    [held] = claim(db)
    after = uuid4()
    job_id = dispatch.send_after_leases(db, after=after)
    assert job_id == dispatch.send_after_leases(db, after=after)
    row = db.fetch_one(
        "select j.run_after = m.leased_until as then from public.agent_jobs j, public.email_jobs m"
        " where j.id = %s and m.id = %s",
        [job_id, held.id],
    )
    assert row == {"then": True}
