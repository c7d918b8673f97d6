"""A gate is opened for the phase a project is in, and not for what a person has said no to already."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from studio import approvals, decisions
from studio.approvals import Gate
from studio.errors import PermissionRefused
from studio.packets.versions import PacketVersion
from tests.support.approvals import FOUNDER, Company


def opened(company: Company, packet: PacketVersion, *, supersede: bool = False) -> Gate:
    with company.db.transaction() as conn:
        return approvals.open_gate(
            conn, packet, title="Review", description="d", supersede=supersede,
            job_id=packet.source_job_id or UUID(int=0),
        )  # fmt: skip


def deny(company: Company, approval_id: UUID | None) -> None:
    assert approval_id is not None
    decisions.decide(company.db, approval_id, "denied", version=1, decided_by=FOUNDER)


def test_a_phase_that_is_passed_has_no_gate(company: Company) -> None:
    gate = opened(company, company.packet(0))
    assert (gate.outcome, gate.approval_id) == ("passed", None)
    assert company.rows("approval_queue") == []


def test_a_denied_packet_is_not_asked_about_again(company: Company) -> None:
    packet = company.packet()
    denied = opened(company, packet)
    deny(company, denied.approval_id)
    for again in (packet, company.packet(job_id=packet.source_job_id)):
        gate = opened(company, again)
        assert (gate.outcome, gate.approval_id) == ("denied", denied.approval_id)
    assert len(company.rows("approval_queue")) == 1


def test_a_packet_that_was_asked_for_after_a_denial_has_a_gate(company: Company) -> None:
    deny(company, opened(company, company.packet()).approval_id)
    assert opened(company, company.packet()).outcome == "opened"


@pytest.mark.parametrize("status", ["paused", "killed"])
def test_a_project_that_is_not_active_is_asked_nothing(make_company: Callable[..., Company], status: str) -> None:
    company = make_company()
    packet = company.packet()
    company.db.execute("update public.projects set status = %s where id = %s", [status, company.id])
    with pytest.raises(PermissionRefused, match=f"is {status}"):
        opened(company, packet)
    assert company.rows("approval_queue") == []
