"""A decision is made once, on what was shown, and what follows from it happens with it or not at all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from studio import approvals, decisions, lifecycle, permissions, queue
from studio.database.connection import Database
from studio.decisions import Decision
from studio.errors import (
    Conflict,
    DecisionConflict,
    InvalidInput,
    NotFound,
    PermissionRefused,
)
from studio.job_types import GUIDANCE_LIMIT, JOB_TYPES, dump_payload, parse_payload
from tests.support.approvals import ADS, DEPLOY, EMAIL, FOUNDER, GUIDANCE, HOOK, REFINE, REPOSITORY, Company
from tests.support.queue import InBackground, separate_connection, wait_until_blocked
from tests.support.waiting import eventually

MakeCompany = Callable[..., Company]


def decide(company: Company, approval: Any, decision: Any, **more: Any) -> Decision:
    version = more.pop("version", approval.version)
    return decisions.decide(company.db, approval.id, decision, version=version, decided_by=FOUNDER, **more)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Begin all at the same moment; return what each returned, or the conflict or refusal it met."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return work()
        except (DecisionConflict, PermissionRefused, Conflict) as exc:
            return exc

    racers = [InBackground(lambda work=work: run(work)) for work in works]  # type: ignore[misc]
    return [racer.result() for racer in racers]


def fits_the_registry(job: dict[str, Any]) -> None:
    kind = JOB_TYPES[job["job_type"]]
    assert (job["lane"], job["priority"], job["agent_key"]) == (kind.lane, kind.priority, kind.agent_key)
    assert job["max_attempts"] == kind.max_attempts
    # Letter for letter what the registry makes of it: a revive keeps its finished steps then.
    assert job["payload"] == dump_payload(parse_payload(kind, job["project_id"], job["payload"]))


# --- gates


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


# --- revisions


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_a_revised_gate_relaunches_its_phase_on_the_server(make_company: MakeCompany, phase: int) -> None:
    company = make_company(phase=phase)
    gate = company.gate()
    made = decide(company, gate, "revised", guidance=GUIDANCE)
    (job,) = company.jobs("phase.generate_packet")
    assert made.job_id == job["id"]
    assert job["idempotency_key"] == f"phasegen:{company.id}:{phase}:{gate.id}:{gate.version}"
    assert job["payload"] == {
        "projectId": str(company.id), "phase": phase, "forceRegenerate": True, "revisionGuidance": GUIDANCE,
    }  # fmt: skip
    assert company.row("phase")["phase"] == phase
    fits_the_registry(job)


def test_a_revised_gate_of_phase_0_relaunches_it_on_the_server(make_company: MakeCompany) -> None:
    company = make_company(phase=0)
    gate = company.gate()
    made = decide(company, gate, "revised", guidance=GUIDANCE)
    (job,) = company.jobs("phase0.generate_packet")
    assert made.job_id == job["id"]
    assert job["idempotency_key"] == f"phase0:{company.id}:{gate.id}:{gate.version}"
    assert job["payload"] == {
        "projectId": str(company.id), "ownerClerkId": FOUNDER, "forceNewApproval": True, "revisionGuidance": GUIDANCE,
    }  # fmt: skip
    fits_the_registry(job)


@pytest.mark.parametrize("phase", [0, 1, 3])
def test_a_second_revision_is_not_swallowed_by_the_first(make_company: MakeCompany, phase: int) -> None:
    company = make_company(phase=phase)
    gate, job_ids = company.gate(), []
    for _ in range(3):
        made = decide(company, gate, "revised", guidance=GUIDANCE)
        assert made.job_outcome == "created"
        assert made.job_id is not None
        job_ids.append(made.job_id)
        company.db.execute("update public.agent_jobs set status = 'completed' where id = %s", [made.job_id])
        gate = company.gate(company.packet(job_id=made.job_id), supersede=True)
    assert len(set(job_ids)) == 3


def test_a_gate_that_moved_to_a_newer_packet_is_revised_again(company: Company) -> None:
    company.gate()
    moved = company.gate(company.packet())
    assert moved.version == 2
    made = decide(company, moved, "revised", guidance=GUIDANCE)
    assert company.jobs("phase.generate_packet")[0]["idempotency_key"].endswith(f":{moved.id}:2")
    assert made.version == 3


@pytest.mark.parametrize("status", ["queued", "running"])
@pytest.mark.parametrize("phase", [0, 1])
def test_a_revision_while_the_packet_is_being_generated_is_refused(
    make_company: MakeCompany, phase: int, status: str
) -> None:
    company = make_company(phase=phase)
    gate = company.gate()
    job_type = "phase.generate_packet" if phase else "phase0.generate_packet"
    job_id = company.job(job_type, status, **({"phase": phase} if phase else {}))
    before = company.snapshot()
    with pytest.raises(Conflict, match=str(job_id)) as caught:
        decide(company, gate, "revised", guidance=GUIDANCE)
    assert "greenlight jobs tail" in caught.value.remedy
    assert company.snapshot() == before


def test_the_generation_of_another_phase_is_in_no_revisions_way(company: Company) -> None:
    gate = company.gate()
    company.job("phase.generate_packet", "running", phase=2)
    assert decide(company, gate, "revised", guidance=GUIDANCE).job_outcome == "created"


def test_a_revised_action_is_a_new_packet_of_its_phase(company: Company) -> None:
    company.packet()
    approval = company.asked(EMAIL)
    made = decide(company, approval, "revised", guidance=GUIDANCE)
    (job,) = company.jobs("phase.generate_packet")
    assert made.job_id == job["id"]
    assert job["idempotency_key"] == f"phasegen:{company.id}:1:{approval.id}:1"
    assert company.jobs("approval.execute") == []
    row = approvals.get(company.db, approval.id)
    assert (row.status, row.execution_status, row.execution_job_id) == ("revised", "idle", None)


@pytest.mark.parametrize("guidance", [None, "", " \n\t "])
def test_a_revision_needs_guidance(company: Company, guidance: str | None) -> None:
    gate, before = company.gate(), None
    before = company.snapshot()
    with pytest.raises(InvalidInput, match="needs guidance"):
        decide(company, gate, "revised", guidance=guidance)
    assert company.snapshot() == before


def test_guidance_has_a_limit(company: Company) -> None:
    gate = company.gate()
    with pytest.raises(InvalidInput, match=f"at most {GUIDANCE_LIMIT}"):
        decide(company, gate, "revised", guidance="x" * (GUIDANCE_LIMIT + 1))
    assert decide(company, gate, "revised", guidance="x" * GUIDANCE_LIMIT).status == "revised"


# --- actions


def test_an_approved_action_is_queued_for_execution(company: Company) -> None:
    company.packet()
    approval = company.asked(EMAIL)
    made = decide(company, approval, "approved")
    (job,) = company.jobs("approval.execute")
    assert (made.job_id, made.job_outcome) == (job["id"], "created")
    assert job["idempotency_key"] == f"approval:{approval.id}"
    assert job["payload"] == {
        "projectId": str(company.id), "approvalId": str(approval.id), "actionType": EMAIL,
    }  # fmt: skip
    fits_the_registry(job)
    row = approvals.get(company.db, approval.id)
    assert (row.execution_status, row.execution_job_id) == ("queued", made.job_id)
    assert company.row("phase")["phase"] == 1


@pytest.mark.parametrize(
    ("phase", "action", "revoked"),
    [
        (1, EMAIL, {"email_send": False}),
        (2, ADS, {"ads_enabled": False}),
        (2, ADS, {"ads_budget_cap": 0}),
        (3, REPOSITORY, {"repo_write": False}),
        (3, HOOK, {"deploy": False}),
    ],
)
def test_what_was_permitted_when_asked_is_not_approved_when_revoked_since(
    make_company: MakeCompany, phase: int, action: str, revoked: dict[str, Any]
) -> None:
    company = make_company(phase=phase)
    company.packet()
    approval = company.asked(action)
    permissions.change_limits(company.db, company.id, FOUNDER, permissions=revoked)
    before = company.snapshot()
    with pytest.raises(PermissionRefused, match=r"does not permit|cap for ads is 0"):
        decide(company, approval, "approved")
    assert company.snapshot() == before
    assert decide(company, approval, "denied").status == "denied"


def test_a_page_is_not_approved_in_an_attached_runtime_or_when_it_is_gone(company: Company) -> None:
    company.packet()
    asset_id, _ = company.page()
    approval = company.asked(DEPLOY)
    company.db.execute("update public.projects set runtime_mode = 'attached' where id = %s", [company.id])
    with pytest.raises(PermissionRefused, match="needs shared"):
        decide(company, approval, "approved")
    company.db.execute("update public.projects set runtime_mode = 'shared' where id = %s", [company.id])
    company.db.execute("delete from public.project_assets where id = %s", [asset_id])
    with pytest.raises(Conflict, match="names no page"):
        decide(company, approval, "approved")


def test_an_action_of_another_client_that_names_nothing_is_not_approved(company: Company) -> None:
    company.db.execute(
        "insert into public.approval_queue (project_id, phase, title, description, risk, action_type)"
        " values (%s, 1, 'T', 'd', 'low', %s)",
        [company.id, EMAIL],
    )
    (approval,) = approvals.find(company.db, project_id=company.id)
    with pytest.raises(Conflict, match="names no packet"):
        decide(company, approval, "approved")


def test_an_unknown_action_is_not_approved(company: Company) -> None:
    company.db.execute(
        "insert into public.approval_queue (project_id, phase, title, description, risk, action_type)"
        " values (%s, 1, 'T', 'd', 'low', 'launch_rocket')",
        [company.id],
    )
    (approval,) = approvals.find(company.db, project_id=company.id)
    with pytest.raises(PermissionRefused, match="no action launch_rocket"):
        decide(company, approval, "approved")
    assert decide(company, approval, "denied").status == "denied"


# --- conflicts


@pytest.mark.parametrize("first", ["approved", "denied", "revised"])
@pytest.mark.parametrize("second", ["approved", "denied", "revised"])
def test_what_is_decided_is_not_decided_again(company: Company, first: str, second: str) -> None:
    gate = company.gate()
    decide(company, gate, first, guidance=GUIDANCE)
    before = company.snapshot()
    for version in (1, 2):
        with pytest.raises(DecisionConflict, match=f"is {first} already") as caught:
            decide(company, gate, second, version=version, guidance=GUIDANCE)
        assert (caught.value.expected_version, caught.value.status) == (2, first)
    assert company.snapshot() == before


def test_a_decision_on_what_a_newer_packet_has_replaced_is_told_the_version(company: Company) -> None:
    seen = company.gate()
    company.gate(company.packet())
    before = company.snapshot()
    with pytest.raises(DecisionConflict, match="at version 2 by now, not 1") as caught:
        decide(company, seen, "approved")
    assert (caught.value.expected_version, caught.value.status) == (2, "pending")
    assert company.snapshot() == before


def test_twenty_approvals_at_once_are_one_execution(company: Company) -> None:
    company.packet()
    approval = company.asked(EMAIL)
    outcomes = at_once(*[lambda: decide(company, approval, "approved")] * 20)
    made = [outcome for outcome in outcomes if isinstance(outcome, Decision)]
    assert len(made) == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, DecisionConflict)]
    assert Counter((r.expected_version, r.status) for r in refused) == {(2, "approved"): 19}
    assert len(company.jobs("approval.execute")) == 1
    assert len(company.events("approval.decided")) == len(company.rows("tasks")) == 1


@pytest.mark.parametrize("kind", ["gate", "action"])
def test_of_an_approval_and_a_denial_at_once_one_wins(company: Company, kind: str) -> None:
    packet = company.packet()
    for _ in range(4):
        approval = company.gate(packet) if kind == "gate" else company.asked(EMAIL, asked_by=FOUNDER)
        outcomes = at_once(
            *[lambda a=approval: decide(company, a, "approved")] * 5,  # type: ignore[misc]
            *[lambda a=approval: decide(company, a, "denied")] * 5,  # type: ignore[misc]
        )
        (won,) = [outcome for outcome in outcomes if isinstance(outcome, Decision)]
        lost = [outcome for outcome in outcomes if isinstance(outcome, DecisionConflict)]
        assert {(r.expected_version, r.status) for r in lost} == {(2, won.status)}
        assert len(lost) == 9
        assert approvals.get(company.db, approval.id).status == won.status
        follow = company.jobs("phase.generate_packet" if kind == "gate" else "approval.execute")
        assert (len(follow) == 1) is (won.status == "approved")
        company.db.execute("delete from public.agent_jobs where id = any (%s)", [[job["id"] for job in follow]])
        company.db.execute("update public.projects set phase = 1 where id = %s", [company.id])
        packet = company.packet()


def test_a_decision_and_a_kill_at_once_leave_nothing_running(make_company: MakeCompany) -> None:
    for _ in range(4):
        company = make_company()
        company.packet()
        approval = company.asked(EMAIL)
        at_once(
            lambda c=company, a=approval: decide(c, a, "approved"),  # type: ignore[misc]
            lambda c=company: lifecycle.set_status(c.db, c.id, "killed", FOUNDER),  # type: ignore[misc]
        )
        assert company.row("status")["status"] == "killed"
        assert [job["status"] for job in company.jobs("approval.execute")] in ([], ["canceled"])
        assert approvals.get(company.db, approval.id).status in ("approved", "denied")


# --- what cannot be used


def test_there_must_be_such_an_approval(db: Database) -> None:
    with pytest.raises(NotFound, match="no approval"):
        decisions.decide(db, uuid4(), "approved", version=1, decided_by=FOUNDER)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"decision": "accepted"}, "approved, denied or revised, not accepted"),
        ({"decision": None}, "approved, denied or revised, not empty"),
        ({"version": None}, "names the version"),
        ({"decided_by": " "}, "names who made it"),
        ({"guidance": "NUL \x00"}, "NUL"),
        ({"decided_by": "\udcff"}, "surrogate"),
    ],
)
def test_what_a_decision_lacks_is_named(company: Company, fields: dict[str, Any], said: str) -> None:
    gate = company.gate()
    wish: dict[str, Any] = {"decision": "denied", "version": 1, "decided_by": FOUNDER} | fields
    before = company.snapshot()
    with pytest.raises(InvalidInput, match=said):
        decisions.decide(company.db, gate.id, wish.pop("decision"), **wish)
    assert company.snapshot() == before


@pytest.mark.parametrize(("status", "decision"), [("paused", "approved"), ("paused", "revised"), ("killed", "denied")])
def test_in_a_project_that_is_not_active_nothing_is_decided(company: Company, status: str, decision: str) -> None:
    gate = company.gate()
    company.db.execute("update public.projects set status = %s where id = %s", [status, company.id])
    before = company.snapshot()
    with pytest.raises(PermissionRefused, match=f"The project is {status}"):
        decide(company, gate, decision, guidance=GUIDANCE)
    assert company.snapshot() == before


def test_a_paused_project_can_be_told_no(company: Company) -> None:
    gate = company.gate()
    lifecycle.set_status(company.db, company.id, "paused", FOUNDER)
    assert decide(company, gate, "denied").status == "denied"


# --- crashes


def test_a_decision_whose_process_dies_before_the_commit_was_never_made(company: Company) -> None:
    company.packet()
    approval = company.asked(EMAIL)
    before = company.snapshot()
    with separate_connection(company.db) as conn:
        conn.execute("begin")
        conn.execute("select public.decide_approval(%s, 'approved', 1, 'founder')", [approval.id])
        company.db.execute("select pg_terminate_backend(%s)", [conn.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            conn.execute("commit")
    assert company.snapshot() == before
    assert decide(company, approval, "approved").job_outcome == "created"


@pytest.mark.parametrize("table", ["agent_jobs", "tasks", "task_log", "project_events"])
def test_where_any_part_of_a_decision_fails_none_of_it_stands(company: Company, table: str) -> None:
    gate = company.gate()
    before = company.snapshot()
    with company.db.connection() as conn:
        conn.execute(
            "create function public.refuse_for_test() returns trigger language plpgsql as"
            " $$ begin raise exception 'no'; end $$"
        )
        conn.execute(
            f"create trigger refuse_for_test before insert on public.{table} for each row"
            " execute function public.refuse_for_test()".encode()
        )
        try:
            with pytest.raises(psycopg.errors.RaiseException, match="no"):
                decide(company, gate, "approved")
        finally:
            conn.execute("drop function public.refuse_for_test() cascade")
    assert company.snapshot() == before


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


def test_a_refinement_can_be_approved(company: Company) -> None:
    company.packet()
    approval = company.asked(REFINE, payload={"guidance": GUIDANCE})
    made = decide(company, approval, "approved")
    assert isinstance(made.job_id, UUID)
    assert company.jobs("approval.execute")[0]["payload"]["actionType"] == REFINE


def test_what_was_retried_meanwhile_is_not_approved_a_second_time(company: Company) -> None:
    """A failed execution was asked anew; then its job was retried: only one of the two may act."""
    company.packet()
    first = company.asked(EMAIL)
    made = decide(company, first, "approved")
    assert made.job_id is not None
    queue.cancel(company.db, made.job_id, "Not now.")
    assert approvals.get(company.db, first.id).execution_status == "failed"
    second = company.asked(EMAIL)
    queue.retry(company.db, made.job_id)
    with pytest.raises(Conflict, match=f"as {first.id}, whose execution is queued"):
        decide(company, second, "approved")
    company.db.execute(
        "insert into public.action_executions (approval_id, project_id, action_type, status)"
        " values (%s, %s, %s, 'completed')",
        [first.id, company.id, EMAIL],
    )
    company.db.execute("update public.approval_queue set execution_status = 'completed' where id = %s", [first.id])
    with pytest.raises(Conflict, match="whose execution is completed"):
        decide(company, second, "approved")
    decide(company, second, "denied")
    asked = company.asked(EMAIL, asked_by=FOUNDER)
    assert decide(company, asked, "approved").job_outcome == "created", "a person may want the same again"


def test_a_client_that_writes_the_row_itself_is_waited_for(company: Company) -> None:
    """Who does not use the function has no less won: a decision does not write over what is just being committed."""
    gate = company.gate()
    with separate_connection(company.db) as other:
        with other.transaction():
            other.execute(
                "update public.approval_queue set status = 'denied', version = version + 1 where id = %s", [gate.id]
            )
            sessions: list[int] = []

            def approve() -> None:
                with company.db.transaction() as conn:
                    sessions.append(conn.info.backend_pid)
                    conn.execute("select public.decide_approval(%s, 'approved', 1, 'founder')", [gate.id])

            approving = InBackground(approve)
            eventually(lambda: sessions, what="the approval")
            wait_until_blocked(company.db, sessions[0])
        with pytest.raises(psycopg.Error) as caught:
            approving.result()
    assert caught.value.sqlstate == "GL031"
    assert approvals.get(company.db, gate.id).status == "denied"


def test_a_paused_project_does_not_go_live(make_company: MakeCompany) -> None:
    company = make_company(phase=3)
    gate = company.gate()
    lifecycle.set_status(company.db, company.id, "paused", FOUNDER)
    with pytest.raises(PermissionRefused, match="projects resume"):
        decide(company, gate, "approved")
    assert company.row("phase")["phase"] == 3
