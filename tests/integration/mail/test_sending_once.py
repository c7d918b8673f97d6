"""Each due mail leaves once: whoever sends it, however many do, and wherever they die.

Senders are real processes. The folder's files and the server's deliveries are what has left; the rows must agree.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from uuid import UUID

import pytest

from studio.database.connection import Database
from studio.settings import Settings
from tests.support.mail import (
    ResendServer,
    add_mails,
    end_of,
    files,
    lose_senders,
    mail_settings,
    mails,
    resend_settings,
    send,
    sender_process,
    sending_project,
    statuses,
    written_to,
)
from tests.support.size import FULL
from tests.support.waiting import eventually

# As many that a killed sender is in the middle of them; in full, as many as a launch has.
MANY = 1000 if FULL else 400
FEW = 6


@pytest.mark.chaos
def test_two_senders_of_whom_one_is_killed_write_many_mails_once(
    database: Database, database_url: str, settings: Settings
) -> None:
    project_id = sending_project(database, email_daily_cap=None)
    add_mails(database, project_id, MANY)
    with sender_process(database_url, settings) as first, sender_process(database_url, settings) as second:
        eventually(lambda: len(files(settings)) > 150)
        first.kill()
        assert end_of(second) == 0
    lose_senders(database)
    send(database, settings)
    assert statuses(database, project_id) == {"sent": MANY}
    assert len({row["provider_message_id"] for row in mails(database, project_id)}) == MANY
    assert len(written_to(settings)) == MANY
    assert set(written_to(settings).values()) == {1}


@pytest.mark.chaos
def test_two_senders_of_whom_one_is_killed_send_many_mails_through_resend_once(
    database: Database, database_url: str, resend: ResendServer, tmp_path: Path
) -> None:
    settings = resend_settings(tmp_path, resend)
    project_id = sending_project(database, email_daily_cap=None)
    add_mails(database, project_id, MANY)
    under_way = threading.Event()
    resend.on_delivery = lambda count: under_way.set() if count > 150 else None
    with sender_process(database_url, settings) as first, sender_process(database_url, settings) as second:
        assert under_way.wait(60)
        first.kill()
        assert end_of(second) == 0
    lose_senders(database)
    send(database, settings)
    assert statuses(database, project_id) == {"sent": MANY}
    assert len(resend.to()) == MANY
    assert set(resend.to().values()) == {1}


@pytest.mark.parametrize("provider", ["folder", "resend"])
@pytest.mark.parametrize("die", ["claim:1", "begin:1", "send:1", "finish:1"])
def test_a_sender_that_dies_between_any_two_steps_costs_no_mail_and_repeats_none(
    database: Database, database_url: str, resend: ResendServer, tmp_path: Path, provider: str, die: str
) -> None:
    settings = resend_settings(tmp_path, resend) if provider == "resend" else mail_settings(tmp_path)
    project_id = sending_project(database)
    add_mails(database, project_id, FEW)
    with sender_process(database_url, settings, die=die) as process:
        assert end_of(process) == -signal.SIGKILL
    left = len(resend.delivered) + len(files(settings))
    assert left == (1 if die.startswith(("send", "finish")) else 0)
    assert statuses(database, project_id)["sending"] == (FEW - 1 if die == "finish:1" else FEW)
    # Its lease still runs: nobody else may send what it holds.
    assert send(database, settings).sent == 0
    lose_senders(database)
    summary = send(database, settings)
    assert summary.sent == (FEW - 1 if die == "finish:1" else FEW)
    assert statuses(database, project_id) == {"sent": FEW}
    assert len(resend.delivered) + len(files(settings)) == FEW


def lost_after_sending(database: Database, database_url: str, settings: Settings) -> UUID:
    """Let a mail leave whose sender dies before it can say so, and whose lease is over; return its project."""
    project_id = sending_project(database)
    add_mails(database, project_id, 1)
    with sender_process(database_url, settings, die="send:1") as process:
        assert end_of(process) == -signal.SIGKILL
    lose_senders(database)
    return project_id


def test_what_a_lost_sender_had_begun_is_asked_for_under_the_same_key(
    database: Database, database_url: str, resend: ResendServer, tmp_path: Path
) -> None:
    settings = resend_settings(tmp_path, resend)
    project_id = lost_after_sending(database, database_url, settings)
    send(database, settings)
    (first, body), (second, again) = resend.requests
    assert first == second
    assert body == again
    assert len(resend.delivered) == 1
    assert mails(database, project_id)[0]["attempts"] == 2


def test_a_mail_whose_key_the_provider_has_forgotten_is_held_for_a_person(
    database: Database, database_url: str, resend: ResendServer, tmp_path: Path
) -> None:
    settings = resend_settings(tmp_path, resend)
    project_id = lost_after_sending(database, database_url, settings)
    resend.forget()
    database.execute("update public.email_jobs set begun_at = begun_at - interval '24 hours'")
    summary = send(database, settings)
    assert summary.counts == {"unknown": 1}
    assert len(resend.delivered) == 1
    (row,) = mails(database, project_id)
    assert (row["status"], row["error"]) == (
        "unknown",
        "Its sender was lost, and the provider does not remember its key any more.",
    )
    assert send(database, settings).counts == {}


def test_a_mail_is_not_asked_for_where_its_key_is_unknown(
    database: Database, database_url: str, resend: ResendServer, tmp_path: Path
) -> None:
    settings = resend_settings(tmp_path, resend)
    project_id = lost_after_sending(database, database_url, settings)
    # Another account remembers nothing of the first one's keys.
    resend.keys.add("re_another_key")
    other = resend_settings(tmp_path, resend, resend_api_key="re_another_key")
    assert send(database, other).counts == {"unknown": 1}
    assert len(resend.delivered) == 1
    assert "goes out another way" in mails(database, project_id)[0]["error"]
