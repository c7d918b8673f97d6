"""How a mail ends is what the provider certainly said; what nobody knows is asked again under one key, or held."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from studio import integrations, links
from studio.database.connection import Database
from studio.errors import Conflict, NotFound, SettingsError
from studio.mail import due
from studio.mail.sender import AWAY_AFTER, BUSY_PAUSES, Sender
from studio.settings import Settings
from tests.support.mail import (
    KEY,
    ResendServer,
    add_mail,
    add_mails,
    files,
    lose_senders,
    mail,
    mail_settings,
    mails,
    resend_settings,
    send,
    sending_project,
    statuses,
)

PROJECT_KEYS = base64.b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def nothing_is_due(db: Database) -> None:
    db.execute("delete from public.email_jobs")


@pytest.fixture
def through_resend(tmp_path: Path, resend: ResendServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    # The pause of a busy second, shortened.
    monkeypatch.setattr("studio.mail.sender.BUSY_PAUSES", (0.0,) * len(BUSY_PAUSES))
    return resend_settings(tmp_path, resend)


def refusal(status: int, name: str, message: str = "It says why.") -> tuple[int, dict[str, Any]]:
    return status, {"statusCode": status, "name": name, "message": message}


def test_a_mail_goes_out_as_the_api_wants_it(db: Database, resend: ResendServer, through_resend: Settings) -> None:
    project_id = sending_project(db, name="Tools, Inc.")
    email_id = add_mail(
        db,
        project_id,
        outbox_key="welcome:1",
        to_email="ada@example.org",
        subject="Hello",
        html_body='<a href="https://unsubscribe.invalid/m">Leave</a>',
        text_body="Leave: https://unsubscribe.invalid/m",
        category="sequence",
        reply_to="tools@in.studio.test",
        link_marker="m",
        unsubscribe_reason="unsubscribed",
    )
    leave = links.unsubscribe_url(through_resend, project_id, "ada@example.org")
    assert send(db, through_resend).sent == 1
    [(key, body)] = resend.requests
    assert key.startswith(f"greenlight/{project_id}/")
    assert body == {
        "from": '"Tools, Inc." <mail@studio.test>',
        "to": ["ada@example.org"],
        "subject": "Hello",
        "html": f'<a href="{leave}">Leave</a>',
        "text": f"Leave: {leave}",
        "reply_to": "tools@in.studio.test",
        "headers": {
            "Auto-Submitted": "auto-generated",
            "List-Unsubscribe": f"<{leave}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
        "tags": [{"name": "category", "value": "sequence"}],
    }
    row = mail(db, email_id)
    assert row["status"] == "sent"
    assert row["begun_with"].startswith(f"resend {resend.url} ")
    assert KEY not in row["begun_with"]


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (refusal(422, "validation_error", "Invalid `to` field."), "failed", "Resend answered 422: Invalid `to` field."),
        (refusal(429, "daily_quota_exceeded"), "queued", "Resend answered 429"),
        (refusal(403, "invalid_api_key", "API key is invalid"), "queued", "Check the Resend API key"),
        (refusal(500, "internal_server_error"), "sending", "may have done it or not"),
        (refusal(409, "concurrent_idempotent_requests"), "sending", "still working on this mail"),
        (refusal(409, "invalid_idempotent_request"), "unknown", "may have been sent before"),
        ((200, {"ok": True}), "sending", "without the id of the mail"),
    ],
)
def test_an_answer_is_taken_for_what_it_certainly_says(
    db: Database, resend: ResendServer, through_resend: Settings, answer: Any, status: str, said: str
) -> None:
    project_id = sending_project(db)
    add_mail(db, project_id)
    resend.script.append(answer)
    send(db, through_resend)
    (row,) = mails(db, project_id)
    assert row["status"] == status
    assert said in row["error"]
    assert KEY not in row["error"]
    # Not now, but not never: nobody holds it, and it has a time.
    if status == "queued":
        assert row["begun_at"] is None
        assert row["scheduled_for"] > row["created_at"]
    if status == "sending":
        assert row["begun_at"] is not None
        assert row["locked_by"] is None


def test_a_failure_stops_no_other_mail(db: Database, resend: ResendServer, through_resend: Settings) -> None:
    project_id = sending_project(db)
    add_mails(db, project_id, 5)
    resend.script.extend([refusal(422, "validation_error"), refusal(500, "internal_server_error")])
    assert send(db, through_resend).counts == {"failed": 1, "unclear": 1, "sent": 3}


def test_a_busy_second_is_waited_for(db: Database, resend: ResendServer, through_resend: Settings) -> None:
    project_id = sending_project(db)
    add_mails(db, project_id, 2)
    resend.script.extend([refusal(429, "rate_limit_exceeded")] * len(BUSY_PAUSES))
    assert send(db, through_resend).counts == {"sent": 2}
    assert set(resend.to().values()) == {1}


def test_an_answer_that_is_lost_is_asked_for_again(
    db: Database, resend: ResendServer, through_resend: Settings
) -> None:
    project_id = sending_project(db)
    add_mail(db, project_id)
    resend.lose_answers = 1
    assert send(db, through_resend).counts == {"unclear": 1}
    lose_senders(db)
    assert send(db, through_resend).counts == {"sent": 1}
    assert len(resend.delivered) == 1


def test_what_was_unclear_stays_so_while_the_provider_cannot_be_reached(
    db: Database, resend: ResendServer, through_resend: Settings
) -> None:
    project_id = sending_project(db)
    add_mail(db, project_id)
    resend.lose_answers = 1
    send(db, through_resend)
    lose_senders(db)
    away = through_resend.model_copy(update={"resend_url": "http://127.0.0.1:9"})
    # Another address is another account, which knows nothing of that key.
    assert send(db, away).counts == {"unknown": 1}
    resend.script.append(refusal(429, "daily_quota_exceeded"))
    db.execute("update public.email_jobs set status = 'sending', leased_until = now() - interval '1 second'")
    assert send(db, through_resend).counts == {"unclear": 1}
    assert mails(db, project_id)[0]["begun_at"] is not None


def test_a_provider_that_is_away_is_not_asked_for_each_mail(db: Database, tmp_path: Path, resend: ResendServer) -> None:
    settings = resend_settings(tmp_path, resend, resend_url="http://127.0.0.1:9")
    project_id = sending_project(db)
    add_mails(db, project_id, 8)
    assert send(db, settings).counts == {"later": 8}
    assert sum(row["attempts"] for row in mails(db, project_id)) == AWAY_AFTER
    assert all("cannot be reached" in row["error"] for row in mails(db, project_id))


def test_a_key_without_a_sender_is_said_and_holds_up_only_what_needs_it(
    db: Database, tmp_path: Path, resend: ResendServer
) -> None:
    project_id, independent = sending_project(db), sending_project(db)
    add_mail(db, project_id)
    add_mail(db, independent)
    broken = mail_settings(tmp_path, resend_api_key=KEY, resend_url=resend.url, integration_key=PROJECT_KEYS)
    own_account(db, broken, independent)
    resend.keys.add("re_key_of_the_project")
    with pytest.raises(SettingsError, match="RESEND_FROM_EMAIL"):
        send(db, broken)
    assert statuses(db, project_id) == {"queued": 1}
    assert "RESEND_FROM_EMAIL" in mails(db, project_id)[0]["error"]
    assert statuses(db, independent) == {"sent": 1}


# --- a project's own account


def own_account(db: Database, settings: Settings, project_id: Any, key: str = "re_key_of_the_project") -> None:
    with db.transaction() as conn:
        config = {"api_key": key, "from_email": "hello@tools.test"}
        integrations.save(conn, settings, project_id, "resend", config, by="ada")


def test_a_project_sends_under_its_own_account_and_the_studio_under_its_own(
    db: Database, resend: ResendServer, tmp_path: Path
) -> None:
    settings = resend_settings(tmp_path, resend, integration_key=PROJECT_KEYS)
    project_id = sending_project(db, name="Tools")
    own_account(db, settings, project_id)
    resend.keys.add("re_key_of_the_project")
    add_mail(db, project_id)
    add_mail(db, project_id, sender="studio", category="overview")
    assert send(db, settings).sent == 2
    assert {message["from"] for message in resend.delivered} == {
        "Tools <hello@tools.test>",
        "Greenlight <mail@studio.test>",
    }


def test_a_projects_account_that_is_switched_off_sends_nothing_under_another(
    db: Database, resend: ResendServer, tmp_path: Path
) -> None:
    settings = resend_settings(tmp_path, resend, integration_key=PROJECT_KEYS)
    project_id, other = sending_project(db), sending_project(db)
    own_account(db, settings, project_id)
    with db.transaction() as conn:
        integrations.set_enabled(conn, project_id, "resend", False, by="ada")
    add_mail(db, project_id)
    add_mail(db, other)
    assert send(db, settings).counts == {"later": 1, "sent": 1}
    (row,) = mails(db, project_id)
    assert row["status"] == "queued"
    assert "switched off" in row["error"]


# --- the folder


def test_a_folder_that_cannot_be_written_loses_nothing(db: Database, tmp_path: Path) -> None:
    settings = mail_settings(tmp_path)
    (tmp_path / "outbox").write_text("in the way")
    project_id = sending_project(db)
    add_mail(db, project_id)
    assert send(db, settings).counts == {"later": 1}
    assert "cannot be written" in mails(db, project_id)[0]["error"]
    (tmp_path / "outbox").unlink()
    db.execute("update public.email_jobs set scheduled_for = now()")
    assert send(db, settings).counts == {"sent": 1}
    assert len(files(settings)) == 1


# --- held for a person


@pytest.mark.parametrize("sent", [True, False])
def test_a_person_settles_what_nobody_knows(
    db: Database, resend: ResendServer, through_resend: Settings, sent: bool
) -> None:
    project_id = sending_project(db)
    email_id = add_mail(db, project_id)
    resend.script.append(refusal(409, "invalid_idempotent_request"))
    send(db, through_resend)
    with db.transaction() as conn:
        assert due.resolve(conn, email_id, sent=sent, by="ada") == ("sent" if sent else "queued")
    assert send(db, through_resend).sent == (not sent)
    assert mail(db, email_id)["status"] == "sent"
    with pytest.raises(Conflict, match="nothing about it is unknown"), db.transaction() as conn:
        due.resolve(conn, email_id, sent=sent, by="ada")
    with pytest.raises(NotFound), db.transaction() as conn:
        due.resolve(conn, project_id, sent=sent, by="ada")


# --- the end of a run


def test_a_run_ends_between_two_mails_and_gives_back_the_rest(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    add_mails(db, project_id, 10)
    left = iter([True, True, True, False])
    sender = Sender(db, settings, run="run", keep_going=lambda: next(left))
    summary = sender.send_due(100)
    assert (summary.counts, summary.more) == ({"sent": 3}, True)
    assert statuses(db, project_id) == {"sent": 3, "queued": 7}
    assert all(row["counted_on"] is None for row in mails(db, project_id) if row["status"] == "queued")


def test_a_run_ends_at_its_limit_and_at_its_time(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    add_mails(db, project_id, 10)
    summary = send(db, settings, 4)
    assert (summary.sent, summary.more) == (4, True)
    summary = send(db, settings, seconds=0.0)
    assert (summary.sent, summary.more) == (0, True)
    summary = send(db, settings)
    assert (summary.sent, summary.more) == (6, False)
