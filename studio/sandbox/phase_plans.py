"""The plans of phases 2 and 3, and the verdict of phases 1 to 3.

A plan is what somebody means to do, so it may be written without evidence; a figure may not, and there is none in
it but those that the request carries.
"""

from __future__ import annotations

from typing import Any

from studio.sandbox import evidence, launch, synthesis, words
from studio.sandbox.facts import Facts
from studio.sandbox.wording import quoted, quoted_sentence, say

_DAILY_MESSAGES = 10

# What the studio could do by itself in a phase: action, the permission it needs, and the sentences.
_DEEDS: dict[int, tuple[tuple[str, str | None, str, str], ...]] = {
    1: (
        ("deploy_landing_page", None, "do_publish", "why_publish"),
        ("send_welcome_email_sequence", "email_send", "do_welcome", "why_welcome"),
    ),
    2: (
        ("send_phase2_lifecycle_email", "email_send", "do_lifecycle", "why_lifecycle"),
        ("activate_meta_ads_campaign", "ads_enabled", "do_ads", "why_ads"),
    ),
    3: (
        ("trigger_phase3_repo_workflow", "repo_write", "do_repo", "why_repo"),
        ("trigger_phase3_deploy", "deploy", "do_deploy", "why_deploy"),
    ),
}
_ABOUT_PEOPLE = frozenset({"next_channels"})
_NEXT = {1: ("next_publish", "next_invite"), 2: ("next_channels", "next_invite"), 3: ("next_build",)}


