"""The fence: only its holder may write to a job, for as long as nobody has taken the job back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from studio import claims, queue
from studio.claims import Claim
from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.errors import LeaseLost
from tests.support.queue import AT_ONCE, LEASE, append, claim_next, everything, expire_lease, lose, running, take_over


def give_budget(db: Database, project_id: UUID) -> None:
    db.execute(
        "insert into public.project_budgets (project_id, cap_micros, cap_tokens, cap_calls)"
        " values (%s, 1000, 1000, 1000)",
        [project_id],
    )


def lost(db: Database) -> Claim:
    """Return a claim whose job another worker has by now."""
    claim = running(db)
    take_over(db, claim)
    return claim


def requeued(db: Database) -> Claim:
    """Return a claim whose job waits again; its number is still the job's latest."""
    claim = running(db)
    lose(claim)
    return claim


def completed(db: Database) -> Claim:
    """Return a claim whose job it has completed itself."""
    claim = running(db)
    claim.complete()
    return claim


def canceled(db: Database) -> Claim:
    """Return a claim whose job was canceled after its lease had ended."""
    claim = running(db)
    expire_lease(db, claim.job_id)
    queue.cancel(db, claim.job_id)
    return claim


def hold(claim: Claim) -> None:
    with claim.transaction() as conn:
        conn.execute("update public.projects set name = 'Written by a zombie'")


def save_step(claim: Claim) -> None:
    claim.once("late", lambda: {"late": True})


def save_step_unheld(claim: Claim) -> None:
    with translated(), claim.db.transaction() as conn:
        claim.save_step(conn, "late", {"late": True})


def work_and_save_step(claim: Claim) -> None:
    def work(conn: Connection) -> None:
        conn.execute("update public.projects set name = 'Written by a zombie'")

    claim.once_in_transaction("late", work)


def reserve(claim: Claim) -> None:
    with translated(), claim.db.connection() as conn:
        conn.execute(
            "select public.reserve_model_call(%s, %s, %s, 'late', 'ceo', 'model', 1, 1)",
            [claim.job.project_id, claim.job_id, claim.claim_no],
        )


def call(function: str, *arguments: str) -> Callable[[Claim], None]:
    """Return a call of a function that asks for the claim before it looks at anything else."""

    def write(claim: Claim) -> None:
        query = f"select public.{function}(%s, %s, {', '.join(['gen_random_uuid()', *arguments])})"
        with translated(), claim.db.transaction() as conn:
            conn.execute(query.encode(), [claim.job_id, claim.claim_no])

    return write


WRITES: dict[str, Callable[[Claim], Any]] = {
    "append_agent_job_events": append,
    "hold_agent_job": hold,
    "save_agent_job_step": save_step,
    "save_agent_job_step, unheld": save_step_unheld,
    "save_agent_job_step, with work": work_and_save_step,
    "start_agent_job": lambda claim: claims.start(claim.db, claim.job_id, claim.claim_no, "late-run", LEASE),
    "complete_agent_job": lambda claim: claim.complete(),
    "complete_agent_job, canceled": lambda claim: claim.cancel("Stopped."),
    "fail_agent_job": lambda claim: claim.fail("It broke.", permanent=False, retry_base=AT_ONCE),
    "fail_agent_job, permanent": lambda claim: claim.fail("It broke.", permanent=True, retry_base=AT_ONCE),
    "release_agent_job": lambda claim: claim.release("Shutting down."),
    "hand_back_agent_job": lambda claim: claim.hand_back("This code is too old."),
    "reserve_model_call": reserve,
    # What their holder may do with an approval, and with an effect, is tested with the actions.
    "begin_action_execution, late": call("begin_action_execution"),
    "hold_action_execution, late": call("hold_action_execution"),
    "save_execution_step, late": call("save_execution_step", "'step'", "'{}'"),
    "finish_action_execution, late": call("finish_action_execution", "'done'"),
    "enlist_outbox_effect, late": call("enlist_outbox_effect", "'effect'", "'github'", "'key'"),
    "send_outbox_effect, late": call("send_outbox_effect", "0", "'{}'", f"'{'0' * 64}'"),
    "settle_outbox_effect, late": call("settle_outbox_effect", "'done'"),
}
# Who sent something may say what became of it even when the job is another's: nobody else knows.
UNFENCED = {"record_outbox_effect"}
# They are fenced by a number of the mail's own, which has nothing to do with a job.
OF_MAILS = {"begin_email", "finish_email"}


@pytest.mark.parametrize("state", [lost, requeued, completed, canceled])
def test_a_claim_that_is_over_can_change_nothing(database: Database, state: Callable[[Database], Claim]) -> None:
    zombie = state(database)
    give_budget(database, zombie.job.project_id)
    projects = database.fetch_all("select * from public.projects order by id")
    before = everything(database, zombie.job_id)
    for name, write in WRITES.items():
        with pytest.raises(LeaseLost):
            write(zombie)
        assert everything(database, zombie.job_id) == before, name
    assert zombie.renew(LEASE) is None
    assert everything(database, zombie.job_id) == before
    assert database.fetch_all("select * from public.projects order by id") == projects


def test_every_function_that_takes_a_claim_number_is_among_those_tested(database: Database) -> None:
    rows = database.fetch_all(
        "select proname as name from pg_proc where pronamespace = 'public'::regnamespace"
        # What only computes a name writes nothing.
        " and 'p_claim_no' = any (proargnames) and provolatile <> 'i' order by 1"
    )
    tested = {name.partition(",")[0] for name in WRITES} | {"renew_agent_job"} | UNFENCED | OF_MAILS
    assert {row["name"] for row in rows} == tested, "add the new one to WRITES"


@pytest.mark.parametrize("write", [write for name, write in WRITES.items() if "," not in name])
def test_the_holder_may_do_all_of_it(database: Database, write: Callable[[Claim], Any]) -> None:
    claim = running(database)
    give_budget(database, claim.job.project_id)
    assert claim.renew(LEASE) is not None
    write(claim)


def test_a_write_under_way_keeps_the_job_until_it_is_done(database: Database) -> None:
    claim = running(database)
    expire_lease(database, claim.job_id)
    with claim.transaction() as conn:
        claim.save_step(conn, "research", {"found": 3})
        assert queue.reclaim_stale(database) == 0
    assert queue.reclaim_stale(database) == 1
    assert claim_next(database).saved_step("research") == (True, {"found": 3})


def test_a_lease_is_good_for_as_long_as_nobody_has_taken_it_back(database: Database) -> None:
    claim = running(database)
    expire_lease(database, claim.job_id)
    renewal = claim.renew(LEASE)
    assert renewal is not None
    assert not renewal.cancel_requested
    assert queue.reclaim_stale(database) == 0
    claim.complete()
