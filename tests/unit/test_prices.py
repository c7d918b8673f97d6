"""A call's price is whole micro-dollars, rounded up; its worst case is never below its cost; no price, no call."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from studio.errors import BudgetExhausted
from studio.model.prices import HIDDEN_INPUT_TOKENS, SEARCH_MICROS, PriceList, Usage
from studio.model.spend import usd
from studio.settings import ModelPrice, Settings

WINDOW = 50_000
OWN = {
    "own": ModelPrice(
        input_usd_per_million=Decimal("0.8"),
        output_usd_per_million=Decimal("4.5"),
        search_usd=Decimal("0.005"),
        context_window=WINDOW,
    )
}
LISTED = Settings.model_fields["model"].default
UNKNOWN = "nobody-has-heard-of-it"


def test_an_own_price_counts_tokens_and_searches() -> None:
    used = Usage(input_tokens=1_000_000, output_tokens=100_000, searches=3)
    assert PriceList(OWN).cost_micros("own", used) == 800_000 + 450_000 + 3 * 5_000


@pytest.mark.parametrize("used", [Usage(input_tokens=1), Usage(output_tokens=1)])
def test_a_fraction_of_a_micro_dollar_is_rounded_up(used: Usage) -> None:
    cost = PriceList(OWN).cost_micros("own", used)
    exact = Decimal("0.8") * used.input_tokens + Decimal("4.5") * used.output_tokens
    assert cost == math.ceil(exact) > exact


def test_nothing_used_costs_nothing() -> None:
    assert PriceList(OWN).cost_micros("own", Usage()) == 0
    assert PriceList({}).cost_micros(LISTED, Usage()) == 0


def test_the_models_of_the_price_list_cost_what_it_says() -> None:
    # Anthropic's list price of a well-known model: $3 and $15 per million tokens, a tenth to read the cache.
    prices, model = PriceList({}), "claude-sonnet-4-20250514"
    assert prices.cost_micros(model, Usage(input_tokens=1_000)) == 3_000
    assert prices.cost_micros(model, Usage(output_tokens=1_000)) == 15_000
    assert prices.cost_micros(model, Usage(input_tokens=1_000, cache_read_tokens=1_000)) == 300
    assert prices.cost_micros(model, Usage(input_tokens=1_000, cache_write_tokens=1_000)) == 3_750
    assert prices.cost_micros(model, Usage(searches=2)) == 2 * SEARCH_MICROS == 20_000


def test_the_default_model_has_a_price() -> None:
    micros, _ = PriceList({}).worst_case(LISTED, request_bytes=1, max_tokens=1, searches=0)
    assert micros > 0


def test_an_own_price_goes_before_the_list() -> None:
    free = ModelPrice(input_usd_per_million=Decimal(0), output_usd_per_million=Decimal(0), search_usd=Decimal(0))
    assert PriceList({LISTED: free}).cost_micros(LISTED, Usage(10, 10, searches=10)) == 0


def test_the_sandbox_has_an_explicit_price_of_nothing() -> None:
    prices = PriceList(Settings().model_prices)
    micros, usage = prices.worst_case("sandbox", request_bytes=100, max_tokens=50, searches=2)
    assert micros == 0
    # Tokens are capped all the same.
    assert usage.tokens > 0


def test_a_model_without_a_price_is_refused_with_the_remedy() -> None:
    prices = PriceList(OWN)
    for ask in (
        lambda: prices.cost_micros(UNKNOWN, Usage(1, 1)),
        lambda: prices.worst_case(UNKNOWN, request_bytes=1, max_tokens=1, searches=1),
    ):
        with pytest.raises(BudgetExhausted, match=UNKNOWN) as caught:
            ask()
        assert "GREENLIGHT_MODEL_PRICES" in caught.value.remedy
        assert caught.value.permanent


@given(
    model=st.sampled_from(["own", LISTED]),
    request_bytes=st.integers(0, 400_000),
    max_tokens=st.integers(1, 64_000),
    searches=st.integers(0, 14),
    share=st.floats(0, 1),
)
def test_no_call_costs_more_than_its_worst_case(
    model: str, request_bytes: int, max_tokens: int, searches: int, share: float
) -> None:
    prices = PriceList(OWN)
    micros, worst = prices.worst_case(model, request_bytes=request_bytes, max_tokens=max_tokens, searches=searches)
    read = min(request_bytes + HIDDEN_INPUT_TOKENS, worst.input_tokens)
    used = Usage(
        input_tokens=read + int(share * (worst.input_tokens - read)),
        output_tokens=int(share * max_tokens),
        searches=int(share * searches),
    )
    assert prices.cost_micros(model, used) <= micros
    assert used.tokens <= worst.tokens
    # A whole answer is always covered, and so is everything that was sent, up to the model's window.
    assert worst.output_tokens == max_tokens
    if searches == 0 and model == "own":
        assert worst.input_tokens == min(WINDOW, request_bytes + HIDDEN_INPUT_TOKENS)


def test_each_search_may_fill_the_window_again() -> None:
    _, worst = PriceList(OWN).worst_case("own", request_bytes=10, max_tokens=7, searches=3)
    assert worst == Usage(input_tokens=4 * WINDOW, output_tokens=7, searches=3)


def test_usages_add_up() -> None:
    total = Usage(1, 2, 3, 4, 5) + Usage(10, 20, 30, 40, 50)
    assert total == Usage(11, 22, 33, 44, 55)
    assert total.tokens == 33


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0.00"),
        (1, "0.000001"),
        (10_000, "0.01"),
        (1_500_000, "1.50"),
        (12_345_678, "12.345678"),
        (10**12, "1000000.00"),
    ],
)
def test_money_is_shown_with_the_places_it_needs(micros: int, text: str) -> None:
    assert usd(micros) == text


@pytest.mark.parametrize("field", ["input_usd_per_million", "output_usd_per_million", "search_usd", "context_window"])
def test_a_price_is_never_negative(field: str) -> None:
    price: dict[str, Any] = {"input_usd_per_million": 1, "output_usd_per_million": 1, field: -1}
    with pytest.raises(ValidationError, match=field):
        ModelPrice(**price)
