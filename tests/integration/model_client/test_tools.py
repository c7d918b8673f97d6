"""Tools are run turn by turn, each under a reservation of its own, and their results go back to the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from anthropic import beta_tool

from studio.agents.profiles import PROFILES
from studio.database.connection import Database
from studio.errors import BudgetExhausted, ModelUnavailable
from studio.model.client import Model
from studio.sandbox.reply import Reply
from tests.support.model import (
    LONG_FAULT,
    SHORT_TIMEOUT,
    Recorder,
    account,
    call,
    ledger,
    open_model,
    scripted_model,
    settled,
    worst_case_micros,
)
from tests.support.sandbox import SandboxThread


def _tools(seen: list[Any]) -> list[Any]:
    @beta_tool
    def weather(city: str) -> str:
        """Tell the weather in a city.

        Args:
            city: The city.
        """
        seen.append(("weather", city))
        return "Rain, 11 degrees."

    @beta_tool
    def read_page(url: str) -> str:
        """Read a page of the web.

        Args:
            url: The address of the page.
        """
        seen.append(("read_page", url))
        raise RuntimeError("the page is gone")

    return [weather, read_page]


def test_tools_are_run_with_a_reservation_per_turn(model: Model, sandbox: SandboxThread, db: Database) -> None:
    payer, told, seen = account(db), Recorder(), []  # type: ignore[var-annotated]
    answer = model.run_tools(call("What is the weather in Berlin?", profile="chat"), _tools(seen), payer, told)
    assert seen == [("weather", "Berlin")]
    assert "Rain, 11 degrees." in answer.text
    assert answer.stop_reason == "end_turn"
    rows = ledger(db, payer.project_id)
    assert len(rows) == len(sandbox.requests()) == 2
    assert answer.cost_micros == sum(row["cost_micros"] for row in rows)
    assert answer.call_ids == tuple(str(row["id"]) for row in rows)
    assert answer.usage.tokens == sum(e["input_tokens"] + e["output_tokens"] for e in sandbox.requests())
    assert settled(db, payer) == (answer.cost_micros, 0, 2)
    assert rows[1]["reserved_tokens"] > rows[0]["reserved_tokens"], "the second turn reads the first one too"
    assert told.calls == [("weather", {"step": "a-step", "input": {"city": "Berlin"}})]
    assert "Rain, 11 degrees." in told.results[0][1]["result"]
    assert told.streamed == answer.text
    assert sum(data["cost_micros"] for _, data in told.logs) == answer.cost_micros


def test_a_tool_that_fails_is_told_to_the_model(model: Model, sandbox: SandboxThread, db: Database) -> None:
    seen: list[Any] = []
    question = call("Read the page https://lendly.test/about", profile="chat")
    answer = model.run_tools(question, _tools(seen), account(db), Recorder())
    assert seen == [("read_page", "https://lendly.test/about")]
    assert "the page is gone" in answer.text


def test_an_agent_that_uses_up_its_turns_gives_no_answer(model: Model, sandbox: SandboxThread, db: Database) -> None:
    payer = account(db)
    hasty = replace(PROFILES["chat"], turns=1)
    with pytest.raises(ModelUnavailable, match="all its 1 turns"):
        model.run_tools(call("What is the weather in Berlin?", profile=hasty), _tools([]), payer, Recorder())
    assert len(ledger(db, payer.project_id)) == len(sandbox.requests()) == 1, "a turn was paid for that did not happen"


def test_a_tool_call_that_was_cut_off_is_not_carried_out(db: Database) -> None:
    seen: list[Any] = []
    cut = Reply(({"type": "tool_use", "name": "weather", "input": {"city": "Ber"}},), stop_reason="max_tokens")
    with scripted_model(cut) as (url, _), open_model(url, db) as model:
        answer = model.run_tools(call("Weather?", profile="chat"), _tools(seen), account(db), Recorder())
    assert seen == []
    assert answer.stop_reason == "max_tokens"


@pytest.mark.parametrize("fault", ["hang", "drop"])
def test_a_turn_that_breaks_off_counts_in_full(sandbox: SandboxThread, db: Database, fault: str) -> None:
    payer, seen = account(db), []  # type: ignore[var-annotated]
    # The second turn is the one that carries the tool's result.
    sandbox.fault(fault, match="tool_result", **({"seconds": LONG_FAULT} if fault == "hang" else {}))
    with open_model(sandbox.url, db, model_timeout_seconds=SHORT_TIMEOUT * 3, model_max_retries=2) as model:
        with pytest.raises(ModelUnavailable):
            model.run_tools(call("What is the weather in Berlin?", profile="chat"), _tools(seen), payer, Recorder())
    first, second = ledger(db, payer.project_id)
    assert first["cost_micros"] < worst_case_micros(first)
    assert second["cost_micros"] == worst_case_micros(second)
    assert len(sandbox.requests()) == 2
    assert len(seen) == 1


def test_tools_are_not_offered_where_the_budget_is_exhausted(
    model: Model, sandbox: SandboxThread, db: Database
) -> None:
    payer, seen = account(db, calls=1), []  # type: ignore[var-annotated]
    with pytest.raises(BudgetExhausted):
        model.run_tools(call("What is the weather in Berlin?", profile="chat"), _tools(seen), payer, Recorder())
    assert len(sandbox.requests()) == 1
