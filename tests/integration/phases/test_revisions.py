"""A revision changes what the guidance concerns, keeps everything else to the letter, and says what it changed."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from studio import assets
from studio.errors import InvalidInput, ModelAnswerInvalid
from studio.packets import versions
from tests.support.model import Recorder, model_settings, open_model, overheard, scripted_model
from tests.support.phase0 import asked, gates, rows
from tests.support.phases import Founding
from tests.support.sandbox import SandboxThread

GUIDANCE = "Speak to schools instead, and ask for a drill in the third mail."


def answering(sandbox: SandboxThread, phase: int, **patch: Any) -> None:
    sandbox.fault("text", match=f'"title":"Phase{phase}Patch"', text=json.dumps(patch))


def revised(
    studio: Founding, project_id: UUID, phase: int, told: Recorder | None = None, until: str | None = None
) -> dict[str, Any]:
    return studio.generate(project_id, phase, told, until=until, forceRegenerate=True, revisionGuidance=GUIDANCE)


def provenance(studio: Founding, version: versions.PacketVersion) -> dict[str, Any]:
    row = studio.db.fetch_one("select provenance from public.phase_packet_versions where id = %s", [version.id])
    assert row is not None
    found: dict[str, Any] = row["provenance"]
    return found


@pytest.mark.parametrize(
    ("phase", "patch"),
    [
        (1, {"social_strategy": {"channels": ["Staff rooms", "Parents"], "posting_cadence": "Once a month"}}),
        (2, {"guardrails": ["No pupils", "No parents' addresses", "No ads near schools"], "confidence": 44}),
        (3, {"launch_checklist": ["One", "Two", "Three", "Four"], "recommendation": "revise"}),
    ],
)
def test_only_what_the_guidance_concerns_changes(
    studio: Founding, sandbox: SandboxThread, phase: int, patch: dict[str, Any]
) -> None:
    if "social_strategy" in patch:
        patch["social_strategy"]["content_pillars"] = ["Repairs", "Lessons", "Costs"]
    told, project_id = Recorder(), studio.in_phase(phase, permissions={"email_send": True})
    studio.generate(project_id, phase)
    first = studio.latest(project_id, phase)
    sandbox.clear()
    answering(sandbox, phase, **patch)
    outputs = revised(studio, project_id, phase, told)

    second = studio.latest(project_id, phase)
    assert (first.version, second.version) == (1, 2)
    assert outputs["research"] is None, "a revision looked things up again"
    synopsis = {"confidence", "rationale", "risks", "next_actions", "proposed_actions"}
    for key, value in patch.items():
        where = second.packet["reasoning_synopsis"] if key in synopsis else second.packet
        assert where[key] == value
    kept = set(first.packet) - set(patch) - {"reasoning_synopsis"}
    assert {key: second.packet[key] for key in kept} == {key: first.packet[key] for key in kept}
    assert second.packet["reasoning_synopsis"]["decision"] == second.packet["recommendation"]

    told_of = provenance(studio, second)
    assert (told_of["revision_of"], told_of["changed"], told_of["guidance"]) == (
        str(first.id),
        sorted(patch),
        GUIDANCE,
    )
    assert f"The revision of version 1 changes {', '.join(sorted(patch))}." in told.said
    assert f"phase{phase}_revision" in {row["description"] for row in rows(studio.db, "tasks", project_id)}
    # The first version is still there, as it was.
    assert [(v.version, v.packet == first.packet) for v in versions.history(studio.db, project_id, phase)] == [
        (2, False),
        (1, True),
    ]
    # One gate and at most one question of each kind wait, and they show the new version.
    pending = [row for row in gates(studio.db, project_id) if row["status"] == "pending"]
    assert set(Counter(row["action_type"] for row in pending).values()) == {1}
    assert {row["packet_version_id"] for row in pending} == {second.id}


def test_the_page_and_the_brief_are_kept_where_the_guidance_does_not_concern_them(
    studio: Founding, sandbox: SandboxThread
) -> None:
    told, project_id = Recorder(), studio.in_phase(1)
    studio.generate(project_id, 1, until="deck")
    before = studio.deliverables(project_id, 1)
    sandbox.clear()
    answering(sandbox, 1, next_actions=["Ask the school around the corner."])
    revised(studio, project_id, 1, told)
    after = studio.deliverables(project_id, 1)
    assert asked(sandbox) == Counter({"Phase1Patch": 1}), "something was drawn again"
    assert "Landing page is kept from version 1" in told.said
    for label in ("Landing page", "Brand brief", "Brand brief, PowerPoint"):
        assert after[label]["content_hash"] == before[label]["content_hash"]
        assert after[label]["asset_id"] != before[label]["asset_id"]
        assert "/v2/" in after[label]["storage_path"]
    assert after["Landing page"].get("score") == before["Landing page"].get("score")
    # And a third version keeps it from the second.
    answering(sandbox, 1, next_actions=["Ask another school."])
    revised(studio, project_id, 1, until="deck")
    assert studio.deliverables(project_id, 1)["Landing page"]["content_hash"] == before["Landing page"]["content_hash"]
    newest = studio.db.fetch_one("select id from public.landing_draft(%s)", [project_id])
    assert newest is not None
    assert str(newest["id"]) == studio.deliverables(project_id, 1)["Landing page"]["asset_id"]
    assert assets.get(studio.db, newest["id"]).metadata["packet_version"] == 3


def test_a_wish_for_the_pages_looks_draws_it_again(studio: Founding, sandbox: SandboxThread) -> None:
    project_id = studio.in_phase(1)
    studio.generate(project_id, 1, until="deck")
    before = studio.latest(project_id, 1)
    sandbox.clear()
    answering(sandbox, 1, page_direction="Darker, with larger type.")
    revised(studio, project_id, 1, until="deck")
    assert asked(sandbox)["LandingCritique"] >= 1
    assert asked(sandbox)["BrandDeckSpec"] == 0
    after = studio.latest(project_id, 1)
    assert after.packet == before.packet
    assert provenance(studio, after)["changed"] == ["page_direction"]


def test_a_revision_is_told_the_prior_packet_and_the_guidance(sandbox: SandboxThread, studio: Founding) -> None:
    with scripted_model(overheard(sandbox.url)) as (url, requests), open_model(url, studio.db) as model:
        overhearing = Founding(studio.db, model_settings(url), model)
        project_id = overhearing.in_phase(3)
        overhearing.saved(project_id, 3)
        del requests[:]
        answering(sandbox, 3, confidence=12)
        revised(overhearing, project_id, 3, until="landing")
    (prompt,) = [body["messages"][0]["content"] for body in requests]
    assert f"<guidance>\n{GUIDANCE}\n</guidance>" in prompt
    prior = json.loads(prompt.split("<prior_packet>\n")[1].split("\n</prior_packet>")[0])
    assert prior == versions.history(studio.db, project_id, 3)[1].packet


def test_guidance_without_a_packet_guides_the_first_one(studio: Founding, sandbox: SandboxThread) -> None:
    project_id = studio.in_phase(2)
    studio.saved(project_id, 2, revisionGuidance=GUIDANCE)
    assert asked(sandbox)["Phase2Plan"] == 1
    assert provenance(studio, studio.latest(project_id, 2))["guidance"] == GUIDANCE


def test_a_packet_of_another_client_cannot_be_revised(studio: Founding, sandbox: SandboxThread) -> None:
    project_id = studio.in_phase(2)
    studio.packet_of(project_id, 2, distribution_strategy="Everywhere")
    sandbox.clear()
    with pytest.raises(InvalidInput, match="written by another client and cannot be revised"):
        revised(studio, project_id, 2)
    assert asked(sandbox) == Counter()


def test_a_revision_that_changes_nothing_is_asked_for_again_and_then_fails(
    studio: Founding, sandbox: SandboxThread
) -> None:
    project_id = studio.in_phase(3)
    studio.saved(project_id, 3)
    sandbox.clear()
    sandbox.fault("text", match='"title":"Phase3Patch"', text="{}", times=2)
    with pytest.raises(ModelAnswerInvalid, match="at least one key must change"):
        revised(studio, project_id, 3, until="landing")
    assert studio.latest(project_id, 3).version == 1


def test_permissions_are_forced_into_a_revision_too(studio: Founding, sandbox: SandboxThread) -> None:
    project_id = studio.in_phase(2, permissions={"ads_enabled": True, "ads_budget_cap": 30})
    studio.saved(project_id, 2)
    assert studio.latest(project_id, 2).packet["paid_acquisition"]["enabled"] is True
    studio.permit(project_id, ads_enabled=False)
    answering(sandbox, 2, confidence=50)
    revised(studio, project_id, 2, until="landing")
    assert studio.latest(project_id, 2).packet["paid_acquisition"]["enabled"] is False
