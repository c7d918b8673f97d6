"""The spend ledger: nothing is called that is not covered, whoever races, and what a lost worker reserved is spent."""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.database.errors import translated
from studio.errors import BudgetExhausted, LeaseLost, NotFound
from studio.model import spend
from studio.model.prices import Usage
from studio.model.spend import Spender
from tests.support.queue import (
    LEASE,
    InBackground,
    claim_next,
    enqueue,
    everything,
    expire_lease,
    make_project,
    separate_connection,
    take_over,
    wait_until_blocked,
)

RACERS = 8
PLENTY = 10**9


def give_budget(
    db: Database, project_id: UUID, micros: int = PLENTY, tokens: int = PLENTY, calls: int = PLENTY
) -> None:
    with db.transaction() as conn:
        spend.set_budget(conn, project_id, Decimal(micros) / 1_000_000, tokens, calls)


def funded(db: Database, **caps: int) -> UUID:
    """Return a project with a budget."""
    project = make_project(db)
    give_budget(db, project, **caps)
    return project


def funded_claim(db: Database, **caps: int) -> Claim:
    """Return a claim on a job of a project with a budget."""
    project = funded(db, **caps)
    enqueue(db, project)
    return claim_next(db)


def spender(claim: Claim) -> Spender:
    return Spender(claim.job.project_id, claim.job_id, claim.claim_no)


def reserve(db: Database, who: Spender | UUID, micros: int = 0, tokens: int = 0) -> UUID:
    who = who if isinstance(who, Spender) else Spender(who)
    return spend.reserve(db, who, step="test", agent="ceo", model="m", micros=micros, usage=Usage(tokens, 0))


def settle(db: Database, call_id: UUID, micros: int = 0, tokens_in: int = 0, tokens_out: int = 0) -> bool:
    row = db.fetch_one(
        "select public.settle_model_call(%s, %s, %s, %s, 0, 5) as done", [call_id, micros, tokens_in, tokens_out]
    )
    assert row is not None
    return bool(row["done"])


def call(db: Database, call_id: UUID) -> dict[str, Any]:
    row = db.fetch_one("select * from public.model_calls where id = %s", [call_id])
    assert row is not None
    return row


# --- races


@pytest.mark.parametrize("cap", ["micros", "tokens", "calls"])
def test_eight_racers_share_exactly_what_there_is(database: Database, cap: str) -> None:
    covered = 21
    price = {"micros": 100, "tokens": 7, "calls": 1}
    project = funded(database, **{cap: covered * price[cap] + price[cap] - 1})
    start = threading.Barrier(RACERS)

    def race() -> int:
        calls = 0
        start.wait()
        while True:
            try:
                held = reserve(database, project, price["micros"], price["tokens"])
            except BudgetExhausted:
                return calls
            calls += 1
            settle(database, held, price["micros"], price["tokens"] - 2, 2)

    # A call that costs what it reserved leaves nothing to argue about: all of it is spent, and not one more.
    per_racer = [running.result() for running in [InBackground(race) for _ in range(RACERS)]]
    assert sum(per_racer) == covered
    now = spend.budget(database, project)
    assert (now.spent_micros, now.spent_tokens, now.calls) == (covered * 100, covered * 7, covered)
    assert (now.reserved_micros, now.reserved_tokens) == (0, 0)


def test_eight_racers_for_the_last_cent_never_overspend(database: Database, database_url: str) -> None:
    cap, worst = 10_000, 150
    project = funded(database, micros=cap)
    finished = threading.Event()

    def race(seed: int) -> None:
        chance = random.Random(seed)
        while True:
            try:
                held = reserve(database, project, worst)
            except BudgetExhausted:
                return
            settle(database, held, chance.randint(1, worst))

    def observe() -> int:
        highest, last = 0, False
        with Database(database_url, pool_size=1) as db:
            while not last:
                last = finished.is_set()
                now = spend.budget(db, project)
                highest = max(highest, now.spent_micros + now.reserved_micros)
        return highest

    observer = InBackground(observe)
    for racer in [InBackground(functools.partial(race, seed)) for seed in range(RACERS)]:
        racer.result()
    finished.set()
    assert 0 < observer.result() <= cap
    now = spend.budget(database, project)
    assert cap - RACERS * worst < now.spent_micros <= cap
    assert now.reserved_micros == 0
    booked = database.fetch_one("select sum(cost_micros)::bigint as sum, count(*)::int as n from public.model_calls")
    assert booked == {"sum": now.spent_micros, "n": now.calls}


