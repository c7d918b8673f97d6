"""A digest goes once an ISO week to everybody who has something to read, in real numbers."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime

import pytest

from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail import drips
from studio.mail.drips import DIGEST_PROJECTS, iso_week, process_digests
from studio.settings import Settings
from tests.integration.mail.drips.people import drip_log, founder, gate, project_of, receivers, task
from tests.support.mail import files, mails, parts, read, send


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
