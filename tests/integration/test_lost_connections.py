"""A connection that breaks costs neither the run nor an attempt, whether the database had heard it or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from dagster import DagsterInstance

from jobs.factory import AgentOp, Work, build_agent_job
from studio import claims, queue
from studio.claims import Claim, Json
from studio.database import patience
from studio.database.connection import Connection, Database
from studio.database.patience import is_absence, patiently
from studio.errors import DatabaseError, LeaseLost
from studio.job_types import JOB_TYPES
from studio.queue import NewJob
from tests.support.dagster import DAGSTER_WARNINGS, defs
from tests.support.queue import LEASE, claim_next, enqueue, make_project, statuses

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


class Losing(Database):
    """A database that carries out what it is asked and then loses the answer, for the next uses that say so."""

    loses: list[bool]

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        with super().connection() as conn:
            yield conn
        if self.loses and self.loses.pop(0):
            raise psycopg.OperationalError("server closed the connection unexpectedly")


@pytest.fixture
def losing(database_url: str) -> Iterator[Losing]:
    with Losing(database_url) as opened:
        opened.loses = []
        yield opened


@pytest.fixture
def claim(losing: Losing) -> Claim:
    enqueue(losing, make_project(losing))
    return claim_next(losing)


def cut_off(conn: Connection) -> None:
    """Let the server end the session, as a restart does; the statement says so."""
    conn.execute("select pg_terminate_backend(pg_backend_pid())")


def saved(claim: Claim) -> dict[str, Json]:
    rows = claim.db.fetch_all("select step, output from public.agent_job_steps where job_id = %s", [claim.job_id])
    return {row["step"]: row["output"] for row in rows}


# --- steps


def test_a_paid_step_is_saved_when_the_database_is_back(claim: Claim, losing: Losing) -> None:
    paid: list[int] = []

    def work() -> Json:
        paid.append(1)
        losing.loses = [True, True, False]
        return {"answer": 42}

    assert claim.once("research", work) == {"answer": 42}
    assert len(paid) == 1, "it was paid for again"
    assert saved(claim) == {"research": {"answer": 42}}


def test_a_transaction_that_was_cut_off_is_carried_out_again(claim: Claim) -> None:
    rounds: list[int] = []

    def work(conn: Connection) -> Json:
        rounds.append(1)
        if len(rounds) == 1:
            cut_off(conn)
        return {"round": len(rounds)}

    assert claim.once_in_transaction("save", work) == {"round": 2}
    assert saved(claim) == {"save": {"round": 2}}


def test_a_transaction_whose_answer_was_lost_is_not_carried_out_again(claim: Claim, losing: Losing) -> None:
    rounds: list[int] = []

    def work(_conn: Connection) -> Json:
        rounds.append(1)
        losing.loses = [True]
        return {"round": len(rounds)}

    assert claim.once_in_transaction("save", work) == {"round": 1}
    assert saved(claim) == {"save": {"round": 1}}


def test_what_is_written_beside_the_steps_is_written_again(claim: Claim) -> None:
    rounds: list[int] = []

    def work(conn: Connection) -> int:
        rounds.append(1)
        if len(rounds) < 3:
            cut_off(conn)
        return len(rounds)

    assert claim.write(work) == 3


# --- the last word


def failed(claim: Claim) -> object:
    return claim.fail("no luck", permanent=True, retry_base=timedelta(0))


@pytest.mark.parametrize(
    ("say", "status"),
    [
        (Claim.complete, "completed"),
        (Claim.cancel, "canceled"),
        (failed, "failed"),
        (lambda claim: claim.release("later"), "queued"),
    ],
    ids=["complete", "cancel", "fail", "release"],
)
def test_a_last_word_whose_answer_was_lost_was_heard(
    say: Callable[[Claim], object], status: str, claim: Claim, losing: Losing
) -> None:
    losing.loses = [True]
    said = say(claim)
    assert said in (None, status)
    assert queue.get(losing, claim.job_id).status == status
    assert statuses(losing, claim.job_id) == ["queued", "running", status]


def test_a_job_that_was_given_back_meanwhile_is_not_taken_for_completed(
    claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction, tries = Database.transaction, []

    @contextlib.contextmanager
    def away_at_first(self: Database) -> Iterator[Connection]:
        tries.append(1)
        if len(tries) == 1:
            raise psycopg.OperationalError("connection refused")
        with transaction(self) as conn:
            yield conn

    with claim.db.connection() as conn:
        conn.execute("select public.release_agent_job(%s, %s, 'lost')", [claim.job_id, claim.claim_no])
    monkeypatch.setattr(Database, "transaction", away_at_first)
    with pytest.raises(LeaseLost):
        claim.complete()


def test_a_run_takes_its_claim_up_although_the_answer_was_lost(losing: Losing) -> None:
    enqueue(losing, make_project(losing))
    launched, run_id = claim_next(losing), str(uuid4())
    losing.loses = [True]
    assert claims.start(losing, launched.job_id, launched.claim_no, run_id, LEASE).job.dagster_run_id == run_id


# --- ops


def run_of(database: Database, instance: DagsterInstance, op: AgentOp) -> tuple[bool, queue.Job]:
    """Execute a job of one op; return whether its run succeeded, and what became of the job."""
    kind = JOB_TYPES["bench.standard"]
    definitions = dg.Definitions(jobs=[build_agent_job(kind, [op])], resources=defs.resources)
    project = make_project(database)
    with database.transaction() as conn:
        job_id = queue.enqueue(conn, NewJob(kind.name, project)).job_id
    job = definitions.resolve_job_def(kind.dagster_job)
    run = job.execute_in_process(instance=instance, run_config={"job_id": str(job_id)}, raise_on_error=False)
    return run.success, queue.get(database, job_id)


def broken() -> DatabaseError:
    error = DatabaseError("The connection to the database broke.")
    error.__cause__ = psycopg.errors.AdminShutdown("restart")
    return error


def test_an_op_runs_again_where_its_connection_broke(instance: DagsterInstance, database: Database) -> None:
    """As it would in another run; also what follows it."""
    computed: list[int] = []
    followed: list[Json] = []

    def look(_work: Work) -> Json:
        computed.append(1)
        if len(computed) == 1:
            raise broken()
        return {"round": len(computed)}

    def after(_work: Work, output: Json) -> None:
        followed.append(output)
        if len(followed) == 1:
            raise broken()

    success, job = run_of(database, instance, AgentOp("look", "", look, after=after))
    assert success
    assert (job.status, job.attempts, job.claim_no) == ("completed", 1, 1)
    assert (len(computed), followed) == (2, [{"round": 2}] * 2)


def test_an_op_that_acts_does_not_and_its_run_gives_the_job_back(instance: DagsterInstance, database: Database) -> None:
    """Only another claim may find out what it did; no attempt is burnt."""
    acted: list[int] = []

    def act(_work: Work) -> Json:
        acted.append(1)
        raise broken()

    success, job = run_of(database, instance, AgentOp("act", "", act, acts=True))
    assert not success
    assert len(acted) == 1
    assert (job.status, job.attempts) == ("queued", 0)
    assert "The database was away." in (job.last_error or "")


# --- patience


def test_an_error_of_the_statement_is_raised_at_once(database: Database) -> None:
    rounds: list[int] = []

    def work() -> None:
        rounds.append(1)
        database.execute("select 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        patiently(work)
    assert len(rounds) == 1


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.05)

    def work() -> None:
        raise psycopg.OperationalError("connection refused")

    with pytest.raises(psycopg.OperationalError):
        patiently(work)


def test_what_tells_of_an_absent_database() -> None:
    unreachable, lacking = DatabaseError("unreachable"), DatabaseError("lacks a table")
    unreachable.__cause__ = psycopg.OperationalError("connection refused")
    lacking.__cause__ = psycopg.errors.UndefinedTable("no such table")
    assert is_absence(unreachable)
    assert is_absence(psycopg.errors.AdminShutdown("terminating connection"))
    assert not is_absence(lacking)
    assert not is_absence(psycopg.errors.LockNotAvailable("locked"))
    assert not is_absence(None)
