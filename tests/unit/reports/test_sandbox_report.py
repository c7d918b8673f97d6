"""The sandbox model researches a report over the documents it was given, and over nothing where it has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.agents.prompting import blocks
from studio.sandbox import answers, checks, messages
from studio.sandbox.errors import ApiError
from studio.sandbox.facts import collect
from studio.sandbox.reply import Reply
from studio.sandbox.search import Corpus
from tests.support.reports import PAGES, TOPIC, write_pages

SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
FETCH = {"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 3, "citations": {"enabled": True}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus.load(write_pages(tmp_path_factory.mktemp("corpus"), PAGES))


def body(question: str, *tools: dict[str, Any], topic: str = TOPIC) -> dict[str, Any]:
    return {
        "model": "sandbox",
        "max_tokens": 3000,
        "messages": [{"role": "user", "content": blocks(topic=topic, question=question)}],
        "tools": list(tools),
    }


def looked_up(corpus: Corpus, question: str = "Which figures are there?", *tools: dict[str, Any], **of: Any) -> Reply:
    return messages.compose(checks.parse(body(question, *(tools or (SEARCH, FETCH)), **of)), corpus)


def citations(reply: Reply) -> list[dict[str, Any]]:
    return [one for block in reply.blocks for one in block.get("citations", [])]


def test_found_pages_are_fetched_and_cited_by_their_place(corpus: Corpus) -> None:
    reply = looked_up(corpus)
    # What the question does not find, the topic does.
    assert (reply.searches, reply.fetches) == (2, 2)
    texts = [
        block["content"]["content"]["source"]["data"]
        for block in reply.blocks
        if block["type"] == "web_fetch_tool_result"
    ]
    kinds = {one["type"] for one in citations(reply)}
    assert kinds == {"char_location", "web_search_result_location"}
    for one in citations(reply):
        if one["type"] == "char_location":
            text = texts[one["document_index"]]
            assert text[one["start_char_index"] : one["end_char_index"]] == one["cited_text"]
        else:
            assert one["cited_text"] in PAGES[one["url"]][1]
    assert looked_up(corpus).blocks == reply.blocks


def test_without_the_tool_nothing_is_fetched(corpus: Corpus) -> None:
    reply = looked_up(corpus, "Which figures are there?", SEARCH)
    assert reply.fetches == 0
    assert {one["type"] for one in citations(reply)} == {"web_search_result_location"}


def test_tools_keep_to_their_bounds(corpus: Corpus) -> None:
    only = {**SEARCH, "allowed_domains": ["survey.test"]}
    urls = {one.get("url") for one in citations(looked_up(corpus, "Which figures are there?", only))}
    assert urls == {"https://survey.test/tools"}
    assert looked_up(corpus, "Which figures are there?", SEARCH, {**FETCH, "max_uses": 1}).fetches == 1


@pytest.mark.parametrize("topic", ["Quantum gravity", "量子重力", "سوق الأدوات"])
def test_where_nothing_fits_nothing_is_cited(corpus: Corpus, topic: str) -> None:
    for where in (corpus, Corpus([])):
        reply = looked_up(where, f"What is said of {topic}?", topic=topic)
        assert (citations(reply), reply.fetches) == ([], 0)
        assert reply.searches >= 1
        assert "has no web access" in reply.text


def test_pages_without_spaces_between_words_are_found(tmp_path: Path) -> None:
    pages = {"https://kogu.test/": ("工具レンタル市場の調査", "工具レンタル市場は2024年に120億円に達した。")}
    reply = looked_up(Corpus.load(write_pages(tmp_path / "c", pages)), "工具レンタル市場の規模は?", topic="工具市場")
    assert [one["cited_text"] for one in citations(reply)] == ["工具レンタル市場は2024年に120億円に達した。"]


@pytest.mark.parametrize(
    ("tool", "problem"),
    [
        ({**FETCH, "name": "fetch"}, "Input should be 'web_fetch'"),
        ({**FETCH, "max_uses": 0}, "greater than or equal to 1"),
        ({**FETCH, "allowed_domains": ["a.test"], "blocked_domains": ["b.test"]}, "only one of"),
    ],
)
def test_a_tool_that_the_service_would_refuse_is_refused(tool: dict[str, Any], problem: str) -> None:
    with pytest.raises(ApiError, match=problem):
        checks.parse(body("Who?", tool))


def test_fetching_cannot_be_combined_with_structured_output() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    with pytest.raises(ApiError, match="web_fetch"):
        checks.parse({**body("Who?", FETCH), "output_config": {"format": {"type": "json_schema", "schema": schema}}})


def test_statements_are_the_cited_sentences() -> None:
    sources = [{"id": "S1", "url": "u", "title": "t", "passages": ["It lends 5 drills."], "text": []}, "odd", {"id": 3}]
    facts = collect("", [blocks(topic=TOPIC, question="Who?", sources=sources)])
    assert answers.COMPOSERS["QuestionClaims"](facts) == {
        "claims": [{"statement": "It lends 5 drills.", "quote": "It lends 5 drills.", "source": "S1"}]
    }


def test_a_second_reading_counts_the_words_that_stand_in_the_quote() -> None:
    claims = [
        {"claim": 1, "statement": "Neighbours lend drills", "quote": "Neighbours lend drills to others."},
        {"claim": 2, "statement": "Neighbours lend drills and ladders daily", "quote": "Neighbours lend drills"},
        {"claim": 3, "statement": "Banks close early", "quote": "Neighbours lend drills"},
    ]
    facts = collect("", [blocks(topic=TOPIC, claims=claims)])
    verdicts = answers.COMPOSERS["QuoteReview"](facts)["verdicts"]
    assert [(one["claim"], one["support"]) for one in verdicts] == [(1, "yes"), (2, "partly"), (3, "no")]


def test_a_second_reading_of_the_text_confirms_only_the_words_of_its_claims() -> None:
    parts = [
        {"sentence": 1, "text": "Neighbours lend drills", "claims": ["Neighbours lend drills to others."]},
        {"sentence": 2, "text": "Banks close early", "claims": ["Neighbours lend drills to others."]},
    ]
    facts = collect("", [blocks(topic=TOPIC, parts=parts)])
    verdicts = answers.COMPOSERS["SentenceReview"](facts)["verdicts"]
    assert verdicts == [{"sentence": 1, "supported": True}, {"sentence": 2, "supported": False}]


def test_only_statements_that_say_the_same_of_different_things_are_charted() -> None:
    said = [
        "In Berlin 62 % of neighbours own a drill.",
        "In Hamburg 48 % of neighbours own a drill.",
        "Insurance covers 9 % of all damage to ladders.",
    ]
    claims = [{"claim": n, "question": 1, "statement": text, "quote": text} for n, text in enumerate(said, 1)]
    facts = collect("", [blocks(topic=TOPIC, claims=claims)])
    (chart,) = answers.COMPOSERS["ReportText"](facts)["charts"]
    assert chart["data"] == [
        {"label": "Berlin", "figure": "62 %", "claim": 1},
        {"label": "Hamburg", "figure": "48 %", "claim": 2},
    ]
    parts = [{"sentence": 1, "text": chart["title"], "claims": said[:2]}]
    (verdict,) = answers.COMPOSERS["SentenceReview"](collect("", [blocks(topic=TOPIC, parts=parts)]))["verdicts"]
    assert verdict["supported"], chart["title"]
