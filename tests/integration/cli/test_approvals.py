"""`greenlight approvals` shows what waits and what it would do, and decides on exactly what was shown."""

from __future__ import annotations

import json

import pytest

from greenlight_dagster.cli import output
from studio import approvals, queue
from studio.database.connection import Database
from tests.support.approvals import DEPLOY, EMAIL, GUIDANCE, REPOSITORY, Company
from tests.support.cli import NOBODY, Greenlight

EMAILS = {"email_sequence": {"emails": [{"day": "Day 0", "subject": "[b]Welcome\x1b[2J", "body": ["Hello."]}]}}


@pytest.fixture
def company(db: Database) -> Company:
    return Company(db)


def test_what_waits_is_listed(greenlight: Greenlight, company: Company) -> None:
    gate, other = company.gate(), Company(company.db).gate()
    listed = greenlight("approvals", "list", "--project", company.id, "--status", "pending", "--json").json
    assert [row["id"] for row in listed] == [str(gate.id)]
    assert listed[0]["packet_version_id"] == str(gate.packet_version_id)
    plain = greenlight("approvals", "list")
    assert all(str(a.id) in plain.out for a in (gate, other))
    assert "phase1_validate_review" in plain.out
    assert greenlight("approvals", "list", "--project", NOBODY).out == "No approvals.\n"
    assert len(greenlight("approvals", "list", "--limit", "1", "--json").json) == 1
    greenlight("approvals", "list", "--status", "open").fails("no status 'open'", "pending")
    greenlight("approvals", "list", "--project", "x").fails("not a UUID")