def synopsis_of_phase1(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `PhaseSynopsis` schema, which only Phase 1 asks for by itself."""
    return synopsis(facts, 1)


def synopsis(facts: Facts, phase: int) -> dict[str, Any]:
    """Return the verdict of a phase: what is known, what is not, and what could be done."""
    reading, language = facts.reading, facts.reading.language
    figure = evidence.confidence(facts)
    reasons = synthesis.rationale(facts)
    return {
        "summary": say(language, f"summary{phase}", idea=synthesis.named(reading)),
        "recommendation": evidence.recommendation(facts, figure),
        "confidence": figure,
        "rationale": words.unique([reasons[0], _measured(facts), *reasons[1:]])[:8],
        "risks": synthesis.risks(facts),
        "next_actions": _next(facts, phase),
        "proposed_actions": _proposed(facts, phase),
        "evidence": evidence.claims(facts),
    }


def _measured(facts: Facts) -> str:
    figures, language = facts.given("figures"), facts.reading.language
    visits = figures.get("traffic_30d") if isinstance(figures, dict) else None
    if not visits:
        return say(language, "traffic_none")
    return say(language, "traffic_some", traffic=str(visits), leads=str(figures.get("leads_30d") or 0))


def _next(facts: Facts, phase: int) -> list[str]:
    reading, language = facts.reading, facts.reading.language
    # A sentence about people that nobody has named yet is another one, and not this one with a gap in it.
    keys = [f"{key}_open" if key in _ABOUT_PEOPLE and not reading.audience else key for key in _NEXT[phase]]
    return [say(language, key, audience=quoted(reading.audience, language)) for key in keys]


def _proposed(facts: Facts, phase: int) -> list[dict[str, str]]:
    given, language = facts.given("permissions"), facts.reading.language
    permitted = given if isinstance(given, dict) else {}
    return [
        {"action_type": action, "description": say(language, what), "reason": say(language, why)}
        for action, needs, what, why in _DEEDS[phase]
        if needs is None or permitted.get(needs) is True
    ]


def distribution(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `Phase2Plan` schema."""
    reading, language = facts.reading, facts.reading.language
    audience = words.capitalise(reading.audience) if reading.audience else say(language, "audience_open")
    given = facts.given("permissions")
    cap = given.get("ads_budget_cap") if isinstance(given, dict) else None
    direct, places = launch.channels(facts)
    return {
        "distribution_strategy": {
            "north_star_metric": say(language, "north_star"),
            "channel_plan": [
                {
                    "channel": words.clip_words(direct, 120),
                    "objective": say(language, "goal_direct"),
                    "weekly_budget": 0,
                },
                {
                    "channel": words.clip_words(places, 120),
                    "objective": say(language, "goal_places"),
                    "weekly_budget": 0,
                },
                {
                    "channel": say(language, "channel_waitlist"),
                    "objective": say(language, "goal_waitlist"),
                    "weekly_budget": 0,
                },
            ],
        },
        "paid_acquisition": {
            "enabled": isinstance(given, dict) and given.get("ads_enabled") is True,
            "budget_cap_per_day": cap if isinstance(cap, int | float) else 0,
            "target_audiences": [audience],
            "creative_angles": _angles(facts),
            "kill_switch": say(language, "kill_switch"),
        },
        "outreach": {
            "sequence_type": say(language, "sequence_type"),
            "target_segments": [words.clip_words(audience, 240) if reading.audience else say(language, "segment_open")],
            "daily_send_cap": _DAILY_MESSAGES,
        },
        "lifecycle_email": {
            "journeys": [say(language, "journey_joined"), say(language, "journey_quiet")],
            "send_window": say(language, "send_window"),
            "emails": [
                {
                    "day": "Day 0",
                    "subject": say(language, "life_subject"),
                    "goal": say(language, "life_goal"),
                    "body": [
                        say(language, "life_now", idea=synthesis.named(reading)),
                        say(language, "mail1_ask"),
                        say(language, "life_ask"),
                    ],
                }
            ],
        },
        "weekly_experiments": _guided(facts, ["exp_headline", "exp_price", "exp_hand"]),
        "guardrails": [say(language, key) for key in ("guard_cap", "guard_mail", "guard_true")],
        "synopsis": synopsis(facts, 2),
    }


def _angles(facts: Facts) -> list[str]:
    reading, language = facts.reading, facts.reading.language
    found: list[str] = []
    if reading.problems:
        found.append(say(language, "angle_problem", problem=quoted_sentence(reading.problems[0], language, 300)))
    if reading.features:
        found.append(say(language, "angle_feature", feature=quoted(reading.features[0], language, 300)))
    return [*found, say(language, "angle_idea", idea=synthesis.named(reading)), say(language, "angle_ask")]


def _guided(facts: Facts, keys: list[str]) -> list[str]:
    language = facts.reading.language
    asked = [say(language, "revised_scope", guidance=quoted_sentence(facts.guidance, language, 280))]
    return [*(asked if facts.guidance else []), *(say(language, key) for key in keys)]


def go_live(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `Phase3Plan` schema."""
    reading, language = facts.reading, facts.reading.language
    project = facts.project
    mode = project.get("runtime_mode")
    core = [say(language, "part_core", feature=quoted(feature, language, 280)) for feature in reading.features[:3]] or [
        say(language, "part_core_open", idea=synthesis.named(reading))
    ]
    owner = say(language, "founder")
    checklist = ["check_pages", "check_mail", "check_alert", "check_back"]
    price = (
        [say(language, "check_price", price=quoted_sentence(reading.prices[0], language, 240))]
        if reading.prices
        else []
    )
    return {
        "architecture_review": {
            "runtime_mode": mode if mode in ("shared", "attached") else "shared",
            "system_components": [
                say(language, "part_page"),
                *core,
                say(language, "part_data"),
                say(language, "part_signin"),
            ],
            "critical_dependencies": [say(language, "dep_mail"), say(language, "dep_host")],
        },
        "build_plan": {
            "milestones": [
                {"name": say(language, name), "owner": owner, "exit_criteria": say(language, f"{name}_exit")}
                for name in ("ms_hand", "ms_first", "ms_open")
            ]
        },
        "qa_plan": {
            "test_suites": [say(language, key) for key in ("suite_core", "suite_form", "suite_data")],
            "acceptance_gates": [say(language, key) for key in ("gate_core", "gate_phone", "gate_people")],
        },
        "launch_checklist": [*_guided(facts, checklist), *price],
        "rollback_plan": {
            "triggers": [say(language, key) for key in ("trigger_core", "trigger_data")],
            "steps": [say(language, key) for key in ("back_stop", "back_version", "back_tell")],
        },
        "merge_policy": {"review_required": True, "approvals_required": 1, "protected_branch": "main"},
        "operational_readiness": [say(language, key) for key in ("ready_watch", "ready_backup", "ready_answer")],
        "synopsis": synopsis(facts, 3),
    }
