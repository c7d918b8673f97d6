"""The packets of phases 1 to 3: what is forced into them, what a patch changes, and what later prompts see of them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from anthropic import transform_schema
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from studio import memory
from studio.agents.ceo import PLANS
from studio.agents.strategist import PARTS
from studio.packets.assembly import PACKETS as SCHEMAS
from studio.packets.assembly import PATCHES, patched, validated
from studio.packets.brand_deck import BrandDeckSpec
from studio.packets.digest import DIGEST_CHARS, digest
from studio.packets.evidence import passages
from studio.packets.limits import forced, planned_ads, without_forbidden
from studio.packets.phase1 import PhaseSynopsis
from studio.packets.phase2 import ChannelPlan
from studio.packets.revision import IN_SYNOPSIS, changed_keys
from studio.phases.learned import VALUE_CHARS, lessons
from studio.projects import Project
from tests.support.phases import GO_LIVE, PACKETS, SOURCE, synopsis

WHOLE = {
    **PACKETS,
    3: {
        **GO_LIVE,
        "summary": "Three milestones lead to a house with a locker.",
        "recommendation": "greenlight",
        "reasoning_synopsis": synopsis(proposed_actions=[]),
    },
}
ASKED_FOR: list[type[BaseModel]] = [
    *(part.schema for part in PARTS),
    *PLANS.values(),
    *PATCHES.values(),
    PhaseSynopsis,
    BrandDeckSpec,
]


def project(**changes: Any) -> Project:
    permissions = {"repo_write": False, "deploy": False, "email_send": False, "ads_enabled": False, "ads_budget_cap": 0}
    known = {"name": "Tools", "runtime_mode": "shared", "permissions": permissions, **changes}
    return Project(**{**dict.fromkeys(Project.__dataclass_fields__), **known})  # type: ignore[arg-type]


# --- what is asked of a model


@pytest.mark.parametrize("schema", ASKED_FOR, ids=lambda schema: schema.__name__)
def test_what_is_asked_for_fits_what_the_service_accepts(schema: type[BaseModel]) -> None:
    asked = json.dumps(transform_schema(schema))
    assert f'"title": "{schema.__name__}"' in asked
    # Its limits for one request: 24 optional fields, 16 that may be one of several types.
    assert asked.count('"anyOf"') <= 16
    assert sum(not field.is_required() for field in schema.model_fields.values()) <= 24


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_a_patch_names_keys_of_its_packet(phase: int) -> None:
    keys = set(PATCHES[phase].model_fields) - set(IN_SYNOPSIS) - {"page_direction"}
    assert keys <= set(SCHEMAS[phase].model_fields)
    assert set(SCHEMAS[phase].model_fields) - keys == {"reasoning_synopsis"}


# --- revisions


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_a_patch_replaces_its_keys_and_keeps_the_others(phase: int) -> None:
    prior = validated(phase, WHOLE[phase])
    patch = PATCHES[phase].model_validate({"recommendation": "kill", "confidence": 7, "risks": ["None asked for it."]})
    packet = patched(phase, prior, patch)
    assert changed_keys(patch) == ["confidence", "recommendation", "risks"]
    assert (packet["recommendation"], packet["reasoning_synopsis"]["decision"]) == ("kill", "kill")
    assert (packet["reasoning_synopsis"]["confidence"], packet["reasoning_synopsis"]["risks"]) == (
        7,
        ["None asked for it."],
    )
    kept = set(prior) - {"recommendation", "reasoning_synopsis"}
    assert {key: packet[key] for key in kept} == {key: prior[key] for key in kept}
    assert prior == validated(phase, WHOLE[phase]), "the prior packet was changed in place"


@pytest.mark.parametrize("phase", [1, 2, 3])
@pytest.mark.parametrize("answer", [{}, {"summary": None}, {"unknown": 1}])
def test_a_patch_changes_something(phase: int, answer: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="at least one key must change"):
        PATCHES[phase].model_validate(answer)


def test_a_note_on_the_page_is_no_part_of_the_packet() -> None:
    prior = validated(1, WHOLE[1])
    patch = PATCHES[1].model_validate({"page_direction": "Darker"})
    assert changed_keys(patch) == ["page_direction"]
    assert patched(1, prior, patch) == prior


# --- limits


@given(
    enabled=st.booleans(),
    cap=st.one_of(st.integers(0, 10_000), st.decimals(0, 10_000, places=2).map(float)),
    wished=st.booleans(),
    wished_cap=st.floats(0, 1e9),
)
def test_ads_never_exceed_what_is_permitted(enabled: bool, cap: float, wished: bool, wished_cap: float) -> None:
    wish = {**WHOLE[2]["paid_acquisition"], "enabled": wished, "budget_cap_per_day": wished_cap}
    permissions = {**project().permissions, "ads_enabled": enabled, "ads_budget_cap": cap}
    paid = forced(2, {**WHOLE[2], "paid_acquisition": wish}, project(permissions=permissions))["paid_acquisition"]
    assert paid["enabled"] is (enabled and cap > 0)
    assert paid["budget_cap_per_day"] == cap
    assert validated(2, {**WHOLE[2], "paid_acquisition": paid})["paid_acquisition"] == paid
    assert planned_ads({"paid_acquisition": paid}) == (Decimal(str(cap)) if enabled else 0)


def test_the_protected_branch_is_main_and_is_reviewed() -> None:
    packet = forced(3, WHOLE[3], project(runtime_mode="shared"))
    assert packet["merge_policy"] == {"review_required": True, "approvals_required": 1, "protected_branch": "main"}
    assert packet["architecture_review"]["runtime_mode"] == "shared"
    assert WHOLE[3]["merge_policy"]["protected_branch"] != "main", "the plan was changed in place"


def test_nothing_is_forced_into_phase_1() -> None:
    assert forced(1, WHOLE[1], project()) == WHOLE[1]


def test_an_action_that_is_refused_is_left_out_with_the_reason() -> None:
    wishes = [
        {"action_type": name, "description": "d", "reason": "r"}
        for name in ("deploy_landing_page", "send_welcome_email_sequence", "trigger_phase3_deploy")
    ]
    packet = {**WHOLE[1], "reasoning_synopsis": synopsis(proposed_actions=wishes)}
    kept, dropped = without_forbidden(1, packet, lambda kind: "No mail." if "email" in kind else None)
    assert [a["action_type"] for a in kept["reasoning_synopsis"]["proposed_actions"]] == ["deploy_landing_page"]
    assert [(a.action_type, a.reason) for a in dropped] == [
        ("send_welcome_email_sequence", "No mail."),
        ("trigger_phase3_deploy", "it is no action of Phase 1"),
    ]


def test_money_is_a_number_in_the_packet() -> None:
    plan = ChannelPlan(channel="Notices", objective="Ten signups", weekly_budget="12.50")  # type: ignore[arg-type]
    assert json.loads(plan.model_dump_json())["weekly_budget"] == 12.5


# --- what later prompts see


def test_a_digest_says_what_a_packet_says_without_passages_and_mails() -> None:
    short = digest(WHOLE[1])
    assert short["landing_page"]["headline"] == WHOLE[1]["landing_page"]["headline"]
    text = json.dumps(short)
    assert "Thank you for your interest." not in text
    assert SOURCE["quote"] not in text
    assert SOURCE["url"] in text, "where a claim comes from is part of it"


def test_a_digest_of_a_packet_of_any_size_is_bounded() -> None:
    cut = digest({"summary": "x" * 1_000_000})
    assert isinstance(cut, str)
    assert len(cut) == DIGEST_CHARS


def test_passages_are_found_wherever_they_stand_each_once_and_only_with_their_own_hash() -> None:
    other = {**SOURCE, "quote": "Something else."}
    packet = {"a": [{"sources": [SOURCE, other]}], "b": {"c": {"sources": [SOURCE, "x", {"url": "u"}]}}, "sources": 7}
    assert [found.model_dump() for found in passages([packet, packet])] == [SOURCE]


# --- what is learned


@pytest.mark.parametrize("phase", [0, 1, 2, 3])
def test_lessons_can_be_remembered_and_have_names_of_their_own(phase: int) -> None:
    learned = lessons(phase, WHOLE[phase])
    assert learned
    for lesson in learned:
        assert lesson.category in memory.CATEGORIES
        assert 0 < len(lesson.value) <= VALUE_CHARS
    keys = [lesson.key for number in WHOLE for lesson in lessons(number, WHOLE[number])]
    assert len(keys) == len(set(keys)), "a phase would overwrite what another one has learned"
