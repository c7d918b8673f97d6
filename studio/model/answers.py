"""What a model call returns, read out of the SDK's message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from studio.model.prices import Usage
from studio.text import sha256_hex, storable

if TYPE_CHECKING:
    # Importing the SDK takes a second, which whoever only reads the definitions need not spend.
    from anthropic.types import Message


Retrieval = Literal["web_search", "web_fetch"]


@dataclass(frozen=True)
class Passage:
    """A passage that a tool of the call really returned, quoted verbatim; `tool` says which."""

    url: str
    title: str
    quote: str
    tool: Retrieval = "web_search"

    @property
    def quote_sha256(self) -> str:
        """The quote's SHA-256 in hex, which shows later that it was not touched."""
        return sha256_hex(self.quote)


@dataclass(frozen=True)
class FetchedPage:
    """A page that the service fetched for the model. `text` is None where it is no text, as of a PDF."""

    url: str
    title: str
    text: str | None
    retrieved_at: str | None = None


@dataclass(frozen=True)
class Answer:
    """A model's answer. `passages` are citations of pages that its own tools returned, `pages` those it fetched."""

    text: str
    model: str
    stop_reason: str
    usage: Usage
    cost_micros: int
    passages: tuple[Passage, ...] = ()
    pages: tuple[FetchedPage, ...] = ()
    retrieved_urls: tuple[str, ...] = ()
    call_ids: tuple[str, ...] = field(default=())


def usage_of(message: Message) -> Usage:
    """Return the usage a message reports; its input counts tokens from the cache, too."""
    usage = message.usage
    cache_read = usage.cache_read_input_tokens or 0
    cache_write = usage.cache_creation_input_tokens or 0
    served = usage.server_tool_use
    return Usage(
        input_tokens=usage.input_tokens + cache_read + cache_write,
        output_tokens=usage.output_tokens,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        searches=(served.web_search_requests if served else 0) or 0,
        fetches=(served.web_fetch_requests if served else 0) or 0,
    )


def text_of(message: Message) -> str:
    """Return the message's text blocks as one text."""
    return "".join(block.text for block in message.content if block.type == "text")


def retrieved_urls(messages: Iterable[Message]) -> list[str]:
    """Return the addresses that web tools returned, each once, in order."""
    urls: dict[str, None] = {}
    for message in messages:
        for block in message.content:
            if block.type == "web_search_tool_result" and isinstance(block.content, list):
                urls.update((result.url, None) for result in block.content)
            elif block.type == "web_fetch_tool_result" and block.content.type == "web_fetch_result":
                urls[block.content.url] = None
    return list(urls)


def _is_web_address(url: str) -> bool:
    return re.match(r"https?://", url, re.IGNORECASE) is not None and storable(url) == url


def pages_of(messages: Iterable[Message]) -> list[FetchedPage]:
    """Return the pages of the web that were fetched, in order; one that was fetched twice stands there twice."""
    return [page for page in _documents(messages) if _is_web_address(page.url)]


def _documents(messages: Iterable[Message]) -> list[FetchedPage]:
    """Return all fetched documents in the order by which citations count them."""
    found: list[FetchedPage] = []
    for message in messages:
        for block in message.content:
            if block.type != "web_fetch_tool_result" or block.content.type != "web_fetch_result":
                continue
            document = block.content.content
            text = storable(document.source.data) if document.source.type == "text" else None
            title = storable(document.title or block.content.url)
            found.append(FetchedPage(block.content.url, title, text, block.content.retrieved_at))
    return found


def passages_of(messages: Iterable[Message]) -> list[Passage]:
    """Return the cited passages, each once, of web addresses that the same messages retrieved; others are dropped."""
    messages = list(messages)
    retrieved, documents = set(retrieved_urls(messages)), _documents(messages)
    found: dict[Passage, None] = {}
    for message in messages:
        for block in message.content:
            if block.type != "text":
                continue
            for citation in block.citations or []:
                passage = _passage(citation, retrieved, documents)
                if passage is not None and passage.quote and _is_web_address(passage.url):
                    found[passage] = None
    return list(found)


def _passage(citation: Any, retrieved: set[str], documents: list[FetchedPage]) -> Passage | None:
    quote = " ".join(storable(citation.cited_text).split())
    if citation.type == "web_search_result_location":
        if citation.url not in retrieved:
            return None
        return Passage(citation.url, storable(citation.title or citation.url), quote)
    if citation.type in ("char_location", "page_location"):
        page = _cited_page(citation.document_index, quote, documents)
        return None if page is None else Passage(page.url, page.title, quote, "web_fetch")
    return None


def _cited_page(index: int, quote: str, documents: list[FetchedPage]) -> FetchedPage | None:
    """Return the fetched page that holds `quote`: the one that is named, or else the first one that does.

    A text that holds no such words was not cited; of what is no text, only the service knows the words.
    """
    named = documents[index : index + 1] if index >= 0 else []
    for page in (*named, *documents):
        if page.text is None:
            if page in named:
                return page
        elif quote in " ".join(page.text.split()):
            return page
    return None