def test_two_reservations_that_fit_alone_but_not_together(database: Database) -> None:
    project = funded(database, micros=100)
    statement = "select public.reserve_model_call(%s, null, null, 's', 'ceo', 'm', 60, 0)"
    with separate_connection(database) as first, separate_connection(database) as second:
        with first.transaction():
            first.execute(statement, [project])
            waiting = InBackground(lambda: second.execute(statement, [project]))
            wait_until_blocked(database, second.info.backend_pid)
        with pytest.raises(psycopg.Error) as refused:
            waiting.result()
    assert refused.value.sqlstate == "GL010"
    assert spend.budget(database, project).reserved_micros == 60


# --- caps


@pytest.mark.parametrize("cap", ["micros", "tokens", "calls"])
def test_each_cap_stops_by_itself(database: Database, cap: str) -> None:
    project = funded(database, **{cap: 1})
    settle(database, reserve(database, project, 1, 1), 1, 1)
    with pytest.raises(BudgetExhausted):
        reserve(database, project, 1, 1)


def test_what_costs_nothing_is_stopped_by_tokens_and_calls(database: Database) -> None:
    project = funded(database, micros=0, tokens=10, calls=3)
    settle(database, reserve(database, project, 0, 5), 0, 5)
    with pytest.raises(BudgetExhausted, match="tokens"):
        reserve(database, project, 0, 6)
    for _ in range(2):
        settle(database, reserve(database, project, 0, 0))
    with pytest.raises(BudgetExhausted, match="calls"):
        reserve(database, project, 0, 0)


def test_a_reservation_counts_until_it_is_settled(database: Database) -> None:
    project = funded(database, micros=100)
    held = reserve(database, project, 90)
    with pytest.raises(BudgetExhausted):
        reserve(database, project, 20)
    settle(database, held, 10)
    assert reserve(database, project, 90)


def test_one_project_does_not_spend_for_another(database: Database) -> None:
    poor, rich = funded(database, micros=10), funded(database)
    reserve(database, rich, 1000)
    with pytest.raises(BudgetExhausted):
        reserve(database, poor, 11)
    assert spend.budget(database, poor).reserved_micros == 0


def test_a_raised_budget_lets_work_go_on(database: Database) -> None:
    project = funded(database, micros=10)
    settle(database, reserve(database, project, 10), 10)
    with pytest.raises(BudgetExhausted):
        reserve(database, project, 10)
    give_budget(database, project, micros=20)
    assert reserve(database, project, 10)
    assert spend.budget(database, project).spent_micros == 10


def test_what_a_call_really_cost_counts_even_above_its_reservation(database: Database) -> None:
    project = funded(database, micros=100)
    settle(database, reserve(database, project, 90), 130)
    assert spend.budget(database, project).spent_micros == 130
    with pytest.raises(BudgetExhausted):
        reserve(database, project, 0)


# --- fail closed


def test_a_project_without_a_budget_calls_nothing(database: Database) -> None:
    project = make_project(database)
    with pytest.raises(BudgetExhausted, match="no budget"):
        reserve(database, project)
    assert database.fetch_all("select 1 from public.model_calls") == []


