"""A busy model is asked again; a late, broken or refused answer is none, and counts in full where it may be billed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.database.connection import Database
from studio.errors import ModelDeclined, ModelRefused, ModelUnavailable
from studio.model.client import Model
from studio.sandbox.reply import text_reply
from tests.support.model import (
    FAR_LESS,
    LONG_FAULT,
    SHORT_TIMEOUT,
    Recorder,
    account,
    call,
    ledger,
    open_model,
    scripted_model,
    seconds,
    settled,
    worst_case_micros,
)
from tests.support.queue import InBackground
from tests.support.sandbox import SandboxThread


def test_an_overloaded_model_is_asked_again_under_one_reservation(sandbox: SandboxThread, db: Database) -> None:
    payer = account(db)
    sandbox.fault("status", status=529, retry_after=0.01)
    with open_model(sandbox.url, db, model_max_retries=2) as model:
        answer = model.complete(call(), payer, Recorder())
    assert [entry["status"] for entry in sandbox.requests()] == [529, 200]
    (row,) = ledger(db, payer.project_id)
    assert row["cost_micros"] == answer.cost_micros > 0
    assert settled(db, payer) == (answer.cost_micros, 0, 1)


@pytest.mark.parametrize("status", [409, 429, 500, 503, 529])
def test_a_model_that_stays_busy_is_worth_a_retry_of_the_job(
    model: Model, sandbox: SandboxThread, db: Database, status: int
) -> None:
    payer = account(db)
    sandbox.fault("status", status=status)
    with pytest.raises(ModelUnavailable) as caught:
        model.complete(call(), payer, Recorder())
    assert not caught.value.permanent
    # It was refused, so it was not billed.
    assert settled(db, payer) == (0, 0, 1)
    (row,) = ledger(db, payer.project_id)
    assert (row["status"], row["cost_micros"]) == ("settled", 0)
    assert str(status) in row["error"]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413])
def test_a_request_that_is_refused_is_not_sent_again(sandbox: SandboxThread, db: Database, status: int) -> None:
    payer = account(db)
    sandbox.fault("status", status=status)
    with open_model(sandbox.url, db, model_max_retries=2) as model, pytest.raises(ModelRefused) as caught:
        model.complete(call(), payer, Recorder())
    assert caught.value.permanent
    assert ("ANTHROPIC_API_KEY" in caught.value.remedy) == (status in (401, 403))
    assert len(sandbox.requests()) == 1
    assert settled(db, payer) == (0, 0, 1)
    # The service's own sentence, not the SDK's print of the whole answer.
    assert f"(HTTP {status})" in caught.value.message
    assert "{" not in caught.value.message


@pytest.mark.parametrize("where", ["start", "middle"])
def test_a_model_that_hangs_is_given_up_and_not_asked_again(sandbox: SandboxThread, db: Database, where: str) -> None:
    payer = account(db)
    sandbox.fault("hang", seconds=LONG_FAULT, where=where)
    with open_model(sandbox.url, db, model_timeout_seconds=SHORT_TIMEOUT, model_max_retries=2) as model:

        def work() -> None:
            with pytest.raises(ModelUnavailable) as caught:
                model.complete(call(), payer, Recorder())
            assert not caught.value.permanent

        assert seconds(work) < FAR_LESS
    assert len(sandbox.requests()) == 1
    (row,) = ledger(db, payer.project_id)
    # It may be answering still, and will be billed for it.
    assert row["cost_micros"] == worst_case_micros(row) > 0
    assert settled(db, payer) == (worst_case_micros(row), 0, 1)


def test_a_model_that_drips_is_given_up_at_its_timeout(sandbox: SandboxThread, db: Database) -> None:
    payer = account(db)
    sandbox.fault("slow", delay_ms=SHORT_TIMEOUT * 1000 / 4)
    with open_model(sandbox.url, db, model_timeout_seconds=SHORT_TIMEOUT) as model:
        with pytest.raises(ModelUnavailable, match=r"longer than the 0\.4 s of profile synthesizer"):
            model.complete(call(), payer, Recorder())
    (row,) = ledger(db, payer.project_id)
    assert row["cost_micros"] == worst_case_micros(row)


def test_a_model_that_only_says_that_it_lives_is_given_up_too(db: Database) -> None:
    payer = account(db)
    with (
        scripted_model(lambda request: request.pings()) as (url, asked),
        open_model(url, db, model_timeout_seconds=SHORT_TIMEOUT, model_max_retries=2) as model,
    ):
        work = InBackground(lambda: model.complete(call(), payer, Recorder()))
        with pytest.raises(ModelUnavailable):
            work.result(FAR_LESS)
    assert len(asked) == 1


@pytest.mark.parametrize("fault", ["drop", "stream_error"])
def test_an_answer_that_breaks_off_counts_in_full(sandbox: SandboxThread, db: Database, fault: str) -> None:
    payer = account(db)
    sandbox.fault(fault)
    with open_model(sandbox.url, db, model_max_retries=2) as model, pytest.raises(ModelUnavailable) as caught:
        model.complete(call(), payer, Recorder())
    assert not caught.value.permanent
    assert len(sandbox.requests()) == 1
    (row,) = ledger(db, payer.project_id)
    assert row["cost_micros"] == worst_case_micros(row) > 0
    assert row["error"]
    assert settled(db, payer) == (worst_case_micros(row), 0, 1)


@pytest.mark.parametrize("events", [0, 1, 6])
def test_half_an_answer_in_good_order_is_no_answer(db: Database, events: int) -> None:
    payer = account(db)
    with scripted_model(lambda request: request.begin(events)) as (url, asked), open_model(url, db) as model:
        with pytest.raises(ModelUnavailable, match="ended before the answer did"):
            model.complete(call(), payer, Recorder())
    assert len(asked) == 1
    (row,) = ledger(db, payer.project_id)
    assert row["cost_micros"] == worst_case_micros(row) > 0


def test_a_model_that_cannot_be_reached_costs_nothing(db: Database) -> None:
    payer = account(db)
    with scripted_model(text_reply("gone")) as (url, _):
        pass
    with open_model(url, db) as model, pytest.raises(ModelUnavailable, match="cannot be reached") as caught:
        model.complete(call(), payer, Recorder())
    assert not caught.value.permanent
    assert settled(db, payer) == (0, 0, 1)


class Interrupt(BaseException):
    """As Dagster or Ctrl-C would raise it in the middle of a call."""


def test_an_interrupted_call_counts_in_full(model: Model, sandbox: SandboxThread, db: Database) -> None:
    payer = account(db)

    def interrupt(_text: str) -> None:
        raise Interrupt

    with pytest.raises(Interrupt):
        model.complete(call(), payer, Recorder(interrupt))
    (row,) = ledger(db, payer.project_id)
    assert row["cost_micros"] == worst_case_micros(row) > 0
    assert settled(db, payer) == (worst_case_micros(row), 0, 1)


@pytest.mark.parametrize("status", [408, 502, 504])
def test_what_a_gateway_gave_up_on_is_not_sent_again_and_counts_in_full(
    model: Model, sandbox: SandboxThread, db: Database, status: int
) -> None:
    payer = account(db)
    sandbox.fault("status", status=status)
    with pytest.raises(ModelUnavailable):
        model.complete(call(), payer, Recorder())
    (row,) = ledger(db, payer.project_id)
    assert (row["status"], row["cost_micros"]) == ("settled", row["reserved_micros"])
    assert len(sandbox.requests()) == 1


def test_prose_that_was_declined_is_no_answer(db: Database) -> None:
    declined = replace(text_reply(""), stop_reason="refusal")  # type: ignore[arg-type]
    with scripted_model(declined) as (url, _), open_model(url, db) as model, pytest.raises(ModelDeclined):
        model.complete(call(), account(db), Recorder())
