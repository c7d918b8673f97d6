"""A model call reserves its worst case, is sent once, and settles: the real SDK against a real server.

What a call costs, whom it is charged to, when nothing may be sent at all, and what becomes of an answer that
is late, broken, or not what was asked for.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from anthropic import beta_tool
from anthropic.types import Message
from pydantic import BaseModel, Field

from studio import queue
from studio.agents.profiles import PROFILES
from studio.database.connection import Database
from studio.errors import (
    BudgetExhausted,
    LeaseLost,
    ModelAnswerInvalid,
    ModelRefused,
    ModelUnavailable,
    SettingsError,
)
from studio.model import spend
from studio.model.answers import passages_of, retrieved_urls
from studio.model.client import MAX_PAUSES, SERVICE_URL, Model
from studio.model.prices import HIDDEN_INPUT_TOKENS
from studio.model.spend import Spender
from studio.sandbox.reply import Reply, text_reply
from studio.settings import ModelPrice, Settings
from tests.support.model import (
    INPUT_PRICE,
    OUTPUT_PRICE,
    SEARCH_PRICE,
    Recorder,
    account,
    call,
    ledger,
    model_settings,
    open_model,
    scripted_model,
    seconds,
)
from tests.support.postgres import TestServer
from tests.support.queue import InBackground, claim_next, enqueue, make_project, take_over
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

# Long enough for a loaded machine to answer in, short enough to wait for.
SHORT_TIMEOUT = 0.4
# How long a fault lasts that a test does not wait for, and what is far less.
LONG_FAULT = 60.0
FAR_LESS = 20.0

TOOLS_PAGE = """---
url: https://lendly.test/about
title: Lendly
---
Lendly lends power tools to neighbours for 5 euros a day. The market for tool rental grew to 12 million households.
"""


class Verdict(BaseModel):
    """What the tests ask for."""

    title: str
    score: int = Field(ge=0, le=100)


class Note(BaseModel):
    """The smallest thing to ask for."""

    title: str


GOOD = '{"title": "Tools", "score": 70}'


@pytest.fixture(scope="module")
def db(postgres: TestServer, database_template: str) -> Iterator[Database]:
    """One database for the module: each test has a project of its own in it."""
    with postgres.temporary(database_template) as name, Database(postgres.url(name), pool_size=20) as db:
        yield db


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxThread]:
    """The sandbox model, which finds one page."""
    corpus = tmp_path_factory.mktemp("corpus")
    (corpus / "lendly.md").write_text(TOOLS_PAGE, encoding="utf-8")
    with SandboxThread(corpus=Path(corpus)) as server:
        yield server


@pytest.fixture(autouse=True)
def sandbox(server: SandboxThread) -> SandboxThread:
    """The sandbox model without what earlier tests ordered and asked."""
    server.clear()
    return server


@pytest.fixture(scope="module")
def model(server: SandboxThread, db: Database) -> Iterator[Model]:
    """A client for the sandbox that asks once."""
    with open_model(server.url, db) as model:
        yield model


def answering(sandbox: SandboxThread, *texts: str) -> None:
    sandbox.faults([{"kind": "text", "text": text} for text in texts])


def settled(db: Database, payer: Spender) -> tuple[int, int, int]:
    """Return what was spent and what is still reserved in micro-dollars, and the number of calls."""
    now = spend.budget(db, payer.project_id)
    return now.spent_micros, now.reserved_micros, now.calls


def wait_for(event: threading.Event) -> None:
    assert event.wait(FAR_LESS), "the test never came to its end"


def worst_case_micros(row: dict[str, Any]) -> int:
    return int(row["reserved_micros"])


# --- what a call gives, costs and says


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


# --- structured answers


def test_an_answer_that_is_not_json_is_asked_for_once_more(model: Model, sandbox: SandboxThread, db: Database) -> None:
    payer, told = account(db), Recorder()
    sandbox.fault("not_json")
    value, answer = model.structured(call(), Verdict, payer, told)
    first, second = sandbox.requests()
    assert value == Verdict.model_validate_json(answer.text)
    assert first["fault"] == "not_json"
    assert "cannot be used" in second["user"]
    assert "Verdict" in second["user"]
    assert "asking once more" in told.said
    rows = ledger(db, payer.project_id)
    assert len(rows) == 2
    # The first answer was paid for, too.
    assert answer.cost_micros == sum(row["cost_micros"] for row in rows) > rows[1]["cost_micros"]
    assert answer.usage.output_tokens == first["output_tokens"] + second["output_tokens"]
    assert answer.call_ids == tuple(str(row["id"]) for row in rows)
    assert settled(db, payer) == (answer.cost_micros, 0, 2)


def test_the_second_request_names_what_did_not_fit(model: Model, sandbox: SandboxThread, db: Database) -> None:
    answering(sandbox, '{"title": "Tools", "score": 700}', GOOD)
    value, _ = model.structured(call(), Verdict, account(db), Recorder())
    assert value.score == 70
    assert "score" in sandbox.requests()[1]["user"]


@pytest.mark.parametrize("fault", ["not_json", "wrong_schema", "cut_off"])
def test_two_unusable_answers_end_it_for_good(model: Model, sandbox: SandboxThread, db: Database, fault: str) -> None:
    payer = account(db)
    sandbox.fault(fault, times=2)
    with pytest.raises(ModelAnswerInvalid) as caught:
        model.structured(call(), Verdict, payer, Recorder())
    assert caught.value.permanent
    assert len(sandbox.requests()) == 2
    assert [row["status"] for row in ledger(db, payer.project_id)] == ["settled", "settled"]


@pytest.mark.parametrize(("fault", "said"), [("wrong_schema", "title"), ("cut_off", "cut off")])
def test_a_misfit_and_a_cut_off_answer_are_asked_for_once_more(
    model: Model, sandbox: SandboxThread, db: Database, fault: str, said: str
) -> None:
    told = Recorder()
    sandbox.fault(fault)
    value, _ = model.structured(call(), Verdict, account(db), told)
    assert isinstance(value, Verdict)
    assert len(sandbox.requests()) == 2
    assert said in told.said


def test_an_empty_answer_is_asked_for_once_more(model: Model, sandbox: SandboxThread, db: Database) -> None:
    answering(sandbox, "", GOOD)
    value, _ = model.structured(call(), Verdict, account(db), Recorder())
    assert value.score == 70
    assert len(sandbox.requests()) == 2


@pytest.mark.parametrize(
    "text",
    [
        '{"title": "Tools"}',
        '  \n{"title": "Tools"}\n ',
        '```json\n{"title": "Tools"}\n```',
        '```\n{"title": "Tools"}\n```',
        'Here it is:\n```json\n{"title": "Tools"}\n```\nThat is all.',
        'The answer is {"title": "Tools"}. I hope it helps.',
        '{"title": "Tools", "more": "than was asked for"}',
    ],
)
def test_json_is_found_in_what_stands_around_it(model: Model, sandbox: SandboxThread, db: Database, text: str) -> None:
    answering(sandbox, text)
    value, _ = model.structured(call(), Note, account(db), Recorder())
    assert value.title == "Tools"
    assert len(sandbox.requests()) == 1


def test_a_fence_inside_a_string_is_part_of_it(model: Model, sandbox: SandboxThread, db: Database) -> None:
    answering(sandbox, json.dumps({"title": "Write ```make demo``` and wait"}))
    value, _ = model.structured(call(), Note, account(db), Recorder())
    assert value.title == "Write ```make demo``` and wait"
    assert len(sandbox.requests()) == 1


def test_a_model_that_declines_is_not_asked_again(db: Database) -> None:
    declined = replace(text_reply("I cannot help with that."), stop_reason="refusal")
    with scripted_model(declined) as (url, asked), open_model(url, db) as model:
        with pytest.raises(ModelRefused, match="declined") as caught:
            model.structured(call(), Note, account(db), Recorder())
    assert caught.value.permanent
    assert len(asked) == 1


# --- errors of the service


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


# --- what may not be sent


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
    with pytest.raises(BudgetExhausted, match="all 1 calls are used"):
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


# --- searches


def test_a_search_is_reported_paid_and_cited(model: Model, sandbox: SandboxThread, db: Database) -> None:
    payer, told = account(db), Recorder()
    answer = model.complete(
        call(
            "Find competitors.\n<idea>Lend power tools to neighbours.</idea>", profile="researcher_quick", search=True
        ),
        payer,
        told,
    )
    assert answer.usage.searches >= 1
    assert answer.retrieved_urls == ("https://lendly.test/about",)
    assert answer.passages
    sentences = " ".join(TOOLS_PAGE.split("---")[2].split())
    assert all(passage.url == "https://lendly.test/about" for passage in answer.passages)
    assert all(passage.quote in sentences for passage in answer.passages), "a quote is not what the page says"
    tokens = INPUT_PRICE * answer.usage.input_tokens + OUTPUT_PRICE * answer.usage.output_tokens
    assert answer.cost_micros == tokens + answer.usage.searches * int(SEARCH_PRICE * 1_000_000)
    (row,) = ledger(db, payer.project_id)
    assert (row["searches"], row["cost_micros"]) == (answer.usage.searches, answer.cost_micros)
    assert [tool for tool, _ in told.calls] == ["web_search"] * answer.usage.searches
    assert "query" in told.calls[0][1]["input"]
    assert sum(data["results"] for _, data in told.results) == 1
    assert told.results[0][1]["urls"] == ["https://lendly.test/about"]


def test_a_search_is_bounded_by_the_agents_turns_and_reserved_for(
    model: Model, sandbox: SandboxThread, db: Database
) -> None:
    payer = account(db)
    quick = PROFILES["researcher_quick"]
    model.complete(call(profile=quick, search=True), payer, Recorder())
    (row,) = ledger(db, payer.project_id)
    # After each search the model may read a full context again.
    assert row["reserved_tokens"] >= 200_000 * (quick.turns - 1)
    assert row["searches"] <= quick.searches == quick.turns - 1


def test_an_agent_without_the_tool_does_not_search(model: Model, sandbox: SandboxThread, db: Database) -> None:
    answer = model.complete(call(profile="synthesizer", search=True), account(db), Recorder())
    assert answer.usage.searches == 0
    assert sandbox.requests()[0]["tools"] == []


def _searched(*urls: str) -> list[dict[str, Any]]:
    results = [{"type": "web_search_result", "url": url, "title": url, "encrypted_content": "…"} for url in urls]
    return [
        {"type": "server_tool_use", "name": "web_search", "input": {"query": "tools"}},
        {"type": "web_search_tool_result", "content": results},
    ]


def _cited(text: str, url: str, quote: str, title: str | None = "A page") -> dict[str, Any]:
    citation = {
        "type": "web_search_result_location",
        "url": url,
        "title": title,
        "encrypted_index": "…",
        "cited_text": quote,
    }
    return {"type": "text", "text": text, "citations": [citation]}


FOUND, ELSEWHERE = "https://found.test/", "https://elsewhere.test/"


def test_what_was_not_retrieved_is_not_a_passage(db: Database) -> None:
    said = Reply(
        (
            *_searched(FOUND),
            _cited("From memory. ", ELSEWHERE, "Everybody knows it."),
            _cited("From the page. ", FOUND, "The  page\nsays it."),
            _cited("Again. ", FOUND, "The page says it."),
            _cited("Nothing quoted. ", FOUND, " \n "),
        ),
        searches=1,
    )
    with scripted_model(said) as (url, _), open_model(url, db) as model:
        answer = model.complete(call(profile="researcher_quick", search=True), account(db), Recorder())
    assert [(p.url, p.title, p.quote) for p in answer.passages] == [(FOUND, "A page", "The page says it.")]
    assert answer.retrieved_urls == (FOUND,)


def test_a_passage_is_storable_and_of_the_web(db: Database) -> None:
    said = Reply(
        (
            *_searched(FOUND, "file:///etc/passwd", "https://nul.test/\x00"),
            _cited("One. ", FOUND, "NUL \x00 here", "Title \x00"),
            _cited("Two. ", "file:///etc/passwd", "root:x:0:0"),
            _cited("Three. ", "https://nul.test/\x00", "odd"),
        ),
        searches=1,
    )
    with scripted_model(said) as (url, _), open_model(url, db) as model:
        answer = model.complete(call(profile="researcher_quick", search=True), account(db), Recorder())
    assert [(p.url, p.title, p.quote) for p in answer.passages] == [(FOUND, "Title \ufffd", "NUL \ufffd here")]


def test_a_failed_search_retrieves_nothing() -> None:
    message = Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
            "content": [
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "srvtoolu_1",
                    "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
                },
                _cited("Anyway. ", FOUND, "Never seen."),
            ],
        }
    )
    assert retrieved_urls([message]) == []
    assert passages_of([message]) == []


def test_a_turn_that_pauses_goes_on_where_it_stopped(db: Database) -> None:
    payer, told = account(db), Recorder()
    pausing = Reply((*_searched(FOUND), {"type": "text", "text": "First half, "}), stop_reason="pause_turn", searches=1)  # type: ignore[arg-type]
    ending = Reply((_cited("second half.", FOUND, "The page says it."),))
    with scripted_model(pausing, ending) as (url, asked), open_model(url, db) as model:
        answer = model.complete(call(profile="researcher_quick", search=True), payer, told)
    assert answer.text == told.streamed == "First half, second half."
    assert answer.stop_reason == "end_turn"
    # Found in the first part, cited in the second.
    assert [p.quote for p in answer.passages] == ["The page says it."]
    rows = ledger(db, payer.project_id)
    assert len(rows) == len(asked) == 2
    assert answer.cost_micros == sum(row["cost_micros"] for row in rows)
    assert [m["role"] for m in asked[1]["messages"]] == ["user", "assistant"]
    assert [b["type"] for b in asked[1]["messages"][1]["content"]] == [b["type"] for b in pausing.blocks]
    # What was searched before the pause counts.
    allowed = PROFILES["researcher_quick"].searches
    assert [request["tools"][0]["max_uses"] for request in asked] == [allowed, allowed - 1]


def test_a_turn_that_never_stops_pausing_ends(db: Database) -> None:
    payer = account(db)
    pausing = replace(text_reply("and so on, "), stop_reason="pause_turn")  # type: ignore[arg-type]
    with scripted_model(pausing) as (url, asked), open_model(url, db) as model:
        with pytest.raises(ModelUnavailable, match="paused 5 times"):
            model.complete(call(profile="researcher_quick", search=True), payer, Recorder())
    assert len(asked) == MAX_PAUSES + 1


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
    with scripted_model(declined) as (url, _), open_model(url, db) as model, pytest.raises(ModelRefused):
        model.complete(call(), account(db), Recorder())


# --- tools


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
