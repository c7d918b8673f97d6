"""The summary of a night counts in real numbers what has happened since the last one."""

from __future__ import annotations

from datetime import timedelta

from studio.project_events import record
from tests.integration.night_shift.traces import events
from tests.support.night import DAY, Nights, packet, project, publish, track
from tests.support.queue import enqueue


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
