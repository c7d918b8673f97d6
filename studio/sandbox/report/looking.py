"""The web tools of a report's research: searches over the documents, pages fetched whole, and their citations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from studio.sandbox import words
from studio.sandbox.facts import Facts
from studio.sandbox.reply import Block, Reply
from studio.sandbox.search import Corpus, Document, cited, results, sealed
from studio.sandbox.wording import quoted, say
from studio.sandbox.words import Language

MAX_RESULTS = 5
# So many of the pages found are read in full, if as many may be.
FETCHED = 2
QUOTES_PER_PAGE = 3
_SHARED = 2
_FIGURES = re.compile(r"\b(?:figures?|numbers?|how (?:many|much|large)|zahlen|wie ?viele?|wie groß)\b", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_UNPARTED = re.compile("[぀-ヿ一-鿿\u0e00-\u0e7f가-힯]+")


def asked_for(facts: Facts) -> bool:
    """Return whether a request is a report's: a topic and a question to look up."""
    return "topic" in facts.blocks and "question" in facts.blocks


def language(facts: Facts) -> Language:
    """Return the language in which the model frames what it quotes."""
    return words.language_of(facts.text("topic"))


def look_up(facts: Facts, search: dict[str, Any], fetch: dict[str, Any] | None, corpus: Corpus) -> Reply:
    """Return the answer to a question with the searches made, the pages fetched, and each passage with its citation."""
    spoken = language(facts)
    question, topic = facts.text("question"), facts.text("topic")
    blocks: list[Block] = []
    found: list[Document] = []
    searches = 0
    # The topic alone is what is left where the question finds nothing.
    for query in words.unique([words.clip_words(question, 200), words.clip_words(topic, 200)]):
        if found or searches >= (search.get("max_uses") or 1) or (searches and not corpus.documents):
            break
        found = _matching(corpus, query, search)
        blocks += results(query, found)
        searches += 1
    shown = quoted(topic, spoken, 120)
    if not found:
        miss = say(spoken, "search_corpus_miss") if corpus.documents else ""
        text = say(spoken, "search_nothing", query=shown, corpus=miss)
        return Reply((*blocks, {"type": "text", "text": text}), searches=searches)
    read = found[: min(FETCHED, fetch.get("max_uses") or FETCHED)] if fetch is not None else []
    for document in read:
        blocks += _fetched(document)
    blocks.append({"type": "text", "text": say(spoken, "search_lead", query=shown)})
    wanted = _terms(f"{question} {topic}")
    for document in found:
        place = read.index(document) if document in read else None
        blocks += _cited(document, _quotes(document, wanted, question), place, spoken)
    return Reply(tuple(blocks), searches=searches, fetches=len(read))


def _terms(text: str) -> set[str]:
    """Return what tells of a text's matter; pairs of letters where words are not parted by spaces."""
    pairs = {run[at : at + 2] for run in _UNPARTED.findall(text) for at in range(len(run) - 1)}
    return pairs | words.stems(_UNPARTED.sub(" ", text))


def _matching(corpus: Corpus, query: str, tool: dict[str, Any]) -> list[Document]:
    wanted = _terms(query)
    scored: list[tuple[int, Document]] = []
    for document in corpus.documents:
        if not document.permitted(tool.get("allowed_domains"), tool.get("blocked_domains")):
            continue
        shared = len(wanted & _terms(f"{document.title} {document.text}"))
        if shared >= min(_SHARED, len(wanted)) > 0:
            scored.append((shared, document))
    return [document for _, document in sorted(scored, key=lambda entry: -entry[0])][:MAX_RESULTS]


def _quotes(document: Document, wanted: set[str], question: str) -> list[str]:
    """Return the sentences that fit best, in their order; those with figures first where figures are asked for."""
    counting = bool(_FIGURES.search(question))
    scored = [
        (len(wanted & _terms(sentence)) + (counting == bool(_DIGIT.search(sentence))), -position, sentence)
        for position, sentence in enumerate(document.sentences)
    ]
    best = sorted((entry for entry in scored if entry[0] > 0), reverse=True)[:QUOTES_PER_PAGE]
    return [sentence for _, _, sentence in sorted(best, key=lambda entry: -entry[1])]


def _fetched(document: Document) -> Iterator[Block]:
    yield {"type": "server_tool_use", "name": "web_fetch", "input": {"url": document.url}}
    yield {
        "type": "web_fetch_tool_result",
        "content": {
            "type": "web_fetch_result",
            "url": document.url,
            "retrieved_at": None,
            "content": {
                "type": "document",
                "title": document.title,
                "source": {"type": "text", "media_type": "text/plain", "data": document.text},
                "citations": {"enabled": True},
            },
        },
    }


def _cited(document: Document, quotes: list[str], place: int | None, spoken: Language) -> Iterator[Block]:
    if not quotes:
        return
    title = quoted(document.title, spoken, 120)
    yield {"type": "text", "text": f"\n\n{say(spoken, 'search_found', title=title)} "}
    for position, sentence in enumerate(quotes):
        text = f"{sentence} " if position + 1 < len(quotes) else sentence
        yield {"type": "text", "text": text, "citations": [_citation(document, sentence, place)]}


def _citation(document: Document, sentence: str, place: int | None) -> dict[str, Any]:
    if place is None:
        return {
            "type": "web_search_result_location",
            "url": document.url,
            "title": document.title,
            "encrypted_index": sealed(f"{document.url}#{sentence[:40]}"),
            "cited_text": cited(sentence),
        }
    start = document.text.find(sentence)
    return {
        "type": "char_location",
        "document_index": place,
        "document_title": document.title,
        "start_char_index": start,
        "end_char_index": start + len(sentence),
        "cited_text": sentence,
    }
