"""The packets of phases 1 to 3 are shown whole in words, and what another client wrote as it is stored."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console, RenderableType

from greenlight_dagster.cli.phase_view import change_panels, phase_panels
from studio.packets.diff import changes

SYNOPSIS = {
    "decision": "revise",
    "confidence": 64,
    "rationale": ["reason one", "reason two", "reason three"],
    "risks": ["a risk"],
    "next_actions": ["a next step"],
    "evidence": [{"claim": "a claim", "source": "unsourced", "sourced": False, "sources": []}],
    "proposed_actions": [
        {"action_type": "deploy_landing_page", "description": "publish it", "reason": "it is ready"},
    ],
}
MAIL = {
    "day": "Day 0", "subject": "Welcome to it", "goal": "internal goal", "body": ["first paragraph"],
    "cta_label": "Reply now",
}  # fmt: skip
COMMON = {"summary": "What this phase is about", "recommendation": "revise", "reasoning_synopsis": SYNOPSIS}
PACKETS: dict[int, dict[str, Any]] = {
    1: COMMON
    | {
        "landing_page": {
            "headline": "The headline of it", "subheadline": "The subheadline", "primary_cta": "Join in",
            "sections": ["One", "Two", "Three"],
            "section_copy": [{"title": f"Part {n}", "body": f"body {n}"} for n in range(3)],
            "launch_notes": ["note one", "note two"],
        },
        "waitlist": {
            "capture_stack": "its own form", "double_opt_in": True, "form_fields": ["email", "name"],
            "target_conversion_rate": "none yet",
        },
        "analytics": {"provider": "its own", "events": ["e1", "e2", "e3"], "dashboard_views": ["v1", "v2"]},
        "brand_kit": {
            "voice": "calm voice", "color_palette": ["#111111 ink", "#222222 sea", "#333333 sand"],
            "font_pairing": "Georgia and Arial", "logo_prompt": "a drawn ladder",
        },
        "social_strategy": {
            "channels": ["c1", "c2"], "content_pillars": ["p1", "p2", "p3"], "posting_cadence": "twice a week",
        },
        "email_sequence": {"emails": [MAIL] * 3},
    },
    2: COMMON
    | {
        "distribution_strategy": {
            "north_star_metric": "lent tools a week",
            "channel_plan": [
                {"channel": f"channel {n}", "objective": "be heard", "weekly_budget": "12.50"} for n in range(2)
            ],
        },
        "paid_acquisition": {
            "enabled": False, "budget_cap_per_day": "20", "target_audiences": ["an audience"],
            "creative_angles": ["angle one", "angle two"], "kill_switch": "no sign-up in a week",
        },
        "outreach": {"sequence_type": "letters", "target_segments": ["houses"], "daily_send_cap": 7},
        "lifecycle_email": {"journeys": ["j one", "j two"], "send_window": "mornings", "emails": [MAIL]},
        "weekly_experiments": ["x1", "x2", "x3"],
        "guardrails": ["g1", "g2", "g3"],
    },
    3: COMMON
    | {
        "architecture_review": {
            "runtime_mode": "shared", "system_components": ["s1", "s2", "s3"], "critical_dependencies": ["d1", "d2"],
        },
        "build_plan": {
            "milestones": [
                {"name": f"milestone {n}", "owner": "engineering", "exit_criteria": "it is done"} for n in range(3)
            ]
        },
        "qa_plan": {"test_suites": ["t1", "t2", "t3"], "acceptance_gates": ["a1", "a2", "a3"]},
        "launch_checklist": ["l1", "l2", "l3", "l4"],
        "rollback_plan": {"triggers": ["r1", "r2"], "steps": ["b1", "b2", "b3"]},
        "merge_policy": {"review_required": True, "approvals_required": 2, "protected_branch": "main"},
        "operational_readiness": ["o1", "o2", "o3"],
    },
}  # fmt: skip
# Made for other eyes: a picture's prompt, what a mail is for, and the titles that stand above the sections anyway.
NOT_SHOWN = {"logo_prompt", "goal", "sections", "decision", "source", "sources", "sourced", "action_type"}


def drawn(panels: Any) -> str:
    console = Console(file=io.StringIO(), width=200)
    for panel in panels:
        assert isinstance(panel, RenderableType)
        console.print(panel)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() if key not in NOT_SHOWN for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_all_that_a_packet_says_is_shown(phase: int) -> None:
    shown = drawn(phase_panels(phase, PACKETS[phase]))
    missing = [text for text in texts(PACKETS[phase]) if text not in shown and text.upper() not in shown]
    assert missing == []
    assert "REVISE  confidence 64 of 100" in shown
    assert "deploy_landing_page" in shown


@pytest.mark.parametrize("phase", [0, 1, 2, 3])
def test_a_packet_of_another_shape_is_shown_as_it_is_stored(phase: int) -> None:
    shown = drawn(phase_panels(phase, {"tagline": "Their own", "evil": "\x1b[2J"}))
    assert "shown as it is stored" in shown
    assert '"tagline": "Their own"' in shown
    assert "\x1b" not in shown


def test_a_text_is_neither_markup_nor_a_command_of_the_terminal() -> None:
    packet = json.loads(json.dumps(PACKETS[2]))
    packet["guardrails"][0] = "[red]g1[/red] [/] \x1b[2J"
    shown = drawn(phase_panels(2, packet))
    assert "[red]g1[/red] [/]" in shown
    assert "\x1b" not in shown
    told = drawn(change_panels(changes(PACKETS[2], packet)))
    assert "was  g1" in told
    assert "is   [red]g1[/red] [/]" in told
    assert "\x1b" not in told


def test_changes_say_what_was_and_what_is() -> None:
    told = drawn(change_panels(changes({"a": "x" * 2000, "b": 1, "c": [1]}, {"a": "y", "b": {"d": 2}, "e": None})))
    assert "~ a" in told
    assert "…" in told
    assert 'is   {"d": 2}' in told
    assert "- c" in told
    assert "+ e" in told
