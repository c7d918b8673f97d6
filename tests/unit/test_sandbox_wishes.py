"""An order in the chat refines the phase that it names, and no answer repeats a key or a gap of the studio's own."""

from __future__ import annotations

import json

import pytest

from studio.sandbox import phase_plans, prose, wishes
from studio.sandbox.facts import Facts, collect


def _asked(message: str) -> Facts:
    return collect("", [f"<idea>A shared laundry room for small hotels.</idea><message>{message}</message>"])


@pytest.mark.parametrize(
    ("message", "phase"),
    [
        ("Revise the validation: name two channels", 1),
        ("Please rework the Validate packet, the budget is unclear.", 1),
        ("Shorten the pitch and say less about the channels.", 0),
        ("Rewrite the distribution plan for the landing page.", 2),
        ("Revise phase 3: the copy of the checklist is too long.", 3),
        ("Revise the go-live plan: add a test of the form.", 3),
        ("Überarbeite die Validierung: nenne zwei Kanäle.", 1),
        ("Kürze den Vertrieb auf eine Seite.", 2),
        ("Rewrite the launch page headline.", 1),
        ("Name fewer channels, please.", None),
        ("Drop two of the channels.", 2),
        ("Make the headline shorter.", 1),
    ],
)
def test_the_phase_that_is_named_is_refined(message: str, phase: int | None) -> None:
    found = wishes.order(_asked(message))
    assert (None if found is None else found["input"].get("phase")) == phase


def test_an_answer_repeats_what_is_remembered_and_not_under_which_key() -> None:
    memory = (
        "context:\n- last_chat_topic (said by the founder): What about the landing page?\n"
        "learning:\n- action_deploy_landing_page: The landing page is published at an address of its own."
    )
    idea = "<idea>A shared laundry room for small hotels.</idea>"
    asked = f"{idea}<memory>{memory}</memory><message>Tell me about the landing page</message>"
    said = prose.chat(collect("", [asked]))
    assert "published at an address" in said
    for inner in ("action_deploy", "Action_deploy", "last_chat_topic", "Last_chat_topic", "said by the founder"):
        assert inner not in said


@pytest.mark.parametrize("idea", ["A better lunch.", "Ein besseres Mittagessen, das einfach besser ist."])
def test_nobody_is_named_where_nobody_is_named(idea: str) -> None:
    facts = collect("", [f"<idea>{idea}</idea>"])
    assert facts.reading.audience == ""
    for plan in (phase_plans.distribution(facts), phase_plans.synopsis(facts, 1), phase_plans.go_live(facts)):
        plan.get("paid_acquisition", {}).pop("target_audiences", None)
        told = json.dumps(plan, ensure_ascii=False)
        assert "ot named yet" not in told
        assert "och nicht benannt" not in told
