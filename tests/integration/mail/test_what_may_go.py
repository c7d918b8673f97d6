"""Which due mails a sender gets: in turns between projects, within hours, caps and permissions, to whom wants them."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio.database.connection import Database
from studio.errors import InvalidInput
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail import dispatch, quiet_hours, suppression
from studio.mail.due import DueMail, Sent, waits_because
from studio.mail.message import Mail
from studio.mail.quiet_hours import MailHours
from studio.settings import Settings
from tests.support.mail import add_mail, add_mails, files, mail, send, sending_project, statuses
from tests.support.queue import make_project

LEASE = timedelta(hours=1)


@pytest.fixture(autouse=True)
def nothing_is_due(db: Database) -> None:
    """Claims go over all projects, so that each test begins without the mail of the others."""
    db.execute("delete from public.email_jobs")


def sender(db: Database) -> DueMail:
    return DueMail(db, f"worker-{uuid4()}", f"run-{uuid4()}", LEASE)


def claim(db: Database, limit: int = 100, now: str | None = None) -> list[Mail]:
    return sender(db).claim(limit, None if now is None else datetime.fromisoformat(now))


# --- turns


def test_a_large_campaign_holds_nobody_else_up(db: Database) -> None:
    large, small, urgent = sending_project(db), sending_project(db), sending_project(db)
    add_mails(db, large, 500, "sequence")
    for _ in range(2):
        add_mail(db, small, scheduled_for="2026-02-01T00:00:00Z")
        add_mail(db, urgent, scheduled_for="2026-02-02T00:00:00Z")
    claimed = Counter(found.project_id for found in claim(db, 9))
    assert claimed == {large: 5, small: 2, urgent: 2}


def test_a_project_sends_its_oldest_first_and_before_all_what_somebody_waits_for(db: Database) -> None:
    project_id = sending_project(db)
    add_mails(db, project_id, 5, "sequence")
    asked_for = add_mail(db, project_id, category="waitlist", scheduled_for="2026-02-01T00:00:00Z")
    first, second, third = claim(db, 3)
    assert first.id == asked_for
    assert [second.outbox_key, third.outbox_key] == ["mail:1", "mail:2"]


def test_senders_share_what_is_due(db: Database) -> None:
    project_id = sending_project(db)
    add_mails(db, project_id, 60)
    taken: list[list[Mail]] = []
    threads = [threading.Thread(target=lambda: taken.append(claim(db, 10))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [found.id for some in taken for found in some]
    assert len(ids) == len(set(ids)) == 60


def test_what_is_not_due_waits(db: Database) -> None:
    project_id = sending_project(db)
    add_mail(db, project_id, scheduled_for="2026-06-01T12:00:00Z")
    assert claim(db, now="2026-06-01T11:59:59+00:00") == []
    assert len(claim(db, now="2026-06-01T12:00:00+00:00")) == 1


# --- the project's life and permissions


def test_a_paused_project_sends_nothing_until_it_is_active_again(db: Database) -> None:
    project_id = sending_project(db)
    add_mails(db, project_id, 2)
    db.execute("update public.projects set status = 'paused' where id = %s", [project_id])
    assert claim(db) == []
    db.execute("update public.projects set status = 'active' where id = %s", [project_id])
    assert len(claim(db)) == 2


@pytest.mark.parametrize("category", ["sequence", "lifecycle"])
def test_campaigns_need_the_permission_when_they_are_sent(db: Database, category: str) -> None:
    project_id = make_project(db)
    held = add_mail(db, project_id, category=category)
    others = {add_mail(db, project_id, category=other) for other in ("transactional", "waitlist", "drip", "overview")}
    assert {found.id for found in claim(db)} == others
    db.execute(
        "update public.projects set permissions = permissions || '{\"email_send\": true}' where id = %s", [project_id]
    )
    assert [found.id for found in claim(db)] == [held]


def test_a_permission_that_is_withdrawn_after_the_claim_still_counts(db: Database) -> None:
    project_id = sending_project(db)
    add_mails(db, project_id, 1, "sequence")
    due = sender(db)
    (claimed,) = due.claim(1)
    db.execute(
        "update public.projects set permissions = permissions || '{\"email_send\": false}' where id = %s", [project_id]
    )
    assert due.begin(claimed, "account", None) == "held"
    row = mail(db, claimed.id)
    assert (row["status"], row["error"]) == ("queued", "The project has no permission to send mail.")


# --- quiet hours


def quiet_project(db: Database, zone: str, start: time, end: time) -> UUID:
    project_id = sending_project(db)
    with db.transaction() as conn:
        quiet_hours.change(conn, project_id, MailHours(zone, start, end, None), by="ada")
    return project_id


# In Berlin the clocks go forward on 29 March 2026 at 01:00 UTC, and back on 25 October at 01:00 UTC.
@pytest.mark.parametrize(
    ("quiet", "now", "goes"),
    [
        # The end of a night, in winter, on the day of the change, and in summer.
        (("22:00", "08:00"), "2026-03-28T06:59:59Z", False),
        (("22:00", "08:00"), "2026-03-28T07:00:00Z", True),
        (("22:00", "08:00"), "2026-03-29T05:59:59Z", False),
        (("22:00", "08:00"), "2026-03-29T06:00:00Z", True),
        (("22:00", "08:00"), "2026-10-25T06:59:59Z", False),
        (("22:00", "08:00"), "2026-10-25T07:00:00Z", True),
        (("22:00", "08:00"), "2026-10-24T19:59:59Z", True),
        (("22:00", "08:00"), "2026-10-24T20:00:00Z", False),
        # An end within the hour that is left out: the first moment after it is past it.
        (("22:00", "02:30"), "2026-03-29T00:59:59Z", False),
        (("22:00", "02:30"), "2026-03-29T01:00:00Z", True),
        # An end within the hour that comes twice is reached twice.
        (("22:00", "02:30"), "2026-10-25T00:30:00Z", True),
        (("22:00", "02:30"), "2026-10-25T01:00:00Z", False),
        (("22:00", "02:30"), "2026-10-25T01:30:00Z", True),
        # By day.
        (("12:00", "13:30"), "2026-07-01T09:59:59Z", True),
        (("12:00", "13:30"), "2026-07-01T10:00:00Z", False),
        (("12:00", "13:30"), "2026-07-01T11:30:00Z", True),
    ],
)
def test_quiet_hours_follow_the_wall_clock_of_the_project(
    db: Database, quiet: tuple[str, str], now: str, goes: bool
) -> None:
    project_id = quiet_project(db, "Europe/Berlin", time.fromisoformat(quiet[0]), time.fromisoformat(quiet[1]))
    add_mail(db, project_id, category="sequence")
    assert len(claim(db, now=now)) == goes


def test_quiet_hours_are_those_of_each_project_and_let_through_what_somebody_waits_for(db: Database) -> None:
    night, morning = time(21), time(9)
    kolkata = quiet_project(db, "Asia/Kolkata", night, morning)
    chicago = quiet_project(db, "America/Chicago", night, morning)
    for project_id in (kolkata, chicago):
        add_mail(db, project_id, category="sequence")
    asked_for = add_mail(db, kolkata, category="waitlist")
    # 03:30 in Kolkata, 17:00 in Chicago.
    claimed = claim(db, now="2026-05-04T22:00:00Z")
    assert {(found.project_id, found.category) for found in claimed} == {
        (kolkata, "waitlist"),
        (chicago, "sequence"),
    }
    assert asked_for in {found.id for found in claimed}


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (MailHours("Atlantis5", None, None, None), "There is no time zone 'Atlantis5'."),
        (MailHours("Europe/Berlin; drop", None, None, None), "There is no time zone"),
        (MailHours("UTC", time(22), None, None), "a beginning and an end"),
        (MailHours("UTC", time(22), time(22), None), "end when they begin"),
        (MailHours("UTC", None, None, -1), "The daily cap is -1."),
    ],
)
def test_hours_that_make_no_sense_are_refused(db: Database, hours: MailHours, said: str) -> None:
    project_id = sending_project(db)
    with pytest.raises(InvalidInput, match=said), db.transaction() as conn:
        quiet_hours.change(conn, project_id, hours, by="ada")
    with db.connection() as conn:
        assert quiet_hours.get(conn, project_id) == MailHours("UTC", None, None, 1000)


# --- the daily cap


def test_the_cap_holds_under_concurrent_senders(db: Database) -> None:
    project_id, other = sending_project(db, email_daily_cap=10), sending_project(db)
    add_mails(db, project_id, 100)
    add_mails(db, other, 5)
    now = "2026-06-01T12:00:00Z"
    taken: list[list[Mail]] = []
    threads = [threading.Thread(target=lambda: taken.append(claim(db, 20, now))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(found.project_id for some in taken for found in some) == {project_id: 10, other: 5}


def test_the_cap_is_that_of_a_day_of_the_project(db: Database) -> None:
    project_id = sending_project(db, email_daily_cap=2, timezone="Pacific/Auckland")
    add_mails(db, project_id, 6)
    # In June, the day begins at 12:00 UTC there.
    assert len(claim(db, now="2026-06-01T11:59:00Z")) == 2
    assert len(claim(db, now="2026-06-01T11:59:30Z")) == 0
    assert len(claim(db, now="2026-06-01T12:00:00Z")) == 2
    assert len(claim(db, now="2026-06-02T11:59:00Z")) == 0


def test_only_what_may_have_left_counts_against_the_cap(db: Database) -> None:
    project_id = sending_project(db, email_daily_cap=1)
    add_mails(db, project_id, 3)
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    due = sender(db)
    for end, error in (("later", "It was busy."), ("failed", "There is no such box.")):
        (claimed,) = due.claim(10, now)
        assert due.begin(claimed, "account", None) == "go"
        assert due.finish(claimed, Sent(end, error=error, retry_in=timedelta(0)))  # type: ignore[arg-type]
    (claimed,) = due.claim(10, now)
    due.begin(claimed, "account", None)
    due.finish(claimed, Sent("sent", provider_message_id="1"))
    assert due.claim(10, now) == []


def test_a_cap_of_zero_is_no_mail_at_all_and_the_studio_itself_has_none(db: Database) -> None:
    add_mails(db, sending_project(db, email_daily_cap=0), 2)
    add_mails(db, SYSTEM_PROJECT_ID, 5)
    assert {found.project_id for found in claim(db)} == {SYSTEM_PROJECT_ID}


# --- suppression


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


# --- rows of other clients


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


# --- the ledger


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


def test_what_comes_back_after_its_project_was_killed_ends(db: Database) -> None:
    project_id, other = sending_project(db), sending_project(db)
    begun, lost = add_mail(db, project_id), add_mail(db, project_id)
    add_mail(db, other)
    mine = sender(db)
    first = next(found for found in mine.claim(10) if found.id == begun)
    db.execute("update public.projects set status = 'killed' where id = %s", [project_id])
    assert mine.begin(first, "folder", None) == "held"
    db.execute("update public.email_jobs set leased_until = now() - interval '1 second' where id = %s", [lost])
    claim(db)
    for email_id in (begun, lost):
        row = mail(db, email_id)
        assert (row["status"], row["error"], row["counted_on"]) == ("failed", "The project is killed.", None)


# --- what a person is told


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