@pytest.mark.parametrize("cap", ["cap_micros", "cap_tokens", "cap_calls"])
def test_a_budget_with_a_missing_cap_calls_nothing(database: Database, cap: str) -> None:
    project = funded(database)
    with database.connection() as conn:
        conn.execute(f"update public.project_budgets set {cap} = null".encode())
    with pytest.raises(BudgetExhausted, match="no budget"):
        reserve(database, project)
    assert database.fetch_all("select 1 from public.model_calls") == []


@pytest.mark.parametrize("amounts", [(None, 0), (0, None), (-1, 0), (0, -1)])
def test_an_amount_that_is_unknown_or_negative_is_not_reserved(database: Database, amounts: tuple[Any, Any]) -> None:
    project = funded(database)
    # With something to take away from, so that it is not only the sum that must not be negative.
    reserve(database, project, 50, 50)
    before = spend.budget(database, project)
    with pytest.raises((psycopg.Error, BudgetExhausted)), translated():
        database.execute(
            "select public.reserve_model_call(%s, null, null, 's', 'ceo', 'm', %s, %s)", [project, *amounts]
        )
    assert spend.budget(database, project) == before


@pytest.mark.parametrize("amounts", [(None, 0, 0), (0, None, 0), (0, 0, None), (-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_a_call_that_is_settled_to_nonsense_stays_reserved(database: Database, amounts: tuple[Any, ...]) -> None:
    project = funded(database)
    held = reserve(database, project, 50, 5)
    before = spend.budget(database, project)
    with pytest.raises(psycopg.IntegrityError):
        settle(database, held, *amounts)
    assert (call(database, held)["status"], spend.budget(database, project)) == ("reserved", before)


def test_a_reservation_is_undone_with_its_transaction(database: Database) -> None:
    project = funded(database)
    with database.connection() as conn, conn.transaction(force_rollback=True):
        conn.execute("select public.reserve_model_call(%s, null, null, 's', 'ceo', 'm', 10, 10)", [project])
    assert spend.budget(database, project) == spend.Budget(PLENTY, PLENTY, PLENTY, 0, 0, 0, 0, 0)


# --- settling


def test_a_call_is_settled_once(database: Database) -> None:
    claim = funded_claim(database)
    held = reserve(database, spender(claim), 100, 50)
    assert settle(database, held, 60, 20, 10)
    before = everything(database, claim.job_id)
    assert not settle(database, held, 60, 20, 10)
    assert everything(database, claim.job_id) == before
    now = spend.budget(database, claim.job.project_id)
    assert (now.spent_micros, now.spent_tokens, now.reserved_micros, now.reserved_tokens) == (60, 30, 0, 0)
    assert (call(database, held)["status"], call(database, held)["cost_micros"]) == ("settled", 60)


def test_a_call_is_settled_once_by_many(database: Database) -> None:
    project = funded(database)
    held = reserve(database, project, 100)
    start = threading.Barrier(4)

    def settle_at_once() -> bool:
        start.wait()
        return settle(database, held, 70)

    answers = [running.result() for running in [InBackground(settle_at_once) for _ in range(4)]]
    assert sorted(answers) == [False, False, False, True]
    assert spend.budget(database, project).spent_micros == 70


def test_a_holder_that_lost_its_lease_settles_what_it_had_reserved(database: Database) -> None:
    claim = funded_claim(database)
    held = reserve(database, spender(claim), 100)
    expire_lease(database, claim.job_id)
    # The call was made and paid for, whoever has the job by now; only a new one is refused.
    assert settle(database, held, 40)
    assert spend.budget(database, claim.job.project_id).spent_micros == 40


# --- lost workers


def abandon_by_takeover(claim: Claim) -> None:
    take_over(claim.db, claim)


def abandon_by_reclaim(claim: Claim) -> None:
    expire_lease(claim.db, claim.job_id)
    queue.reclaim_stale(claim.db)


def abandon_by_ending(claim: Claim) -> None:
    claim.complete()


def abandon_by_deletion(claim: Claim) -> None:
    claim.db.execute("delete from public.agent_jobs where id = %s", [claim.job_id])


@pytest.mark.parametrize("abandon", [abandon_by_takeover, abandon_by_reclaim, abandon_by_ending, abandon_by_deletion])
def test_what_a_lost_worker_had_reserved_counts_in_full(database: Database, abandon: Callable[[Claim], None]) -> None:
    claim = funded_claim(database)
    done, open_call = reserve(database, spender(claim), 100, 50), reserve(database, spender(claim), 100, 50)
    settle(database, done, 30, 10, 5)
    abandon(claim)
    queue.reclaim_stale(database)
    now = spend.budget(database, claim.job.project_id)
    assert (now.spent_micros, now.spent_tokens) == (130, 65)
    assert (now.reserved_micros, now.reserved_tokens, now.calls) == (0, 0, 2)
    lost = call(database, open_call)
    assert (lost["status"], lost["cost_micros"], lost["input_tokens"]) == ("abandoned", 100, 50)
    # Its late answer changes nothing any more.
    assert not settle(database, open_call, 1)
    assert spend.budget(database, claim.job.project_id) == now


def test_what_is_under_way_is_not_abandoned(database: Database) -> None:
    claim = funded_claim(database)
    held = reserve(database, spender(claim), 100)
    outside = reserve(database, claim.job.project_id, 10)
    expire_lease(database, claim.job_id)
    claim.renew(LEASE)
    assert database.fetch_one("select public.settle_abandoned_model_calls() as n") == {"n": 0}
    assert {call(database, one)["status"] for one in (held, outside)} == {"reserved"}


def test_a_call_outside_of_any_job_is_abandoned_after_an_hour(database: Database) -> None:
    project = funded(database)
    old, young = reserve(database, project, 10), reserve(database, project, 20)
    database.execute("update public.model_calls set created_at = now() - interval '61 minutes' where id = %s", [old])
    assert queue.reclaim_stale(database) == 0
    assert (call(database, old)["status"], call(database, young)["status"]) == ("abandoned", "reserved")
    assert spend.budget(database, project).spent_micros == 10


def test_a_call_that_was_forgotten_for_a_month_is_settled_all_the_same(database: Database) -> None:
    claim = funded_claim(database)
    held = reserve(database, spender(claim), 10)
    # Longer than an integer of milliseconds holds.
    database.execute("update public.model_calls set created_at = now() - interval '40 days'")
    claim.complete()
    queue.reclaim_stale(database)
    assert call(database, held)["status"] == "abandoned"


def test_one_job_s_abandoned_calls_can_be_settled_alone(database: Database) -> None:
    mine, other = funded_claim(database), funded_claim(database)
    for claim in (mine, other):
        reserve(database, spender(claim), 10)
        claim.complete()
    settle_one = "select public.settle_abandoned_model_calls(%s) as n"
    assert database.fetch_one(settle_one, [mine.job_id]) == {"n": 1}
    assert spend.budget(database, other.job.project_id).reserved_micros == 10


@pytest.mark.parametrize("abandon", [abandon_by_takeover, abandon_by_reclaim, abandon_by_ending, abandon_by_deletion])
def test_a_zombie_reserves_nothing(database: Database, abandon: Callable[[Claim], None]) -> None:
    claim = funded_claim(database)
    abandon(claim)
    before = spend.budget(database, claim.job.project_id)
    with pytest.raises(LeaseLost):
        reserve(database, spender(claim), 1)
    assert spend.budget(database, claim.job.project_id) == before
    assert database.fetch_all("select 1 from public.model_calls") == []


@pytest.mark.parametrize("with_claim", [True, False])
def test_a_job_does_not_spend_from_the_budget_of_another_project(database: Database, with_claim: bool) -> None:
    claim, other = funded_claim(database), funded(database)
    who = Spender(other, claim.job_id, claim.claim_no if with_claim else None)
    with pytest.raises(NotFound, match=f"Project {other} has no job {claim.job_id}"):
        reserve(database, who, micros=5)
    assert spend.budget(database, other).reserved_micros == 0
