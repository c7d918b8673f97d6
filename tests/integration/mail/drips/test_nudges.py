"""A nudge goes once to who has left a gate undecided for three days, one at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail.drips import process_nudges
from studio.settings import Settings
from tests.integration.mail.drips.people import drip_log, founder, gate, project_of
from tests.support.mail import mails


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
