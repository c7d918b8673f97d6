"""A project's mail goes while the project is active and permits it, up to the moment of sending."""

from __future__ import annotations

import pytest

from studio.database.connection import Database
from tests.integration.mail.due.senders import claim, sender
from tests.support.mail import add_mail, add_mails, mail, sending_project
from tests.support.queue import make_project


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
