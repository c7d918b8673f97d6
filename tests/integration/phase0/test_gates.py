"""A revision patches the packet, and one gate shows the latest."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest

from studio import approvals
from studio.errors import (
    ModelAnswerInvalid,
)
from studio.model import spend
from studio.packets import versions
from tests.support.model import Recorder
from tests.support.phase0 import (
    ASKED,
    GUIDANCE,
    Studio,
    asked,
    gates,
    rows,
)
from tests.support.sandbox import SandboxThread

# --- revisions


def test_guidance_patches_the_packet_and_keeps_the_rest(studio: Studio, sandbox: SandboxThread) -> None:
    project_id = studio.project()
    studio.run(project_id)
    first = studio.packet(project_id)
    sandbox.clear()
    told = Recorder()
    outputs = studio.run(project_id, told, guidance=GUIDANCE)
    second = studio.packet(project_id)
    assert asked(sandbox) == Counter({"Phase0Patch": 1})
    assert (first.version, second.version) == (1, 2)
    assert second.packet["tagline"] == "Tools for every classroom"
    changed = outputs["synthesize"]["provenance"]["changed"]
    assert "tagline" in changed
    assert outputs["synthesize"]["provenance"]["revision_of"] == str(first.id)
    in_synopsis = {"confidence", "rationale", "risks", "next_actions"}
    kept = [key for key in first.packet if key not in (*changed, "reasoning_synopsis")]
    assert {"competitor_analysis", "market_sizing"} <= set(kept)
    assert {key: second.packet[key] for key in kept} == {key: first.packet[key] for key in kept}
    before, after = (version.packet["reasoning_synopsis"] for version in (first, second))
    same = [key for key in before if key not in in_synopsis & set(changed) and key != "decision"]
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert "changes " in told.said
    assert {row["description"] for row in rows(studio.db, "tasks", project_id)} >= {"phase0_revision"}
    # The first version is still there, as it was.
    assert [(v.version, v.packet == first.packet) for v in versions.history(studio.db, project_id, 0)] == [
        (2, False),
        (1, True),
    ]


def test_guidance_without_a_packet_guides_the_first_one(studio: Studio, sandbox: SandboxThread) -> None:
    project_id = studio.project()
    studio.run(project_id, guidance=GUIDANCE)
    assert asked(sandbox) == ASKED
    assert studio.packet(project_id).version == 1


def test_a_revision_that_changes_nothing_is_asked_for_again_and_then_fails(
    studio: Studio, sandbox: SandboxThread
) -> None:
    project_id = studio.project()
    studio.run(project_id)
    sandbox.clear()
    sandbox.faults([{"kind": "text", "text": "{}"}, {"kind": "text", "text": '{"tagline": null}'}])
    with pytest.raises(ModelAnswerInvalid, match="at least one key must change"):
        studio.run(project_id, guidance=GUIDANCE)
    assert asked(sandbox) == Counter({"Phase0Patch": 2})
    assert studio.packet(project_id).version == 1


# --- gates


def test_a_pending_gate_moves_to_the_newer_packet_and_its_version_rises(studio: Studio) -> None:
    project_id = studio.project()
    first = studio.run(project_id)["open_gate"]
    moved = studio.run(project_id, guidance=GUIDANCE)["open_gate"]
    (gate,) = gates(studio.db, project_id)
    assert moved["approval_id"] == first["approval_id"] == str(gate["id"])
    assert (moved["outcome"], moved["superseded"]) == ("moved", 0)
    # A decision that was made on version 1 no longer fits.
    assert (gate["status"], gate["version"]) == ("pending", 2)
    version = studio.packet(project_id)
    assert gate["packet_version_id"] == version.id
    assert gate["payload"]["packet_version"] == version.version == 2
    assert gate["description"] == version.packet["tagline"]


def test_a_forced_new_approval_supersedes_the_pending_one(studio: Studio, sandbox: SandboxThread) -> None:
    project_id = studio.project()
    studio.run(project_id)
    sandbox.clear()
    forced = studio.run(project_id, force_new_approval=True)["open_gate"]
    assert asked(sandbox) == ASKED, "a forced packet is a new one, not a revision"
    old, new = gates(studio.db, project_id)
    assert (forced["outcome"], forced["superseded"], forced["approval_id"]) == ("opened", 1, str(new["id"]))
    assert (old["status"], old["version"], old["decided_by"]) == ("revised", 2, "system")
    assert old["decided_at"] is not None
    assert (new["status"], new["version"]) == ("pending", 1)
    assert new["packet_version_id"] == studio.packet(project_id).id


def test_after_a_decision_a_new_gate_opens_and_the_old_one_stays(studio: Studio) -> None:
    project_id = studio.project()
    studio.run(project_id)
    studio.db.execute(
        "update public.approval_queue set status = 'denied', version = version + 1 where project_id = %s", [project_id]
    )
    assert studio.run(project_id, guidance=GUIDANCE)["open_gate"]["outcome"] == "opened"
    assert [gate["status"] for gate in gates(studio.db, project_id)] == ["denied", "pending"]


def test_opening_the_gate_of_the_same_packet_again_changes_nothing(studio: Studio) -> None:
    project_id = studio.project()
    studio.run(project_id)
    before, version = gates(studio.db, project_id), studio.packet(project_id)
    with studio.db.transaction() as conn:
        again = approvals.open_gate(
            conn, version, title="Review", description="d", supersede=False, job_id=version.source_job_id or UUID(int=0)
        )
    assert again.outcome == "unchanged"
    assert gates(studio.db, project_id) == before


@pytest.mark.parametrize(
    ("confidence", "risk"), [(0, "high"), (39, "high"), (40, "medium"), (69, "medium"), (70, "low"), (100, "low")]
)
def test_risk_follows_from_confidence(studio: Studio, confidence: int, risk: str) -> None:
    project_id = studio.project()
    synopsis = {"confidence": confidence}
    with studio.db.transaction() as conn:
        version = versions.save(
            conn,
            project_id,
            0,
            {"tagline": "T", "reasoning_synopsis": synopsis},
            synopsis=synopsis,
            job_id=None,  # type: ignore[arg-type]
            claim_no=1,
            model="m",
            prompt_version="p",
            spent=spend.Spent(0, 0, 0, 0, 0),
            provenance={},
        )
        gate = approvals.open_gate(conn, version, title="Review", description="d", supersede=False, job_id=UUID(int=1))
    assert gate.risk == risk
    (row,) = gates(studio.db, project_id)
    assert (row["risk"], row["risk_level"]) == (risk, risk)
