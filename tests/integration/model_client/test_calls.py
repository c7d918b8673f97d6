"""A call streams its answer, reserves its worst case before it is sent, and settles for what was used."""

from __future__ import annotations

import json

import pytest

from studio.database.connection import Database
from studio.errors import SettingsError
from studio.model.client import SERVICE_URL, Model
from studio.model.prices import HIDDEN_INPUT_TOKENS
from studio.settings import Settings
from tests.support.model import (
    INPUT_PRICE,
    OUTPUT_PRICE,
    Note,
    Recorder,
    account,
    call,
    ledger,
    model_settings,
    settled,
)
from tests.support.sandbox import SandboxThread, answering


def test_an_answer_streams_and_costs_what_was_used(model: Model, sandbox: SandboxThread, db: Database) -> None:
    payer, told = account(db), Recorder()
    answer = model.complete(call(), payer, told)
    assert answer.text
    assert told.streamed == answer.text
    assert len(told.deltas) > 1, "the text came in one piece"
    assert all(data == {"step": "a-step", "agent": "synthesizer"} for _, data in told.deltas)
    (asked,) = sandbox.requests()
    assert (answer.model, answer.stop_reason) == ("sandbox", "end_turn")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (asked["input_tokens"], asked["output_tokens"])
    assert answer.cost_micros == INPUT_PRICE * asked["input_tokens"] + OUTPUT_PRICE * asked["output_tokens"]
    (row,) = ledger(db, payer.project_id)
    assert answer.call_ids == (str(row["id"]),)
    assert (row["status"], row["cost_micros"], row["error"]) == ("settled", answer.cost_micros, None)
    assert (row["step"], row["agent"], row["model"]) == ("a-step", "synthesizer", "sandbox")
    assert (row["input_tokens"], row["output_tokens"]) == (asked["input_tokens"], asked["output_tokens"])
    assert settled(db, payer) == (answer.cost_micros, 0, 1)


def test_a_reservation_covers_more_than_the_call_uses(model: Model, sandbox: SandboxThread, db: Database) -> None:
    payer = account(db)
    model.complete(call(max_tokens=123), payer, Recorder())
    (row,) = ledger(db, payer.project_id)
    assert row["reserved_tokens"] >= HIDDEN_INPUT_TOKENS + 123 > row["input_tokens"] + row["output_tokens"]
    assert row["reserved_micros"] > row["cost_micros"]


def test_the_cost_is_logged_for_those_who_add_it_up(model: Model, db: Database) -> None:
    payer, told = account(db), Recorder()
    answer = model.complete(call(), payer, told)
    ((message, data),) = told.logs
    assert message.startswith("synthesizer: ")
    assert data["cost_micros"] == answer.cost_micros
    assert data["input_tokens"] + data["output_tokens"] == answer.usage.tokens


def test_text_that_is_to_be_structured_is_not_streamed(model: Model, db: Database) -> None:
    told = Recorder()
    value, answer = model.structured(call(), Note, account(db), told)
    assert value.title
    assert json.loads(answer.text) == value.model_dump()
    assert told.deltas == []


def test_prose_can_be_asked_for_without_streaming_it(model: Model, db: Database) -> None:
    told = Recorder()
    assert model.complete(call(stream_text=False), account(db), told).text
    assert told.deltas == []


def test_text_that_no_database_can_hold_is_made_storable(model: Model, sandbox: SandboxThread, db: Database) -> None:
    told = Recorder()
    answering(sandbox, "one\x00two")
    answer = model.complete(call(), account(db), told)
    assert answer.text == told.streamed == "one\ufffdtwo"
    answering(sandbox, r'{"title": "one\u0000two\ud800three"}')
    value, _ = model.structured(call(), Note, account(db), told)
    assert value.title == "one\ufffdtwo\ufffdthree"


def test_an_empty_address_of_the_service_is_none(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "test")
    model = Model(Settings(), db)
    assert str(model._client.base_url).rstrip("/") == SERVICE_URL
    model.close()


def test_without_a_key_there_is_no_model(db: Database) -> None:
    with pytest.raises(SettingsError, match="ANTHROPIC_API_KEY"):
        Model(model_settings("http://127.0.0.1:1", anthropic_api_key=None), db)
