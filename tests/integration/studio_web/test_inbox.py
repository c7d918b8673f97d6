"""What waits is shown with exactly what a yes carries out, and decided once, on the version that was shown."""

from __future__ import annotations

from uuid import uuid4

import pytest

from studio.decisions import decide
from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import company
from tests.support.approvals import DEPLOY, EMAIL


def test_the_inbox_lists_the_owners_approvals_and_filters_them(desk: Desk) -> None:
    firm, other, foreign = company(desk), company(desk), company(desk, "bob")
    gate, asked, elsewhere = firm.gate(), firm.asked(EMAIL), other.gate()
    hidden = foreign.gate()
    listed = [one["id"] for one in desk.ada.get("/api/inbox?limit=200").json()["approvals"]]
    assert {str(gate.id), str(asked.id), str(elsewhere.id)} <= set(listed)
    assert str(hidden.id) not in listed
    mine = desk.ada.get(f"/api/inbox?projectId={firm.id}&status=pending").json()["approvals"]
    assert {one["id"] for one in mine} == {str(gate.id), str(asked.id)}
    assert desk.ada.get(f"/api/inbox?projectId={firm.id}&status=denied").json()["approvals"] == []
    assert desk.ada.get(f"/api/inbox?projectId={foreign.id}").json()["approvals"] == []
    assert desk.ada.get("/api/inbox?status=open").status_code == 422


def test_an_approval_shows_what_it_rests_on_and_what_it_would_carry_out(desk: Desk) -> None:
    firm = company(desk)
    packet = firm.packet()
    _, digest = firm.page()
    asked = firm.asked(DEPLOY)
    shown = desk.ada.get(f"/api/inbox/{asked.id}").json()
    assert shown["contentHash"] == digest
    assert shown["payload"]["executes"]
    assert shown["packet"]["id"] == str(packet.id)
    assert shown["packet"]["costMicros"] == 1500
    assert shown["outcome"] is None
    assert shown["projectName"]


def test_an_approved_gate_moves_the_project_on(desk: Desk) -> None:
    firm = company(desk, phase=0)
    gate = firm.gate()
    said = {"decision": "approved", "version": gate.version, "unheardOf": True}
    made = desk.ada.post(f"/api/inbox/{gate.id}/decision", json=said).json()
    assert made == {
        "ok": True,
        "approvalId": str(gate.id),
        "status": "approved",
        "version": gate.version + 1,
        "projectId": str(firm.id),
        "projectPhase": 1,
        "jobId": made["jobId"],
        "jobOutcome": "created",
        "phase0RelaunchRequired": False,
    }
    job = desk.ada.get(f"/api/jobs/{made['jobId']}").json()
    assert (job["jobType"], job["payload"]["phase"]) == ("phase.generate_packet", 1)
    assert desk.ada.get(f"/api/inbox/{gate.id}").json()["decidedBy"] == "ada"


def test_an_approved_action_is_carried_out_by_a_job(desk: Desk) -> None:
    firm = company(desk)
    firm.packet()
    asked = firm.asked(EMAIL)
    made = desk.ada.post(f"/api/inbox/{asked.id}/decision", json={"decision": "approved", "version": 1}).json()
    assert desk.ada.get(f"/api/jobs/{made['jobId']}").json()["jobType"] == "approval.execute"
    shown = desk.ada.get(f"/api/inbox/{asked.id}").json()
    assert shown["executionStatus"] == "queued"
    assert [step["kind"] for step in shown["outcome"]["steps"]] == ["follow_job"]


def test_a_revised_phase_0_is_launched_again_on_the_server(desk: Desk) -> None:
    firm = company(desk, phase=0)
    gate = firm.gate()
    body = {"decision": "revised", "version": gate.version, "guidance": "Aim it at schools."}
    made = desk.ada.post(f"/api/inbox/{gate.id}/decision", json=body).json()
    assert made["phase0RelaunchRequired"] is False
    job = desk.ada.get(f"/api/jobs/{made['jobId']}").json()
    assert (job["jobType"], job["payload"]["revisionGuidance"]) == ("phase0.generate_packet", "Aim it at schools.")


def test_a_revision_needs_guidance(desk: Desk) -> None:
    gate = company(desk, phase=0).gate()
    for given in ({}, {"guidance": "x"}, {"guidance": "  short  "}):
        body = {"decision": "revised", "version": gate.version, **given}
        answer = desk.ada.post(f"/api/inbox/{gate.id}/decision", json=body)
        assert answer.status_code == 422
    assert "at least 8 characters" in answer.json()["error"]


def test_another_version_is_a_conflict_that_names_the_one_to_look_at(desk: Desk) -> None:
    firm = company(desk)
    firm.gate()
    moved = firm.gate()
    answer = desk.ada.post(f"/api/inbox/{moved.id}/decision", json={"decision": "approved", "version": 1})
    assert answer.status_code == 409
    assert answer.json()["expectedVersion"] == moved.version == 2
    assert answer.json()["error"]
    assert desk.ada.get(f"/api/inbox/{moved.id}").json()["status"] == "pending"


@pytest.mark.parametrize("first", ["approved", "denied"])
@pytest.mark.parametrize("second", ["approved", "denied", "revised"])
def test_what_is_decided_is_not_decided_again(desk: Desk, first: str, second: str) -> None:
    firm = company(desk)
    gate = firm.gate()
    made = decide(desk.db, gate.id, first, version=gate.version, decided_by="ada")  # type: ignore[arg-type]
    jobs = len(firm.rows("agent_jobs"))
    for version in (gate.version, made.version):
        body = {"decision": second, "version": version, "guidance": "Aim it at schools."}
        answer = desk.ada.post(f"/api/inbox/{gate.id}/decision", json=body)
        assert answer.status_code == 409
        assert answer.json()["expectedVersion"] == made.version
    assert len(firm.rows("agent_jobs")) == jobs


def test_a_project_that_is_paused_decides_nothing(desk: Desk) -> None:
    firm = company(desk)
    gate = firm.gate()
    desk.ada.post(f"/api/projects/{firm.id}/life", json={"action": "pause"})
    answer = desk.ada.post(f"/api/inbox/{gate.id}/decision", json={"decision": "approved", "version": gate.version})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decision": "maybe", "version": 1},
        {"decision": "approved"},
        {"decision": "approved", "version": 0},
        {"decision": "approved", "version": 2**31},
        {"decision": "approved", "version": 1, "guidance": "x" * 2001},
        {"decision": "approved", "version": 1, "guidance": "a\0b"},
    ],
)
def test_what_is_no_decision_is_refused(desk: Desk, body: object) -> None:
    gate = company(desk).gate()
    assert desk.ada.post(f"/api/inbox/{gate.id}/decision", json=body).status_code == 422


def test_an_approval_that_does_not_exist_is_missing(desk: Desk) -> None:
    missing = uuid4()
    assert desk.ada.get(f"/api/inbox/{missing}").status_code == 404
    body = {"decision": "approved", "version": 1}
    assert desk.ada.post(f"/api/inbox/{missing}/decision", json=body).status_code == 404
