"""Due mails are claimed in turns between projects, the oldest first, each by one sender."""

from __future__ import annotations

import threading
from collections import Counter

from studio.database.connection import Database
from studio.mail.message import Mail
from tests.integration.mail.due.senders import claim
from tests.support.mail import add_mail, add_mails, sending_project


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
