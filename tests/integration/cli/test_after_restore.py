"""`greenlight db after-restore` says what it did and what is in doubt, and refuses what cannot be."""

from __future__ import annotations

from uuid import UUID

import pytest

from studio import queue
from studio.database.connection import Database
from tests.support.cli import Greenlight, claimed, findings


def test_a_restore_is_settled_once(greenlight: Greenlight, db: Database, job: UUID) -> None:
    claimed(db, job)
    db.execute("update public.database_identity set identity = 'another server'")
    assert "after-restore" in findings(greenlight("doctor", "--json"))["restore"]["detail"]
    # The tests' own pool is a program of the studio, and connected.
    greenlight("db", "after-restore").fails("are connected", "Stop them first")
    ran = greenlight("db", "after-restore", "--anyway")
    assert ran.code == 0
    assert "jobs queued again 1" in ran.said
    assert "mails that were due 0" in ran.said
    assert "greenlight outbox list --status unknown" in ran.said
    assert queue.get(db, job).status == "queued"
    assert "restore" not in findings(greenlight("doctor", "--json"))
    greenlight("db", "after-restore").fails("nothing was restored", "--anyway")


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("yesterday", "is no moment"),
        ("2026-03-08T01:30:00", "has no time zone"),
        ("2999-01-01T00:00:00Z", "still to come"),
        ("2020-01-01T00:00:00Z", "was not restored to"),
    ],
)
def test_a_moment_that_cannot_be_is_refused(greenlight: Greenlight, job: UUID, moment: str, words: str) -> None:
    greenlight("db", "after-restore", "--anyway", "--to", moment).fails(words)
    assert job is not None
