"""What a model call returns, read out of the SDK's message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studio.model.prices import Usage
from studio.text import sha256_hex, storable

if TYPE_CHECKING:
    # Importing the SDK takes a second, which whoever only reads the definitions need not spend.
    from anthropic.types import Message


@dataclass(frozen=True)
class Passage:
    """A passage that a tool of the call really returned, quoted verbatim."""

    url: str
    title: str
    quote: str

    @property
    def quote_sha256(self) -> str:
        """The quote's SHA-256 in hex, which shows later that it was not touched."""
        return sha256_hex(self.quote)


@dataclass(frozen=True)
class Answer:
    """A model's answer. `passages` are citations of pages that its own searches returned."""

    text: str
    model: str
    stop_reason: str
    usage: Usage
    cost_micros: int
    passages: tuple[Passage, ...] = ()
    retrieved_urls: tuple[str, ...] = ()
    call_ids: tuple[str, ...] = field(default=())


def usage_of(message: Message) -> Usage:
    """Return the usage a message reports; its input counts tokens from the cache, too."""
    usage = message.usage
    cache_read = usage.cache_read_input_tokens or 0
    cache_write = usage.cache_creation_input_tokens or 0
    searches = usage.server_tool_use.web_search_requests if usage.server_tool_use else 0
    return Usage(
        input_tokens=usage.input_tokens + cache_read + cache_write,
        output_tokens=usage.output_tokens,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        searches=searches or 0,
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


def passages_of(messages: Iterable[Message]) -> list[Passage]:
    """Return the cited passages, each once, of web addresses that the same messages retrieved; others are dropped."""
    messages = list(messages)
    retrieved = set(retrieved_urls(messages))
    found: dict[Passage, None] = {}
    for message in messages:
        for block in message.content:
            if block.type != "text":
                continue
            for citation in block.citations or []:
                if (
                    citation.type == "web_search_result_location"
                    and citation.url in retrieved
                    and _is_web_address(citation.url)
                ):
                    quote = " ".join(storable(citation.cited_text).split())
                    if quote:
                        found[Passage(citation.url, storable(citation.title or citation.url), quote)] = None
    return list(found)
