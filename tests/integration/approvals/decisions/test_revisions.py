"""A revision relaunches its phase with guidance, each once, and never beside a generation that is under way."""

from __future__ import annotations

import pytest

from studio import approvals
from studio.errors import Conflict, InvalidInput
from studio.job_types import GUIDANCE_LIMIT
from tests.integration.approvals.decisions.deciding import MakeCompany, decide, fits_the_registry
from tests.support.approvals import EMAIL, FOUNDER, GUIDANCE, Company


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
