"""A packet is what the models said, with sources only where a retrieved passage carries them; nothing is invented."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from anthropic import transform_schema
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from studio.packets.evidence import UNSOURCED
from studio.packets.phase0 import (
    CompetitorFindings,
    ConfidenceBreakdown,
    ExistingPresence,
    MarketFindings,
    Phase0Packet,
    Phase0Patch,
    Phase0Synthesis,
    Source,
)
from studio.packets.phase0_assembly import (
    NOT_MEASURED,
    assemble,
    competitors,
    market,
    patched,
)
from studio.packets.revision import changed_keys
from studio.research import Dossier, carrying, dossier, for_prompt, named_by, numbered
from studio.text import sha256_hex

SYNTHESIS: dict[str, Any] = {
    "tagline": "Tools next door",
    "elevator_pitch": "Neighbours lend each other tools.",
    "confidence_breakdown": {"market": 40, "competition": 50, "feasibility": 80, "timing": 60},
    "target_persona": {"name": "Home fixers", "description": "They own a flat.", "pain_points": ["No drill"]},
    "mvp_scope": {"in_scope": ["Calendar"], "deferred": ["Insurance"]},
    "recommendation": "revise",
    "confidence": 55,
    "rationale": ["One", "Two", "Three"],
    "risks": ["Damage"],
    "next_actions": ["Ask ten neighbours"],
    "evidence": [{"claim": "Lendly charges 5 euros a day.", "source_ids": ["S1"]}],
}
LOOKED = ExistingPresence(
    domain="example.org", status="live", detail="It answers.", scanned_at=datetime(2026, 3, 1, tzinfo=UTC)
)
EMPTY = Dossier(notes="Nothing.", passages=[], searches=2, retrieved=0)


def source(quote: str, title: str = "A page", url: str = "https://page.test/") -> Source:
    return Source(url=url, title=title, quote=quote, quote_sha256=sha256_hex(quote))


SOURCES = {
    "S1": source("Lendly charges 5 euros a day for a drill.", "Lendly", "https://lendly.test/about"),
    "S2": source("The market grew to 12 million households in 2025."),
    "S3": source("A startup in Artville rents furniture."),
}


def synthesis(**changes: Any) -> Phase0Synthesis:
    return Phase0Synthesis.model_validate_json(json.dumps({**copy.deepcopy(SYNTHESIS), **changes}))


def packet(**changes: Any) -> Phase0Packet:
    listed, note = competitors(None, SOURCES, EMPTY)
    return assemble(synthesis(**changes), listed, note, market(None, SOURCES, EMPTY), [LOOKED], SOURCES)


def refused(model: type[BaseModel], value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(json.dumps(value))
    return str(caught.value)


# --- repairs: only where nothing is invented


@pytest.mark.parametrize("said", ["greenlight", "Greenlight", " GREENLIGHT ", "greenlight it", "Greenlight: go ahead"])
def test_a_verdict_is_matched_by_its_beginning_in_any_case(said: str) -> None:
    assert synthesis(recommendation=said).recommendation == "greenlight"


@pytest.mark.parametrize("said", ["", "go", "do not kill it", "maybe revise", None, 1, ["kill"]])
def test_a_verdict_is_not_guessed(said: Any) -> None:
    assert "recommendation" in refused(Phase0Synthesis, {**SYNTHESIS, "recommendation": said})


@pytest.mark.parametrize(
    ("said", "meant"), [(55, 55), (0, 0), (100, 100), ("55", 55), (" 55 % ", 55), ("55.4", 55), (54.6, 55), (55.0, 55)]
)
def test_a_number_written_as_text_or_with_places_is_a_number(said: Any, meant: int) -> None:
    assert synthesis(confidence=said).confidence == meant


@pytest.mark.parametrize(
    "said", [-1, 101, "high", "", "55 of 100", "1e1", None, True, [], float("inf"), float("nan"), "５５", "-5"]
)
def test_a_confidence_is_not_guessed(said: Any) -> None:
    assert "confidence" in refused(Phase0Synthesis, {**SYNTHESIS, "confidence": said})


@pytest.mark.parametrize("share", [0.85, "0.85", 0.5])
def test_a_share_is_not_taken_for_a_percentage(share: Any) -> None:
    # Rounded it would be 1 of 100, and high confidence would read as none.
    breakdown = {**SYNTHESIS["confidence_breakdown"], "market": share}
    assert "market" in refused(ConfidenceBreakdown, breakdown)


def test_white_space_and_length_are_put_right() -> None:
    tidy = synthesis(tagline=" Tools \n next\tdoor ", rationale=["x" * 500, "Two", "Three"])
    assert tidy.tagline == "Tools next door"
    assert len(tidy.rationale[0]) == 400
    assert tidy.rationale[0].endswith("…")
    assert len(synthesis(tagline="word " * 100).tagline) <= 180


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tagline", ""),
        ("tagline", "   "),
        ("elevator_pitch", " \n "),
        ("rationale", ["One", "Two"]),
        ("rationale", ["One", "Two", " "]),
        ("risks", ["x"] * 9),
        ("target_persona", {"name": "A", "description": "B", "pain_points": []}),
        ("mvp_scope", {"in_scope": [], "deferred": []}),
        ("confidence_breakdown", {"market": 1}),
        ("tagline", 7),
    ],
)
def test_what_is_missing_is_not_filled_in(field: str, value: Any) -> None:
    assert field in refused(Phase0Synthesis, {**SYNTHESIS, field: value})


@pytest.mark.parametrize("field", sorted(SYNTHESIS))
def test_a_missing_field_is_an_error_not_a_default(field: str) -> None:
    assert field in refused(Phase0Synthesis, {key: value for key, value in SYNTHESIS.items() if key != field})


def test_evidence_given_as_text_becomes_a_claim_without_a_source() -> None:
    claims = synthesis(evidence=["People like it."]).evidence
    assert [(claim.claim, claim.source_ids) for claim in claims] == [("People like it.", [])]


RIVAL = {"name": "Lendly", "positioning": "Daily", "gap": "No deposit", "pricing": "5 euros", "source_ids": ["S1"]}


def test_competitors_one_level_too_deep_are_unwrapped() -> None:
    found = CompetitorFindings.model_validate({"competitors": {"competitors": [RIVAL]}, "note": "One."})
    assert [rival.name for rival in found.competitors] == ["Lendly"]
    for odd in ({"competitors": RIVAL, "note": "x"}, {"competitors": {"a": [RIVAL], "b": []}, "note": "x"}):
        assert "competitors" in refused(CompetitorFindings, odd)


def test_fewer_competitors_need_a_reason_and_none_is_a_number() -> None:
    assert CompetitorFindings.model_validate({"competitors": [], "note": "Nobody does it."}).competitors == []
    assert "note" in refused(CompetitorFindings, {"competitors": [RIVAL]})


def test_fields_that_nobody_asked_for_are_left_out() -> None:
    assert "existing_presence" not in synthesis(existing_presence=[{"domain": "made.up"}]).model_dump()


@pytest.mark.parametrize("model", [CompetitorFindings, MarketFindings, Phase0Synthesis, Phase0Patch])
def test_every_schema_can_be_asked_of_the_service(model: type[BaseModel]) -> None:
    schema = transform_schema(model)
    assert schema["title"] == model.__name__
    assert set(schema["properties"]) == set(model.model_fields)


# --- which passage carries what


def test_sources_are_numbered_in_order() -> None:
    passages = [source("One."), source("Two.")]
    assert numbered(passages) == {"S1": passages[0], "S2": passages[1]}
    assert list(numbered(passages, first=4)) == ["S4", "S5"]
    assert for_prompt({"S7": SOURCES["S1"]}) == [
        {"id": "S7", "url": "https://lendly.test/about", "title": "Lendly", "quote": SOURCES["S1"].quote}
    ]


def test_a_figure_is_sourced_by_a_quote_that_holds_it() -> None:
    assert carrying("12 million households", ["S2"], SOURCES) == [SOURCES["S2"]]
    assert carrying("12 million households.", ["S1", "S2"], SOURCES) == [SOURCES["S2"]]


@pytest.mark.parametrize(
    "text", ["13 million households", "120 million households", "1 million households", "2 million", "12.5 million"]
)
def test_a_figure_that_is_not_in_the_quote_is_unsourced(text: str) -> None:
    assert carrying(text, ["S2"], SOURCES) == []


def test_one_figure_of_two_is_not_enough() -> None:
    # The year stands in the quote, the amount does not.
    assert carrying("$40 billion in 2025", ["S2"], SOURCES) == []
    both = carrying("5 euros a day, 12 million households", ["S1", "S2", "S3"], SOURCES)
    assert both == [SOURCES["S1"], SOURCES["S2"]]


def test_a_digit_inside_a_word_is_no_figure() -> None:
    assert carrying("Lendly charges B2B for drills", ["S1"], SOURCES) == [SOURCES["S1"]]


def test_only_a_cited_source_counts() -> None:
    assert carrying("12 million households", ["S1"], SOURCES) == []
    assert carrying("People lend tools.", [], SOURCES) == []


@pytest.mark.parametrize("key", ["S9", "", "s1 ", "https://lendly.test/about", "[]"])
def test_an_unknown_source_is_passed_over(key: str) -> None:
    assert carrying("People lend tools.", [key], SOURCES) == []
    assert named_by("Lendly", [key], SOURCES) == []


def test_a_source_cited_twice_or_in_brackets_counts_once() -> None:
    assert carrying("Lendly charges for drills.", ["S1", "[S1]", " S1 "], SOURCES) == [SOURCES["S1"]]


def _passage(quote: str, title: str = "A page") -> dict[str, Source]:
    return {"S1": Source(url="https://a.test/lendly-square", title=title, quote=quote, quote_sha256="0" * 64)}


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("Cities pay operators for every ride.", "Bananas are yellow."),
        ("The market is worth twelve billion dollars.", "Bananas are yellow."),
        ("TAM: worth billions", "The club has 12 members."),
        ("not found", "The club has 12 members."),
        ("$12 billion", "The club has 12 members."),
        ("Demand grew 40 %", "40 shops closed last year."),
    ],
)
def test_a_passage_about_something_else_carries_nothing(text: str, quote: str) -> None:
    assert carrying(text, ["S1"], _passage(quote)) == []


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("$1,200 million in Europe", "Analysts put it at 1200 million dollars."),
        ("It grew by 40 percent", "Rentals rose 40 % within a year."),
        ("worth billions", "The market is worth several billion dollars."),
        ("Neighbours lend tools to each other.", "Many neighbours are lending their tools for free."),
    ],
)
def test_a_passage_that_says_it_in_its_own_words_carries_it(text: str, quote: str) -> None:
    assert len(carrying(text, ["S1"], _passage(quote))) == 1


@pytest.mark.parametrize(
    ("name", "quote"),
    [
        ("Daily Fresh Bread", "We bake bread that is fresh, daily."),
        ("Square", "Rents are 20 euros per square metre."),
        ("Lendly", "It rents tools."),
    ],
)
def test_a_name_that_only_its_words_or_the_address_hold_is_unsourced(name: str, quote: str) -> None:
    assert named_by(name, ["S1"], _passage(quote)) == []


@pytest.mark.parametrize("name", ["Lendly", "LENDLY"])
def test_a_competitor_is_sourced_by_a_passage_that_names_it(name: str) -> None:
    assert named_by(name, ["S1", "S2"], SOURCES) == [SOURCES["S1"]]


@pytest.mark.parametrize("name", ["Toolhub", "Lend", "Lendly Toolhub", "Lendly (drills)", "&", ""])
def test_a_competitor_that_its_passage_does_not_name_is_unsourced(name: str) -> None:
    assert named_by(name, ["S1"], SOURCES) == []


@pytest.mark.parametrize("name", ["Art", "Rent", "Start"])
def test_a_name_inside_another_word_is_not_the_name(name: str) -> None:
    # "startup", "Artville" and "rents" name none of them.
    assert named_by(name, ["S3"], SOURCES) == []


def test_a_short_name_can_be_sourced_too() -> None:
    sources = {"S1": source("HP and X rent out printers.")}
    assert named_by("HP", ["S1"], sources) == named_by("X", ["S1"], sources) == [sources["S1"]]
    assert named_by("3M", ["S1"], sources) == []


# --- the parts of a packet


def test_competitors_carry_their_passages_or_are_marked() -> None:
    found = CompetitorFindings.model_validate(
        {
            "competitors": [
                RIVAL,
                {**RIVAL, "name": "Invented Inc", "source_ids": ["S1"]},
                {**RIVAL, "source_ids": []},
                {**RIVAL, "source_ids": ["S77"]},
            ],
            "note": "All that was found.",
        }
    )
    listed, note = competitors(found, SOURCES, dossier("", [], searches=1, retrieved=3))
    assert note == "All that was found."
    assert [(c.name, c.sourced, [s.url for s in c.sources]) for c in listed] == [
        ("Lendly", True, ["https://lendly.test/about"]),
        ("Invented Inc", False, []),
        ("Lendly", False, []),
        ("Lendly", False, []),
    ]


def test_market_figures_carry_their_passages_or_are_marked() -> None:
    found = MarketFindings.model_validate(
        {
            "tam": {"text": "12 million households", "source_ids": ["S2"]},
            "sam": {"text": "3 million households", "source_ids": ["S2"]},
            "som": {"text": "A few thousand", "source_ids": []},
            "notes": [
                {"text": "Grew in 2025", "source_ids": ["S2"]},
                {"text": "Will double by 2030", "source_ids": ["S2"]},
            ],
        }
    )
    sizing = market(found, SOURCES, EMPTY)
    assert (sizing.tam, sizing.sam, sizing.som) == ("12 million households", "3 million households", "A few thousand")
    assert {key: figure.sourced for key, figure in sizing.figures.items()} == {"tam": True, "sam": False, "som": False}
    assert sizing.figures["tam"].sources[0].quote == SOURCES["S2"].quote
    assert [note.sourced for note in sizing.notes] == [True, False]


@pytest.mark.parametrize(
    ("searches", "retrieved", "said"),
    [(1, 1, "1 search returned 1 page,"), (3, 0, "3 searches returned 0 pages,")],
)
def test_an_empty_retrieval_abstains_and_says_what_was_tried(searches: int, retrieved: int, said: str) -> None:
    found = dossier("I know many competitors.", [], searches=searches, retrieved=retrieved)
    assert found.empty
    listed, note = competitors(None, {}, found)
    assert listed == []
    assert said in note
    sizing = market(None, {}, found)
    assert {sizing.tam, sizing.sam, sizing.som} == {NOT_MEASURED}
    assert not any(figure.sourced for figure in sizing.figures.values())
    assert said in sizing.notes[0].text


def test_evidence_names_its_first_source_or_none() -> None:
    made = packet(
        evidence=[
            {"claim": "Lendly charges 5 euros a day.", "source_ids": ["S1"]},
            {"claim": "It charges 9 euros.", "source_ids": ["S1"]},
            {"claim": "Everybody wants it.", "source_ids": []},
        ]
    )
    evidence = made.reasoning_synopsis.evidence
    assert [(e.source, e.sourced) for e in evidence] == [
        ("https://lendly.test/about", True),
        (UNSOURCED, False),
        (UNSOURCED, False),
    ]
    assert evidence[0].sources[0].quote_sha256 == sha256_hex(SOURCES["S1"].quote)


@given(st.sampled_from(["greenlight", "revise", "kill"]), st.integers(0, 100))
def test_the_decision_is_the_recommendation(verdict: str, confidence: int) -> None:
    made = packet(recommendation=verdict, confidence=confidence)
    assert made.reasoning_synopsis.decision == made.recommendation == verdict
    assert made.reasoning_synopsis.confidence == confidence


def test_presence_is_what_was_measured() -> None:
    assert packet().existing_presence == [LOOKED]


def test_a_packet_survives_storage() -> None:
    made = packet()
    assert Phase0Packet.model_validate_json(made.model_dump_json()) == made


# --- revisions


CHANGES: dict[str, Any] = {
    "tagline": "Tools for schools",
    "elevator_pitch": "Schools lend tools.",
    "confidence_breakdown": {"market": 1, "competition": 2, "feasibility": 3, "timing": 4},
    "target_persona": {"name": "Teachers", "description": "They teach.", "pain_points": ["No budget"]},
    "mvp_scope": {"in_scope": ["Classes"], "deferred": []},
    "recommendation": "kill",
    "confidence": 12,
    "rationale": ["A", "B", "C"],
    "risks": [],
    "next_actions": ["Ask teachers"],
}
IN_SYNOPSIS = {"confidence", "rationale", "risks", "next_actions"}


def test_a_revision_may_change_all_but_the_research() -> None:
    assert set(CHANGES) == set(Phase0Patch.model_fields)
    assert set(Phase0Synthesis.model_fields) - set(CHANGES) == {"evidence"}


@given(st.sets(st.sampled_from(sorted(CHANGES)), min_size=1))
def test_a_patch_keeps_what_it_does_not_name(keys: set[str]) -> None:
    prior = packet()
    patch = Phase0Patch.model_validate({key: CHANGES[key] for key in keys})
    made = patched(prior, patch, [LOOKED])
    assert changed_keys(patch) == sorted(keys)
    before, after = prior.model_dump(mode="json"), made.model_dump(mode="json")
    for key in CHANGES:
        was, now = ((part["reasoning_synopsis"][key] if key in IN_SYNOPSIS else part[key]) for part in (before, after))
        assert now == (CHANGES[key] if key in keys else was)
    kept = ["competitor_analysis", "competitor_note", "market_sizing", "existing_presence"]
    assert [after[key] for key in kept] == [before[key] for key in kept]
    assert after["reasoning_synopsis"]["evidence"] == before["reasoning_synopsis"]["evidence"]
    assert made.reasoning_synopsis.decision == made.recommendation
    assert prior == packet(), "the prior packet was changed in place"


def test_a_revision_measures_anew() -> None:
    now = ExistingPresence(
        domain="example.org", status="none", detail="Gone.", scanned_at=datetime(2026, 3, 2, tzinfo=UTC)
    )
    assert patched(packet(), Phase0Patch(tagline="New line"), [now]).existing_presence == [now]


@pytest.mark.parametrize("nothing", [{}, {"tagline": None}, {"unknown": 1}, {"competitor_analysis": []}])
def test_a_patch_that_changes_nothing_does_not_fit(nothing: dict[str, Any]) -> None:
    assert "at least one key must change" in refused(Phase0Patch, nothing)


@pytest.mark.parametrize("key", sorted(CHANGES))
def test_a_patched_key_is_checked_like_a_new_one(key: str) -> None:
    odd = {"rationale": ["One"], "risks": ["x"] * 9, "next_actions": ["x"] * 9}.get(key, {})
    assert key in refused(Phase0Patch, {key: odd})
