"""What happens to a claimed job: only its holder may write, it ends as it should, and each transition is told once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from studio import claims, events, queue
from studio.claims import Claim
from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.errors import LeaseLost, NotFound
from studio.events import NewEvent
from tests.support.queue import (
    LEASE,
    claim_foreign,
    claim_next,
    enqueue,
    enqueue_in,
    everything,
    expire_lease,
    job,
    last_status_event,
    make_due,
    make_project,
    separate_connection,
    seqs,
    statuses,
    take_over,
)

AT_ONCE = timedelta(0)
FREE_INTERRUPTIONS = 5


def running(db: Database, **options: Any) -> Claim:
    """Return a claim on a job of its own."""
    enqueue(db, make_project(db), **options)
    return claim_next(db)


def lose(claim: Claim) -> None:
    """Let the worker of `claim` be lost, and its job be taken back."""
    expire_lease(claim.db, claim.job_id)
    assert queue.reclaim_stale(claim.db) == 1


def give_budget(db: Database, project_id: UUID) -> None:
    db.execute(
        "insert into public.project_budgets (project_id, cap_micros, cap_tokens, cap_calls)"
        " values (%s, 1000, 1000, 1000)",
        [project_id],
    )


# --- the fence


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


def append(claim: Claim) -> None:
    with claim.db.transaction() as conn:
        events.append(conn, claim.job_id, [NewEvent("log", "I am still here.")], claim.claim_no)


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
    "reserve_model_call": reserve,
}


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
        " and 'p_claim_no' = any (proargnames) order by 1"
    )
    tested = {name.partition(",")[0] for name in WRITES} | {"renew_agent_job"}
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


# --- steps


def test_a_finished_step_is_not_done_again_by_a_later_attempt(database: Database) -> None:
    first = running(database)
    done: list[str] = []

    def research() -> dict[str, Any]:
        done.append("research")
        return {"found": [1, None, "茶"]}

    assert first.once("research", research) == {"found": [1, None, "茶"]}
    first.fail("It broke.", permanent=False, retry_base=AT_ONCE)
    second = claim_next(database)
    assert second.once("research", research) == {"found": [1, None, "茶"]}
    assert done == ["research"]
    assert first.saved_step("summary") == (False, None)


def test_a_step_may_have_nothing_to_say(database: Database) -> None:
    claim = running(database)
    assert claim.once("notify", lambda: None) is None
    assert claim.once("notify", lambda: "done twice") is None
    assert claim.saved_step("notify") == (True, None)


def test_a_step_and_its_work_are_saved_together_or_not_at_all(database: Database) -> None:
    claim = running(database)

    def rename(conn: Connection) -> None:
        conn.execute("update public.projects set name = 'Half' where id = %s", [claim.job.project_id])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        claim.once_in_transaction("rename", rename)
    assert claim.saved_step("rename") == (False, None)
    assert database.fetch_all("select 1 from public.projects where name = 'Half'") == []


def test_a_step_that_a_deadlock_broke_is_taken_again(database: Database) -> None:
    project = make_project(database)
    enqueue(database, project)
    claim = claim_next(database)
    broken = iter([psycopg.errors.DeadlockDetected("deadlock detected"), None])

    def work(conn: Connection) -> str:
        conn.execute("insert into public.task_log (project_id, step, status) values (%s, 's', 'running')", [project])
        if (exc := next(broken)) is not None:
            raise exc
        return "done"

    assert claim.once_in_transaction("s", work) == "done"
    assert len(database.fetch_all("select 1 from public.task_log")) == 1


def test_named_steps_are_forgotten_with_their_parts(database: Database) -> None:
    claim = running(database)
    for step in ("research", "research/competitors", "research_notes", "summary"):
        claim.once(step, lambda: 1)

    def kept() -> set[str]:
        return {row["step"] for row in database.fetch_all("select step from public.agent_job_steps")}

    with claim.transaction() as conn:
        claim.forget_steps(conn, ["research"])
    assert kept() == {"research_notes", "summary"}
    with claim.transaction() as conn:
        claim.forget_steps(conn, None)
    assert kept() == set()


# --- failing


def test_a_failed_attempt_comes_back_later_and_later_until_there_are_no_more(database: Database) -> None:
    base = timedelta(seconds=30)
    claim = running(database, max_attempts=4)
    for attempt in range(1, 4):
        assert claim.fail(f"Attempt {attempt} broke.", permanent=False, retry_base=base) == "queued"
        row = database.fetch_one(
            # The event is of the same transaction, so both are counted from the same now().
            "select j.run_after - e.created_at as pause from public.agent_jobs j"
            " join public.agent_job_events e on e.job_id = j.id"
            " where j.id = %s and e.type = 'status' order by e.seq desc limit 1",
            [claim.job_id],
        )
        assert row is not None
        assert 0.8 * attempt * base <= row["pause"] <= 1.2 * attempt * base
        assert queue.claim(database, "worker", limit=1, lane=None, lease=LEASE) == []
        make_due(database, claim.job_id)
        claim = claim_next(database)
        assert claim.job.attempts == attempt + 1
    assert claim.fail("Attempt 4 broke.", permanent=False, retry_base=base) == "failed"
    ended = job(database, claim.job_id)
    assert (ended.status, ended.attempts, ended.last_error) == ("failed", 4, "Attempt 4 broke.")
    assert ended.completed_at is not None


def test_jobs_that_failed_together_do_not_come_back_together(database: Database) -> None:
    project = make_project(database)
    for _ in range(8):
        enqueue(database, project)
    held = queue.claim(database, "worker", limit=8, lane=None, lease=LEASE, slots=8, project_limit=8)
    with database.transaction() as conn:
        for one in held:
            conn.execute("select public.fail_agent_job(%s, %s, 'It broke.')", [one.id, one.claim_no])
    assert len({job(database, one.id).run_after for one in held}) > 1


def test_a_permanent_failure_is_not_tried_again(database: Database) -> None:
    claim = running(database)
    assert claim.fail("The key is refused.", permanent=True, retry_base=AT_ONCE) == "failed"
    ended = job(database, claim.job_id)
    assert (ended.status, ended.attempts, ended.max_attempts) == ("failed", 1, 3)
    assert (ended.locked_by, ended.leased_until) == (None, None)


def test_an_error_is_stored_whatever_it_is_made_of(database: Database) -> None:
    claim = running(database)
    claim.fail("bad \x00 byte \udc80 " + "x" * 10_000, permanent=True, retry_base=AT_ONCE)
    error = job(database, claim.job_id).last_error
    assert error is not None
    assert error.startswith("bad � byte � xxx")
    assert len(error) == claims.ERROR_LIMIT


# --- interruptions


def test_an_interruption_burns_no_attempt_and_the_job_is_due_at_once(database: Database) -> None:
    claim = running(database, max_attempts=1)
    assert claim.release("Shutting down.") == "queued"
    waiting = job(database, claim.job_id)
    assert (waiting.attempts, waiting.interruptions, waiting.last_error) == (0, 1, "Shutting down.")
    assert claim_next(database).job_id == claim.job_id


@pytest.mark.parametrize("how", ["release", "reclaim"])
def test_a_job_that_takes_its_workers_down_is_not_free_for_ever(database: Database, how: str) -> None:
    job_id = running(database, max_attempts=2).job_id

    def interrupt() -> str:
        held = job(database, job_id)
        if how == "release":
            Claim(database, held).release("Killed.")
        else:
            expire_lease(database, job_id)
            assert queue.reclaim_stale(database) == 1
        return job(database, job_id).status

    for number in range(1, FREE_INTERRUPTIONS + 1):
        assert interrupt() == "queued"
        assert (job(database, job_id).attempts, job(database, job_id).interruptions) == (0, number)
        claim_next(database)
    assert interrupt() == "queued"
    assert job(database, job_id).attempts == 1
    make_due(database, job_id)
    claim_next(database)
    assert interrupt() == "failed"
    assert (job(database, job_id).attempts, job(database, job_id).interruptions) == (2, FREE_INTERRUPTIONS)


def test_a_reclaim_takes_what_is_lost_and_leaves_the_rest(database: Database) -> None:
    lost_jobs = [running(database) for _ in range(3)]
    alive = [enqueue(database, make_project(database)), running(database, lane="realtime").job_id]
    for claim in lost_jobs:
        expire_lease(database, claim.job_id)
    before = [everything(database, job_id) for job_id in alive]
    assert queue.reclaim_stale(database) == 3
    assert queue.reclaim_stale(database) == 0
    for claim in lost_jobs:
        back = job(database, claim.job_id)
        assert (back.status, back.attempts, back.interruptions, back.locked_by) == ("queued", 0, 1, None)
        assert "lease ran out" in str(back.last_error)
    assert [everything(database, job_id) for job_id in alive] == before


# --- canceling


def test_a_queued_job_is_canceled_at_once(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    assert queue.cancel(database, job_id, "Not wanted.") == "canceled"
    ended = job(database, job_id)
    assert (ended.status, ended.last_error) == ("canceled", "Not wanted.")
    assert ended.completed_at is not None
    assert statuses(database, job_id) == ["queued", "canceled"]
    assert last_status_event(database, job_id)["data"]["error"] == "Not wanted."
    assert claim_foreign(database) == []


ENDS: dict[str, tuple[Callable[[Claim], Any], str]] = {
    "stops": (lambda claim: claim.cancel(), "canceled"),
    "is released": (lambda claim: claim.release("Shutting down."), "canceled"),
    "fails": (lambda claim: claim.fail("It broke.", permanent=False, retry_base=AT_ONCE), "canceled"),
    "fails for good": (lambda claim: claim.fail("It broke.", permanent=True, retry_base=AT_ONCE), "canceled"),
    "is lost": (lose, "canceled"),
    "was quicker": (lambda claim: claim.complete(), "completed"),
}


@pytest.mark.parametrize("end", list(ENDS))
def test_the_holder_of_a_lease_is_asked_to_stop(database: Database, end: str) -> None:
    claim = running(database)
    finish, status = ENDS[end]
    assert queue.cancel(database, claim.job_id, "Not wanted.") == "cancel_requested"
    asked = job(database, claim.job_id)
    assert (asked.status, statuses(database, claim.job_id)) == ("running", ["queued", "running"])
    assert queue.cancel(database, claim.job_id) == "cancel_requested"
    assert job(database, claim.job_id).cancel_requested_at == asked.cancel_requested_at
    renewal = claim.renew(LEASE)
    assert renewal is not None
    assert renewal.cancel_requested

    finish(claim)

    assert statuses(database, claim.job_id) == ["queued", "running", status]
    assert job(database, claim.job_id).cancel_requested_at is None
    assert queue.claim(database, "worker", limit=1, lane=None, lease=LEASE) == []


def test_whoever_stops_a_job_need_not_know_why(database: Database) -> None:
    claim = running(database)
    queue.cancel(database, claim.job_id, "Not wanted.")
    claim.cancel()
    assert job(database, claim.job_id).last_error == "Not wanted."


@pytest.mark.parametrize("holder", ["foreign", "lost"])
def test_a_running_job_that_nobody_holds_a_lease_on_is_canceled_at_once(database: Database, holder: str) -> None:
    if holder == "foreign":
        job_id = enqueue(database, make_project(database))
        claim_foreign(database)
    else:
        job_id = running(database).job_id
        expire_lease(database, job_id)
    assert queue.cancel(database, job_id) == "canceled"
    assert statuses(database, job_id) == ["queued", "running", "canceled"]
    assert job(database, job_id).locked_by is None


@pytest.mark.parametrize("status", ["completed", "failed", "canceled"])
def test_an_ended_job_stays_as_it_ended(database: Database, status: str) -> None:
    claim = running(database)
    database.execute("select public.complete_agent_job(%s, %s, 'so', %s)", [claim.job_id, status, claim.claim_no])
    before = everything(database, claim.job_id)
    assert queue.cancel(database, claim.job_id, "Too late.") == status
    assert everything(database, claim.job_id) == before


def test_a_cancel_does_not_outlive_its_job(database: Database) -> None:
    project = make_project(database)
    enqueue(database, project, "key")
    claim = claim_next(database)
    queue.cancel(database, claim.job_id)
    claim.release("Stopped.")
    enqueue(database, project, "key")
    revived = claim_next(database)
    renewal = revived.renew(LEASE)
    assert renewal is not None
    assert not renewal.cancel_requested


# --- status events


def test_each_transition_is_told_once_with_what_a_page_needs(database: Database) -> None:
    job_id = enqueue(database, make_project(database), max_attempts=2)
    first = last_status_event(database, job_id)
    assert (first["message"], first["attempt"], first["claim_no"]) == ("queued", 0, 0)
    assert first["data"]["job_type"] == "test.work"
    assert "error" not in first["data"]

    claim = claim_next(database)
    told = last_status_event(database, job_id)
    assert (told["message"], told["attempt"], told["claim_no"]) == ("running", 1, 1)
    assert (told["data"]["attempt"], told["data"]["max_attempts"]) == (1, 2)

    claim.fail("It broke.", permanent=False, retry_base=timedelta(seconds=30))
    told = last_status_event(database, job_id)
    assert (told["message"], told["data"]["error"]) == ("queued", "It broke.")
    assert told["data"]["run_after"]

    make_due(database, job_id)
    claim = claim_next(database)
    assert "error" not in last_status_event(database, job_id)["data"]
    claim.renew(LEASE)
    claims.start(database, job_id, claim.claim_no, "run-2", LEASE)
    claim.fail("It broke again.", permanent=False, retry_base=AT_ONCE)
    told = last_status_event(database, job_id)
    assert (told["message"], told["data"]["error"], told["data"]["dagster_run_id"]) == (
        "failed", "It broke again.", "run-2",
    )  # fmt: skip
    assert statuses(database, job_id) == ["queued", "running", "queued", "running", "failed"]


def test_a_batch_of_transitions_is_told_in_one_unbroken_range(database: Database) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        jobs = [enqueue_in(conn, project).job_id for _ in range(20)]
    queue.claim(database, "worker", limit=20, lane=None, lease=LEASE, slots=20, project_limit=20)
    assert seqs(database, project) == list(range(1, 41))
    assert all(statuses(database, job_id) == ["queued", "running"] for job_id in jobs)


@pytest.mark.parametrize("refused", [False, True])
def test_after_an_enqueue_others_transitions_are_told_as_ever(database: Database, refused: bool) -> None:
    project = make_project(database)
    other = enqueue(database, project, "other", job_type="other.work")
    with database.transaction() as conn:
        if refused:
            with pytest.raises(psycopg.Error, match="belongs to a job of type"), conn.transaction():
                enqueue_in(conn, project, "other")
        else:
            enqueue_in(conn, project, "new")
        conn.execute("update public.agent_jobs set status = 'canceled' where id = %s", [other])
    assert statuses(database, other) == ["queued", "canceled"]


def emit(db: Database, job_id: UUID, type_: str, message: str | None, data: dict[str, Any] | None = None) -> None:
    """Write an event as the seed's TypeScript worker does: one plain insert."""
    db.execute(
        "insert into public.agent_job_events (project_id, job_id, type, message, data)"
        " select project_id, id, %s, %s, %s::jsonb from public.agent_jobs where id = %s",
        [type_, message, json.dumps(data or {}), job_id],
    )


