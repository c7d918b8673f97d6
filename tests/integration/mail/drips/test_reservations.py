"""A drip is reserved in the transaction that queues its mail, and the log follows what becomes of the mail."""

from __future__ import annotations

import psycopg
import pytest

from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail.drips import process_digests
from studio.settings import Settings
from tests.integration.mail.drips.people import drip_log, founder, gate, project_of
from tests.support.mail import add_mail, lose_senders, send


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


def test_the_log_follows_its_mail_whoever_moves_it(db: Database, settings: Settings) -> None:
    someone = founder(db)
    gate(db, project_of(db, someone))
    process_digests(db, settings)
    add_mail(db, SYSTEM_PROJECT_ID)
    lose_senders(db)
    db.execute("update public.email_jobs set status = 'sent', provider_message_id = 'abc' where drip_id is not null")
    (row,) = drip_log(db)
    assert (row["status"], row["resend_message_id"]) == ("sent", "abc")
