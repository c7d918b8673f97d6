"""What can be executed becomes an approval, pinned to what would be carried out, three a night at the most."""

from __future__ import annotations

from datetime import date

from studio.packets import versions
from tests.integration.night_shift.candidates import (
    ADS,
    DEPLOY,
    LANDING,
    LIFECYCLE,
    NEXT,
    REFINE,
    REPO,
    WELCOME,
    approvals,
    decide,
    ready,
)
from tests.support.night import Nights, action, draft, packet, project, publish, reader, rows, run_steps, track


def test_a_typed_action_becomes_an_approval_pinned_to_the_latest_version(nights: Nights) -> None:
    made = ready(nights.db, phase=2)
    packet(nights.db, made, 2, action(ADS))
    latest = packet(nights.db, made, 2, action(ADS, "Try a small campaign", "Clicks are cheap"))
    assert nights.outcomes(made)[ADS][0] == "proposed"
    (found,) = approvals(nights.db, made)
    assert found["packet_version_id"] == latest
    assert versions.get(nights.db, found["packet_version_id"]).version == 2
    assert (found["status"], found["risk"], found["phase"], found["agent_source"]) == (
        "pending",
        "high",
        2,
        "night_shift",
    )
    # The title is the studio's own; what a model wrote is the description.
    assert found["title"] == "Create the ad campaign, paused"
    assert found["description"] == "Try a small campaign. Clicks are cheap"
    assert (found["payload"]["derived_action"], found["payload"]["night"]) == ("packet:2:2", "2026-03-01")


def test_a_landing_page_is_pinned_to_its_draft_and_hash(nights: Nights) -> None:
    made = project(nights.db)
    packet(nights.db, made, 1)
    draft(nights.db, made, "a" * 64)
    newest = draft(nights.db, made, "b" * 64)
    nights.db.execute(
        "update public.project_assets set created_at = now() + interval '1 second' where id = %s", [newest]
    )
    # No visit, and no page to visit: the rule asks for the page.
    assert nights.outcomes(made)[LANDING][0] == "proposed"
    (found,) = approvals(nights.db, made)
    assert (found["asset_id"], found["content_hash"]) == (newest, "b" * 64)


def test_what_the_night_proposed_can_be_approved_and_queues_its_execution(nights: Nights) -> None:
    made = ready(nights.db)
    packet(nights.db, made, 1, action(LANDING))
    packet(nights.db, made, 2, action(LIFECYCLE))
    packet(nights.db, made, 3, action(DEPLOY))
    nights.run(made)
    found = approvals(nights.db, made)
    assert {row["action_type"] for row in found} == {LANDING, LIFECYCLE, DEPLOY}
    for row in found:
        decide(nights, row, "approved")
    queued = [row for row in rows(nights.db, "agent_jobs", made) if row["job_type"] == "approval.execute"]
    assert {row["payload"]["actionType"] for row in queued} == {LANDING, LIFECYCLE, DEPLOY}


def test_a_refinement_carries_its_guidance(nights: Nights) -> None:
    made = project(nights.db)
    packet(nights.db, made, 1)
    publish(nights.db, made)
    track(nights.db, made, "traffic", 40)
    assert nights.outcomes(made)[REFINE][0] == "proposed"
    found = next(row for row in approvals(nights.db, made) if row["action_type"] == REFINE)
    assert found["payload"]["guidance"] == (
        "Rework the landing page so that more of its visitors join the waitlist. 40 visits in 7 days, and no lead."
    )
    decide(nights, found, "approved")


def test_rules_come_first_and_three_are_enough(nights: Nights) -> None:
    made = project(nights.db, phase=3)
    reader(nights.db, made)
    publish(nights.db, made, "c" * 64)
    draft(nights.db, made)
    track(nights.db, made, "traffic", 40)
    for phase, actions in ((1, (LANDING,)), (2, (ADS,)), (3, (REPO, DEPLOY))):
        packet(nights.db, made, phase, *map(action, actions))
    found = nights.outcomes(made)
    assert [name for name, (ending, _) in found.items() if ending == "proposed"] == [REFINE, LIFECYCLE, REPO]
    assert found[DEPLOY] == found[ADS] == ("skipped", "3 are proposed this night already; it waits for the next.")
    # The next night goes on with the rest; what waits does not take its room.
    later = nights.outcomes(made, NEXT)
    assert [name for name, (ending, _) in later.items() if ending == "proposed"] == [DEPLOY, ADS, LANDING]
    assert later[REFINE][0] == later[LIFECYCLE][0] == later[REPO][0] == "pending"


def test_a_second_run_of_the_same_night_proposes_no_three_more(nights: Nights) -> None:
    made = ready(nights.db)
    packet(nights.db, made, 3, *map(action, (REPO, DEPLOY, REFINE)))
    packet(nights.db, made, 2, *map(action, (ADS, LIFECYCLE)))
    job_id = nights.queued(made)
    claim = nights.claimed(job_id)
    run_steps(nights.night(claim))
    with nights.db.transaction() as conn:
        claim.forget_steps(conn, None)
    outcomes = run_steps(nights.night(claim))["propose"]["outcomes"]
    assert [o["ending"] for o in outcomes] == ["pending", "pending", "pending", "skipped", "skipped"]
    assert len(approvals(nights.db, made)) == 3


def test_a_day_is_that_of_the_schedule_not_of_the_clock(nights: Nights) -> None:
    made = ready(nights.db, phase=1)
    packet(nights.db, made, 1, action(WELCOME))
    nights.run(made, date(2021, 1, 3))
    assert approvals(nights.db, made)[0]["payload"]["night"] == "2021-01-03"