def test_what_a_foreign_worker_says_about_its_success_is_not_doubled(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    claim_foreign(database)
    emit(database, job_id, "status", "running")
    emit(database, job_id, "log", "working")
    emit(database, job_id, "status", "completed")
    database.execute("select public.complete_agent_job(%s, 'completed', null)", [job_id])
    assert statuses(database, job_id) == ["queued", "running", "completed"]


def test_what_a_foreign_worker_says_about_its_failure_is_not_doubled(database: Database) -> None:
    project = make_project(database)
    job_id = enqueue(database, project)
    for attempt in (1, 2):
        claim_foreign(database)
        emit(database, job_id, "status", "running")
        emit(database, job_id, "status", "failed", {"error": f"Attempt {attempt} broke."})
        assert last_status_event(database, job_id)["data"] == {"error": f"Attempt {attempt} broke."}
        database.execute("select public.complete_agent_job(%s, 'failed', 'It broke.')", [job_id])
        database.execute(
            "update public.agent_jobs set status = 'queued', run_after = now(), completed_at = null where id = %s",
            [job_id],
        )
    assert statuses(database, job_id) == ["queued", *["running", "failed", "queued"] * 2]
    assert seqs(database, project) == list(range(1, 8))


def test_what_only_a_foreign_worker_says_is_kept(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    claim_foreign(database)
    emit(database, job_id, "status", "failed: unknown job_type")
    database.execute("select public.complete_agent_job(%s, 'failed', 'Unknown job_type')", [job_id])
    assert statuses(database, job_id) == ["queued", "running", "failed: unknown job_type", "failed"]


def test_nobody_appends_a_status_by_hand(database: Database) -> None:
    claim = running(database)
    for claim_no in (claim.claim_no, None):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="transition"), database.transaction() as conn:
            events.append(conn, claim.job_id, [NewEvent("log", "a"), NewEvent("status", "completed")], claim_no)
    assert statuses(database, claim.job_id) == ["queued", "running"]


def test_an_event_belongs_to_a_job_and_its_project(database: Database) -> None:
    claim = running(database)
    other = make_project(database)
    insert = "insert into public.agent_job_events (project_id, job_id, type) values (%s, %s, 'log')"
    with pytest.raises(psycopg.errors.CheckViolation, match="belongs to project"):
        database.execute(insert, [other, claim.job_id])
    with pytest.raises(psycopg.Error) as refused:
        database.execute(insert, [other, uuid4()])
    assert refused.value.sqlstate == "GL003"
    with pytest.raises(NotFound), database.transaction() as conn:
        events.append(conn, uuid4(), [NewEvent("log", "nobody's")])


# --- wake-ups


@pytest.fixture
def woken(database: Database) -> Iterator[Callable[[], list[str]]]:
    """Return a function that says which lanes were called since it was last asked."""
    with separate_connection(database) as conn:
        conn.execute("listen agent_jobs")

        def lanes() -> list[str]:
            # What was sent before the end mark arrives before it, so nothing has to be waited out.
            mark = f"mark-{uuid4()}"
            database.execute("select pg_notify('agent_jobs', %s)", [mark])
            found: list[str] = []
            for notify in conn.notifies(timeout=30):
                if notify.payload == mark:
                    return sorted(found)
                found.append(notify.payload)
            raise AssertionError("the end mark never came")

        yield lanes


def test_an_enqueue_wakes_its_lane_when_it_commits(database: Database, woken: Callable[[], list[str]]) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        for _ in range(3):
            enqueue_in(conn, project, lane="heavy")
        enqueue_in(conn, project, "chat", lane="realtime")
        assert woken() == []
    assert woken() == ["heavy", "realtime"]
    enqueue(database, project, "chat", lane="realtime")
    assert woken() == []
    with database.connection() as conn, conn.transaction(force_rollback=True):
        enqueue_in(conn, project)
    assert woken() == []


def test_a_direct_insert_wakes_its_lane(database: Database, woken: Callable[[], list[str]]) -> None:
    database.execute(
        "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key)"
        " values (%s, 'foreign.work', 'ceo', 'key')",
        [make_project(database)],
    )
    assert woken() == ["standard"]


FREEING: dict[str, Callable[[Claim], Any]] = {
    "completed": lambda claim: claim.complete(),
    "failed": lambda claim: claim.fail("It broke.", permanent=True, retry_base=AT_ONCE),
    "retried": lambda claim: claim.fail("It broke.", permanent=False, retry_base=AT_ONCE),
    "released": lambda claim: claim.release("Shutting down."),
    "canceled": lambda claim: claim.cancel(),
    "reclaimed": lose,
}


@pytest.mark.parametrize("end", list(FREEING))
def test_a_slot_that_becomes_free_wakes_its_lane(database: Database, woken: Callable[[], list[str]], end: str) -> None:
    enqueue(database, make_project(database), lane="heavy")
    assert woken() == ["heavy"]
    claim = claim_next(database)
    claim.renew(LEASE)
    append(claim)
    # Nothing to do came of that.
    assert woken() == []
    FREEING[end](claim)
    assert woken() == ["heavy"]


def test_a_revived_job_wakes_its_lane(database: Database, woken: Callable[[], list[str]]) -> None:
    project = make_project(database)
    job_id = enqueue(database, project, "key")
    queue.cancel(database, job_id)
    woken()
    enqueue(database, project, "key")
    assert woken() == ["standard"]


def test_a_job_that_another_client_just_sets_running_does_not_hold_its_slot_for_ever(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    database.execute("update public.agent_jobs set status = 'running' where id = %s", [job_id])
    assert job(database, job_id).status == "running"
    row = database.fetch_one("select public.reclaim_stale_jobs(interval '0 seconds') as n")
    assert row == {"n": 1}
    assert job(database, job_id).status == "queued"
