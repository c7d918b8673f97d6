"""Founders hear once of each phase that is ready and of each night, in real numbers, where they can be written to."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio import projects
from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.kpis import Kpis
from studio.mail import suppression
from studio.mail.overview import OverviewFacts, queue_overview, to_do
from studio.model.spend import Spent
from studio.notices import phase_ready
from studio.packets import versions
from studio.settings import Settings
from tests.support.mail import as_sent, mails
from tests.support.queue import make_project

DAY = date(2026, 3, 3)


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
