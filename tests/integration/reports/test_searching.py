"""What is cited of a fetched page is a passage of it, and the fetches are bounded, reserved for and reported."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from studio.database.connection import Database
from studio.model.answers import Answer
from studio.model.call import FETCHED_TOKENS
from studio.reports.searching import QUESTION_TURNS, look_up
from studio.sandbox.reply import Block, Reply
from tests.support.model import Recorder, account, call, ledger, open_model, scripted_model

PAGE, PDF = "https://found.test/", "https://found.test/study.pdf"
TEXT = "Lendly lends drills.\nMembers pay  5 euros a month."


def searched(*urls: str) -> list[Block]:
    results = [{"type": "web_search_result", "url": url, "title": url, "encrypted_content": "…"} for url in urls]
    return [
        {"type": "server_tool_use", "name": "web_search", "input": {"query": "tools"}},
        {"type": "web_search_tool_result", "content": results},
    ]


def fetched(url: str, source: dict[str, Any], title: str | None = "A page") -> list[Block]:
    document = {"type": "document", "title": title, "source": source, "citations": {"enabled": True}}
    content = {"type": "web_fetch_result", "url": url, "retrieved_at": "2026-01-02T03:04:05Z", "content": document}
    return [
        {"type": "server_tool_use", "name": "web_fetch", "input": {"url": url}},
        {"type": "web_fetch_tool_result", "content": content},
    ]


def text_source(text: str = TEXT) -> dict[str, Any]:
    return {"type": "text", "media_type": "text/plain", "data": text}


def cited(quote: str, index: int, kind: str = "char_location") -> Block:
    place = {
        "char_location": {"start_char_index": 0, "end_char_index": len(quote)},
        "page_location": {"start_page_number": 1, "end_page_number": 2},
    }[kind]
    citation = {"type": kind, "document_index": index, "document_title": None, "cited_text": quote, **place}
    return {"type": "text", "text": "It says so. ", "citations": [citation]}


def asked(db: Database, *blocks: Block, told: Recorder | None = None) -> Answer:
    with scripted_model(Reply(blocks, searches=1, fetches=1)) as (url, _), open_model(url, db) as model:
        question = call(profile="researcher_report", search=True, fetch=True)
        return model.complete(question, account(db), told or Recorder())


def test_a_passage_of_a_fetched_page_is_cited_by_its_words(db: Database) -> None:
    told = Recorder()
    answer = asked(
        db,
        *searched(PAGE),
        *fetched(PAGE, text_source()),
        cited("Members pay  5 euros a month.", 0),
        # A document that is not there, and words that are not in it.
        cited("Lendly lends drills.", 7),
        cited("Lendly lends money.", 0),
        told=told,
    )
    assert [(p.url, p.title, p.quote, p.tool) for p in answer.passages] == [
        (PAGE, "A page", "Members pay 5 euros a month.", "web_fetch"),
        (PAGE, "A page", "Lendly lends drills.", "web_fetch"),
    ]
    assert [(page.url, page.text, page.retrieved_at) for page in answer.pages] == [(PAGE, TEXT, "2026-01-02T03:04:05Z")]
    assert (answer.usage.searches, answer.usage.fetches) == (1, 1)
    assert [tool for tool, _ in told.calls] == ["web_search", "web_fetch"]
    assert told.results[1][1]["url"] == PAGE


def test_of_a_pdf_only_the_service_knows_the_words(db: Database) -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(b"%PDF").decode()}
    answer = asked(
        db,
        *fetched(PAGE, text_source()),
        *fetched(PDF, pdf, None),
        cited("A study of drills.", 1, "page_location"),
        cited("Of another document.", 5, "page_location"),
    )
    assert [(p.url, p.quote) for p in answer.passages] == [(PDF, "A study of drills.")]
    assert [page.text for page in answer.pages] == [TEXT, None]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:alert(1)"])
def test_what_is_no_page_of_the_web_is_neither_kept_nor_cited(db: Database, url: str) -> None:
    answer = asked(db, *fetched(url, text_source()), cited("Lendly lends drills.", 0))
    assert (answer.passages, answer.pages) == ((), ())


def test_a_fetch_that_failed_brings_nothing(db: Database) -> None:
    failed = {"type": "web_fetch_tool_result_error", "error_code": "url_not_accessible"}
    told = Recorder()
    answer = asked(
        db,
        {"type": "server_tool_use", "name": "web_fetch", "input": {"url": PAGE}},
        {"type": "web_fetch_tool_result", "content": failed},
        cited("Lendly lends drills.", 0),
        told=told,
    )
    assert (answer.passages, answer.pages) == ((), ())
    assert told.results[0][1]["error"] == "url_not_accessible"


def test_uses_are_bounded_and_reserved_for_and_what_a_pause_has_used_counts(db: Database) -> None:
    payer = account(db)
    paused = Reply(
        (*searched(PAGE), *fetched(PAGE, text_source())),
        stop_reason="pause_turn",  # type: ignore[arg-type]
        searches=1,
        fetches=1,
    )
    ended = Reply((cited("Lendly lends drills.", 0),))
    with scripted_model(paused, ended) as (url, requests), open_model(url, db) as model:
        found = look_up(model, payer, Recorder(), "research/1", {"topic": "Drills", "question": "Who lends them?"})
    offered = [{tool["name"]: tool["max_uses"] for tool in request["tools"]} for request in requests]
    uses = QUESTION_TURNS - 1
    assert offered == [{"web_search": uses, "web_fetch": uses}, {"web_search": uses - 1, "web_fetch": uses - 1}]
    assert requests[0]["tools"][1]["citations"] == {"enabled": True}
    assert requests[0]["tools"][1]["max_content_tokens"] == FETCHED_TOKENS
    # After each use the model may read a full context again.
    assert ledger(db, payer.project_id)[0]["reserved_tokens"] >= 200_000 * (2 * uses + 1)
    assert [(p.quote, p.tool) for p in found.passages] == [("Lendly lends drills.", "web_fetch")]
