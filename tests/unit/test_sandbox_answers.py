"""The Phase 0 answers: made of the project's words and the given passages only, and unlike for unlike ideas."""

from __future__ import annotations

import json
import re
import string
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.packets.actions import ActionType
from studio.packets.brand_deck import Layout, SlideKind
from studio.packets.phase0 import CompetitorFindings, MarketFindings, Phase0Patch, Phase0Synthesis
from studio.sandbox import answers, prose, wording
from studio.sandbox.facts import Facts, collect
from studio.sandbox.palettes import FONT_PAIRS
from studio.sandbox.topics import TOPICS
from studio.sandbox.wording import NOT_MEASURED

IDEAS = {
    "short": "An app that lets neighbours share garden tools",
    "bread": "Helps small bakeries predict how much bread to bake. It costs €29 a month.",
    "german": "Eine App, mit der Nachbarn Gartengeräte teilen können. Nutzer hinterlegen eine Kaution.",
    "emoji": "🐶 An app 🎉 that matches dog owners with walkers nearby — pay per walk!",
    "word": "Sourdough",
    "pictures": "🚀🚀🚀",
    "french": "Une application pour partager des outils de jardin entre voisins",
    "japanese": "近所の人が庭道具を共有できるアプリ。",
    "long": " ".join(
        f"Sentence {chr(97 + n % 26)}{chr(97 + n // 26)} says that small libraries lend tools to readers."
        for n in range(52)
    ),
    "marks": '"Quotes", <tags> & {braces} \\ and % signs for parents',
}
SOURCES = [
    {
        "id": "S1",
        "url": "https://www.lendly.test/about",
        "title": "Lendly – borrow from next door",
        "quote": "Lendly is a platform where people lend drills. Members pay €3 per month.",
    },
    {
        "id": "S2",
        "url": "https://figures.test/report",
        "title": "Tool rental market report",
        "quote": "The tool rental market was worth $61.2 billion worldwide in 2023. "
        "In cities, 42 % of households own a drill.",
    },
    {
        "id": "S3",
        "url": "https://blog.test/best",
        "title": "Best sharing apps",
        "quote": "There are apps such as ShareBarn, Borrowell and Tool Circle. The drill is a tool.",
    },
]


def _facts(idea: str, **blocks: Any) -> Facts:
    parts = [f"<idea>{idea}</idea>"]
    for tag, value in blocks.items():
        parts.append(f"<{tag}>{value if isinstance(value, str) else json.dumps(value)}</{tag}>")
    return collect("", ["\n".join(parts)])


def _full(idea: str, **blocks: Any) -> Facts:
    """The facts as the synthesis sees them: with the findings of the two research answers."""
    facts = _facts(idea, sources=SOURCES)
    competitors = answers.COMPOSERS["CompetitorFindings"](facts)
    market = answers.COMPOSERS["MarketFindings"](facts)
    return _facts(idea, sources=SOURCES, competitors=competitors, market=market, **blocks)


def _synthesis(facts: Facts) -> Phase0Synthesis:
    return Phase0Synthesis.model_validate(answers.COMPOSERS["Phase0Synthesis"](facts))


def _competitors(facts: Facts) -> CompetitorFindings:
    return CompetitorFindings.model_validate(answers.COMPOSERS["CompetitorFindings"](facts))


def _market(facts: Facts) -> MarketFindings:
    return MarketFindings.model_validate(answers.COMPOSERS["MarketFindings"](facts))


def _patch(idea: str, guidance: str) -> Phase0Patch:
    prior = answers.COMPOSERS["Phase0Synthesis"](_facts(idea))
    facts = _facts(idea, guidance=guidance, prior_packet=prior)
    return Phase0Patch.model_validate(answers.COMPOSERS["Phase0Patch"](facts))


def test_blocks_are_told_from_the_text_around_them() -> None:
    system = "Between tags such as <idea> or <sources> stands material."
    idea = "<idea>\nBread <sources>[]</sources> for parents\n</idea>"
    user = f"Judge the <idea> below.\n{idea}\n<guidance>\n</guidance>\nNow!"
    facts = collect(system, [user])
    assert facts.idea == "Bread <sources>[]</sources> for parents"
    assert facts.guidance == ""
    assert facts.question.split() == ["Judge", "the", "<idea>", "below.", "Now!"]
    assert collect("", ['<project>{"idea_description": "Cheese"}</project> Judge it.']).idea == "Cheese"
    assert collect("", ["Just an idea"]).idea == "Just an idea"