@pytest.mark.parametrize("width", [80, 300])
def test_a_list_names_the_project_and_breaks_no_action(
    greenlight: Greenlight, db: Database, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    name = "Tools [red]for[/] \x1b[2Jneighbours in every city of the world"
    company = Company(db, phase=3, columns={"name": name})
    company.packet()
    asked = company.asked(REPOSITORY)
    monkeypatch.setattr(output.out, "_width", width)
    ran = greenlight("approvals", "list", "--project", company.id)
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == (4 if width == 80 else 2)
    assert str(asked.id) in lines[-2 if width == 80 else -1]
    assert REPOSITORY in lines[-1]
    assert "Tools [red]for[/] " in lines[-1]
    assert "\x1b" not in ran.out
    (row,) = greenlight("approvals", "list", "--project", company.id, "--json").json
    assert (row["project_name"], row["action_type"]) == (name, REPOSITORY)


def test_a_gate_is_shown_with_its_packet(greenlight: Greenlight, company: Company) -> None:
    gate = company.gate(company.packet(summary="They share \x1b[2Jladders.", confidence=35))
    ran = greenlight("approvals", "show", gate.id)
    assert ran.code == 0
    for said in ("gate of phase 1", "high", "version 1, confidence 35", "greenlight: They share", "$0.0015"):
        assert said in ran.said
    assert "\x1b" not in ran.out
    assert f"projects show {company.id} --phase 1 --version 1" in ran.said
    assert f"approve|deny|revise {gate.id} --version 1" in ran.said
    shown = greenlight("approvals", "show", gate.id, "--json").json
    assert shown["approval"]["id"] == str(gate.id)
    assert shown["packet"]["id"] == str(gate.packet_version_id)


def test_an_action_is_shown_with_exactly_what_it_would_do(greenlight: Greenlight, company: Company) -> None:
    company.packet(**EMAILS)
    asset_id, digest = company.page()
    mail, page = company.asked(EMAIL), company.asked(DEPLOY)
    ran = greenlight("approvals", "show", mail.id)
    assert "Carries out" in ran.out
    assert "[b]Welcome" in ran.said
    assert "\x1b" not in ran.out
    assert str(mail.content_hash) in ran.said
    ran = greenlight("approvals", "show", page.id)
    assert digest in ran.said
    assert str(asset_id) in ran.said
    assert "landing.html" in ran.said


def test_a_gate_is_approved(greenlight: Greenlight, company: Company) -> None:
    gate = company.gate()
    ran = greenlight("approvals", "approve", gate.id, "--version", "1")
    assert ran.code == 0
    assert "Approved version 1 of “Review the Phase 1 packet”. The project is in phase 2 now." in ran.said
    (job,) = [j for j in queue.find(company.db, project_id=company.id) if j.status == "queued"]
    assert f"greenlight jobs tail {job.id}" in ran.said
    row = approvals.get(company.db, gate.id)
    assert (row.status, row.decided_by) == ("approved", "local-owner")
    greenlight("approvals", "approve", gate.id).fails("is approved already")
    assert "local-owner" in greenlight("approvals", "show", gate.id).out


def test_the_last_gate_says_live(greenlight: Greenlight, db: Database) -> None:
    assert (
        "The project is live."
        in greenlight("approvals", "approve", Company(db, phase=3).gate().id, "--version", "1").said
    )


def test_an_action_is_approved_as_json(greenlight: Greenlight, company: Company) -> None:
    company.packet()
    made = greenlight("approvals", "approve", company.asked(EMAIL).id, "--version", "1", "--json").json
    assert (made["decided_version"], made["version"], made["status"], made["job_outcome"]) == (
        1, 2, "approved", "created",
    )  # fmt: skip


def test_a_decision_names_the_version_that_was_looked_at(greenlight: Greenlight, company: Company) -> None:
    gate = company.gate()
    company.gate(company.packet())
    greenlight("approvals", "approve", gate.id, "--version", "1").fails(
        "at version 2 by now, not 1", "Look at it again"
    )
    assert approvals.get(company.db, gate.id).status == "pending"
    assert "Approved version 2" in greenlight("approvals", "approve", gate.id, "--version", "2").said


def test_where_nobody_can_be_asked_the_version_must_be_named(greenlight: Greenlight, company: Company) -> None:
    gate = company.gate()
    company.gate(company.packet())
    for verb, *more in (("approve",), ("deny",), ("revise", "--guidance", GUIDANCE)):
        ran = greenlight("approvals", verb, gate.id, *more)
        ran.fails("version 2 now", f"`greenlight approvals {verb} {gate.id} --version 2`", code=2)
        assert ran.err.count("\n") == 1
    assert approvals.get(company.db, gate.id).status == "pending"


def test_a_terminal_shows_what_is_decided_and_asks(
    greenlight: Greenlight, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = company.gate(company.packet(summary="They share \x1b[2Jladders."))
    asked: list[str] = []

    def confirm(text: str, *, err: bool) -> bool:
        assert err, "the question stands where a program reads the result"
        asked.append(text)
        return len(asked) > 1

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", confirm)
    refused = greenlight("approvals", "approve", gate.id)
    assert (refused.code, refused.out) == (1, "")
    assert all(text in refused.err for text in ("They share", "version 1", "Nothing was decided.", "--version 1"))
    assert "\x1b" not in refused.err
    assert approvals.get(company.db, gate.id).status == "pending"
    ran = greenlight("approvals", "approve", gate.id, "--json")
    assert json.loads(ran.out)["decided_version"] == 1
    assert asked == ["Approve version 1 of “Review the Phase 1 packet”?"] * 2
    # Of what is decided there is nothing to ask.
    greenlight("approvals", "approve", gate.id).fails("is approved already")
    assert len(asked) == 2


def test_a_yes_at_a_terminal_is_one_to_what_was_shown(
    greenlight: Greenlight, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = company.gate()

    def confirm(text: str, *, err: bool) -> bool:
        company.gate(company.packet())
        return "version 1" in text and err

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", confirm)
    ran = greenlight("approvals", "approve", gate.id)
    assert (ran.code, ran.out) == (1, "")
    assert "at version 2 by now, not 1" in ran.err
    assert approvals.get(company.db, gate.id).status == "pending"


def test_a_denial_says_why(greenlight: Greenlight, company: Company) -> None:
    gate = company.gate()
    ran = greenlight("approvals", "deny", gate.id, "--version", "1", "--reason", "Too small a market.")
    assert "Denied version 1" in ran.said
    assert "not proposed again" in ran.said
    assert approvals.get(company.db, gate.id).guidance == "Too small a market."


def test_a_revision_needs_guidance_and_is_relaunched(greenlight: Greenlight, company: Company) -> None:
    gate = company.gate()
    greenlight("approvals", "revise", gate.id).fails("--guidance", code=2)
    greenlight("approvals", "revise", gate.id, "--version", "1", "--guidance", " ").fails("needs guidance")
    ran = greenlight("approvals", "revise", gate.id, "--version", "1", "--guidance", GUIDANCE)
    assert "A new packet is on its way." in ran.said
    assert [j.payload["revisionGuidance"] for j in queue.find(company.db, project_id=company.id, status="queued")] == [
        GUIDANCE
    ]


def test_what_cannot_be_decided_is_one_sentence(greenlight: Greenlight, company: Company) -> None:
    company.packet()
    asked = company.asked(EMAIL)
    assert greenlight("projects", "permissions", company.id, "--no-email-send").code == 0
    greenlight("approvals", "approve", asked.id, "--version", "1").fails(
        "does not permit email_send", "projects permissions"
    )
    greenlight("approvals", "approve", NOBODY).fails("no approval", "approvals list")
    greenlight("approvals", "show", NOBODY).fails("no approval")
    greenlight("approvals", "deny", "nonsense").fails("not a UUID")
