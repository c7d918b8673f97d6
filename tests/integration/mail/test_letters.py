"""A letter is queued once per key, as it will be sent; founders hear when something is ready, in real numbers."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio import links, projects
from studio.database.connection import Database
from studio.errors import InvalidInput, NotFound, SettingsError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.kpis import Kpis
from studio.mail import letters, suppression
from studio.mail.letters import Confirmation, Letter, Queued
from studio.mail.overview import OverviewFacts, queue_overview, to_do
from studio.model.spend import Spent
from studio.notices import phase_ready
from studio.packets import versions
from studio.settings import Settings
from tests.support.mail import (
    ResendServer,
    as_sent,
    files,
    lose_senders,
    mails,
    read,
    resend_settings,
    send,
    sending_project,
)
from tests.support.queue import make_project

DAY = date(2026, 3, 3)


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


# --- notices


def founded(db: Database, settings: Settings, **given: Any) -> UUID:
    with db.transaction() as conn:
        return projects.create(
            conn, settings, owner_clerk_id=f"user-{uuid4()}", idea="A tool library.", **{"name": "Tools", **given}
        )


def packet(db: Database, project_id: UUID, phase: int) -> versions.PacketVersion:
    synopsis = {
        "confidence": 61, "decision": "greenlight", "rationale": ["It sells", "It lasts"], "risks": ["It <rusts>"],
        "next_actions": [], "evidence": [],
    }  # fmt: skip
    said: dict[str, Any] = {"recommendation": "greenlight", "reasoning_synopsis": synopsis}
    said |= (
        {"summary": "A plan to reach neighbours."} if phase else {"tagline": "Tools", "elevator_pitch": "Borrow one."}
    )
    with db.transaction() as conn:
        job = conn.execute(
            "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, lane)"
            " values (%s, 'bench.standard', 'ceo', %s, 'standard') returning id",
            [project_id, str(uuid4())],
        ).fetchone()
        assert job is not None
        return versions.save(
            conn, project_id, phase, said, synopsis=synopsis, job_id=job["id"], claim_no=1, model="sandbox",
            prompt_version="1", spent=Spent(0, 0, 0, 0, 0), provenance={},
        )  # fmt: skip


@pytest.mark.parametrize("phase", [0, 1, 2, 3])
def test_each_phase_is_announced_once(db: Database, settings: Settings, phase: int) -> None:
    project_id = founded(db, settings, email="ada@example.org")
    for expected in ("queued", "already queued"):
        version = packet(db, project_id, phase)
        with db.transaction() as conn:
            assert phase_ready(conn, settings, projects.get_in(conn, project_id), version).mail == expected
    (row,) = mails(db, project_id)
    assert row["subject"] == f"Tools: your Phase {phase} packet is ready for review"
    assert "confidence 61 of 100" in row["text_body"]
    assert "- It <rusts>" in row["text_body"]
    assert "It &lt;rusts&gt;" in row["html_body"]
    assert "sandbox model" in row["text_body"]
    assert f"https://studio.test/projects/{project_id}" in row["text_body"]
    log = db.fetch_one("select email_type, subject from public.drip_email_log where project_id = %s", [project_id])
    assert log == {"email_type": f"phase{phase}_ready", "subject": row["subject"]}


def test_a_notice_without_an_address_is_none(db: Database, settings: Settings) -> None:
    project_id = founded(db, settings)
    version = packet(db, project_id, 1)
    with db.transaction() as conn:
        assert phase_ready(conn, settings, projects.get_in(conn, project_id), version).mail == "no address"
        conn.execute("update public.users set email = 'rubbish' where clerk_id = (select owner_clerk_id from"
                     " public.projects where id = %s)", [project_id])  # fmt: skip
        assert phase_ready(conn, settings, projects.get_in(conn, project_id), version).mail == "no address"
    assert mails(db, project_id) == []


# --- the overview


def figures(**given: int) -> Kpis:
    counts = {name: 0 for name in Kpis.__dataclass_fields__ if name != "currency"}
    counts |= given
    measured = {
        f"conversion_{days}d": Decimal(counts[f"leads_{days}d"]) / max(1, counts[f"traffic_{days}d"])
        for days in (7, 30)
    }
    return Kpis(**{**counts, **measured, "currency": "EUR"})  # type: ignore[arg-type]


def test_the_overview_is_sent_once_per_day_in_real_numbers(db: Database, settings: Settings) -> None:
    project_id = founded(db, settings, email="ada@example.org")
    kpis = figures(traffic_7d=200, leads_7d=4, traffic_30d=500, leads_30d=25, payments_30d=1, revenue_cents_30d=1950)
    facts = OverviewFacts(kpis, 2, True, activity=["14 mails sent"], proposed=["Send <b>mails</b>"])
    for day, expected in ((DAY, "queued"), (DAY, "already queued"), (date(2026, 3, 4), "queued")):
        with db.transaction() as conn:
            assert queue_overview(conn, settings, project_id, day, facts).outcome == expected
    first, _ = mails(db, project_id)
    assert (first["category"], first["sender"], first["outbox_key"]) == ("overview", "studio", "overview:2026-03-03")
    assert first["subject"] == "Tools: 2 waiting for you · Tuesday, 3 March 2026"
    text = first["text_body"]
    assert "- Visits: 200 / 500\n- Leads: 4 / 25\n- Conversion: 2.0 % / 5.0 %\n- Revenue: 0.00 EUR / 19.50 EUR" in text
    assert "- 14 mails sent" in text
    assert "- Decide on the 2 approvals that wait for you." in text
    assert "<b>" not in first["html_body"]
    assert first["unsubscribe_reason"] == "unsubscribed"
    assert "https://pages.test/unsubscribe/" in as_sent(settings, first).html_body


def test_an_overview_of_nothing_says_so_and_no_more(db: Database, settings: Settings) -> None:
    project_id = founded(db, settings, email="ada@example.org")
    with db.transaction() as conn:
        queue_overview(
            conn, settings, project_id, DAY, OverviewFacts(figures(), 0, False, skip="There is no packet yet.")
        )
    (row,) = mails(db, project_id)
    assert "No visits, leads or payments have been measured in thirty days." in row["text_body"]
    assert "There is no packet yet." in row["text_body"]
    for heading in ("For you", "Recommended", "Proposed", "Since the last night", "Revenue"):
        assert heading not in row["text_body"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"traffic_7d": 0}, ["Nobody has visited the page in seven days"]),
        ({"traffic_7d": 40}, ["40 visits and no lead in seven days"]),
        ({"traffic_7d": 1000, "leads_7d": 29}, ["2.9 % of the visits became leads: try another headline"]),
        ({"traffic_7d": 1000, "leads_7d": 30}, ["3.0 % of the visits became leads: bring more people"]),
        ({"traffic_7d": 10, "leads_7d": 1, "leads_30d": 1}, ["10.0 %", "1 lead in thirty days and no payment"]),
        ({"traffic_7d": 10, "leads_7d": 1, "payments_30d": 2}, ["10.0 %", "2 payments in thirty days"]),
    ],
)
def test_what_there_is_to_do_follows_the_figures(given: dict[str, int], said: list[str]) -> None:
    tasks = to_do(OverviewFacts(figures(**given), 0, True))
    assert len(tasks) == len(said)
    for task, words in zip(tasks, said, strict=True):
        assert words in task


def test_a_night_does_not_fail_for_its_mail(db: Database, settings: Settings, tmp_path: Path) -> None:
    facts = OverviewFacts(figures(), 0, False)
    with db.transaction() as conn:
        bare = Settings(data_dir=tmp_path)
        project_id = founded(db, settings, email="ada@example.org")
        assert queue_overview(conn, bare, project_id, DAY, facts).outcome == "no unsubscribe link"
        nobody = make_project(db)
        assert queue_overview(conn, settings, nobody, DAY, facts).outcome == "no address"
        suppression.suppress(conn, "ada@example.org", "unsubscribed", project_id=SYSTEM_PROJECT_ID)
        assert queue_overview(conn, settings, project_id, DAY, facts).outcome == "suppressed"
