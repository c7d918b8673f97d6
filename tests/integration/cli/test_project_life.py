"""`greenlight projects pause|resume|kill|permissions|audit`, and the packets of later phases with their changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from greenlight_dagster.cli import life
from studio import claims, lifecycle, projects, queue
from studio.database.connection import Database
from studio.errors import Conflict
from tests.support.approvals import Company
from tests.support.cli import NOBODY, Greenlight
from tests.support.queue import enqueue


@pytest.fixture
def company(db: Database) -> Company:
    return Company(db, permitted={})


# --- life


def test_a_project_is_paused_and_resumed(greenlight: Greenlight, company: Company) -> None:
    job_id = enqueue(company.db, company.id)
    ran = greenlight("projects", "pause", company.id, "--reason", "Back in May.")
    assert ran.said == "The project is paused now: 1 job canceled."
    assert greenlight("projects", "pause", company.id).said == "The project is paused already."
    greenlight("launch", company.id).fails("is paused", "projects resume")
    greenlight("jobs", "retry", job_id).fails("is paused", "projects resume")
    made = greenlight("projects", "resume", company.id, "--json").json
    assert (made["status"], made["jobs_revived"]) == ("active", 1)
    assert queue.get(company.db, job_id).status == "queued"


def test_a_resume_waits_for_a_run_that_stops(
    greenlight: Greenlight, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company.db.transaction() as conn:
        held = claims.claim_by_id(
            conn, company.db, enqueue(company.db, company.id), "worker", f"run-{uuid4()}", timedelta(hours=1)
        )
    assert "1 running job told to stop" in greenlight("projects", "pause", company.id).said
    greenlight("projects", "resume", company.id, "--wait", "0").fails("1 have not come to a halt")
    monkeypatch.setattr(life, "RESUME_POLL_SECONDS", 0.05)
    resumed = lifecycle.set_status

    def resume(*given: Any) -> lifecycle.LifeChange:
        try:
            return resumed(*given)
        except Conflict:
            # Refused once; when the command asks again, the run has come to its halt.
            held.cancel()
            raise

    monkeypatch.setattr(lifecycle, "set_status", resume)
    ran = greenlight("projects", "resume", company.id)
    assert ran.said == "The project is active now: 1 job queued again."
    assert "Waiting" in ran.err


def test_a_kill_asks_and_is_final(greenlight: Greenlight, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    greenlight("projects", "kill", company.id).fails("nobody can be asked", "--yes")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer in (False, True):
        monkeypatch.setattr("typer.confirm", lambda text, err, answer=answer: answer)
        ran = greenlight("projects", "kill", company.id)
        if not answer:
            ran.fails("Nothing was changed")
            assert projects.get(company.db, company.id).status == "active"
    assert ran.said == "The project is killed now."
    greenlight("projects", "resume", company.id).fails("final", "projects create")
    greenlight("launch", company.id).fails("is killed", "create a new one")


def test_a_kill_can_be_told_not_to_ask(greenlight: Greenlight, company: Company) -> None:
    company.gate()
    made = greenlight("projects", "kill", company.id, "--yes", "--reason", "Nobody wants it.", "--json").json
    assert (made["status"], made["approvals_denied"]) == ("killed", 1)
    audit = greenlight("projects", "audit", company.id, "--json").json
    assert (audit[0]["what"], audit[0]["after"], audit[0]["reason"]) == ("status", "killed", "Nobody wants it.")


@pytest.mark.parametrize("command", ["pause", "resume", "permissions", "audit"])
def test_there_must_be_such_a_project(greenlight: Greenlight, command: str) -> None:
    greenlight("projects", command, NOBODY).fails("There is no project")
    greenlight("projects", command, "x").fails("not a UUID")


# --- permissions


def test_permissions_are_shown_and_changed(greenlight: Greenlight, company: Company) -> None:
    plain = greenlight("projects", "permissions", company.id)
    assert [line.split() for line in plain.out.splitlines()[1:]] == [
        ["repo_write", "no"], ["deploy", "no"], ["email_send", "no"], ["ads_enabled", "no"],
        ["ads", "cap", "$0", "a", "day"],
    ]  # fmt: skip
    assert greenlight("projects", "audit", company.id).out == "Nothing has been changed.\n"
    made = greenlight(
        "projects",
        "permissions",
        company.id,
        "--email-send",
        "--ads",
        "--ads-cap",
        "19.90",
        "--reason",
        "Go.",
        "--json",
    ).json
    assert made["changed"]
    assert made["permissions"] == {
        "repo_write": False, "deploy": False, "email_send": True, "ads_enabled": True, "ads_budget_cap": 19.9,
    }  # fmt: skip
    again = greenlight("projects", "permissions", company.id, "--no-email-send", "--deploy", "--repo-write")
    assert "email_send no" in again.said
    entries = greenlight("projects", "audit", company.id, "--json").json
    assert [(e["actor"], e["reason"]) for e in entries] == [("local-owner", None), ("local-owner", "Go.")]
    table = greenlight("projects", "audit", company.id)
    assert "email_send true" in table.said
    assert "ads_budget_cap 0" in table.said


def test_what_a_permission_makes_possible_waits_at_once(greenlight: Greenlight, company: Company) -> None:
    company.packet(1)
    company.packet(2)
    ran = greenlight("projects", "permissions", company.id, "--email-send")
    asked = {row["action_type"]: row["id"] for row in company.rows("approval_queue")}
    assert "2 approvals wait now: Send the welcome sequence; Send the lifecycle mails." in ran.out
    assert all(f"greenlight approvals show {approval_id}" in ran.out for approval_id in asked.values())
    made = greenlight("projects", "permissions", company.id, "--ads", "--ads-cap", "5", "--json").json
    assert [(p["action_type"], p["outcome"]) for p in made["proposed"]] == [("activate_meta_ads_campaign", "created")]
    again = greenlight("projects", "permissions", company.id, "--ads", "--json").json
    assert (again["changed"], again["proposed"]) == (False, [])
    assert "now:" not in greenlight("projects", "permissions", company.id, "--no-ads").out


def test_what_a_permission_does_not_help_yet_is_told_with_the_reason(greenlight: Greenlight, company: Company) -> None:
    company.packet(2, paid_acquisition={"enabled": False, "budget_cap_per_day": 0})
    ran = greenlight("projects", "permissions", company.id, "--ads", "--ads-cap", "5")
    assert "1 approval waits now: Refine what a phase has made." in ran.out
    assert "Not asked for: Create the ad campaign, paused. The Phase 2 packet runs no ads" in ran.said


def test_in_a_paused_project_a_permission_is_only_changed(greenlight: Greenlight, company: Company) -> None:
    company.packet(1)
    assert greenlight("projects", "pause", company.id).code == 0
    ran = greenlight("projects", "permissions", company.id, "--email-send")
    assert (ran.code, ran.err) == (0, "")
    assert "email_send yes" in ran.said
    assert company.rows("approval_queue") == []


def test_ads_without_a_cap_are_pointed_out(greenlight: Greenlight, company: Company) -> None:
    assert "Ads need a cap above 0" in greenlight("projects", "permissions", company.id, "--ads").out


@pytest.mark.parametrize("cap", ["much", "-1", "NaN", "1e400", "9999999"])
def test_an_odd_cap_is_none(greenlight: Greenlight, company: Company, cap: str) -> None:
    greenlight("projects", "permissions", company.id, f"--ads-cap={cap}").fails()
    assert company.row("permissions")["permissions"]["ads_budget_cap"] == 0


def test_a_budget_is_written_down(greenlight: Greenlight, company: Company) -> None:
    greenlight("projects", "budget", company.id, "--usd", "7", "--reason", "A try.")
    (entry,) = greenlight("projects", "audit", company.id, "--json").json
    assert (entry["what"], entry["after"]["cap_micros"], entry["reason"]) == ("budget", 7_000_000, "A try.")


# --- packets of later phases


def test_a_packet_of_another_phase_is_shown(greenlight: Greenlight, company: Company) -> None:
    assert "Approving the gate of phase 1" in greenlight("projects", "show", company.id, "--phase", "2").said
    packet = company.packet(2)
    ran = greenlight("projects", "show", company.id, "--phase", "2")
    assert "Phase 2 packet, version 1 of 1, by model sandbox" in ran.said
    assert packet.packet["summary"] in ran.said
    assert greenlight("projects", "show", company.id, "--phase", "2", "--json").json["packet"]["id"] == str(packet.id)
    greenlight("projects", "show", company.id, "--phase", "4").fails("--phase", code=2)


def test_without_a_phase_the_latest_packet_is_shown(greenlight: Greenlight, db: Database) -> None:
    company = Company(db, phase=3)
    assert "No packet yet." in greenlight("projects", "show", company.id).out
    first, latest = company.packet(0, tagline="The pitch"), company.packet(2)
    company.packet(1)
    company.packet(0, tagline="The pitch, revised later")
    ran = greenlight("projects", "show", company.id)
    assert "Packets: phase 0 pitch, 1 validate, 2 distribute. See another with --phase." in ran.out
    assert "Phase 2 packet, version 1 of 1" in ran.said
    assert latest.packet["summary"] in ran.said
    shown = greenlight("projects", "show", company.id, "--json").json
    assert (shown["phases"], shown["packet"]["id"]) == ([0, 1, 2], str(latest.id))
    pitch = greenlight("projects", "show", company.id, "--phase", "0", "--version", "1", "--json").json
    assert pitch["packet"]["id"] == str(first.id)
    missing = greenlight("projects", "show", company.id, "--phase", "3").out
    assert "Packets: phase 0 pitch" in missing
    assert "No packet of phase 3 yet." in missing
    company.packet(2, summary="Another plan")
    assert "Phase 2 packet, from version 1 to 2" in greenlight("projects", "show", company.id, "--diff").out


def test_the_versions_of_a_packet_are_compared(greenlight: Greenlight, company: Company) -> None:
    greenlight("projects", "show", company.id, "--phase", "1", "--diff").fails("fewer than two versions")
    company.packet(summary="One", guardrails=["a", "b"])
    greenlight("projects", "show", company.id, "--phase", "1", "--diff").fails("fewer than two versions")
    company.packet(summary="Two", guardrails=["a", "b"])
    company.packet(summary="Three [red]", guardrails=["a", "c"])
    ran = greenlight("projects", "show", company.id, "--phase", "1", "--diff")
    assert "from version 2 to 3" in ran.said
    assert "~ summary was Two is Three [red]" in ran.said
    assert "~ guardrails was b is c" in ran.said
    older = greenlight("projects", "show", company.id, "--phase", "1", "--version", "1", "--diff", "--json").json
    assert (older["from"], older["to"]) == (1, 3)
    assert older["changes"][0] == {"path": "summary", "kind": "changed", "before": "One", "after": "Three [red]"}
    same = greenlight("projects", "show", company.id, "--phase", "1", "--version", "3", "--diff")
    assert "Nothing has changed." in same.out
    greenlight("projects", "show", company.id, "--phase", "1", "--version", "9", "--diff").fails("no version 9")
