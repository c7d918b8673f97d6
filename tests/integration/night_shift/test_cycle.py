"""A night leaves a summary in real numbers, and each of its traces once, whatever dies in between."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from studio import memory, queue
from studio.claims import Json
from studio.database.connection import Database
from studio.errors import LeaseLost
from studio.night_shift.cycle import list_failure
from studio.night_shift.report import Activity
from studio.project_events import record
from studio.settings import Settings
from tests.support.night import (
    DAY,
    STEPS,
    Nights,
    action,
    draft,
    packet,
    project,
    publish,
    reader,
    rows,
    run_steps,
    track,
)
from tests.support.queue import enqueue

TRACES = ("approval_queue", "tasks", "task_log", "project_events", "agent_memory", "email_jobs")


def events(db: Database, project_id: UUID, kind: str) -> list[dict[str, Any]]:
    return [row for row in rows(db, "project_events", project_id) if row["event_type"] == kind]


def counts(db: Database, project_id: UUID) -> dict[str, int]:
    return {table: len(rows(db, table, project_id)) for table in TRACES}


def eventful(db: Database) -> UUID:
    """Return a project in whose night everything happens: proposals, advice, memory and a mail."""
    made = project(db)
    reader(db, made)
    draft(db, made)
    packet(db, made, 1, action("send_welcome_email_sequence"), words=["Talk to five customers"])
    return made


# --- what it leaves


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


# --- real numbers


def test_the_summary_counts_what_happened_since_the_last_night(nights: Nights) -> None:
    made = project(nights.db)
    packet(nights.db, made, 1)
    publish(nights.db, made)
    nights.run(made)
    for status, key in (("completed", "a"), ("completed", "b"), ("failed", "c")):
        claim = nights.claimed(enqueue(nights.db, made, key))
        if status == "completed":
            claim.complete()
        else:
            claim.fail("It broke.", permanent=True, retry_base=timedelta(0))
    track(nights.db, made, "waitlist_submit", 2, ago=timedelta(0))
    track(nights.db, made, "traffic", 7, ago=timedelta(0))
    # What was measured before the last night was told then.
    track(nights.db, made, "traffic", 100, ago=timedelta(hours=3))
    nights.db.execute(
        "insert into public.email_jobs (project_id, to_email, subject, html_body, scheduled_for, status, sent_at)"
        " values (%s, 'a@example.org', 's', 'b', now(), 'sent', now())",
        [made],
    )
    with nights.db.transaction() as conn:
        record(conn, made, "email.outbound.failed", "3 mails could not be sent", {"mails": 3})
    nights.db.execute(
        "insert into public.model_calls (project_id, step, agent, model, status, reserved_micros, reserved_tokens,"
        " cost_micros, settled_at) values (%s, 's', 'ceo', 'm', 'settled', 900000, 1, 123456, now())",
        [made],
    )
    second = nights.run(made, DAY + timedelta(days=1))
    assert (
        second["report"]["summary"]
        .partition(" UTC: ")[2]
        .startswith(
            "2 jobs completed, 1 job failed, 1 mail sent, 3 mails failed, 7 visits, 2 leads, $0.12 spent on models,"
            " 1 approval waiting. There is nothing new to propose."
        )
    )
    third = nights.run(made, DAY + timedelta(days=2))
    assert third["look"]["activity"]["since"] == second["look"]["activity"]["until"]
    assert third["look"]["activity"]["jobs_completed"] == 0


def test_a_mail_count_that_is_no_number_counts_as_one(nights: Nights) -> None:
    made = project(nights.db)
    packet(nights.db, made, 1)
    with nights.db.transaction() as conn:
        for odd in ({}, {"mails": "many"}, {"mails": None}, {"mails": [1]}):
            record(conn, made, "email.outbound.failed", "failed", odd)
    assert nights.run(made)["look"]["activity"]["mails_failed"] == 4


def test_a_cycle_of_another_client_is_where_the_next_one_begins(nights: Nights) -> None:
    made = project(nights.db)
    packet(nights.db, made, 1)
    with nights.db.transaction() as conn:
        record(conn, made, "nightshift.cycle_completed", "done", {"until": "yesterday"})
    (foreign,) = events(nights.db, made, "nightshift.cycle_completed")
    assert nights.run(made)["look"]["activity"]["since"] == foreign["created_at"].isoformat()


# --- days


@pytest.mark.parametrize(
    ("payload", "key", "expected"),
    [
        ({"day": "2026-03-01"}, "nightshift:{p}:2026-03-07", "2026-03-01"),
        ({}, "nightshift:{p}:2026-03-29", "2026-03-29"),
        # ISO week 53 of 2026 reaches into 2027; a night is a day, and knows no week.
        ({}, "nightshift:{p}:2027-01-01", "2027-01-01"),
        ({}, "nightshift:{p}:2026-13-45", None),
        ({}, "recur:17", None),
    ],
)
def test_the_day_is_that_of_the_schedule(
    nights: Nights, payload: dict[str, Any], key: str, expected: str | None
) -> None:
    made = project(nights.db)
    job_id = enqueue(
        nights.db,
        made,
        key.format(p=made),
        {"projectId": str(made), **payload},
        job_type="nightshift.cycle_project",
    )
    claim = nights.claimed(job_id)
    wanted = claim.job.created_at.date() if expected is None else date.fromisoformat(expected)
    assert nights.night(claim).day == wanted


# --- crashes


def test_an_attempt_after_each_step_repeats_none(nights: Nights) -> None:
    made = eventful(nights.db)
    undisturbed = eventful(nights.db)
    nights.run(undisturbed)
    claim = nights.claimed(nights.queued(made))
    for name, _, _ in STEPS[1:]:
        run_steps(nights.night(claim), until=name)
        claim = nights.reclaimed(claim)
    run_steps(nights.night(claim))
    claim.complete()
    assert counts(nights.db, made) == counts(nights.db, undisturbed)


class Killed(BaseException):
    """Stands for `kill -9`: nothing catches it."""


class Breaking:
    """A connection that dies after so many statements."""

    def __init__(self, conn: Any, statements: int) -> None:
        self._conn = conn
        self.left = statements

    def execute(self, *arguments: Any, **options: Any) -> Any:
        if self.left == 0:
            raise Killed
        self.left -= 1
        return self._conn.execute(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)


@pytest.mark.parametrize("broken", [name for name, _, transactional in STEPS if transactional])
def test_a_death_between_any_two_statements_leaves_nothing_half_done(nights: Nights, broken: str) -> None:
    made, undisturbed = eventful(nights.db), eventful(nights.db)
    nights.run(undisturbed)
    claim = nights.claimed(nights.queued(made))
    night = nights.night(claim)
    outputs = run_steps(night, until=broken)
    needs = next(needs for name, needs, _ in STEPS if name == broken)
    before = counts(nights.db, made)
    statements = 0
    while True:
        breaking: list[Breaking] = []

        def dying(conn: Any, after: int = statements, made: list[Breaking] = breaking) -> Json:
            made.append(Breaking(conn, after))
            result: Json = getattr(night, broken)(made[0], *[outputs[need] for need in needs])
            if made[0].left == 0:
                raise Killed  # between the last statement and the checkpoint
            return result

        try:
            claim.once_in_transaction(broken, dying)
        except Killed:
            assert counts(nights.db, made) == before
            statements += 1
        else:
            break
    assert statements > 2, "nothing was interrupted"
    run_steps(night)
    claim.complete()
    assert counts(nights.db, made) == counts(nights.db, undisturbed)


def test_a_worker_that_was_overtaken_changes_nothing(nights: Nights) -> None:
    made = eventful(nights.db)
    stale = nights.claimed(nights.queued(made))
    zombie = nights.night(stale)
    seen = run_steps(zombie, until="propose")["look"]
    claim = nights.reclaimed(stale)
    outputs = run_steps(nights.night(claim))
    claim.complete()
    before = counts(nights.db, made)
    for name, inputs in (("propose", [seen]), ("report", [seen, outputs["propose"]])):
        with pytest.raises(LeaseLost), stale.transaction() as conn:
            getattr(zombie, name)(conn, *inputs)
    assert counts(nights.db, made) == before


def test_a_failure_for_good_is_listed_and_forgotten_once_it_is_made_good(nights: Nights) -> None:
    made = eventful(nights.db)
    claim = nights.claimed(nights.queued(made))
    claim.fail(
        "It broke.",
        permanent=True,
        retry_base=timedelta(0),
        also=lambda conn, _status: list_failure(conn, made, claim.job_id, "It broke."),
    )
    failed = [row for row in rows(nights.db, "tasks", made) if row["description"] == "nightshift_failed"]
    assert [(row["status"], row["detail"]) for row in failed] == [("failed", "It broke.")]
    queue.retry(nights.db, claim.job_id)
    run_steps(nights.night(nights.claimed(claim.job_id)))
    assert Counter(row["description"] for row in rows(nights.db, "tasks", made)) == {"nightshift_summary": 1}
