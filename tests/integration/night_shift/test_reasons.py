"""Each candidate of a night that becomes no approval says why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

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
    busy,
    decide,
    ready,
)
from tests.support.night import ALLOWED, DAY, FORBIDDEN, Nights, action, packet, project, publish, reader


def test_a_gate_that_waits_does_not_stop_the_night(nights: Nights) -> None:
    made = ready(nights.db, phase=2)
    version = packet(nights.db, made, 2, action(ADS))
    nights.db.execute(
        "insert into public.approval_queue (project_id, packet_version_id, phase, title, description, risk, type,"
        " action_type) values (%s, %s, 2, 't', 'd', 'low', 'phase_advance', 'phase2_distribute_review')",
        [made, version],
    )
    assert nights.outcomes(made)[ADS][0] == "proposed"


@pytest.mark.parametrize(
    ("name", "phase", "without"),
    [
        (WELCOME, 1, "The project does not permit email_send."),
        (LIFECYCLE, 2, "The project does not permit email_send."),
        (ADS, 2, "The project does not permit ads_enabled."),
        (REPO, 3, "The project does not permit repo_write."),
        (DEPLOY, 3, "The project does not permit deploy."),
    ],
)
def test_what_is_not_permitted_is_skipped_and_says_so(nights: Nights, name: str, phase: int, without: str) -> None:
    made = ready(nights.db, permissions=FORBIDDEN)
    packet(nights.db, made, phase, action(name))
    assert nights.outcomes(made) == {name: ("skipped", without)}
    assert approvals(nights.db, made) == []


@pytest.mark.parametrize(
    ("name", "columns", "why"),
    [
        (ADS, {"permissions": {**ALLOWED, "ads_budget_cap": 0}}, "The project's cap for ads is 0."),
        (REPO, {"repo_url": None}, "The project has no repository."),
        (LANDING, {"runtime_mode": "attached"}, "The project's runtime mode is attached, and"),
        (LIFECYCLE, {"phase": 1}, "Phase 2 (distribute) is not reached yet."),
        (DEPLOY, {"phase": 2}, "Phase 3 (go live) is not reached yet."),
    ],
)
def test_each_condition_is_named(nights: Nights, name: str, columns: dict[str, Any], why: str) -> None:
    made = ready(nights.db, **columns)
    for phase in (1, 2, 3):
        packet(nights.db, made, phase, action(name))
    (ending, said) = nights.outcomes(made)[name]
    assert ending == "skipped"
    assert said.startswith(why)
    assert approvals(nights.db, made) == []


NO_ADS = {"enabled": False, "budget_cap_per_day": 0.0}


def test_ads_that_the_packet_runs_none_of_are_proposed_in_no_night(nights: Nights) -> None:
    made = ready(nights.db, phase=2)
    packet(nights.db, made, 2, action(ADS), paid_acquisition=NO_ADS)
    for night in range(2):
        ending, why = nights.outcomes(made, DAY + timedelta(days=night))[ADS]
        assert (ending, "Have Phase 2 revised" in why) == ("skipped", True)
    assert approvals(nights.db, made) == []


def test_what_could_not_be_carried_out_waits_for_no_other_night(nights: Nights) -> None:
    made = ready(nights.db, phase=3, repo_url="https://git.example.org/a/b")
    packet(nights.db, made, 2, *map(action, (LIFECYCLE, ADS)), paid_acquisition=NO_ADS)
    packet(nights.db, made, 3, *map(action, (REPO, DEPLOY, REFINE)))
    found = nights.outcomes(made)
    assert "Have Phase 2 revised" in found[ADS][1]
    assert "names no repository on GitHub" in found[REPO][1]
    # All the room there is has gone before the ads are looked at.
    assert [name for name, (ending, _) in found.items() if ending == "proposed"] == [DEPLOY, REFINE, LIFECYCLE]


def test_nothing_to_carry_out_is_a_reason(nights: Nights) -> None:
    made = project(nights.db, phase=2)
    busy(nights.db, made)
    reader(nights.db, made, "pending")
    reader(nights.db, made, "unsubscribed")
    packet(nights.db, made, 1, *map(action, (LANDING, WELCOME)))
    packet(nights.db, made, 2, action(LIFECYCLE))
    found = nights.outcomes(made)
    assert found[LANDING] == ("skipped", "No draft of the landing page has been chosen yet.")
    assert found[WELCOME] == ("skipped", "Nobody has joined the waitlist, and no page is published to join it on.")
    assert found[LIFECYCLE] == ("skipped", "Nobody has confirmed a place on the waitlist to write to.")


def test_an_action_of_a_phase_without_a_packet_has_nothing_to_carry_out(nights: Nights) -> None:
    made = ready(nights.db, phase=3)
    packet(nights.db, made, 1, action(ADS))
    assert nights.outcomes(made)[ADS] == ("skipped", "There is no phase 2 packet that it could carry out.")


def test_a_page_that_is_published_is_not_published_again(nights: Nights) -> None:
    made = ready(nights.db, phase=1)
    publish(nights.db, made, "a" * 64)
    packet(nights.db, made, 1, action(LANDING))
    assert nights.outcomes(made)[LANDING] == ("skipped", "This very page is published already.")


def test_what_was_denied_is_not_proposed_again_until_there_is_a_new_version(nights: Nights) -> None:
    made = ready(nights.db, phase=2)
    packet(nights.db, made, 2, action(ADS))
    nights.run(made)
    decide(nights, approvals(nights.db, made)[0], "denied")
    for night in range(1, 3):
        assert nights.outcomes(made, DAY + timedelta(days=night))[ADS] == (
            "skipped",
            "A person has said no to this already.",
        )
    assert len(approvals(nights.db, made)) == 1


def test_what_was_carried_out_rests_for_a_week(nights: Nights) -> None:
    made = ready(nights.db, phase=2)
    packet(nights.db, made, 2, action(ADS))
    nights.run(made)
    (approval,) = approvals(nights.db, made)
    decide(nights, approval, "approved")
    nights.db.execute(
        "insert into public.action_executions (approval_id, project_id, action_type, status)"
        " values (%s, %s, %s, 'completed')",
        [approval["id"], made, ADS],
    )
    nights.db.execute("update public.approval_queue set execution_status = 'completed' where project_id = %s", [made])
    packet(nights.db, made, 2, action(ADS))
    ending, why = nights.outcomes(made, NEXT)[ADS]
    assert (ending, "the figures need 7 days" in why) == ("skipped", True)
    nights.db.execute("alter table public.action_executions disable trigger user")
    nights.db.execute("update public.action_executions set updated_at = now() - interval '8 days'")
    nights.db.execute("alter table public.action_executions enable trigger user")
    assert nights.outcomes(made, DAY + timedelta(days=9))[ADS][0] == "proposed"
