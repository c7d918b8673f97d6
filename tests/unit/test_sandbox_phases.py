"""The sandbox model answers every schema of the later phases, for any idea, and adds no figure to what it was told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from anthropic import transform_schema
from pydantic import BaseModel

from studio.agents.prompting import blocks
from studio.packets.brand_deck import BrandDeckSpec
from studio.packets.phase1 import (
    BrandKit,
    EmailSequence,
    LandingCopy,
    Phase1Patch,
    PhaseSynopsis,
    SocialStrategy,
    WaitlistPlan,
)
from studio.packets.phase2 import Phase2Patch, Phase2Plan
from studio.packets.phase3 import Phase3Patch, Phase3Plan
from studio.sandbox import answers, facts
from studio.sandbox.palettes import PALETTES, palette_for
from studio.sandbox.wording import PHRASES, read

SCHEMAS: tuple[type[BaseModel], ...] = (
    LandingCopy,
    BrandKit,
    WaitlistPlan,
    EmailSequence,
    SocialStrategy,
    PhaseSynopsis,
    Phase2Plan,
    Phase3Plan,
    BrandDeckSpec,
)
TOOLS = (
    "A tool library for neighbours: people lend each other power tools such as drills and ladders."
    " A small deposit of $5 covers damage. Today nobody knows who owns a drill."
)
BREAD = "A bakery that delivers by bicycle to offices before nine"
NURSES = "Eine App für Pflegekräfte, die nach der Schicht abschalten wollen. Sie bietet kurze Meditationen an."
ODD = ("", "bread", "🍕🍕🍕", "x" * 3000, "<script>alert(1)</script> invoices </idea>", "مكتبة أدوات للجيران")
PERMITTED = {"email_send": True, "ads_enabled": True, "ads_budget_cap": 12, "repo_write": True, "deploy": True}
REFUSED = {"email_send": False, "ads_enabled": False, "ads_budget_cap": 0, "repo_write": False, "deploy": False}


def answer(schema: type[BaseModel], idea: str, **parts: Any) -> Any:
    told = facts.collect("You are an agent.", [blocks(project={"runtime_mode": "attached"}, idea=idea, **parts)])
    return answers.compose(transform_schema(schema), told)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
@pytest.mark.parametrize("idea", [TOOLS, BREAD, NURSES, *ODD], ids=lambda idea: idea[:12] or "empty")
@pytest.mark.parametrize("guidance", [None, "Aim it at schools, and make it shorter"], ids=["plain", "guided"])
def test_every_schema_is_answered_for_any_idea(schema: type[BaseModel], idea: str, guidance: str | None) -> None:
    schema.model_validate(answer(schema, idea, guidance=guidance, permissions=PERMITTED))


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_the_same_request_gives_the_same_answer(schema: type[BaseModel]) -> None:
    assert answer(schema, TOOLS) == answer(schema, TOOLS)


@pytest.mark.parametrize("schema", [LandingCopy, EmailSequence, SocialStrategy], ids=lambda schema: schema.__name__)
def test_what_people_will_read_holds_no_figure_that_the_founder_did_not_give(schema: type[BaseModel]) -> None:
    told = answer(schema, TOOLS)
    for mail in told.get("emails", []):
        mail["day"] = ""  # when it is sent is a plan, not a claim
    assert set(re.findall(r"\d[\d.,]*", json.dumps(told, ensure_ascii=False))) <= {"5"}


def test_no_money_is_planned_and_none_permitted_without_the_founder() -> None:
    plan = answer(Phase2Plan, TOOLS, permissions=REFUSED)
    assert [channel["weekly_budget"] for channel in plan["distribution_strategy"]["channel_plan"]] == [0, 0, 0]
    assert (plan["paid_acquisition"]["enabled"], plan["paid_acquisition"]["budget_cap_per_day"]) == (False, 0)


@pytest.mark.parametrize(
    ("schema", "without", "with_all"),
    [
        (PhaseSynopsis, ["deploy_landing_page"], ["deploy_landing_page", "send_welcome_email_sequence"]),
        (Phase2Plan, [], ["send_phase2_lifecycle_email", "activate_meta_ads_campaign"]),
        (Phase3Plan, [], ["trigger_phase3_repo_workflow", "trigger_phase3_deploy"]),
    ],
    ids=["1", "2", "3"],
)
def test_only_what_is_permitted_is_proposed(schema: type[BaseModel], without: list[str], with_all: list[str]) -> None:
    def proposed(permissions: dict[str, Any]) -> list[str]:
        told = answer(schema, TOOLS, permissions=permissions)
        return [action["action_type"] for action in told.get("synopsis", told)["proposed_actions"]]

    assert (proposed(REFUSED), proposed(PERMITTED)) == (without, with_all)


def test_measured_figures_are_repeated_and_none_is_said_where_nothing_is_measured() -> None:
    told = answer(PhaseSynopsis, TOOLS, figures={"traffic_30d": 321, "leads_30d": 7})
    assert any("321" in reason and "7" in reason for reason in told["rationale"])
    assert "321" not in json.dumps(answer(PhaseSynopsis, TOOLS))


def test_guidance_that_spells_out_words_is_followed_to_the_word() -> None:
    wish = "Change the headline to “Drills next door”, and the button to “Lend me one”."
    told = answer(LandingCopy, TOOLS, guidance=wish)
    assert (told["headline"], told["primary_cta"]) == ("Drills next door", "Lend me one")
    assert any("Drills next door" in note for note in told["launch_notes"])


def prior_packet(phase: int) -> dict[str, Any]:
    if phase == 1:
        parts = {
            "landing_page": answer(LandingCopy, TOOLS),
            "brand_kit": answer(BrandKit, TOOLS),
            "social_strategy": answer(SocialStrategy, TOOLS),
            "email_sequence": answer(EmailSequence, TOOLS),
        }
        return {**parts, "reasoning_synopsis": answer(PhaseSynopsis, TOOLS)}
    plan = answer(Phase2Plan if phase == 2 else Phase3Plan, TOOLS)
    return {**plan, "reasoning_synopsis": plan["synopsis"]}


@pytest.mark.parametrize(
    ("phase", "schema", "wish", "changed"),
    [
        (1, Phase1Patch, "Make the headline “Drills next door”", {"landing_page"}),
        (1, Phase1Patch, "The welcome mail needs the subject “Hello neighbour”", {"email_sequence"}),
        (1, Phase1Patch, "Use calmer colours and a dark design", {"brand_kit", "page_direction"}),
        (1, Phase1Patch, "Think again about Instagram", {"social_strategy"}),
        (1, Phase1Patch, "Be braver", set()),
        (2, Phase2Patch, "Never write to schools", {"guardrails"}),
        (2, Phase2Patch, "Be braver", {"weekly_experiments"}),
        (3, Phase3Patch, "We need backups abroad", {"operational_readiness"}),
        (3, Phase3Patch, "Be braver", {"launch_checklist"}),
    ],
)
def test_a_revision_touches_what_the_guidance_names_and_gives_the_reason(
    phase: int, schema: type[BaseModel], wish: str, changed: set[str]
) -> None:
    patch = answer(schema, TOOLS, guidance=wish, prior_packet=prior_packet(phase))
    schema.model_validate(patch)
    assert set(patch) == {*changed, "rationale"}
    assert wish.split()[-1].strip("“”") in patch["rationale"][0]


def test_a_revision_takes_spelled_out_words_and_keeps_the_rest_to_the_letter() -> None:
    prior = prior_packet(1)
    wish = "Make the headline “Drills next door”, and the subject of the first mail “Hello neighbour”"
    patch = answer(Phase1Patch, TOOLS, guidance=wish, prior_packet=prior)
    assert patch["landing_page"]["headline"] == "Drills next door"
    assert patch["landing_page"]["section_copy"] == prior["landing_page"]["section_copy"]
    assert patch["email_sequence"]["emails"][0]["subject"] == "Hello neighbour"
    assert patch["email_sequence"]["emails"][1:] == prior["email_sequence"]["emails"][1:]


def test_a_german_idea_is_answered_in_german() -> None:
    assert answer(LandingCopy, NURSES)["primary_cta"] == PHRASES["cta"]["de"]
    assert answer(LandingCopy, TOOLS)["primary_cta"] == PHRASES["cta"]["en"]


def test_unlike_ideas_get_unlike_brands() -> None:
    ideas = (TOOLS, BREAD, NURSES, "Invoices for freelancers", "A chess club for villages", "Drones that count cattle")
    assert len({palette_for(idea).name for idea in ideas}) == len(ideas)


def _luminance(colour: str) -> float:
    def linear(byte: int) -> float:
        share = byte / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(byte) for byte in bytes.fromhex(colour[1:]))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", PALETTES, ids=lambda palette: palette.name)
def test_every_palette_can_be_read(palette: Any) -> None:
    for ground in (palette.background, palette.surface):
        assert _contrast(palette.text, ground) >= 7
        assert _contrast(palette.accent, ground) >= 4.5


def test_every_sentence_exists_in_both_languages_with_the_same_parts() -> None:
    for key, both in PHRASES.items():
        parts = [set(re.findall(r"\{(\w+)\}", both[language])) for language in ("en", "de")]
        assert parts[0] == parts[1], key


def test_a_sentence_that_stands_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text('[cta]\nen = "Join"\nde = "Mitmachen"\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"two\.toml repeats the sentences cta of another file"):
        read(tmp_path)
