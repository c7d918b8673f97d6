"""Drips reach whom they are for, each once: reserved in the transaction that queues them, whoever else runs."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg
import pytest

from studio import projects
from studio.database.connection import Database
from studio.errors import SettingsError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail import drips, suppression
from studio.mail.drips import DIGEST_PROJECTS, iso_week, process_digests, process_nudges
from studio.settings import Settings
from tests.support.mail import add_mail, files, lose_senders, mails, parts, read, send
from tests.support.queue import make_project

GATE = "phase0_packet_review"


class Founder(NamedTuple):
    user_id: UUID
    clerk_id: str
    email: str


@pytest.fixture(autouse=True)
def nobody_is_there(db: Database) -> None:
    """Drips go over all people."""
    db.execute("delete from public.projects where id <> %s", [SYSTEM_PROJECT_ID])
    db.execute("delete from public.email_jobs")
    db.execute("delete from public.users")


def founder(db: Database, days_old: float = 10, email: str | None = "") -> Founder:
    clerk_id = f"user-{uuid4()}"
    address = f"{clerk_id}@example.org" if email == "" else email
    row = db.fetch_one(
        "insert into public.users (clerk_id, email, created_at) values (%s, %s, now() - %s) returning id",
        [clerk_id, address, timedelta(days=days_old)],
    )
    assert row is not None
    return Founder(row["id"], clerk_id, address or "")


def project_of(db: Database, owner: Founder, **columns: Any) -> UUID:
    return make_project(db, owner_clerk_id=owner.clerk_id, **columns)


def gate(db: Database, project_id: UUID, status: str = "pending", phase: int = 0, by: str | None = "ada") -> None:
    db.execute(
        "insert into public.approval_queue (project_id, phase, title, description, risk, type, action_type, status,"
        " decided_by, decided_at) values (%(project)s, %(phase)s, 'Gate', 'Look at it', 'low', 'phase_advance',"
        " %(action)s, %(status)s, case when %(status)s <> 'pending' then %(by)s end,"
        " case when %(status)s <> 'pending' then now() end)",
        {"project": project_id, "phase": phase, "action": GATE, "status": status, "by": by},
    )


def task(db: Database, project_id: UUID, status: str, days_ago: float = 0) -> None:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    db.execute(
        "insert into public.tasks (project_id, agent, description, status, created_at, completed_at)"
        " values (%s, 'ceo_agent', %s, %s, %s, %s)",
        [project_id, f"task-{uuid4()}", status, at, at],
    )


def drip_log(db: Database) -> list[dict[str, Any]]:
    return db.fetch_all("select * from public.drip_email_log order by created_at, id")


def receivers(db: Database) -> Counter[str]:
    return Counter(row["to_email"] for row in mails(db, SYSTEM_PROJECT_ID))


# --- ISO weeks


@pytest.mark.parametrize(
    ("moment", "week"),
    [
        ("2026-12-28T00:00:00Z", "2026-W53"),
        ("2026-12-31T23:59:59Z", "2026-W53"),
        ("2027-01-01T12:00:00Z", "2026-W53"),
        ("2027-01-03T23:59:59Z", "2026-W53"),
        ("2027-01-04T00:00:00Z", "2027-W01"),
        ("2020-12-31T12:00:00Z", "2020-W53"),
        ("2021-01-03T12:00:00Z", "2020-W53"),
        ("2021-01-04T00:00:00Z", "2021-W01"),
        ("2024-12-30T00:00:00Z", "2025-W01"),
        # Still Sunday in UTC, and Sunday again in New York: the week is that of UTC.
        ("2027-01-04T08:00:00+09:00", "2026-W53"),
        ("2027-01-03T20:00:00-05:00", "2027-W01"),
    ],
)
def test_a_week_is_named_as_in_utc(db: Database, moment: str, week: str) -> None:
    assert iso_week(datetime.fromisoformat(moment)) == week
    row = db.fetch_one("""select to_char(%s::timestamptz at time zone 'UTC', 'IYYY-"W"IW') as week""", [moment])
    assert row is not None
    assert row["week"] == week


# --- digests


def test_a_digest_goes_to_those_who_have_something_to_read_once_a_week(db: Database, settings: Settings) -> None:
    waiting, working, idle, gone = founder(db), founder(db), founder(db), founder(db)
    first = project_of(db, waiting, name="Tools")
    gate(db, first)
    task(db, first, "completed", 1)
    task(db, first, "failed", 2)
    task(db, first, "completed", 9)
    task(db, project_of(db, working), "completed", 6)
    task(db, project_of(db, idle), "completed", 8)
    gate(db, project_of(db, gone, status="killed"))
    gate(db, project_of(db, founder(db, email=None)))
    now = datetime.now(UTC)
    assert process_digests(db, settings, now).counts == {"queued": 2}
    assert set(receivers(db)) == {waiting.email, working.email}
    assert process_digests(db, settings, now).counts == {}
    send(db, settings)
    assert Counter(row["status"] for row in drip_log(db)) == {"sent": 2}
    assert {row["digest_week"] for row in drip_log(db)} == {iso_week(now)}
    message = next(read(path) for path in files(settings) if str(read(path)["To"]) == waiting.email)
    text, html = parts(message)
    assert message["Subject"] == "Your week: 1 waiting for you in Tools"
    assert "1 decision waits for you. 1 task was finished in seven days, 1 failed." in text
    assert "Phase 0, Pitch · 1 done · 1 failed · 1 waiting for you" in text
    assert "List-Unsubscribe" in message
    assert f"https://studio.test/projects/{first}" in html


def test_the_next_week_brings_the_next_digest_also_over_new_year(db: Database, settings: Settings) -> None:
    someone = founder(db)
    gate(db, project_of(db, someone))
    days = ["2026-12-28", "2026-12-31", "2027-01-01", "2027-01-03", "2027-01-04", "2027-01-10", "2027-01-11"]
    sent = [
        process_digests(db, settings, datetime.fromisoformat(f"{day}T07:00:00+00:00")).counts["queued"] for day in days
    ]
    assert sent == [1, 0, 0, 0, 1, 0, 1]
    assert [row["digest_week"] for row in drip_log(db)] == ["2026-W53", "2027-W01", "2027-W02"]


def test_a_digest_names_twenty_projects_and_counts_the_others(db: Database, settings: Settings) -> None:
    someone = founder(db)
    for number in range(DIGEST_PROJECTS + 5):
        task(db, project_of(db, someone, name=f"Project number {number}"), "completed")
    process_digests(db, settings)
    (row,) = mails(db, SYSTEM_PROJECT_ID)
    assert row["text_body"].count("Project number") == DIGEST_PROJECTS
    assert "And 5 more projects." in row["text_body"]


def test_everybody_gets_it_however_many_they_are(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drips, "PAGE", 7)
    everybody = [founder(db) for _ in range(40)]
    for someone in everybody:
        gate(db, project_of(db, someone))
    # Two runs at once, as after a double tick.
    threads = [threading.Thread(target=process_digests, args=(db, settings)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert receivers(db) == {someone.email: 1 for someone in everybody}
    assert len(drip_log(db)) == 40


def test_what_was_reserved_but_not_queued_is_not_reserved(db: Database, settings: Settings) -> None:
    someone = founder(db)
    gate(db, project_of(db, someone))
    db.execute("alter table public.email_jobs add constraint broken check (subject not like 'Your week%%') not valid")
    with pytest.raises(psycopg.errors.CheckViolation):
        process_digests(db, settings)
    assert drip_log(db) == []
    db.execute("alter table public.email_jobs drop constraint broken")
    assert process_digests(db, settings).counts == {"queued": 1}


def test_a_failure_may_be_made_good_and_a_success_may_not(db: Database, settings: Settings) -> None:
    someone = founder(db)
    gate(db, project_of(db, someone))
    process_digests(db, settings)
    db.execute("update public.email_jobs set status = 'failed', error = 'There is no such box.'")
    (row,) = drip_log(db)
    assert (row["status"], row["error"]) == ("failed", "There is no such box.")
    assert process_digests(db, settings).counts == {"queued": 1}
    send(db, settings)
    (row,) = drip_log(db)
    assert (row["status"], row["error"], row["attempts"]) == ("sent", None, 2)
    assert row["resend_message_id"] is not None
    assert process_digests(db, settings).counts == {}


def test_a_drip_whose_outcome_is_unknown_is_not_sent_again(db: Database, settings: Settings) -> None:
    someone = founder(db)
    gate(db, project_of(db, someone))
    process_digests(db, settings)
    db.execute("update public.email_jobs set status = 'unknown', error = 'Nobody knows.'")
    (row,) = drip_log(db)
    assert (row["status"], row["error"]) == ("sending", "Nobody knows.")
    assert process_digests(db, settings).counts == {}


def test_who_has_unsubscribed_gets_none_and_the_log_says_why(db: Database, settings: Settings) -> None:
    someone = founder(db)
    gate(db, project_of(db, someone))
    with db.transaction() as conn:
        suppression.suppress(conn, someone.email, "unsubscribed", project_id=SYSTEM_PROJECT_ID)
    assert process_digests(db, settings).counts == {"suppressed": 1}
    assert mails(db, SYSTEM_PROJECT_ID) == []
    (row,) = drip_log(db)
    assert row["status"] == "failed"


def test_an_address_that_is_none_stops_nobody_elses_digest(db: Database, settings: Settings) -> None:
    for address in ("nonsense", "a@b.example\r\nBcc: all@example.org"):
        gate(db, project_of(db, founder(db, email=address)))
    someone = founder(db)
    gate(db, project_of(db, someone))
    assert process_digests(db, settings).counts == {"no address": 2, "queued": 1}
    assert set(receivers(db)) == {someone.email}


def test_without_an_unsubscribe_link_there_are_no_digests_and_no_nudges(db: Database, tmp_path: Path) -> None:
    gate(db, project_of(db, founder(db)))
    for process in (process_digests, process_nudges):
        with pytest.raises(SettingsError, match="APP_BASE_URL"):
            process(db, Settings(data_dir=tmp_path, link_secret="a secret of the tests, long enough"))  # type: ignore[call-arg]
        with pytest.raises(SettingsError, match="GREENLIGHT_LINK_SECRET"):
            process(db, Settings(data_dir=tmp_path, app_base_url="https://studio.test"))
    assert drip_log(db) == []


@pytest.mark.parametrize("process", [process_digests, process_nudges])
def test_what_is_wrong_with_one_person_holds_up_nobody_after_him(
    db: Database, settings: Settings, process: Any, caplog: pytest.LogCaptureFixture
) -> None:
    people = sorted((founder(db) for _ in range(3)), key=lambda person: person.user_id)
    for person in people:
        gate(db, project_of(db, person))
    db.execute(
        "create function public.refuse_one() returns trigger language plpgsql as $$ begin"
        " raise exception 'There is no such list.' using errcode = 'GL063'; end $$"
    )
    db.execute(
        "create trigger refuse_one before insert on public.drip_email_log for each row"
        f" when (new.user_id = '{people[0].user_id}') execute function public.refuse_one()"
    )
    try:
        summary = process(db, settings)
    finally:
        db.execute("drop function public.refuse_one() cascade")
    # Of nudges there are two kinds, each of which is tried.
    assert summary.counts == {"queued": 2, "failed": 1 if process is process_digests else 2}
    assert summary.as_json()["failed"] == summary.counts["failed"]
    assert "There is no such list" in caplog.text
    assert {row["to_email"] for row in drip_log(db)} == {person.email for person in people[1:]}
    assert process(db, settings).counts == {"queued": 1}


# --- nudges


def test_a_nudge_goes_to_who_has_decided_nothing_for_three_days(db: Database, settings: Settings) -> None:
    slow, new, decided, later = founder(db), founder(db, days_old=2.9), founder(db), founder(db)
    gate(db, project_of(db, slow, name="Tools"))
    gate(db, project_of(db, new))
    gate(db, project_of(db, later), phase=1)
    project_id = project_of(db, decided, phase=1)
    gate(db, project_id)
    gate(db, project_id, "approved")
    assert process_nudges(db, settings).counts == {"queued": 2}
    log = {(row["to_email"], row["email_type"]) for row in drip_log(db)}
    # Whose only pending gate is a later one has not left the pitch unread.
    assert log == {(slow.email, "nudge_no_reviews"), (later.email, "nudge_no_signoffs")}
    assert any(row["subject"] == "The pitch of Tools waits for you" for row in mails(db, SYSTEM_PROJECT_ID))


def test_whose_decisions_were_never_an_approval_gets_the_other_nudge(db: Database, settings: Settings) -> None:
    someone, advanced = founder(db), founder(db)
    project_id = project_of(db, someone)
    gate(db, project_id, "revised")
    gate(db, project_id)
    gate(db, project_of(db, advanced), "denied")
    gate(db, project_of(db, advanced, phase=1))
    process_nudges(db, settings)
    assert [(row["to_email"], row["email_type"]) for row in drip_log(db)] == [(someone.email, "nudge_no_signoffs")]


def test_what_the_studio_superseded_is_no_decision_of_the_founder(db: Database, settings: Settings) -> None:
    someone = founder(db)
    project_id = project_of(db, someone)
    gate(db, project_id, "revised", by="system")
    gate(db, project_id)
    process_nudges(db, settings)
    assert [row["email_type"] for row in drip_log(db)] == ["nudge_no_reviews"]


def test_one_person_gets_one_nudge_at_a_time_and_each_once(db: Database, settings: Settings) -> None:
    someone = founder(db)
    gate(db, project_of(db, someone))
    now = datetime.now(UTC)
    assert process_nudges(db, settings, now).counts == {"queued": 1}
    assert process_nudges(db, settings, now + timedelta(days=2)).counts == {}
    assert process_nudges(db, settings, now + timedelta(days=4)).counts == {"queued": 1}
    assert process_nudges(db, settings, now + timedelta(days=40)).counts == {}
    assert [row["email_type"] for row in drip_log(db)] == ["nudge_no_reviews", "nudge_no_signoffs"]


def test_a_paused_project_causes_no_nudge(db: Database, settings: Settings) -> None:
    gate(db, project_of(db, founder(db), status="paused"))
    assert process_nudges(db, settings).counts == {}


# --- the welcome


def test_the_first_project_is_welcomed_and_no_other(db: Database, settings: Settings) -> None:
    owner = f"user-{uuid4()}"
    for idea in ("A tool library for neighbours.", "A soup subscription for offices."):
        with db.transaction() as conn:
            projects.create(conn, settings, owner_clerk_id=owner, idea=idea, email="ada@example.org")
    (row,) = mails(db, SYSTEM_PROJECT_ID)
    assert row["subject"] == "A tool library for neighbours is set up: what happens next"
    assert (row["category"], row["sender"], row["unsubscribe_reason"]) == ("transactional", "studio", None)
    assert [row["email_type"] for row in drip_log(db)] == ["welcome"]


def test_a_project_is_created_also_where_nobody_can_be_written_to(db: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    for email in (None, "ada", "ada@example.org"):
        with db.transaction() as conn:
            projects.create(conn, settings, owner_clerk_id=f"user-{uuid4()}", idea="A tea shop.", email=email)
    assert set(receivers(db)) == {"ada@example.org"}


# --- the log of an installation that ran before drips were reserved is right, too


def test_the_log_follows_its_mail_whoever_moves_it(db: Database, settings: Settings) -> None:
    someone = founder(db)
    gate(db, project_of(db, someone))
    process_digests(db, settings)
    add_mail(db, SYSTEM_PROJECT_ID)
    lose_senders(db)
    db.execute("update public.email_jobs set status = 'sent', provider_message_id = 'abc' where drip_id is not null")
    (row,) = drip_log(db)
    assert (row["status"], row["resend_message_id"]) == ("sent", "abc")
