"""What a model call costs: its worst case before, its real cost after. Money is whole micro-dollars, rounded up.

Prices come from `genai-prices`, and for models it does not know from `GREENLIGHT_MODEL_PRICES`. A model
with neither has no price, and a call without a price is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from studio.errors import BudgetExhausted
from studio.settings import ModelPrice

MICROS = 1_000_000
# $10 per thousand searches, Anthropic's list price for the web search tool.
SEARCH_MICROS = 10_000
# What the service puts around a request on its side (tool and format instructions), generously.
HIDDEN_INPUT_TOKENS = 6_000


@dataclass(frozen=True)
class Usage:
    """What a call used. `input_tokens` includes tokens read from and written to the cache."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    searches: int = 0
    fetches: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.searches + other.searches,
            self.fetches + other.fetches,
        )

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


class PriceList:
    """Prices by model name."""

    def __init__(self, own: dict[str, ModelPrice]) -> None:
        self._own = own

    def cost_micros(self, model: str, usage: Usage) -> int:
        """Return what `usage` costs in micro-dollars, or raise `BudgetExhausted` for a model without a price."""
        own = self._own.get(model)
        if own is not None:
            tokens = own.input_usd_per_million * usage.input_tokens + own.output_usd_per_million * usage.output_tokens
            # A price per million tokens in dollars is a price per token in micro-dollars.
            return math.ceil(tokens) + self._searches(own, usage)
        try:
            price = calc_price(
                PricedUsage(
                    input_tokens=usage.input_tokens,
                    output_tokens=usage.output_tokens,
                    cache_read_tokens=usage.cache_read_tokens or None,
                    cache_write_tokens=usage.cache_write_tokens or None,
                ),
                model_ref=model,
                provider_id="anthropic",
            )
        except LookupError as exc:
            raise self._no_price(model) from exc
        return math.ceil(Decimal(price.total_price) * MICROS) + usage.searches * SEARCH_MICROS

    def worst_case(
        self, model: str, *, request_bytes: int, max_tokens: int, searches: int, fetches: int = 0
    ) -> tuple[int, Usage]:
        """Return the most that a call can cost in micro-dollars, and the usage that would cost it.

        A token is at least one byte of the request. After each search and each fetched page the model reads
        everything again together with the results, whose size only the context window bounds.
        """
        window = self._context_window(model)
        once = min(window, request_bytes + HIDDEN_INPUT_TOKENS)
        usage = Usage(
            input_tokens=once if searches + fetches == 0 else window * (searches + fetches + 1),
            output_tokens=max_tokens,
            searches=searches,
            fetches=fetches,
        )
        return self.cost_micros(model, usage), usage

    def _context_window(self, model: str) -> int:
        own = self._own.get(model)
        if own is not None:
            return own.context_window
        try:
            found = calc_price(PricedUsage(input_tokens=1), model_ref=model, provider_id="anthropic")
        except LookupError as exc:
            raise self._no_price(model) from exc
        if found.model.context_window is None:
            raise self._no_price(model)
        return found.model.context_window

    @staticmethod
    def _searches(own: ModelPrice, usage: Usage) -> int:
        return math.ceil(own.search_usd * MICROS) * usage.searches

    @staticmethod
    def _no_price(model: str) -> BudgetExhausted:
        return BudgetExhausted(
            f"Model {model!r} has no known price, so no call to it can be covered by a budget.",
            "Set GREENLIGHT_MODEL_PRICES for it, or use another CLAUDE_DIRECT_MODEL.",
        )
