"""A decision on a gate moves the project, is recorded with who, when and why, and queues what follows."""

from __future__ import annotations

import pytest

from studio import lifecycle
from studio.errors import Conflict, PermissionRefused
from tests.integration.approvals.decisions.deciding import MakeCompany, decide, fits_the_registry
from tests.support.approvals import FOUNDER, Company


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_an_approved_gate_moves_the_project_on_and_generates_the_next_packet(
    make_company: MakeCompany, phase: int
) -> None:
    company = make_company(phase=phase)
    made = decide(company, company.gate(), "approved")
    assert (made.status, made.version, made.project_phase, made.job_outcome) == ("approved", 2, phase + 1, "created")
    assert company.row("phase")["phase"] == phase + 1
    (job,) = company.jobs("phase.generate_packet")
    assert job["id"] == made.job_id
    assert job["idempotency_key"] == f"phasegen:{company.id}:{phase + 1}"
    assert job["payload"] == {"projectId": str(company.id), "phase": phase + 1, "forceRegenerate": False}
    fits_the_registry(job)


def test_the_last_gate_ends_in_live_without_another_packet(make_company: MakeCompany) -> None:
    company = make_company(phase=3)
    made = decide(company, company.gate(), "approved")
    assert (made.project_phase, made.job_id, made.job_outcome) == (4, None, None)
    assert company.row("phase")["phase"] == 4
    assert company.jobs("phase.generate_packet") == []


@pytest.mark.parametrize(("phase", "project_phase"), [(0, 1), (1, 3), (2, 1), (3, 4)])
def test_a_gate_of_another_phase_moves_nothing(make_company: MakeCompany, phase: int, project_phase: int) -> None:
    company = make_company(phase=phase)
    gate = company.gate()
    company.db.execute("update public.projects set phase = %s where id = %s", [project_phase, company.id])
    before = company.snapshot()
    with pytest.raises(Conflict, match=f"gate of phase {phase}, but the project is in phase {project_phase}"):
        decide(company, gate, "approved")
    assert company.snapshot() == before


def test_a_decision_names_who_when_and_why(company: Company) -> None:
    company.db.execute("insert into public.users (clerk_id) values (%s) on conflict do nothing", [FOUNDER])
    gate = company.gate()
    made = decide(company, gate, "denied", guidance="  The market is too small. ")
    row = company.rows("approval_queue")[0]
    assert (row["decided_by"], row["guidance"]) == (FOUNDER, "The market is too small.")
    assert row["decided_at"] == row["resolved_at"]
    assert row["resolved_by"] is not None
    (event,) = company.events("approval.decided")
    assert event["data"] == {
        "approval_id": str(gate.id),
        "type": "phase_advance",
        "action_type": "phase1_validate_review",
        "phase": 1,
        "decision": "denied",
        "version": made.version,
        "decided_by": FOUNDER,
        "guidance": "The market is too small.",
        "packet_version_id": str(gate.packet_version_id),
        "packet_version": 1,
        "project_phase": 1,
    }
    assert [(t["description"], t["status"]) for t in company.rows("tasks")] == [("approval_decision", "completed")]
    assert [(t["step"], t["status"]) for t in company.rows("task_log")] == [("approval_decision", "completed")]


def test_a_denied_gate_is_remembered_and_moves_nothing(company: Company) -> None:
    made = decide(company, company.gate(), "denied", guidance="The market is too small.")
    assert (made.project_phase, made.job_id) == (1, None)
    (memory,) = company.rows("agent_memory")
    assert (memory["category"], memory["key"]) == ("decision", "denied_phase1_validate_review")
    assert "The market is too small." in memory["value"]
    assert "packet version 1" in memory["value"]


def test_a_next_packet_that_failed_before_is_queued_again(company: Company) -> None:
    gate = company.gate()
    with company.db.transaction() as conn:
        conn.execute(
            "insert into public.agent_jobs (project_id, job_type, agent_key, status, idempotency_key)"
            " values (%s, 'phase.generate_packet', 'ceo', 'failed', %s)",
            [company.id, f"phasegen:{company.id}:2"],
        )
    made = decide(company, gate, "approved")
    assert made.job_outcome == "revived"
    assert [job["status"] for job in company.jobs("phase.generate_packet")] == ["queued"]


def test_a_paused_project_does_not_go_live(make_company: MakeCompany) -> None:
    company = make_company(phase=3)
    gate = company.gate()
    lifecycle.set_status(company.db, company.id, "paused", FOUNDER)
    with pytest.raises(PermissionRefused, match="projects resume"):
        decide(company, gate, "approved")
    assert company.row("phase")["phase"] == 3
