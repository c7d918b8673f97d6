"""Nothing but what somebody waits for goes within quiet hours, by the project's own wall clock."""

from __future__ import annotations

from datetime import time
from uuid import UUID

import pytest

from studio import permissions
from studio.database.connection import Database
from studio.errors import InvalidInput
from studio.mail import quiet_hours
from studio.mail.quiet_hours import Given, MailHours
from tests.integration.mail.due.senders import claim
from tests.support.mail import add_mail, sending_project
from tests.support.queue import InBackground, separate_connection, wait_until_blocked


def quiet_project(db: Database, zone: str, start: time, end: time) -> UUID:
    project_id = sending_project(db)
    with db.transaction() as conn:
        quiet_hours.change(
            conn, project_id, {"timezone": zone, "start": start, "end": end, "daily_cap": None}, by="ada"
        )
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
    ("given", "said"),
    [
        ({"timezone": "Atlantis5"}, "There is no time zone 'Atlantis5'."),
        ({"timezone": "Europe/Berlin; drop"}, "There is no time zone"),
        ({"start": time(22)}, "a beginning and an end"),
        ({"start": time(22), "end": time(22)}, "end when they begin"),
        ({"daily_cap": -1}, "The daily cap is -1."),
    ],
)
def test_hours_that_make_no_sense_are_refused(db: Database, given: Given, said: str) -> None:
    project_id = sending_project(db)
    with pytest.raises(InvalidInput, match=said), db.transaction() as conn:
        quiet_hours.change(conn, project_id, given, by="ada")
    with db.connection() as conn:
        assert quiet_hours.get(conn, project_id) == MailHours("UTC", None, None, 1000)


def test_two_who_change_different_settings_at_once_undo_nothing(db: Database) -> None:
    project_id = sending_project(db)
    with separate_connection(db) as ours, separate_connection(db) as theirs:
        pid = theirs.info.backend_pid

        def cap() -> MailHours:
            with theirs.transaction():
                return quiet_hours.change(theirs, project_id, {"daily_cap": 5}, by="ben")

        with ours.transaction():
            quiet_hours.change(ours, project_id, {"timezone": "Europe/Berlin"}, by="ada")
            other = InBackground(cap)
            wait_until_blocked(db, pid)
        assert other.result() == MailHours("Europe/Berlin", None, None, 5)
    with db.connection() as conn:
        assert quiet_hours.get(conn, project_id) == MailHours("Europe/Berlin", None, None, 5)
    changed = [
        (entry.actor, entry.before["timezone"], entry.after["timezone"], entry.after["daily_cap"])
        for entry in permissions.audit(db, project_id)
    ]
    assert changed == [("ben", "Europe/Berlin", "Europe/Berlin", 5), ("ada", "UTC", "Europe/Berlin", 1000)]
