"""Whatever is asked, decided, paused and permitted in whatever order, the studio does what a small model of it does.

Hypothesis drives a project and the model with the same acts, decisions on outdated versions among them. After each
act the approvals, the phase, the project's life and its jobs must be the model's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from studio import approvals, decisions, lifecycle, permissions
from studio.database.connection import Database
from studio.decisions import Decision
from studio.errors import Conflict, DecisionConflict, PermissionRefused
from studio.packets.versions import PacketVersion
from tests.support.approvals import EMAIL, FOUNDER, GUIDANCE, Company
from tests.support.postgres import TestServer
from tests.support.size import FULL, SECONDS

SETTINGS = settings(
    max_examples=150 if FULL else 25,
    stateful_step_count=40 if FULL else 30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
GATE = "gate"


@dataclass
class ModelApproval:
    """An approval as far as anything is promised about it."""

    id: UUID
    kind: str
    phase: int
    packet: UUID
    status: str = "pending"
    version: int = 1


@dataclass
class Expected:
    """What the project should be."""

    phase: int = 0
    status: str = "active"
    email_send: bool = False
    approvals: list[ModelApproval] = field(default_factory=list)
    packets: dict[int, PacketVersion] = field(default_factory=dict)
    # Key of each job that decisions have caused, and whether a pause has stopped it.
    jobs: dict[str, str] = field(default_factory=dict)

    def pending(self, kind: str) -> ModelApproval | None:
        return next((a for a in self.approvals if a.kind == kind and a.status == "pending"), None)

    def decided(self, kind: str, packet: UUID, status: str) -> bool:
        return any(a.kind == kind and a.packet == packet and a.status == status for a in self.approvals)

    def stop(self) -> None:
        self.jobs = {key: "canceled" if status == "queued" else status for key, status in self.jobs.items()}


class ProjectMachine(RuleBasedStateMachine):
    db: Database

    def __init__(self) -> None:
        super().__init__()
        self.company = Company(self.db, phase=0, permitted={})
        self.model = Expected()

    @initialize(phase=st.integers(0, 3), email_send=st.booleans())
    def begin(self, phase: int, email_send: bool) -> None:
        """A project that has come a certain way, with its packets and a gate."""
        self.db.execute("update public.projects set phase = %s where id = %s", [phase, self.company.id])
        self.model.phase = phase
        for passed in range(phase + 1):
            self.generate(passed)
        self.permit(email_send)
        self.propose()
        self.open_gate(phase)

    # --- work and questions

    @rule(phase=st.integers(0, 3))
    def generate(self, phase: int) -> None:
        """A packet that was asked for is made, and its job is over."""
        if self.model.status != "active" or phase > self.model.phase:
            return
        self.model.packets[phase] = self.company.packet(phase)

    @rule(phase=st.integers(0, 3))
    def open_gate(self, phase: int) -> None:
        packet = self.model.packets.get(phase)
        if packet is None:
            return
        try:
            with self.db.transaction() as conn:
                gate = approvals.open_gate(
                    conn, packet, title="T", description="d", supersede=False, job_id=packet.source_job_id or packet.id
                )
        except PermissionRefused:
            assert self.model.status != "active"
            return
        assert self.model.status == "active"
        pending = self.model.pending(GATE)
        pending = pending if pending is not None and pending.phase == phase else None
        if phase < self.model.phase:
            assert gate.outcome == "passed"
        elif pending is not None and pending.packet == packet.id:
            assert (gate.outcome, gate.approval_id) == ("unchanged", pending.id)
        elif pending is not None:
            assert (gate.outcome, gate.approval_id) == ("moved", pending.id)
            pending.packet, pending.version = packet.id, pending.version + 1
        elif self.model.decided(GATE, packet.id, "denied"):
            assert gate.outcome == "denied"
        else:
            assert gate.outcome == "opened"
            assert gate.approval_id is not None
            self.model.approvals.append(ModelApproval(gate.approval_id, GATE, phase, packet.id))

    @rule()
    def propose(self) -> None:
        made = self.company.propose(EMAIL, phase=1)
        packet, pending = self.model.packets.get(1), self.model.pending(EMAIL)
        if self.model.status != "active" or not self.model.email_send or packet is None:
            assert made.outcome == "refused"
            return
        if pending is not None and pending.packet == packet.id:
            assert (made.outcome, made.approval_id) == ("pending", pending.id)
            return
        if pending is not None:
            pending.status, pending.version = "revised", pending.version + 1
        if self.model.decided(EMAIL, packet.id, "denied"):
            assert made.outcome == "denied_before"
        elif self.model.decided(EMAIL, packet.id, "approved"):
            assert made.outcome == "executed_before"
        else:
            assert made.outcome == "created"
            assert made.approval_id is not None
            self.model.approvals.append(ModelApproval(made.approval_id, EMAIL, 1, packet.id))

    # --- decisions

    @rule(
        which=st.integers(0, 5), decision=st.sampled_from(["approved", "approved", "denied", "revised"]),
        stale=st.sampled_from([0, 0, 0, 1]),
    )  # fmt: skip
    def decide(self, which: int, decision: Any, stale: int) -> None:
        if not self.model.approvals:
            return
        asked = self.model.approvals[-1 - which % len(self.model.approvals)]
        expected = self.expected(asked, decision, stale)
        if expected is not None:
            with pytest.raises(expected) as caught:
                self.say(asked, decision, stale)
            assert type(caught.value) is expected
            if isinstance(caught.value, DecisionConflict):
                assert (caught.value.expected_version, caught.value.status) == (asked.version, asked.status)
            return
        made = self.say(asked, decision, stale)
        if decision == "approved" and asked.kind == GATE:
            self.model.phase += 1
            if self.model.phase <= 3:
                self.queued(f"phasegen:{self.company.id}:{self.model.phase}")
        elif decision == "approved":
            self.queued(f"approval:{asked.id}")
        elif decision == "revised":
            prefix = f"phasegen:{self.company.id}:{asked.phase}" if asked.phase else f"phase0:{self.company.id}"
            self.queued(f"{prefix}:{asked.id}:{asked.version}")
        asked.status, asked.version = decision, asked.version + 1
        assert (made.status, made.version, made.project_phase) == (asked.status, asked.version, self.model.phase)

    def say(self, asked: ModelApproval, decision: Any, stale: int) -> Decision:
        return decisions.decide(
            self.db, asked.id, decision, version=asked.version - stale, decided_by=FOUNDER, guidance=GUIDANCE
        )

    def queued(self, key: str) -> None:
        self.model.jobs[key] = "queued"

    def expected(self, asked: ModelApproval, decision: str, stale: int) -> type[Exception] | None:
        if asked.status != "pending" or stale:
            return DecisionConflict
        if self.model.status == "killed" or (self.model.status == "paused" and decision != "denied"):
            return PermissionRefused
        if decision == "approved" and asked.kind == GATE:
            return None if asked.phase == self.model.phase else Conflict
        if decision == "approved":
            return None if self.model.email_send else PermissionRefused
        if decision == "revised":
            of_phase = f"phasegen:{self.company.id}:{asked.phase}" if asked.phase else f"phase0:{self.company.id}"
            busy = any(k.startswith(of_phase) and status == "queued" for k, status in self.model.jobs.items())
            return Conflict if busy else None
        return None

    # --- life

    @rule(status=st.sampled_from(["active", "active", "active", "paused", "paused", "killed"]))
    def live(self, status: Any) -> None:
        # A killed project is of little interest for the rest of the run.
        if status == "killed" and len(self.model.approvals) < 4:
            return
        try:
            made = lifecycle.set_status(self.db, self.company.id, status, FOUNDER)
        except Conflict:
            assert self.model.status == "killed"
            assert status != "killed"
            return
        assert self.model.status != "killed" or status == "killed"
        assert made.outcome == ("unchanged" if status == self.model.status else "changed")
        if made.outcome == "unchanged":
            return
        if status == "active":
            stopped = sum(job == "canceled" for job in self.model.jobs.values())
            assert made.jobs_revived == stopped
            self.model.jobs = {k: "queued" if job == "canceled" else job for k, job in self.model.jobs.items()}
        else:
            self.model.stop()
        if status == "killed":
            for approval in self.model.approvals:
                if approval.status == "pending":
                    approval.status, approval.version = "denied", approval.version + 1
        self.model.status = status

    @rule(allowed=st.booleans())
    def permit(self, allowed: bool) -> None:
        made = permissions.change_limits(self.db, self.company.id, FOUNDER, permissions={"email_send": allowed})
        assert made.changed is (allowed != self.model.email_send)
        self.model.email_send = allowed

    @rule()
    def finish_the_work(self) -> None:
        """What is queued is done."""
        if self.model.status != "active":
            return
        self.db.execute(
            "update public.agent_jobs set status = 'completed' where project_id = %s and status = 'queued'",
            [self.company.id],
        )
        # A queued execution that just ends so has carried nothing out; here it has.
        self.db.execute(
            "update public.approval_queue set execution_status = 'completed' where project_id = %s"
            " and status = 'approved' and type = 'execution'",
            [self.company.id],
        )
        self.model.jobs = {key: "completed" if job == "queued" else job for key, job in self.model.jobs.items()}

    # --- what must hold

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        row = self.company.row("phase, status")
        assert (row["phase"], row["status"]) == (self.model.phase, self.model.status)
        found = {
            a["id"]: (a["status"], a["version"], a["packet_version_id"]) for a in self.company.rows("approval_queue")
        }
        assert found == {a.id: (a.status, a.version, a.packet) for a in self.model.approvals}
        jobs = {
            job["idempotency_key"]: job["status"]
            for job in self.company.rows("agent_jobs")
            if ":" in job["idempotency_key"]
        }
        assert jobs == self.model.jobs
        decided = [a for a in self.model.approvals if a.status in ("approved", "denied")]
        assert len(self.company.events("approval.decided")) >= len(decided)


@pytest.fixture(scope="module")
def database_of_the_module(postgres: TestServer, database_template: str) -> Iterator[Database]:
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as db:
        yield db


@pytest.mark.chaos
@pytest.mark.timeout(SECONDS)
def test_the_studio_does_what_the_model_does(database_of_the_module: Database) -> None:
    machine: Any = type("Machine", (ProjectMachine,), {"db": database_of_the_module})
    run_state_machine_as_test(machine, settings=SETTINGS)
