"""A phase becomes a packet with its gate, proposals, memory and mail; what the founder permits goes before any plan."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from studio import approvals
from studio.packets.actions import PHASE_ACTIONS
from studio.packets.assembly import PACKETS as SCHEMAS
from studio.packets.assembly import PROMPT_VERSIONS
from tests.support.model import Recorder, ledger
from tests.support.phase0 import asked, events, gates, rows
from tests.support.phases import GO_LIVE, PACKETS, PARTS, SOURCE, Founding, run_steps, synopsis
from tests.support.sandbox import SandboxThread

EVERYTHING = {"email_send": True, "ads_enabled": True, "ads_budget_cap": 25, "repo_write": True, "deploy": True}
VERDICT = {
    "summary": "Three houses are approached first, by people who live in them.",
    "recommendation": "greenlight",
    "confidence": 71,
    "rationale": ["Neighbours own drills.", "They rarely use them.", "A locker is cheap."],
    "risks": [],
    "next_actions": [],
    "proposed_actions": [],
    "evidence": [],
}


def plan(phase: int, verdict: dict[str, Any] | None = None, **parts: Any) -> str:
    """Return what the model answers for the plan of phase 2 or 3."""
    whole = dict(PACKETS[2]) if phase == 2 else dict(GO_LIVE)
    for key in ("summary", "recommendation", "reasoning_synopsis"):
        whole.pop(key, None)
    return json.dumps({**whole, **parts, "synopsis": {**VERDICT, **(verdict or {})}})


@pytest.mark.parametrize(
    ("phase", "titles", "remembered"),
    [
        (
            1,
            PARTS + Counter(["PhaseSynopsis", "BrandDeckSpec"]),
            {"decision.phase1_completed", "preference.brand_voice", "preference.brand_looks"},
        ),
        (
            2,
            Counter(["Phase2Plan", None]),
            {"decision.phase2_completed", "decision.north_star_metric", "fact.audience_segments"},
        ),
        (3, Counter(["Phase3Plan", None]), {"decision.phase3_completed", "fact.critical_dependencies"}),
    ],
)
def test_a_phase_becomes_a_packet(
    studio: Founding, sandbox: SandboxThread, phase: int, titles: Counter[str | None], remembered: set[str]
) -> None:
    told, db = Recorder(), studio.db
    project_id = studio.in_phase(
        phase, permissions=EVERYTHING, email="a@example.org", repo_url="https://github.com/a/b"
    )
    outputs = studio.generate(project_id, phase, told)

    version = studio.latest(project_id, phase)
    SCHEMAS[phase].model_validate(version.packet)
    assert (version.version, version.model, version.prompt_version) == (1, "sandbox", PROMPT_VERSIONS[phase])
    structured = Counter({title: n for title, n in asked(sandbox).items() if title in titles and (title or phase > 1)})
    assert structured == titles

    calls = outputs["generate"]["provenance"]["calls"]
    paid = {str(row["id"]): row["step"] for row in ledger(db, project_id)}
    assert {paid[call].split("/")[0] for call in calls} == {"generate"}
    assert version.cost_micros == sum(
        row["cost_micros"] for row in ledger(db, project_id) if row["step"].split("/")[0] in ("generate", "research")
    )

    gate = next(row for row in gates(db, project_id) if row["type"] == "phase_advance")
    assert (gate["action_type"], gate["status"]) == (approvals.GATE_ACTIONS[phase], "pending")
    assert gate["packet_version_id"] == version.id
    assert gate["risk"] == approvals.risk_of(version.confidence)
    for row in gates(db, project_id):
        assert row["packet_version_id"] == version.id
    assert {f"{row['category']}.{row['key']}" for row in rows(db, "agent_memory", project_id)} >= remembered
    for row in rows(db, "agent_memory", project_id):
        expected = 1.0 if row["key"].endswith("_completed") else version.confidence / 100
        assert (row["confidence"], row["source_job_id"]) == (expected, version.source_job_id)
    assert outputs["announce"] == {"mail": "queued"}
    assert len(rows(db, "email_jobs", project_id)) == 1
    assert len(events(db, project_id, "phase.packet_generated")) == 1
    listed = {row["description"]: row["status"] for row in rows(db, "tasks", project_id)}
    assert set(listed) >= {f"phase{phase}_{name}" for name in ("init", "synthesis", "deck", "complete")}
    assert "running" not in listed.values()


def test_phase_1_offers_the_passages_of_phase_0_as_sources(studio: Founding) -> None:
    project_id = studio.in_phase(1)
    outputs = studio.saved(project_id, 1)
    assert outputs["research"] is None
    cited = [
        source["url"]
        for item in studio.latest(project_id, 1).packet["reasoning_synopsis"]["evidence"]
        for source in item["sources"]
    ]
    assert cited == [SOURCE["url"]]


def test_a_passage_with_another_hash_is_no_source(studio: Founding) -> None:
    forged = {**SOURCE, "quote": "Lendly has a million customers."}
    project_id = studio.in_phase(1)
    evidence = [{"claim": "c", "source": forged["url"], "sourced": True, "sources": [forged]}]
    studio.packet_of(project_id, 0, competitor_analysis=[], reasoning_synopsis=synopsis(evidence=evidence))
    assert studio.saved(project_id, 1)["load_context"]["passages"] == []


@pytest.mark.parametrize("phase", [2, 3])
def test_what_is_retrieved_is_stored_and_nothing_retrieved_is_said(
    studio: Founding, blind: Founding, phase: int
) -> None:
    seeing, told = studio.in_phase(phase), Recorder()
    found = studio.saved(seeing, phase)["research"]
    stored = {row["url"] for row in rows(studio.db, "research_sources", seeing)}
    assert stored == {passage["url"] for passage in found["passages"]} != set()

    unseeing = blind.in_phase(phase)
    blind.packet_of(unseeing, 0, competitor_analysis=[], reasoning_synopsis=synopsis(evidence=[]))
    for earlier in range(1, phase):
        blind.packet_of(unseeing, earlier, reasoning_synopsis=synopsis(evidence=[], proposed_actions=[]))
    outputs = blind.saved(unseeing, phase, told)
    assert "retrieved nothing that can be cited" in told.said
    assert outputs["generate"]["provenance"]["sources"] == 0
    assert rows(blind.db, "research_sources", unseeing) == []
    assert all(not item["sourced"] for item in blind.latest(unseeing, phase).packet["reasoning_synopsis"]["evidence"])


# --- permissions


@pytest.mark.parametrize(
    ("permissions", "enabled", "cap"),
    [
        ({}, False, 0),
        ({"ads_budget_cap": 40}, False, 40),
        ({"ads_enabled": True}, False, 0),
        ({"ads_enabled": True, "ads_budget_cap": 12.5}, True, 12.5),
    ],
)
def test_ads_are_what_the_founder_permits_and_not_what_the_plan_says(
    studio: Founding, sandbox: SandboxThread, permissions: dict[str, Any], enabled: bool, cap: float
) -> None:
    project_id = studio.in_phase(2, permissions=permissions)
    wish = {**PACKETS[2]["paid_acquisition"], "enabled": not enabled, "budget_cap_per_day": 9_999}
    sandbox.fault("text", match='"title":"Phase2Plan"', text=plan(2, paid_acquisition=wish))
    studio.saved(project_id, 2)
    paid = studio.latest(project_id, 2).packet["paid_acquisition"]
    assert (paid["enabled"], paid["budget_cap_per_day"]) == (enabled, cap)
    assert paid["creative_angles"] == wish["creative_angles"]


def test_permissions_are_those_at_the_moment_of_saving(studio: Founding) -> None:
    project_id = studio.in_phase(2, permissions={"ads_enabled": True, "ads_budget_cap": 30})
    claim = studio.enqueued(project_id, 2)
    attempt = studio.phase(claim)
    run_steps(attempt, until="save_packet")
    studio.permit(project_id, ads_enabled=False)
    run_steps(attempt, until="landing")
    assert studio.latest(project_id, 2).packet["paid_acquisition"]["enabled"] is False


@pytest.mark.parametrize("mode", ["shared", "attached"])
def test_runtime_mode_and_protected_branch_are_the_projects(
    studio: Founding, sandbox: SandboxThread, mode: str
) -> None:
    project_id = studio.in_phase(3)
    studio.set(project_id, runtime_mode=mode)
    sandbox.fault("text", match='"title":"Phase3Plan"', text=plan(3))
    studio.saved(project_id, 3)
    packet = studio.latest(project_id, 3).packet
    assert packet["architecture_review"]["runtime_mode"] == mode
    assert packet["merge_policy"] == {"review_required": True, "approvals_required": 1, "protected_branch": "main"}


def test_proposals_that_are_not_permitted_are_left_out_and_noted(studio: Founding, sandbox: SandboxThread) -> None:
    told, project_id = Recorder(), studio.in_phase(2, permissions={"email_send": True})
    wishes = [
        {"action_type": name, "description": "Do it", "reason": "Now"}
        for name in (
            "send_phase2_lifecycle_email",
            "activate_meta_ads_campaign",
            "trigger_phase3_deploy",
            "send_phase2_lifecycle_email",
        )
    ]
    sandbox.fault("text", match='"title":"Phase2Plan"', text=plan(2, {"proposed_actions": wishes}))
    studio.generate(project_id, 2, told)
    version = studio.latest(project_id, 2)
    kept = version.packet["reasoning_synopsis"]["proposed_actions"]
    assert [action["action_type"] for action in kept] == ["send_phase2_lifecycle_email"]
    row = studio.db.fetch_one("select provenance from public.phase_packet_versions where id = %s", [version.id])
    assert row is not None
    assert {action["action_type"]: action["reason"] for action in row["provenance"]["dropped_actions"]} == {
        "activate_meta_ads_campaign": "The project does not permit ads_enabled.",
        "trigger_phase3_deploy": "it is no action of Phase 2",
        "send_phase2_lifecycle_email": "it is proposed already",
    }
    assert "activate_meta_ads_campaign was left out" in told.said
    # What is proposed to a person follows from permissions alone.
    asked_for = {row["action_type"] for row in gates(studio.db, project_id) if row["type"] == "execution"}
    assert asked_for == {"send_phase2_lifecycle_email"}


def test_the_packets_actions_are_those_of_the_database(studio: Founding) -> None:
    # What goes back to an earlier publication is offered by a check of the page, never by a packet.
    listed = studio.db.fetch_all("select action_type, phase from public.action_types where pins <> 'publication'")
    for phase, actions in PHASE_ACTIONS.items():
        assert set(actions) == {row["action_type"] for row in listed if row["phase"] in (phase, None)}


def test_text_that_no_database_can_hold_is_made_storable(studio: Founding, sandbox: SandboxThread) -> None:
    project_id = studio.in_phase(2)
    odd = plan(2, {"summary": "Notices\x00 in \ud83d three houses."}, guardrails=["No\x00 mail", "No ads", "No \udfff"])
    sandbox.fault("text", match='"title":"Phase2Plan"', text=odd)
    studio.generate(project_id, 2)
    packet = studio.latest(project_id, 2).packet
    assert packet["summary"] == "Notices\ufffd in \ufffd three houses."
    assert packet["guardrails"] == ["No\ufffd mail", "No ads", "No \ufffd"]
    assert studio.deliverables(project_id, 2)["Distribution deck"]["status"] == "stored"
