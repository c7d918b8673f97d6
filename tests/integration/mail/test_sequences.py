"""Approved sequences reach every confirmed address once, each mail on its day of the project's own calendar."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from studio import links
from studio.database.connection import Database
from studio.errors import InvalidInput, SettingsError
from studio.mail import sequences, suppression
from studio.mail.sequences import Scheduled, enroll_newcomers
from studio.packets.phase1 import SequenceEmail
from studio.settings import Settings
from tests.support.mail import files, mails, parts, read, send, sending_project, statuses
from tests.support.waiting import eventually

# The clocks in Berlin go forward on the 29th.
START = "2026-03-27T09:30:00+00:00"
GOAL = "What it is for; never sent"
EMAILS = [
    SequenceEmail(day="Day 0", subject="Welcome to the list", goal=GOAL, body=["Thank you."], cta_label="See"),
    SequenceEmail(day="Day 3", subject="What it is <for>", goal=GOAL, body=["It is for you & me."]),
    SequenceEmail(day="after a week (7)", subject="A question", goal=GOAL, body=["What do you need?"]),
]


@pytest.fixture(autouse=True)
def nothing_is_due(db: Database) -> None:
    """Senders and enrolments take in all projects."""
    db.execute("delete from public.email_sequences")
    db.execute("delete from public.email_jobs")


def approval(db: Database, project_id: UUID) -> UUID:
    row = db.fetch_one(
        "insert into public.approval_queue (project_id, phase, title, description, risk, type, action_type, status)"
        " values (%s, 1, 'Send', 'Send it', 'low', 'execution', 'send_welcome_email_sequence', 'approved')"
        " returning id",
        [project_id],
    )
    assert row is not None
    return UUID(str(row["id"]))


def join(db: Database, project_id: UUID, count: int, status: str = "confirmed", name: str = "reader") -> None:
    db.execute(
        "insert into public.waitlist_signups (project_id, email, status, confirmed_at)"
        " select %s, %s || '-' || n || '@example.org', %s, now() from generate_series(1, %s) n",
        [project_id, name, status, count],
    )


def schedule(db: Database, settings: Settings, project_id: UUID, approval_id: UUID, **given: Any) -> Scheduled:
    with db.transaction() as conn:
        return sequences.schedule(
            conn,
            settings,
            project_id=project_id,
            approval_id=approval_id,
            emails=given.pop("emails", EMAILS),
            now=datetime.fromisoformat(given.pop("now", START)),
            **given,
        )


def test_everybody_confirmed_gets_each_mail_once_however_often_it_is_tried(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequences, "PAGE", 50)
    project_id = sending_project(db)
    join(db, project_id, 120)
    join(db, project_id, 5, "pending", "pending")
    join(db, project_id, 5, "unsubscribed", "left")
    with db.transaction() as conn:
        suppression.suppress(conn, "reader-7@example.org", "bounced", project_id=None)
        # A bounce takes an address off the list; it may have been put there again.
        conn.execute("update public.waitlist_signups set status = 'confirmed' where email = 'reader-7@example.org'")
    approval_id = approval(db, project_id)
    assert schedule(db, settings, project_id, approval_id) == Scheduled(120, 119 * 3)
    assert schedule(db, settings, project_id, approval_id) == Scheduled(120, 0)
    rows = mails(db, project_id)
    assert set(Counter(row["to_email"] for row in rows).values()) == {3}
    assert {row["category"] for row in rows} == {"sequence"}
    assert {row["approval_id"] for row in rows} == {approval_id}
    assert len({row["outbox_key"] for row in rows}) == len(rows)


def test_days_are_those_of_the_projects_calendar(db: Database, settings: Settings) -> None:
    project_id = sending_project(db, timezone="Europe/Berlin")
    join(db, project_id, 1)
    schedule(db, settings, project_id, approval(db, project_id))
    # The same time of day after the clocks have gone forward is an hour earlier in UTC.
    assert [row["scheduled_for"].isoformat() for row in mails(db, project_id)] == [
        "2026-03-27T09:30:00+00:00",
        "2026-03-30T08:30:00+00:00",
        "2026-04-03T08:30:00+00:00",
    ]


def test_each_receiver_has_a_link_of_his_own_and_nothing_is_markup(db: Database, settings: Settings) -> None:
    project_id = sending_project(db, name="Tools <b>&</b> more")
    db.execute("update public.projects set live_url = 'https://pages.test/launch/1' where id = %s", [project_id])
    join(db, project_id, 2)
    schedule(db, settings, project_id, approval(db, project_id))
    send(db, settings, now=datetime.fromisoformat("2026-05-01T00:00:00+00:00"))
    assert statuses(db, project_id) == {"sent": 6}
    for path in files(settings):
        message = read(path)
        text, html = parts(message)
        token = str(message["List-Unsubscribe"]).strip("<>").rsplit("/", 1)[-1]
        assert links.unsubscriber(settings, token) == (project_id, str(message["To"]))
        assert token in text
        assert token in html
        assert "unsubscribe.invalid" not in text + html
        assert GOAL not in text + html
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert "<b>&</b>" not in html
        assert "What it is <for>" not in html
        assert message["From"].addresses[0].display_name == "Tools b&/b more"
    first = next(read(path) for path in files(settings) if read(path)["Subject"] == "Welcome to the list")
    assert "https://pages.test/launch/1" in parts(first)[1]


def test_an_unsubscription_ends_the_rest_of_the_sequence(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    join(db, project_id, 2)
    schedule(db, settings, project_id, approval(db, project_id))
    send(db, settings, now=datetime.fromisoformat("2026-03-28T00:00:00+00:00"))
    url = re.search(r"https://pages.test/unsubscribe/(\S+)", parts(read(files(settings)[0]))[0])
    assert url is not None
    who = links.unsubscriber(settings, url[1])
    with db.transaction() as conn:
        suppression.suppress(conn, who[1], "unsubscribed", project_id=who[0])
    send(db, settings, now=datetime.fromisoformat("2026-05-01T00:00:00+00:00"))
    assert statuses(db, project_id) == {"sent": 4, "suppressed": 2}


def test_who_joins_later_gets_the_sequence_from_his_own_first_day(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    approval_id = approval(db, project_id)
    assert schedule(db, settings, project_id, approval_id) == Scheduled(0, 0)
    join(db, project_id, 1, name="later")
    with db.transaction() as conn:
        now = datetime.fromisoformat("2026-04-10T12:00:00+00:00")
        assert sequences.enroll(conn, project_id, "later-1@example.org", now) == 3
        assert sequences.enroll(conn, project_id, "later-1@example.org", now) == 0
    assert [row["scheduled_for"].day for row in mails(db, project_id)] == [10, 13, 17]


def test_who_was_confirmed_in_another_way_is_found(db: Database, settings: Settings, monkeypatch: Any) -> None:
    monkeypatch.setattr(sequences, "PAGE", 4)
    project_id, other = sending_project(db), sending_project(db)
    schedule(db, settings, project_id, approval(db, project_id))
    join(db, project_id, 10, name="import")
    join(db, project_id, 1, "pending", "waiting")
    join(db, other, 3)
    assert enroll_newcomers(db) == 30
    assert enroll_newcomers(db) == 0
    assert len(mails(db, project_id)) == 30
    assert mails(db, other) == []


def test_a_newer_sequence_takes_the_place_of_the_older(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    join(db, project_id, 2)
    schedule(db, settings, project_id, approval(db, project_id))
    send(db, settings, now=datetime.fromisoformat("2026-03-28T00:00:00+00:00"))
    newer = [email.model_copy(update={"subject": "Something better"}) for email in EMAILS]
    approval_id = approval(db, project_id)
    # Who has had the first mail is not welcomed a second time.
    assert schedule(db, settings, project_id, approval_id, emails=newer) == Scheduled(2, 4, replaced=4)
    assert statuses(db, project_id) == {"sent": 2, "canceled": 4, "queued": 4}
    # A retry of the newer one changes nothing; of the older one, too, which has ended.
    assert schedule(db, settings, project_id, approval_id, emails=newer).emails == 0
    assert enroll_newcomers(db) == 0
    join(db, project_id, 1, name="later")
    assert enroll_newcomers(db) == 3
    # What is in a sender's hands, or may have left, counts as had.
    db.execute("update public.email_jobs set status = 'unknown' where status = 'queued' and to_email like 'later%%'")
    assert schedule(db, settings, project_id, approval(db, project_id)) == Scheduled(3, 4, replaced=4)


def test_who_confirms_while_a_sequence_is_replaced_gets_one_of_them(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    old, new = approval(db, project_id), approval(db, project_id)
    schedule(db, settings, project_id, old)
    join(db, project_id, 1)
    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as conn:
            assert sequences.enroll(conn, project_id, "reader-1@example.org") == 3
            replaced = pool.submit(schedule, db, settings, project_id, new)
            eventually(lambda: waits_for_a_lock(db), timeout=10)
        assert replaced.result(30) == Scheduled(1, 3, replaced=3)
    ends = {(row["approval_id"], row["status"]) for row in mails(db, project_id)}
    assert ends == {(old, "canceled"), (new, "queued")}


def test_who_confirms_right_after_a_sequence_was_replaced_gets_the_new_one(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    old, new = approval(db, project_id), approval(db, project_id)
    schedule(db, settings, project_id, old)

    def enroll() -> int:
        with db.transaction() as conn:
            return sequences.enroll(conn, project_id, "reader-1@example.org")

    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as conn:
            sequences.schedule(conn, settings, project_id=project_id, approval_id=new, emails=EMAILS)
            enrolled = pool.submit(enroll)
            eventually(lambda: waits_for_a_lock(db), timeout=10)
        assert enrolled.result(30) == 3
    assert {row["approval_id"] for row in mails(db, project_id)} == {new}
    # Not even who has looked before it ended.
    row = db.fetch_one("select public.queue_email_sequence(%s, array['reader-2@example.org']) as new", [old])
    assert row == {"new": 0}


def test_who_comes_back_gets_what_he_has_not_had_from_his_new_first_day(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    join(db, project_id, 1)
    email = "reader-1@example.org"
    schedule(db, settings, project_id, approval(db, project_id))
    send(db, settings, now=datetime.fromisoformat("2026-03-28T00:00:00+00:00"))
    with db.transaction() as conn:
        suppression.suppress(conn, email, "unsubscribed", project_id=project_id)
    assert statuses(db, project_id) == {"sent": 1, "suppressed": 2}
    with db.transaction() as conn:
        assert suppression.lift(conn, email, project_id=project_id)
        now = datetime.fromisoformat("2026-04-10T12:00:00+00:00")
        assert sequences.enroll(conn, project_id, email, now) == 2
        assert not suppression.lift(conn, email, project_id=project_id)
    assert [(row["status"], row["scheduled_for"].day) for row in mails(db, project_id)] == [
        ("sent", 27), ("queued", 13), ("queued", 17),
    ]  # fmt: skip
    # Who asked never to be asked again does not come back by a form.
    with db.transaction() as conn:
        suppression.suppress(conn, email, "blocked", project_id=project_id)
        assert not suppression.lift(conn, email, project_id=project_id)
    assert statuses(db, project_id) == {"sent": 1, "suppressed": 2}


def waits_for_a_lock(db: Database) -> bool:
    row = db.fetch_one("select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
    return row is not None


def test_a_lifecycle_mail_goes_to_those_who_are_there(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    join(db, project_id, 2)
    approval_id = approval(db, project_id)
    assert schedule(db, settings, project_id, approval_id, emails=EMAILS[:1], category="lifecycle").emails == 2
    join(db, project_id, 3, name="later")
    assert enroll_newcomers(db) == 0
    named = schedule(
        db, settings, project_id, approval(db, project_id), category="lifecycle", recipients=["ada@example.org"]
    )
    assert named == Scheduled(1, 3)


def test_what_cannot_be_sent_is_said_and_nothing_is_queued(db: Database, settings: Settings, tmp_path: Path) -> None:
    project_id = sending_project(db)
    join(db, project_id, 2)
    approval_id = approval(db, project_id)
    with pytest.raises(SettingsError, match="GREENLIGHT_PAGES_URL or APP_BASE_URL"):
        schedule(db, Settings(data_dir=tmp_path, link_secret="x" * 20), project_id, approval_id)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="no mails"):
        schedule(db, settings, project_id, approval_id, emails=[])
    with pytest.raises(InvalidInput, match="is not a mail address"):
        schedule(db, settings, project_id, approval_id, recipients=["ada@example.org", "bob"])
    assert mails(db, project_id) == []
    assert db.fetch_all("select 1 from public.email_sequences where project_id = %s", [project_id]) == []
