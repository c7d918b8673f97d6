"""`greenlight projects` creates projects, shows them and their packets, and caps what they spend."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from greenlight_dagster.cli.packet_view import packet_panels
from studio import projects
from studio.database.connection import Database
from studio.model import spend
from studio.model.spend import Spent
from studio.packets import versions
from studio.settings import Settings
from tests.support.cli import IDEA, Greenlight
from tests.support.model import model_settings, open_model
from tests.support.phase0 import Studio
from tests.support.queue import (
    InBackground,
    make_project,
    separate_connection,
    wait_until_blocked,
)
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

RIVAL = {"name": "Acme", "positioning": "p", "gap": "g", "pricing": "free", "unsourced_fields": []}


# --- projects


def test_a_project_is_created_listed_and_shown(greenlight: Greenlight) -> None:
    made = greenlight("projects", "create", IDEA, "--domain", "Example.org", "--email", "me@example.org", "--json").json
    assert made["name"] == "example.org"
    assert made["phase"] == 0
    listed = greenlight("projects", "list", "--json").json
    assert listed[0]["id"] == made["project_id"], "the newest does not come first"
    assert listed[0]["owner_clerk_id"] == "local-owner"
    shown = greenlight("projects", "show", made["project_id"], "--json").json
    assert shown["project"]["idea_description"] == IDEA
    assert shown["packet"] is None
    assert shown["budget"]["cap_micros"] == 60_000_000
    plain = greenlight("projects", "show", made["project_id"])
    assert "No packet yet." in plain.out
    assert "Spent $0.00 of $60.00" in plain.out


def test_the_owner_of_new_projects_is_a_setting(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_OWNER", "user_2x")
    made = greenlight("projects", "create", IDEA, "--name", "Tools", "--json").json
    shown = greenlight("projects", "show", made["project_id"], "--json").json
    assert (shown["project"]["owner_clerk_id"], shown["project"]["name"]) == ("user_2x", "Tools")


def test_lists_are_bounded(greenlight: Greenlight, db: Database) -> None:
    for _ in range(3):
        make_project(db)
    assert len(greenlight("projects", "list", "--limit", "2", "--json").json) == 2
    assert len(greenlight("projects", "list", "--limit", "2").out.strip().splitlines()) == 3


def test_text_of_a_project_is_not_taken_for_markup(greenlight: Greenlight, db: Database) -> None:
    name = "[red]Tools[/red] [/] \x1b[2J"
    project = make_project(db, name=name)
    for arguments in (["projects", "list"], ["projects", "show", project]):
        ran = greenlight(*arguments)
        assert ran.code == 0
        assert "[red]Tools[/red] [/]" in ran.out
        assert "\x1b[2J" not in ran.out
    assert greenlight("projects", "show", project, "--json").json["project"]["name"] == name


def test_a_project_of_another_client_without_a_budget_is_shown(greenlight: Greenlight, db: Database) -> None:
    project = make_project(db)
    ran = greenlight("projects", "show", project)
    assert ran.code == 0
    assert "No budget" in ran.out
    assert greenlight("projects", "show", project, "--json").json["budget"] is None
    greenlight("projects", "budget", project).fails("has no budget")
    assert greenlight("projects", "budget", project, "--usd", "3", "--json").json["cap_micros"] == 3_000_000


def test_a_packet_of_another_client_is_shown_as_it_is_stored(
    greenlight: Greenlight, db: Database, project: UUID
) -> None:
    stored = {"tagline": "Their own shape", "recommendation": "maybe"}
    db.execute(
        "insert into public.phase_packets (project_id, phase, packet, confidence, synopsis)"
        " values (%s, 0, %s::jsonb, 50, '{}')",
        [project, json.dumps(stored)],
    )
    ran = greenlight("projects", "show", project)
    assert ran.code == 0
    assert "shown as it is stored" in ran.said
    assert '"tagline": "Their own shape"' in ran.said
    assert greenlight("projects", "show", project, "--json").json["packet"]["packet"] == stored


@pytest.mark.parametrize(
    "odd",
    [
        {"confidence_breakdown": {"market": "85", "competition": 1, "feasibility": 1, "timing": 1}},
        {"confidence_breakdown": {"market": 1, "competition": 1, "feasibility": 1, "timing": 1, "overall": "high"}},
        {"market_sizing": {"tam": "a", "sam": "b", "som": "c", "figures": {}, "notes": []}},
        {"competitor_note": "", "competitor_analysis": [{**RIVAL, "sourced": True, "sources": []}]},
        {"recommendation": "Greenlight"},
    ],
)
def test_a_packet_that_is_nearly_ours_is_shown(odd: dict[str, Any], db: Database) -> None:
    with SandboxThread() as sandbox, open_model(sandbox.url, db) as model:
        studio = Studio(db, model_settings(sandbox.url), model)
        owner = studio.project()
        studio.run(owner)
    console = Console(file=io.StringIO(), width=80)
    for panel in packet_panels({**studio.packet(owner).packet, **odd}):
        console.print(panel)
    assert console.file.getvalue()  # type: ignore[attr-defined]


def test_a_budget_is_shown_and_set(greenlight: Greenlight, project: UUID) -> None:
    assert greenlight("projects", "budget", project, "--json").json["cap_calls"] == 2000
    changed = greenlight("projects", "budget", project, "--usd", "0.50", "--calls", "7", "--json").json
    assert (changed["cap_micros"], changed["cap_calls"], changed["cap_tokens"]) == (500_000, 7, 60_000_000)
    plain = greenlight("projects", "budget", project, "--tokens", "0")
    assert plain.code == 0
    assert "0.50" in plain.out
    assert greenlight("projects", "budget", project, "--json").json["cap_tokens"] == 0


def test_two_who_set_a_budget_do_not_undo_each_other(db: Database, project: UUID) -> None:
    settings = Settings()
    with separate_connection(db) as other, other.transaction():
        projects.set_budget(other, settings, project, usd=Decimal(5))

        sessions: list[int] = []

        def set_tokens() -> None:
            with db.transaction() as conn:
                sessions.append(conn.info.backend_pid)
                projects.set_budget(conn, settings, project, tokens=7)

        second = InBackground(set_tokens)
        eventually(lambda: sessions, what="the second one")
        wait_until_blocked(db, sessions[0])
    second.result()
    budget = spend.budget(db, project)
    assert (budget.cap_micros, budget.cap_tokens, budget.cap_calls) == (5_000_000, 7, settings.project_call_cap)


@pytest.mark.parametrize("amount", ["much", "-1", "NaN", "Infinity", "1e400", "99999999999999"])
def test_an_odd_amount_is_no_budget(greenlight: Greenlight, project: UUID, amount: str) -> None:
    greenlight("projects", "budget", project, f"--usd={amount}").fails()
    assert greenlight("projects", "budget", project, "--json").json["cap_micros"] == 60_000_000


def test_an_odd_number_of_tokens_is_no_budget(greenlight: Greenlight, project: UUID) -> None:
    greenlight("projects", "budget", project, "--tokens", 10**30).fails("is a slip")


def test_a_packet_is_shown_in_words(greenlight: Greenlight, finished: tuple[UUID, UUID], db: Database) -> None:
    project, _ = finished
    ran = greenlight("projects", "show", project)
    assert ran.code == 0
    packet = versions.latest(db, project, 0)
    assert packet is not None
    assert packet.packet["recommendation"].upper() in ran.out
    assert f"confidence {packet.confidence} of 100" in ran.out
    assert "version 1 of 1, by model sandbox" in ran.said
    for section in ("Why", "For whom", "First version", "Competitors", "Market", "Evidence", "Risks", "Next"):
        assert f"\n{section}\n" in ran.out
    assert "“Lendly is a tool library that lends power tools to neighbours.” https://lendly.test/about" in ran.said
    assert "unsourced" in ran.out
    spent = spend.budget(db, project)
    assert f"{spent.spent_tokens:,} tokens in 5 model calls" in ran.said


def test_an_older_version_of_a_packet_can_be_shown(
    greenlight: Greenlight, db: Database, finished: tuple[UUID, UUID]
) -> None:
    project, job_id = finished
    first = versions.latest(db, project, 0)
    assert first is not None
    second = {**first.packet, "tagline": "A newer line"}
    fresh = make_copy(db, first.packet)
    with db.transaction() as conn:
        versions.save(
            conn,
            fresh,
            0,
            second,
            synopsis=first.synopsis,
            job_id=job_id,
            claim_no=1,
            model="m",
            prompt_version="p",
            spent=Spent(0, 0, 0, 0, 0),
            provenance={},
        )
    assert greenlight("projects", "show", fresh, "--json").json["packet"]["version"] == 2
    old = greenlight("projects", "show", fresh, "--version", "1")
    assert first.packet["tagline"] in old.said
    assert "version 1 of 2" in old.said
    greenlight("projects", "show", fresh, "--version", "3").fails("no version 3", "It has: 2, 1.")


def make_copy(db: Database, packet: dict[str, Any]) -> UUID:
    project = make_project(db)
    with db.transaction() as conn:
        versions.save(
            conn,
            project,
            0,
            packet,
            synopsis=packet["reasoning_synopsis"],
            job_id=None,  # type: ignore[arg-type]
            claim_no=1,
            model="m",
            prompt_version="p",
            spent=Spent(0, 0, 0, 0, 0),
            provenance={},
        )
    return project
