"""Who cannot or does not want to be written to gets no drip, and holds up nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.database.connection import Database
from studio.errors import SettingsError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail import suppression
from studio.mail.drips import process_digests, process_nudges
from studio.settings import Settings
from tests.integration.mail.drips.people import drip_log, founder, gate, project_of, receivers
from tests.support.mail import mails


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
