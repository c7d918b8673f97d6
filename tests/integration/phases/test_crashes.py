"""Phases 1 to 3 survive their own crashes: nothing is paid twice, nothing is shown as done that was not."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from studio import queue
from studio.errors import LeaseLost, ModelAnswerInvalid, ModelUnavailable
from studio.packets import versions
from studio.phases.common import list_failure
from tests.support.model import Recorder, ledger
from tests.support.phase0 import asked, events, gates, rows
from tests.support.phases import PARTS, STEPS, Founding, run_steps
from tests.support.sandbox import SandboxThread


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_an_attempt_after_each_step_repeats_none(studio: Founding, sandbox: SandboxThread, phase: int) -> None:
    project_id = studio.in_phase(phase, permissions={"email_send": True}, email="founder@example.org")
    claim = studio.enqueued(project_id, phase)
    outputs: list[dict[str, Any]] = []
    for step in STEPS[1:]:
        outputs.append(run_steps(studio.phase(claim), until=step.name))
        claim = studio.reclaimed(claim)
    outputs.append(run_steps(studio.phase(claim)))
    claim.complete()
    assert all(
        later[name] == value for earlier, later in itertools.pairwise(outputs) for name, value in earlier.items()
    )
    db = studio.db
    made = asked(sandbox)
    once = PARTS + Counter(["PhaseSynopsis", "BrandDeckSpec"]) if phase == 1 else Counter([f"Phase{phase}Plan"])
    assert {title: made[title] for title in once} == once
    assert len(ledger(db, project_id)) == made.total()
    assert [version.version for version in versions.history(db, project_id, phase)] == [1]
    types = Counter(row["type"] for row in gates(db, project_id))
    assert types["phase_advance"] == 1
    assert all(row["status"] == "pending" for row in gates(db, project_id))
    assert len(rows(db, "email_jobs", project_id)) == 1
    assert len(events(db, project_id, "phase.packet_generated")) == 1
    paths = [row["storage_path"] for row in rows(db, "project_assets", project_id)]
    assert len(paths) == len(set(paths)) == sum(e["status"] == "stored" for e in listed(studio, project_id, phase))


@pytest.mark.parametrize("broken", [*sorted(PARTS), "PhaseSynopsis"])
def test_a_part_that_was_paid_for_is_not_paid_for_again(studio: Founding, sandbox: SandboxThread, broken: str) -> None:
    project_id = studio.in_phase(1)
    claim = studio.enqueued(project_id, 1)
    sandbox.fault("status", status=503, match=f'"title":"{broken}"')
    with pytest.raises(ModelUnavailable):
        run_steps(studio.phase(claim), until="save_packet")
    # The others were not abandoned in the middle.
    answered = Counter(entry["schema_title"] for entry in sandbox.requests() if entry["status"] == 200)
    assert answered == (PARTS - Counter([broken]) if broken in PARTS else PARTS)
    run_steps(studio.phase(studio.reclaimed(claim)), until="save_packet")
    answered = Counter(entry["schema_title"] for entry in sandbox.requests() if entry["status"] == 200)
    assert answered == PARTS + Counter(["PhaseSynopsis"])


@pytest.mark.parametrize("broken", ['"name":"web_search"', '"title":"Phase2Plan"'])
def test_a_research_that_was_paid_for_is_not_paid_for_again(
    studio: Founding, sandbox: SandboxThread, broken: str
) -> None:
    project_id = studio.in_phase(2)
    claim = studio.enqueued(project_id, 2)
    sandbox.fault("status", status=503, match=broken)
    with pytest.raises(ModelUnavailable):
        run_steps(studio.phase(claim), until="save_packet")
    run_steps(studio.phase(studio.reclaimed(claim)), until="save_packet")
    answered = Counter(entry["schema_title"] for entry in sandbox.requests() if entry["status"] == 200)
    assert answered == Counter({None: 1, "Phase2Plan": 1})


def test_an_answer_whose_checkpoint_stands_is_taken_after_a_crash_before_the_steps_own(
    studio: Founding, sandbox: SandboxThread
) -> None:
    project_id = studio.in_phase(2)
    claim = studio.enqueued(project_id, 2)
    attempt = studio.phase(claim)
    context = run_steps(attempt, until="research")["load_context"]
    found = attempt.research(context)
    attempt.generate(context, found)
    sandbox.clear()
    run_steps(studio.phase(studio.reclaimed(claim)), until="save_packet")
    assert asked(sandbox) == Counter()


def test_a_worker_that_lost_its_claim_changes_nothing_and_asks_nothing(
    studio: Founding, sandbox: SandboxThread
) -> None:
    project_id = studio.in_phase(1)
    stale = studio.enqueued(project_id, 1)
    zombie = studio.phase(stale)
    outputs = run_steps(zombie, until="save_packet")
    context, generated = outputs["load_context"], outputs["generate"]
    current = studio.reclaimed(stale)
    saved = run_steps(studio.phase(current), until="landing")["save_packet"]
    sandbox.clear()
    for work in (
        lambda: stale.once_in_transaction("again", lambda conn: zombie.save_packet(conn, context, generated)),
        lambda: zombie.brand_brief(context, saved),
        lambda: zombie.deck(saved),
        lambda: stale.once_in_transaction("again", lambda conn: zombie.open_gate(conn, saved, [])),
    ):
        with pytest.raises(LeaseLost):
            work()
    assert asked(sandbox) == Counter()
    assert rows(studio.db, "project_assets", project_id) == []
    assert gates(studio.db, project_id) == []
    assert studio.latest(project_id, 1).version == 1


def test_a_packet_that_a_newer_one_overtook_does_not_take_its_place(studio: Founding, sandbox: SandboxThread) -> None:
    project_id = studio.in_phase(1, permissions={"email_send": True})
    slow = studio.enqueued(project_id, 1)
    run_steps(studio.phase(slow), until="landing")
    studio.generate(project_id, 1)
    newer = studio.latest(project_id, 1)
    before = (gates(studio.db, project_id), rows(studio.db, "agent_memory", project_id), listed(studio, project_id, 1))
    sandbox.clear()

    told = Recorder()
    outputs = run_steps(studio.phase(studio.reclaimed(slow), told))

    assert newer.version == 2
    assert outputs["open_gate"] == {
        "approval_id": None,
        "risk": None,
        "outcome": "overtaken",
        "superseded": 0,
        "proposals": [],
    }
    assert outputs["announce"] == {"mail": "no gate"}
    assert [outputs[name] for name in ("landing", "brand_brief", "deck")] == [[], [], []]
    assert asked(sandbox) == Counter(), "deliverables were paid for that nobody will see"
    assert "overtaken" in told.said
    after = (gates(studio.db, project_id), rows(studio.db, "agent_memory", project_id), listed(studio, project_id, 1))
    assert after == before


def test_two_jobs_at_once_leave_one_gate_that_shows_the_latest(studio: Founding) -> None:
    project_id = studio.in_phase(2, permissions={"email_send": True})
    first, second = studio.enqueued(project_id, 2), studio.enqueued(project_id, 2, forceRegenerate=True)
    run_steps(studio.phase(first), until="open_gate")
    run_steps(studio.phase(second), until="open_gate")
    run_steps(studio.phase(first))
    run_steps(studio.phase(second))
    pending = [row for row in gates(studio.db, project_id) if row["status"] == "pending"]
    assert {row["action_type"] for row in pending} == {"phase2_distribute_review", "send_phase2_lifecycle_email"}
    assert {row["packet_version_id"] for row in pending} == {studio.latest(project_id, 2).id}


def test_a_failure_is_listed_by_its_phase_and_forgotten_with_success(studio: Founding, sandbox: SandboxThread) -> None:
    project_id = studio.in_phase(3)
    claim = studio.enqueued(project_id, 3)
    sandbox.fault("not_json", match='"title":"Phase3Plan"', times=2)
    with pytest.raises(ModelAnswerInvalid) as caught:
        run_steps(studio.phase(claim))
    said = str(caught.value)
    claim.fail(
        said,
        permanent=True,
        retry_base=timedelta(0),
        also=lambda conn, _status: list_failure(conn, project_id, claim.job_id, said),
    )
    tasks = {row["description"]: (row["status"], row["error"]) for row in rows(studio.db, "tasks", project_id)}
    assert tasks["phase3_failed"] == ("failed", said)
    assert tasks["phase3_launch_readiness"] == ("failed", said)
    assert versions.latest(studio.db, project_id, 3) is None
    assert gates(studio.db, project_id) == []

    queue.retry(studio.db, claim.job_id)
    again = studio.claimed(claim.job_id)
    run_steps(studio.phase(again))
    again.complete()
    assert {row["status"] for row in rows(studio.db, "tasks", project_id)} == {"completed"}


def listed(studio: Founding, project_id: Any, phase: int) -> list[dict[str, Any]]:
    return list(studio.deliverables(project_id, phase).values())
