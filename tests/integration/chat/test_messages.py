"""A message is stored with its job or not at all, and the conversation is read from its newest page backwards."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from studio import chat, lifecycle, queue
from studio.database.connection import Database
from studio.errors import InvalidInput, NotFound, PermissionRefused
from tests.integration.chat.talk import Talk
from tests.support.approvals import FOUNDER


@pytest.fixture
def company(db: Database) -> Talk:
    return Talk(db)


def test_a_message_comes_with_its_job_and_its_entry_in_the_ledger(db: Database, company: Talk) -> None:
    posted = company.post("  How is it going?\n")
    job = queue.get(db, posted.job.job_id)
    assert (posted.job.outcome, job.job_type, job.lane) == ("created", "chat.reply", "realtime")
    assert job.idempotency_key == f"chat:{company.id}:{posted.message_id}"
    assert job.payload["message"] == "How is it going?"
    (message,) = chat.page(db, company.id).messages
    assert (message.id, message.role, message.content) == (posted.message_id, "user", "How is it going?")
    assert (message.job_id, message.job_status, message.job_error) == (job.id, "queued", None)
    (told,) = company.events("chat.user_message")
    assert told["data"]["message_id"] == str(posted.message_id)


def test_what_is_rolled_back_was_never_said(db: Database, company: Talk) -> None:
    with contextlib.suppress(ZeroDivisionError), db.transaction() as conn:
        chat.post(conn, company.id, FOUNDER, "Hello")
        raise ZeroDivisionError
    assert chat.page(db, company.id).messages == []
    assert company.jobs("chat.reply") == []
    assert company.events("chat.user_message") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "empty"), (" \n ", "empty"), ("x" * 3001, "3,001 characters"), ("a\x00b", "NUL"), ("a\ud800", "surrogate")],
)
def test_a_message_that_cannot_be_said_is_refused(db: Database, company: Talk, text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        company.post(text)
    assert chat.page(db, company.id).messages == []


def test_the_longest_message_is_taken(db: Database, company: Talk) -> None:
    company.post("ä" * 3000)
    assert len(chat.page(db, company.id).messages[0].content) == 3000


def test_nobody_talks_in_a_paused_or_unknown_project(db: Database, company: Talk) -> None:
    lifecycle.set_status(db, company.id, "paused", "test")
    with pytest.raises(PermissionRefused, match="paused"):
        company.post("Hello")
    with pytest.raises(NotFound), db.transaction() as conn:
        chat.post(conn, uuid4(), FOUNDER, "Hello")
    assert chat.page(db, company.id).messages == []


def test_pages_go_backwards_from_the_newest_without_gap_or_repeat(db: Database, company: Talk) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    # Three of each moment, so that only the id can order them.
    for number in range(27):
        company.insert(content=f"m{number}", created_at=start + timedelta(seconds=number // 3))
    whole = chat.page(db, company.id)
    assert not whole.has_more
    assert [m.created_at for m in whole.messages] == sorted(m.created_at for m in whole.messages)

    read: list[chat.ChatMessage] = []
    page = chat.page(db, company.id, limit=4)
    rounds = 1
    while True:
        read = page.messages + read
        if not page.has_more:
            break
        page = chat.page(db, company.id, before=read[0].id, limit=4)
        rounds += 1
    assert read == whole.messages
    assert rounds == 7
    assert [m.content for m in chat.page(db, company.id, limit=3).messages] == [m.content for m in whole.messages[-3:]]


def test_a_page_that_fits_exactly_has_no_more(db: Database, company: Talk) -> None:
    for _ in range(3):
        company.insert()
    assert not chat.page(db, company.id, limit=3).has_more
    assert chat.page(db, company.id, limit=2).has_more


def test_a_page_before_a_message_of_somebody_else_is_not_found(db: Database, company: Talk) -> None:
    other = Talk(db)
    foreign = other.insert()
    with pytest.raises(NotFound, match="no message"):
        chat.page(db, company.id, before=foreign)
    for limit in (0, 201):
        with pytest.raises(InvalidInput, match="1 to 200"):
            chat.page(db, company.id, limit=limit)


def test_what_another_client_says_is_only_read(db: Database, company: Talk) -> None:
    company.insert(content="x" * 8000)
    (message,) = chat.page(db, company.id).messages
    assert (message.job_id, message.job_status, message.suggestion) == (None, None, None)
    assert company.jobs("chat.reply") == []
