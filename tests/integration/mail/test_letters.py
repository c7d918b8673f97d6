"""A letter is queued once per key, as it will be sent, where it may be sent."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio import links, projects
from studio.database.connection import Database
from studio.errors import InvalidInput, NotFound, SettingsError
from studio.mail import letters, suppression
from studio.mail.letters import Confirmation, Letter, Queued
from studio.settings import Settings
from tests.support.mail import ResendServer, files, lose_senders, mails, read, resend_settings, send, sending_project


def enqueue(db: Database, settings: Settings, letter: Letter) -> Queued:
    with db.transaction() as conn:
        return letters.enqueue(conn, settings, letter)


def confirmation(project: UUID, **changes: Any) -> Letter:
    given: dict[str, Any] = {
        "project_id": project,
        "outbox_key": "confirm:1",
        "to_email": "ada@example.org",
        "template": "waitlist_confirm",
        "category": "waitlist",
        "context": {"project_name": "Tools", "confirm_url": "https://pages.test/confirm/t", "name": "", "days": 7},
    }  # fmt: skip
    return Letter(**{**given, **changes})


def test_a_letter_is_queued_once_per_key(db: Database, settings: Settings) -> None:
    project_id, other = sending_project(db), sending_project(db)
    queued = enqueue(db, settings, confirmation(project_id))
    assert queued.outcome == "queued"
    assert enqueue(db, settings, confirmation(project_id)) == Queued(queued.email_id, "already queued")
    assert enqueue(db, settings, confirmation(project_id, outbox_key="confirm:2")).outcome == "queued"
    assert enqueue(db, settings, confirmation(other)).outcome == "queued"
    assert len(mails(db, project_id)) == 2


def test_no_row_holds_a_link_that_is_its_receivers_alone(db: Database, resend: ResendServer, tmp_path: Path) -> None:
    db.execute("delete from public.email_jobs")
    settings = resend_settings(tmp_path, resend)
    project_id, signup_id = sending_project(db, owner_clerk_id="ada"), uuid4()
    confirms = Confirmation(signup_id, datetime(2126, 3, 3, 12, 30, 15, 999_999, UTC))
    enqueue(
        db, settings, confirmation(project_id, confirms=confirms, context={"project_name": "T", "name": "", "days": 7})
    )
    campaign = {"subject_text": "Hello", "paragraphs": ["Hello."], "cta_label": None}
    enqueue(
        db, settings, confirmation(project_id, outbox_key="2", template="lifecycle", category="lifecycle",
                                   context=campaign)
    )  # fmt: skip
    with db.connect() as conn, conn.transaction():
        conn.execute("set local role authenticated")
        conn.execute("""select set_config('request.jwt.claims', '{"sub": "ada"}', true)""")
        seen = conn.execute("select e::text as row from public.email_jobs e order by outbox_key").fetchall()
    assert len(seen) == 2
    for row in seen:
        assert not re.search(r"pages\.test|eyJ|/confirm/|/unsubscribe/", row["row"])
        assert not re.search(r"[\w-]{60,}", row["row"]), "nothing that could be a token"
    # The answer is lost and the mail asked for again: only the same bytes are the same mail.
    resend.lose_answers = 1
    send(db, settings)
    lose_senders(db)
    assert send(db, settings).sent == 1
    bodies = {key: [body for other, body in resend.requests if other == key] for key, _ in resend.requests}
    asked, campaign_mail = sorted(bodies.values(), key=len, reverse=True)
    assert len(asked) == 2
    assert asked[0] == asked[1]
    for body in (asked[0], campaign_mail[0]):
        assert ".invalid" not in json.dumps(body)
    token = re.search(r"https://pages.test/waitlist/confirm/(\S+)", asked[0]["text"])
    assert token is not None
    assert f'href="{token[0]}"' in asked[0]["html"]
    assert links.verify(settings, links.CONFIRM, token[1]) == str(signup_id)
    left_alone = asked[0]["headers"]["List-Unsubscribe"].strip("<>")
    assert left_alone in asked[0]["text"]
    assert f'href="{left_alone}"' in asked[0]["html"]
    assert links.blocker(settings, left_alone.rpartition("/")[2]) == (project_id, "ada@example.org")


def test_who_never_asked_is_left_alone_by_that_project(db: Database, settings: Settings) -> None:
    eve = "eve@example.org"
    project_id, other = sending_project(db), sending_project(db)
    enqueue(db, settings, confirmation(project_id, to_email=eve))
    with db.transaction() as conn:
        suppression.suppress(conn, eve, "unsubscribed", project_id=project_id)
        assert suppression.suppress(conn, "Eve@example.org", "blocked", project_id=project_id) == 1
    for category in ("waitlist", "transactional"):
        letter = confirmation(project_id, outbox_key=category, category=category, to_email=eve)
        assert enqueue(db, settings, letter) == Queued(None, "suppressed")
    assert enqueue(db, settings, confirmation(other, to_email=eve)).outcome == "queued"
    with db.transaction() as conn:
        suppression.suppress(conn, eve, "blocked", project_id=None)
    assert enqueue(db, settings, confirmation(other, outbox_key="2", to_email=eve)) == Queued(None, "suppressed")


def test_a_letter_is_not_queued_where_it_may_not_be_sent(db: Database, settings: Settings) -> None:
    project_id = sending_project(db)
    with db.transaction() as conn:
        suppression.suppress(conn, "ada@example.org", "unsubscribed", project_id=project_id)
        suppression.suppress(conn, "bob@example.org", "complained", project_id=None)
    # Who asks to be let in again must be able to confirm.
    assert enqueue(db, settings, confirmation(project_id)).outcome == "queued"
    assert enqueue(db, settings, confirmation(project_id, outbox_key="2", to_email="bob@example.org")) == Queued(
        None, "suppressed"
    )
    assert enqueue(db, settings, confirmation(project_id, outbox_key="3", to_email=None)) == Queued(None, "no address")


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"to_email": "ada@example.org\nBcc: b@example.org"}, InvalidInput, "is not a mail address"),
        ({"reply_to": "nobody"}, InvalidInput, "is not a mail address"),
        ({"outbox_key": ""}, InvalidInput, "The key of a mail has 0 characters"),
        ({"outbox_key": "k\x00"}, InvalidInput, "NUL"),
        ({"template": "nothing"}, InvalidInput, "There is no letter"),
        ({"context": {}}, InvalidInput, "cannot be written"),
        ({"project_id": uuid4()}, NotFound, "There is no project"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_reason(
    db: Database, settings: Settings, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    project_id = sending_project(db)
    with pytest.raises(error, match=said):
        enqueue(db, settings, confirmation(project_id, **changes))
    assert mails(db, project_id) == []


def test_a_campaign_needs_a_link_that_ends_it(db: Database, tmp_path: Path) -> None:
    project_id = sending_project(db)
    context = {"subject_text": "Hello", "paragraphs": ["Hello."], "cta_label": None}
    letter = confirmation(project_id, template="lifecycle", category="lifecycle", context=context)
    with pytest.raises(SettingsError, match="Mail without an unsubscribe link is not sent"):
        enqueue(db, Settings(data_dir=tmp_path), letter)


def test_answers_go_to_the_projects_own_address(db: Database, settings: Settings) -> None:
    project_id = sending_project(db, name="Tools")
    db.execute(
        "insert into public.project_email_identities (project_id, reply_address) values (%s, 'tools@in.studio.test')",
        [project_id],
    )
    enqueue(db, settings, confirmation(project_id))
    send(db, settings)
    message = next(read(path) for path in files(settings) if read(path)["Reply-To"])
    assert str(message["Reply-To"]) == "tools@in.studio.test"
    assert str(message["From"]).startswith("Tools <")


def test_answers_go_to_the_owner_where_the_project_has_no_address(db: Database, settings: Settings) -> None:
    with db.transaction() as conn:
        project_id = projects.create(
            conn, settings, owner_clerk_id=f"user-{uuid4()}", idea="A shop.", email="anna@example.org"
        )
        assert letters.reply_address(conn, project_id, "project") == "anna@example.org"
        assert letters.reply_address(conn, project_id, "studio") is None
