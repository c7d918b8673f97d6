"""A refinement relaunches the generation of its phase with the approved words, and no others."""

from __future__ import annotations

from studio import decisions
from tests.support.actions import Stage
from tests.support.approvals import FOUNDER, GUIDANCE, REFINE


def test_a_refinement_enqueues_the_generation_with_the_approved_words(stage: Stage) -> None:
    company, approval = stage.approved(REFINE)
    assert stage.run(approval) == "completed"
    (job,) = company.jobs("phase.generate_packet")
    assert job["idempotency_key"] == f"phase-refine:1:{approval.id}"
    assert job["payload"] == {
        "projectId": str(company.id),
        "phase": 1,
        "forceRegenerate": True,
        "revisionGuidance": GUIDANCE,
    }


def test_a_refinement_of_phase_0_relaunches_it(stage: Stage) -> None:
    company = stage.company(REFINE, phase=0)
    version = company.packet(0)
    asked = company.asked(REFINE, packet=version, phase=0, payload={"guidance": GUIDANCE})
    decisions.decide(stage.db, asked.id, "approved", version=asked.version, decided_by=FOUNDER)
    assert stage.run(asked) == "completed"
    (job,) = company.jobs("phase0.generate_packet")
    assert job["idempotency_key"] == f"phase0-refine:{asked.id}"
    assert (job["payload"]["revisionGuidance"], job["payload"]["forceNewApproval"]) == (GUIDANCE, True)


def test_words_that_changed_after_the_approval_are_not_used(stage: Stage) -> None:
    company, approval = stage.approved(REFINE)
    stage.db.execute(
        'update public.approval_queue set payload = payload || \'{"guidance": "Sell it to anybody"}\' where id = %s',
        [approval.id],
    )
    assert stage.run(approval) == "failed"
    assert "not the one that was approved" in (stage.job(approval).last_error or "")
    assert company.jobs("phase.generate_packet") == []
