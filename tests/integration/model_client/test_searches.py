"""A search is bounded, reported and paid for, only what it retrieved is cited, and a turn that pauses goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from anthropic.types import Message

from studio.agents.profiles import PROFILES
from studio.database.connection import Database
from studio.errors import ModelUnavailable
from studio.model.answers import passages_of, retrieved_urls
from studio.model.client import MAX_PAUSES, Model
from studio.sandbox.reply import Reply, text_reply
from tests.support.model import (
    INPUT_PRICE,
    OUTPUT_PRICE,
    SEARCH_PRICE,
    TOOLS_PAGE,
    Recorder,
    account,
    call,
    ledger,
    open_model,
    scripted_model,
)
from tests.support.sandbox import SandboxThread


def test_a_search_is_reported_paid_and_cited(model: Model, sandbox: SandboxThread, db: Database) -> None:
    payer, told = account(db), Recorder()
    answer = model.complete(
        call(
            "Find competitors.\n<idea>Lend power tools to neighbours.</idea>", profile="researcher_quick", search=True
        ),
        payer,
        told,
    )
    assert answer.usage.searches >= 1
    assert answer.retrieved_urls == ("https://lendly.test/about",)
    assert answer.passages
    sentences = " ".join(TOOLS_PAGE.split("---")[2].split())
    assert all(passage.url == "https://lendly.test/about" for passage in answer.passages)
    assert all(passage.quote in sentences for passage in answer.passages), "a quote is not what the page says"
    tokens = INPUT_PRICE * answer.usage.input_tokens + OUTPUT_PRICE * answer.usage.output_tokens
    assert answer.cost_micros == tokens + answer.usage.searches * int(SEARCH_PRICE * 1_000_000)
    (row,) = ledger(db, payer.project_id)
    assert (row["searches"], row["cost_micros"]) == (answer.usage.searches, answer.cost_micros)
    assert [tool for tool, _ in told.calls] == ["web_search"] * answer.usage.searches
    assert "query" in told.calls[0][1]["input"]
    assert sum(data["results"] for _, data in told.results) == 1
    assert told.results[0][1]["urls"] == ["https://lendly.test/about"]


def test_a_search_is_bounded_by_the_agents_turns_and_reserved_for(
    model: Model, sandbox: SandboxThread, db: Database
) -> None:
    payer = account(db)
    quick = PROFILES["researcher_quick"]
    model.complete(call(profile=quick, search=True), payer, Recorder())
    (row,) = ledger(db, payer.project_id)
    # After each search the model may read a full context again.
    assert row["reserved_tokens"] >= 200_000 * (quick.turns - 1)
    assert row["searches"] <= quick.searches == quick.turns - 1


def test_an_agent_without_the_tool_does_not_search(model: Model, sandbox: SandboxThread, db: Database) -> None:
    answer = model.complete(call(profile="synthesizer", search=True), account(db), Recorder())
    assert answer.usage.searches == 0
    assert sandbox.requests()[0]["tools"] == []


def _searched(*urls: str) -> list[dict[str, Any]]:
    results = [{"type": "web_search_result", "url": url, "title": url, "encrypted_content": "…"} for url in urls]
    return [
        {"type": "server_tool_use", "name": "web_search", "input": {"query": "tools"}},
        {"type": "web_search_tool_result", "content": results},
    ]


def _cited(text: str, url: str, quote: str, title: str | None = "A page") -> dict[str, Any]:
    citation = {
        "type": "web_search_result_location",
        "url": url,
        "title": title,
        "encrypted_index": "…",
        "cited_text": quote,
    }
    return {"type": "text", "text": text, "citations": [citation]}


FOUND, ELSEWHERE = "https://found.test/", "https://elsewhere.test/"


def test_what_was_not_retrieved_is_not_a_passage(db: Database) -> None:
    said = Reply(
        (
            *_searched(FOUND),
            _cited("From memory. ", ELSEWHERE, "Everybody knows it."),
            _cited("From the page. ", FOUND, "The  page\nsays it."),
            _cited("Again. ", FOUND, "The page says it."),
            _cited("Nothing quoted. ", FOUND, " \n "),
        ),
        searches=1,
    )
    with scripted_model(said) as (url, _), open_model(url, db) as model:
        answer = model.complete(call(profile="researcher_quick", search=True), account(db), Recorder())
    assert [(p.url, p.title, p.quote) for p in answer.passages] == [(FOUND, "A page", "The page says it.")]
    assert answer.retrieved_urls == (FOUND,)


def test_a_passage_is_storable_and_of_the_web(db: Database) -> None:
    said = Reply(
        (
            *_searched(FOUND, "file:///etc/passwd", "https://nul.test/\x00"),
            _cited("One. ", FOUND, "NUL \x00 here", "Title \x00"),
            _cited("Two. ", "file:///etc/passwd", "root:x:0:0"),
            _cited("Three. ", "https://nul.test/\x00", "odd"),
        ),
        searches=1,
    )
    with scripted_model(said) as (url, _), open_model(url, db) as model:
        answer = model.complete(call(profile="researcher_quick", search=True), account(db), Recorder())
    assert [(p.url, p.title, p.quote) for p in answer.passages] == [(FOUND, "Title \ufffd", "NUL \ufffd here")]


def test_a_failed_search_retrieves_nothing() -> None:
    message = Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
            "content": [
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "srvtoolu_1",
                    "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
                },
                _cited("Anyway. ", FOUND, "Never seen."),
            ],
        }
    )
    assert retrieved_urls([message]) == []
    assert passages_of([message]) == []


def test_a_turn_that_pauses_goes_on_where_it_stopped(db: Database) -> None:
    payer, told = account(db), Recorder()
    pausing = Reply((*_searched(FOUND), {"type": "text", "text": "First half, "}), stop_reason="pause_turn", searches=1)  # type: ignore[arg-type]
    ending = Reply((_cited("second half.", FOUND, "The page says it."),))
    with scripted_model(pausing, ending) as (url, asked), open_model(url, db) as model:
        answer = model.complete(call(profile="researcher_quick", search=True), payer, told)
    assert answer.text == told.streamed == "First half, second half."
    assert answer.stop_reason == "end_turn"
    # Found in the first part, cited in the second.
    assert [p.quote for p in answer.passages] == ["The page says it."]
    rows = ledger(db, payer.project_id)
    assert len(rows) == len(asked) == 2
    assert answer.cost_micros == sum(row["cost_micros"] for row in rows)
    assert [m["role"] for m in asked[1]["messages"]] == ["user", "assistant"]
    assert [b["type"] for b in asked[1]["messages"][1]["content"]] == [b["type"] for b in pausing.blocks]
    # What was searched before the pause counts.
    allowed = PROFILES["researcher_quick"].searches
    assert [request["tools"][0]["max_uses"] for request in asked] == [allowed, allowed - 1]


def test_a_turn_that_never_stops_pausing_ends(db: Database) -> None:
    payer = account(db)
    pausing = replace(text_reply("and so on, "), stop_reason="pause_turn")  # type: ignore[arg-type]
    with scripted_model(pausing) as (url, asked), open_model(url, db) as model:
        with pytest.raises(ModelUnavailable, match="paused 5 times"):
            model.complete(call(profile="researcher_quick", search=True), payer, Recorder())
    assert len(asked) == MAX_PAUSES + 1
