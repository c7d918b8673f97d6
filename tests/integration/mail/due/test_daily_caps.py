"""A project sends no more than its cap in a day of its own, however many senders there are."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail.due import Sent
from studio.mail.message import Mail
from tests.integration.mail.due.senders import claim, sender
from tests.support.mail import add_mails, sending_project


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
