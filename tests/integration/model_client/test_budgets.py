"""Nothing is sent that its project cannot pay for or whose claim is lost, and what was reserved is counted once."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from studio import queue
from studio.database.connection import Database
from studio.errors import BudgetExhausted, LeaseLost, ModelUnavailable
from studio.model import spend
from studio.model.client import Model
from studio.model.spend import Spender
from studio.settings import ModelPrice
from tests.support.model import FAR_LESS, Note, Recorder, account, call, ledger, open_model, scripted_model, settled
from tests.support.queue import InBackground, claim_next, enqueue, make_project, take_over
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually


def wait_for(event: threading.Event) -> None:
    assert event.wait(FAR_LESS), "the test never came to its end"


@pytest.mark.parametrize(
    ("caps", "said"),
    [
        ({"usd": Decimal("0.000001")}, "it may cost"),
        ({"tokens": 100}, "tokens"),
        ({"calls": 0}, "calls are used"),
        ({"usd": 0, "tokens": 0, "calls": 0}, "it may cost"),
    ],
)
def test_an_exhausted_budget_sends_nothing(
    model: Model, sandbox: SandboxThread, db: Database, caps: dict[str, Any], said: str
) -> None:
    payer = account(db, **caps)
    with pytest.raises(BudgetExhausted, match=said) as caught:
        model.complete(call(), payer, Recorder())
    assert caught.value.permanent
    assert "projects budget" in caught.value.remedy
    assert sandbox.requests() == []
    assert ledger(db, payer.project_id) == []
    assert settled(db, payer) == (0, 0, 0)


def test_a_free_model_is_capped_by_tokens_and_calls(sandbox: SandboxThread, db: Database) -> None:
    free = {"sandbox": ModelPrice(input_usd_per_million=0, output_usd_per_million=0, search_usd=0)}
    payer = account(db, usd=0, calls=2)
    with open_model(sandbox.url, db, model_prices=free) as model:
        assert model.complete(call(), payer, Recorder()).cost_micros == 0
        assert model.complete(call(), payer, Recorder()).cost_micros == 0
        with pytest.raises(BudgetExhausted, match="all 2 calls are used"):
            model.complete(call(), payer, Recorder())
        used = spend.budget(db, payer.project_id).spent_tokens
        assert used > 0
        with db.transaction() as conn:
            spend.set_budget(conn, payer.project_id, Decimal(0), used + 10, 100)
        with pytest.raises(BudgetExhausted, match="and 10 are left"):
            model.complete(call(), payer, Recorder())
    assert len(sandbox.requests()) == 2


def test_the_retry_of_a_misfit_is_covered_by_the_budget_too(model: Model, sandbox: SandboxThread, db: Database) -> None:
    payer = account(db, calls=1)
    sandbox.fault("not_json")
    with pytest.raises(BudgetExhausted, match="its only call is used"):
        model.structured(call(), Note, payer, Recorder())
    assert len(sandbox.requests()) == 1


def test_a_model_without_a_price_sends_nothing(sandbox: SandboxThread, db: Database) -> None:
    payer = account(db)
    with open_model(sandbox.url, db, model="nobody-prices-this") as model:
        with pytest.raises(BudgetExhausted, match="no known price") as caught:
            model.complete(call(), payer, Recorder())
    assert "GREENLIGHT_MODEL_PRICES" in caught.value.remedy
    assert sandbox.requests() == []
    assert settled(db, payer) == (0, 0, 0)


def test_a_project_without_a_budget_sends_nothing(model: Model, sandbox: SandboxThread, db: Database) -> None:
    with pytest.raises(BudgetExhausted, match="no budget"):
        model.complete(call(), Spender(make_project(db)), Recorder())
    assert sandbox.requests() == []


@pytest.mark.parametrize("column", ["cap_micros", "cap_tokens", "cap_calls"])
def test_a_missing_cap_refuses_instead_of_allowing_everything(
    model: Model, sandbox: SandboxThread, db: Database, column: str
) -> None:
    payer = account(db)
    with db.connection() as conn:
        conn.execute(
            f"update public.project_budgets set {column} = null where project_id = %s".encode(), [payer.project_id]
        )
    with pytest.raises(BudgetExhausted, match="no budget"):
        model.complete(call(), payer, Recorder())
    assert sandbox.requests() == []


def test_a_claim_that_was_lost_sends_nothing(model: Model, sandbox: SandboxThread, db: Database) -> None:
    payer = account(db)
    enqueue(db, payer.project_id)
    stale = claim_next(db)
    current = take_over(db, stale)
    with pytest.raises(LeaseLost):
        model.complete(call(), Spender(payer.project_id, stale.job_id, stale.claim_no), Recorder())
    assert sandbox.requests() == []
    model.complete(call(), Spender(payer.project_id, current.job_id, current.claim_no), Recorder())
    assert spend.spent_by_job(db, current.job_id).calls == 1
    current.complete()


def test_what_a_lost_worker_had_reserved_counts_in_full(db: Database) -> None:
    payer, over = account(db), threading.Event()
    enqueue(db, payer.project_id)
    stale = claim_next(db)
    spender = Spender(payer.project_id, stale.job_id, stale.claim_no)
    with scripted_model(lambda _request: wait_for(over)) as (url, asked), open_model(url, db) as model:
        lost = InBackground(lambda: model.complete(call(), spender, Recorder()))
        eventually(lambda: asked, what="the request of the worker that is then lost")
        take_over(db, stale).complete()
        queue.reclaim_stale(db)
        (row,) = ledger(db, payer.project_id)
        assert (row["status"], row["cost_micros"]) == ("abandoned", row["reserved_micros"])
        before = settled(db, payer)
        # The zombie comes back and settles what was settled for it: nothing is counted twice.
        over.set()
        with pytest.raises(ModelUnavailable):
            lost.result()
    assert settled(db, payer) == before == (row["reserved_micros"], 0, 1)


def test_eight_threads_race_for_the_last_cent(sandbox: SandboxThread, db: Database) -> None:
    cent, tokens = 10_000, 10
    # An answer that uses all its tokens costs exactly what was reserved for it: one cent.
    price = ModelPrice(input_usd_per_million=0, output_usd_per_million=cent // tokens, search_usd=0)
    payer = account(db, usd=Decimal("0.01"))
    start = threading.Barrier(8)
    sandbox.fault("slow", delay_ms=50, times=8)

    def work() -> str:
        start.wait()
        try:
            model.complete(call(max_tokens=tokens), payer, Recorder())
        except BudgetExhausted:
            return "exhausted"
        return "answered"

    with open_model(sandbox.url, db, model_prices={"sandbox": price}) as model:
        racers = [InBackground(work) for _ in range(8)]
        outcomes = sorted(racer.result() for racer in racers)
    assert outcomes == ["answered"] + ["exhausted"] * 7
    assert len(sandbox.requests()) == 1
    assert settled(db, payer) == (cent, 0, 1)