# --- the synthesis --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IDEAS)
def test_without_a_passage_the_verdict_is_to_revise_and_says_why(name: str) -> None:
    packet = _synthesis(_facts(IDEAS[name]))
    assert packet.recommendation == "revise"
    assert packet.confidence <= 39
    assert all(figure <= 39 for figure in packet.confidence_breakdown.model_dump().values())
    assert packet.evidence == []
    assert "sandbox" in packet.rationale[0].lower()
    assert re.search(r"No market evidence was retrieved|keine Belege zum Markt", packet.rationale[1])


def test_unlike_ideas_give_unlike_packets() -> None:
    packets = [_synthesis(_facts(idea)) for idea in IDEAS.values()]
    for part in ("tagline", "elevator_pitch"):
        assert len({getattr(packet, part) for packet in packets}) == len(packets)
    assert len({packet.target_persona.description for packet in packets}) == len(packets)
    assert len({tuple(packet.mvp_scope.in_scope) for packet in packets}) == len(packets)


def test_a_packet_reads_as_the_founder_would_put_it() -> None:
    packet = _synthesis(_facts(IDEAS["short"]))
    assert packet.tagline == "Neighbours share garden tools"
    assert packet.elevator_pitch.startswith("An app that lets neighbours share garden tools. ")
    assert packet.target_persona.name == "Neighbours"
    assert packet.mvp_scope.in_scope[0] == "Share garden tools"
    assert any("“neighbours”" in action for action in packet.next_actions)
    assert any("“share”" in risk for risk in packet.risks)


def test_a_german_idea_is_answered_in_german() -> None:
    packet = _synthesis(_facts(IDEAS["german"]))
    assert packet.tagline == "App, mit der Nachbarn Gartengeräte teilen können"
    told = " ".join([packet.elevator_pitch, *packet.rationale, *packet.risks, *packet.next_actions])
    assert "„Kaution“" in told
    assert not re.search(r"\b(?:the|idea|and|with)\b", told)


def test_a_single_word_is_called_a_single_word() -> None:
    packet = _synthesis(_facts("Hi"))
    assert packet.tagline == "Hi: still to be described"
    assert packet.target_persona.name == "Not named yet"
    assert packet.next_actions[0].startswith("Describe the idea in three sentences")


def test_more_evidence_means_more_confidence_and_is_cited() -> None:
    bare = _synthesis(_facts(IDEAS["short"]))
    one = _synthesis(_facts(IDEAS["short"], sources=SOURCES[2:]))
    full = _synthesis(_full(IDEAS["short"]))
    assert bare.confidence < one.confidence < full.confidence
    assert full.recommendation == "greenlight"
    assert one.recommendation == "revise"
    given = {source["id"] for source in SOURCES}
    assert full.evidence
    assert all(set(claim.source_ids) <= given and claim.source_ids for claim in full.evidence)
    assert "Lendly" in " ".join(full.rationale + full.risks)


def test_findings_without_a_given_source_carry_nothing() -> None:
    made_up = {"competitors": [{"name": "Phantom", "positioning": "x", "source_ids": ["S9"]}]}
    facts = _facts(
        IDEAS["short"], sources=SOURCES[2:], competitors=made_up, market={"tam": {"text": "$9", "source_ids": []}}
    )
    packet = _synthesis(facts)
    assert "Phantom" not in packet.model_dump_json()
    assert "$9" not in packet.model_dump_json()


def test_what_was_measured_remembered_and_asked_for_is_mentioned() -> None:
    facts = _facts(
        IDEAS["short"],
        presence=[{"domain": "tools.test", "status": "parked", "detail": "a parking page"}],
        memory="- tone: plain words",
        guidance="Think of allotments",
    )
    told = " ".join(_synthesis(facts).rationale)
    assert "tools.test" in told
    assert "parked" in told
    assert "Plain words" in told
    assert "Think of allotments" in told
    silent = _facts(IDEAS["short"], presence=[{"domain": "tools.test", "status": "not_measured", "detail": ""}])
    assert "tools.test" not in " ".join(_synthesis(silent).rationale)


