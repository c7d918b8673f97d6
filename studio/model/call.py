"""What is asked of a model, and what an agent needs of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from studio.agents.profiles import AgentProfile
from studio.model.answers import Answer
from studio.model.prices import Usage
from studio.model.spend import Spender
from studio.progress import Progress

M = TypeVar("M", bound=BaseModel)

# How much of a fetched page the model reads, in tokens: the whole of an article, the beginning of a book.
FETCHED_TOKENS = 25_000


@dataclass(frozen=True)
class Call:
    """One question to a model. `step` names the work it belongs to, in the ledger and the event stream.

    `search` and `fetch` offer it the service's web tools, as far as the profile has them. `most_seconds` is what the
    caller has left; it bounds the call also where the settings allow calls longer.
    """

    profile: AgentProfile
    step: str
    system: str
    prompt: str
    max_tokens: int
    search: bool = False
    fetch: bool = False
    stream_text: bool = True
    most_seconds: float | None = None


def web_uses(call: Call, used: Usage) -> tuple[int, int]:
    """Return how many searches and fetched pages are left to a call that has used `used`.

    A tool that was offered once stays with at least one use, because the conversation speaks of it.
    """
    searches = call.profile.searches if call.search else 0
    fetches = call.profile.fetches if call.fetch else 0
    return searches and max(1, searches - used.searches), fetches and max(1, fetches - used.fetches)


def web_tools(searches: int, fetches: int) -> list[dict[str, Any]]:
    """Return the service's own web tools, each with its number of uses; one without is left out."""
    tools: list[dict[str, Any]] = []
    if searches:
        tools.append({"type": "web_search_20250305", "name": "web_search", "max_uses": searches})
    if fetches:
        tools.append(
            {
                "type": "web_fetch_20250910",
                "name": "web_fetch",
                "max_uses": fetches,
                "citations": {"enabled": True},
                "max_content_tokens": FETCHED_TOKENS,
            }
        )
    return tools


class CompletesCalls(Protocol):
    """What an agent needs of a model."""

    def complete(self, call: Call, spender: Spender, progress: Progress) -> Answer:
        """Answer in prose; see `Model.complete`."""

    def structured(self, call: Call, schema: type[M], spender: Spender, progress: Progress) -> tuple[M, Answer]:
        """Answer as `schema`; see `Model.structured`."""
