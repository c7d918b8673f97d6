"""A night leaves a summary, each of its traces once, and a mail where there is something to say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from studio import memory
from studio.database.connection import Database
from studio.night_shift.report import Activity
from studio.settings import Settings
from tests.integration.night_shift.traces import counts, eventful, events
from tests.support.night import DAY, Nights, action, packet, project, rows, run_steps


def test_a_night_writes_task_ledger_memory_and_mail(nights: Nights) -> None:
    made = eventful(nights.db)
    report = nights.run(made)["report"]
    assert (report["proposed"], report["recommended"], report["skip"]) == (2, 1, None)
    (task,) = [row for row in rows(nights.db, "tasks", made) if row["description"] == "nightshift_summary"]
    assert (task["agent"], task["status"]) == ("night_shift", "completed")
    assert "Proposed: deploy_landing_page; send_welcome_email_sequence." in task["detail"]
    (cycle,) = events(nights.db, made, "nightshift.cycle_completed")
    assert (cycle["data"]["day"], cycle["data"]["approvals_queued"]) == ("2026-03-01", 2)
    assert [outcome["why"] for outcome in cycle["data"]["outcomes"]][-1] == "It is for a person to do."
    (listed,) = events(nights.db, made, "nightshift.recommendations_generated")
    assert [(r["priority"], r["approval_action_type"]) for r in listed["data"]["recommendations"]] == [
        (1, "deploy_landing_page"),
        (2, "send_welcome_email_sequence"),
        (3, None),
    ]
    remembered = {f"{m.category}.{m.key}": m.value for m in memory.recall(nights.db, made)}
    assert remembered["context.last_nightshift"].startswith("Night of 2026-03-01: Since ")
    assert remembered["decision.nightshift_top_recommendations"] == (
        "1. Publish the landing page: nobody can visit it before; 2. Do it; 3. Talk to five customers"
    )
    (mail,) = rows(nights.db, "email_jobs", made)
    assert (mail["outbox_key"], mail["category"]) == ("overview:2026-03-01", "overview")


def test_what_the_studio_has_replaced_by_itself_is_nobodys_decision(nights: Nights) -> None:
    made = eventful(nights.db)
    nights.run(made)
    since = nights.db.fetch_one("select now() - interval '1 hour' as since")
    assert since is not None
    asked = [row for row in rows(nights.db, "approval_queue", made) if row["status"] == "pending"]
    for approval, by in zip(asked, ("system", "founder"), strict=True):
        nights.db.execute(
            "update public.approval_queue set status = 'revised', decided_by = %s, decided_at = now() where id = %s",
            [by, approval["id"]],
        )
    with nights.db.connection() as conn:
        assert Activity.between(conn, made, since["since"]).decisions == 1


def test_what_is_remembered_stays_within_500_characters(nights: Nights) -> None:
    made = project(nights.db, phase=0)
    packet(nights.db, made, 0, words=["word " * 70] * 5)
    nights.run(made)
    assert {len(m.value) <= 500 for m in memory.recall(nights.db, made)} == {True}


@pytest.mark.parametrize(
    ("columns", "with_packet", "why"),
    [
        ({"status": "paused"}, True, "The project is paused."),
        ({"status": "killed"}, True, "The project is killed."),
        ({"night_shift": False}, True, "The project's night shift is turned off."),
        ({}, False, "There is no packet yet."),
    ],
)
def test_a_night_that_does_nothing_says_why_and_writes_no_mail(
    nights: Nights, columns: dict[str, Any], with_packet: bool, why: str
) -> None:
    made = project(nights.db)
    if with_packet:
        packet(nights.db, made, 1, action("send_welcome_email_sequence"))
    claim = nights.claimed(nights.queued(made))
    for name, value in columns.items():
        nights.db.execute(f"update public.projects set {name} = %s where id = %s", [value, made])  # type: ignore[arg-type]
    outputs = run_steps(nights.night(claim))
    assert outputs["report"]["summary"] == f"Skipped: {why}"
    assert outputs["write_overview"] == {"mail": "none", "why": why}
    (cycle,) = events(nights.db, made, "nightshift.cycle_completed")
    assert cycle["data"]["skip"] == why
    assert counts(nights.db, made) == {
        "approval_queue": 0,
        "tasks": 1,
        "task_log": 1,
        "project_events": 2,
        "agent_memory": 0,
        "email_jobs": 0,
    }


def test_a_pause_in_the_middle_of_a_night_stops_its_proposals(nights: Nights) -> None:
    made = eventful(nights.db)
    claim = nights.claimed(nights.queued(made))
    night = nights.night(claim)
    run_steps(night, until="propose")
    nights.db.execute("update public.projects set status = 'paused' where id = %s", [made])
    assert run_steps(night)["report"]["summary"] == "Skipped: The project is paused."
    assert rows(nights.db, "approval_queue", made) == []


def test_a_night_with_nothing_to_say_writes_no_mail(nights: Nights) -> None:
    made = project(nights.db, phase=0)
    packet(nights.db, made, 0, words=["Talk to five customers"])
    nights.run(made)
    quiet = nights.run(made, DAY + timedelta(days=1))
    assert quiet["write_overview"] == {"mail": "none", "why": "Nothing has happened, and nothing waits."}
    # The first night had a packet to tell of.
    assert len(rows(nights.db, "email_jobs", made)) == 1


def test_the_mail_comes_also_while_a_gate_waits_and_once_a_day(nights: Nights) -> None:
    made = project(nights.db)
    version = packet(nights.db, made, 1)
    nights.db.execute(
        "insert into public.approval_queue (project_id, packet_version_id, phase, title, description, risk, type,"
        " action_type) values (%s, %s, 1, 't', 'd', 'low', 'phase_advance', 'phase1_validate_review')",
        [made, version],
    )
    claim = nights.claimed(nights.queued(made))
    assert run_steps(nights.night(claim))["write_overview"]["mail"] == "queued"
    with nights.db.transaction() as conn:
        claim.forget_steps(conn, None)
    assert run_steps(nights.night(claim))["write_overview"]["mail"] == "already queued"
    assert len(rows(nights.db, "email_jobs", made)) == 1


def test_without_a_key_for_links_the_night_goes_on_without_its_mail(database: Database) -> None:
    made = eventful(database)
    outputs = Nights(database, Settings()).run(made)
    assert outputs["write_overview"]["mail"] == "no unsubscribe link"
    assert outputs["report"]["proposed"] == 2


def test_an_account_that_is_missing_is_named_with_its_variable(nights: Nights) -> None:
    made = project(nights.db, phase=2)
    packet(nights.db, made, 2, action("activate_meta_ads_campaign"))
    nights.run(made)
    (cycle,) = events(nights.db, made, "nightshift.cycle_completed")
    (missing,) = cycle["data"]["missing"]
    assert "META_ACCESS_TOKEN" in missing
    # Nobody asked for the others.
    assert "GITHUB_TOKEN" not in missing