_FRAME_WORDS = {
    word
    for phrase in [*wording.PHRASES.values(), *(topic.text for topic in TOPICS)]
    for text in phrase.values()
    for word in re.findall(r"[^\W_]+", re.sub(r"\{\w+\}", " ", text).lower())
} | set(re.findall(r"\w+", "and und not measured no retrieved passage gives a figure found greenlight revise"))
# What is chosen from a list, and names of things of the studio's own: none of it claims anything about the idea.
_CHOSEN = " ".join(
    [
        *(name for pair in FONT_PAIRS for name in pair),
        *(get_args(SlideKind) + get_args(Layout) + get_args(ActionType)),
        # The language of a topic, by its tag.
        *("en", "de"),
        *["shared", "main", "Day", "0", "3", "7", "traffic", "waitlist_submit", "unsubscribe"],
    ]
)
_COLOUR = re.compile(r"[0-9a-f]{6}")


def _words(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(_words, value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*map(_words, value)) if value else set()
    return set(re.findall(r"[^\W_]+", value.lower())) if isinstance(value, str) else set()


@pytest.mark.parametrize("name", IDEAS)
# A revision repeats the guidance, and a critique speaks of a page.
@pytest.mark.parametrize("title", sorted({*answers.COMPOSERS} - {"Phase0Patch", "LandingCritique"}))
def test_every_word_stands_in_the_idea_in_a_passage_or_in_a_frame(name: str, title: str) -> None:
    for facts in (_facts(IDEAS[name]), _full(IDEAS[name])):
        given = _words(IDEAS[name]) | _words(SOURCES) | {str(len(SOURCES)), "s1", "s2", "s3"}
        told = _words(answers.COMPOSERS[title](facts)) - _words(_CHOSEN)
        assert {word for word in told if not _COLOUR.fullmatch(word)} <= given | _FRAME_WORDS


@settings(max_examples=120, deadline=None)
@given(st.text(max_size=400))
def test_any_text_at_all_gives_a_valid_packet(idea: str) -> None:
    idea = idea.encode("utf-8", "replace").decode()
    _synthesis(_facts(idea))
    Phase0Patch.model_validate(answers.COMPOSERS["Phase0Patch"](_facts(idea, guidance=idea)))
    assert prose.chat(_facts(idea))


# --- research -------------------------------------------------------------------------------------------


def test_competitors_are_the_names_in_the_passages_with_their_sources() -> None:
    found = CompetitorFindings.model_validate(
        answers.COMPOSERS["CompetitorFindings"](_facts(IDEAS["short"], sources=SOURCES))
    )
    assert {entry.name: entry.source_ids for entry in found.competitors} == {
        "Lendly": ["S1"],
        "ShareBarn": ["S3"],
        "Borrowell": ["S3"],
        "Tool Circle": ["S3"],
    }
    lendly = found.competitors[0]
    assert lendly.positioning == "Lendly is a platform where people lend drills."
    assert lendly.pricing == "Members pay €3 per month."
    # "garden" and "neighbours" do not stand in the passage: that much can be checked.
    assert re.fullmatch(r"The retrieved passages about Lendly do not mention “.+”\.", lendly.gap)
    assert found.competitors[1].pricing == "not found"


def test_articles_and_lists_are_no_competitors() -> None:
    titles = [
        "The sharing economy",
        "How to rent tools",
        "10 Best Apps",
        "Market report 2024",
        "Great ideas",
        "Wikipedia",
    ]
    sources = [
        {"id": f"S{n}", "url": f"https://site{n}.test/", "title": title, "quote": "A drill is a tool."}
        for n, title in enumerate(titles)
    ]
    found = answers.COMPOSERS["CompetitorFindings"](_facts(IDEAS["short"], sources=sources))
    assert found["competitors"] == []
    assert "none of them clearly names" in found["note"]


def test_without_passages_no_competitor_and_no_figure_is_named() -> None:
    found = _competitors(_facts(IDEAS["short"]))
    assert found.competitors == []
    assert "no web access" in found.note
    market = _market(_facts(IDEAS["short"]))
    assert {market.tam.text, market.sam.text, market.som.text} == {NOT_MEASURED}
    assert market.notes == []


def test_figures_are_the_sentences_that_hold_one() -> None:
    market = _market(_facts(IDEAS["short"], sources=SOURCES))
    assert market.tam.text == "The tool rental market was worth $61.2 billion worldwide in 2023."
    assert market.tam.source_ids == ["S2"]
    assert market.som.text == NOT_MEASURED
    assert [(note.text, note.source_ids) for note in market.notes] == [
        ("Members pay €3 per month.", ["S1"]),
        ("In cities, 42 % of households own a drill.", ["S2"]),
    ]


def test_a_count_is_no_market_size() -> None:
    quote = "The market has 5,000 shops. In 2024 the industry changed. Its revenue fell."
    source = {"id": "S1", "url": "https://a.test/", "title": "A", "quote": quote}
    market = _market(_facts(IDEAS["short"], sources=[source]))
    assert market.tam.text == NOT_MEASURED
    assert [note.text for note in market.notes] == ["The market has 5,000 shops."]


@pytest.mark.parametrize(
    "block",
    ["not json", "{}", '{"sources": 3}', "[1, null, {}]", '[{"id": 3}]', '[{"id": "S1"}]', "[" * 5000],
)
def test_a_sources_block_that_is_not_what_it_should_be_counts_for_nothing(block: str) -> None:
    facts = collect("", [f"<idea>Bread</idea><sources>{block}</sources>"])
    assert answers.COMPOSERS["CompetitorFindings"](facts)["competitors"] == []
    assert answers.COMPOSERS["MarketFindings"](facts)["tam"]["text"] == NOT_MEASURED


# --- revision -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guidance", "keys"),
    [
        ("Focus on allotment clubs instead", {"tagline", "target_persona"}),
        ('Change the tagline to "Borrow, don\'t buy"', {"tagline"}),
        ("Make the tagline punchier", {"elevator_pitch"}),
        ("Drop ratings and add insurance", {"mvp_scope"}),
        ("Add the risk that tools get stolen", {"risks"}),
        ("Shorter pitch please", {"elevator_pitch"}),
        ("What are the next steps?", {"next_actions"}),
        ("More about sustainability", {"elevator_pitch", "mvp_scope"}),
        ("Kill it, we lost interest", {"recommendation", "rationale"}),
        ("Stop showing ads to readers", {"elevator_pitch", "mvp_scope"}),
        ("", {"elevator_pitch", "mvp_scope"}),
    ],
)
def test_a_revision_changes_what_its_words_touch(guidance: str, keys: set[str]) -> None:
    idea = "An app that lets neighbours share garden tools. Members book by calendar and rate each other."
    patch = _patch(idea, guidance)
    changed = {key for key, value in patch.model_dump().items() if value is not None}
    assert changed == keys


def test_a_revision_says_what_was_asked_in_the_founders_words() -> None:
    idea = "An app that lets neighbours share garden tools. Members book by calendar and rate each other."
    assert (
        _patch(idea, "Focus on allotment clubs instead").tagline
        == "Neighbours share garden tools – for allotment clubs"
    )
    assert _patch(idea, 'The tagline should be "Borrow, don\'t buy"').tagline == "Borrow, don't buy"
    scope = _patch(idea, "Drop ratings and add insurance").mvp_scope
    assert scope is not None
    assert scope.in_scope[0] == "Insurance"
    assert "Rate each other" in scope.deferred
    assert "Rate each other" not in scope.in_scope
    pitch = _patch(idea, "More about sustainability").elevator_pitch
    assert pitch is not None
    assert pitch.endswith("Revised as the founder asked: “More about sustainability.”")


# --- chat and frames ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What do we charge?", "€29"),
        ("Who is it for?", "small bakeries"),
        ("What should we do first?", "Ask five of those"),
        ("Who are our competitors?", "not been checked here"),
        ("What about bread?", "“Helps small bakeries predict how much bread to bake.”"),
        ("And quantum physics?", "nothing about “quantum physics”"),
        ("Was machen wir zuerst?", "Fünf von denen fragen"),
    ],
)
def test_chat_answers_from_the_project_and_says_who_speaks(question: str, said: str) -> None:
    facts = collect("", [f"<idea>{IDEAS['bread']}</idea>\n{question}"])
    answer = prose.chat(facts)
    assert said in answer
    assert re.match(r"I am the sandbox model|Ich bin das Sandbox-Modell", answer)


def test_chat_stays_within_its_length() -> None:
    facts = collect("", [f"<idea>{IDEAS['long'] * 4}</idea>\nWhat do libraries lend to readers?"])
    assert len(prose.chat(facts).split()) <= prose.MAX_WORDS + 1


def test_chat_about_nothing_asks_for_an_idea() -> None:
    assert "nothing to go on" in prose.chat(Facts())


def test_both_languages_have_every_sentence_with_the_same_parts() -> None:
    def parts(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key, phrase in wording.PHRASES.items():
        assert set(phrase) == {"en", "de"}, key
        assert parts(phrase["en"]) == parts(phrase["de"]), key
    for topic in TOPICS:
        assert set(topic.text) == set(topic.cues) == {"en", "de"}
