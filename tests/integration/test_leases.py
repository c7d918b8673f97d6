"""The lease keeper: it keeps a claim for as long as its process works, and ends the process that cannot.

Leases and pauses are short here by their settings; every wait is for something to happen.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.errors import DatabaseError
from studio.leases import WATCHDOG_SHARE_OF_LEASE, Alarm, LeaseKeeper
from tests.support.postgres import TestServer
from tests.support.queue import (
    claim_next,
    enqueue,
    job,
    make_project,
    separate_connection,
    take_over,
    wait_until_blocked,
)
from tests.support.sessions import cut_off_others
from tests.support.waiting import eventually

LEASE_SECONDS = 30.0
RENEW_SECONDS = 0.02
FOREVER = 3600.0
ROOT = Path(__file__).parents[2]


class Alarms:
    """Notes the keeper's alarms."""

    def __init__(self) -> None:
        self.raised: list[Alarm] = []
        self._any = threading.Event()

    def __call__(self, alarm: Alarm) -> None:
        self.raised.append(alarm)
        self._any.set()

    def wait(self) -> list[Alarm]:
        assert self._any.wait(30), "no alarm was raised"
        return self.raised


def keeper(claim: Claim, alarms: Callable[[Alarm], None], **options: Any) -> LeaseKeeper:
    settings = {"lease_seconds": LEASE_SECONDS, "renew_seconds": RENEW_SECONDS, "timeout_seconds": FOREVER, **options}
    return LeaseKeeper(claim, on_alarm=alarms, **settings)


@pytest.fixture
def claim(database: Database) -> Claim:
    enqueue(database, make_project(database))
    return claim_next(database)


def leased_until(claim: Claim) -> object:
    return job(claim.db, claim.job_id).leased_until


def wait_for_renewal(claim: Claim) -> None:
    """Return when the lease was renewed once more from now on."""
    seen = leased_until(claim)
    eventually(lambda: leased_until(claim) != seen, what="a renewal")


# --- renewing


def test_a_lease_is_renewed_for_as_long_as_the_keeper_lives(claim: Claim) -> None:
    alarms = Alarms()
    kept = keeper(claim, alarms)
    kept.start()
    for _ in range(3):
        wait_for_renewal(claim)
    kept.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lease-")]
    assert alarms.raised == []
    claim.complete()


def test_renewing_tells_nobody(claim: Claim) -> None:
    kept = keeper(claim, Alarms())
    kept.start()
    wait_for_renewal(claim)
    kept.stop()
    rows = claim.db.fetch_all("select message from public.agent_job_events order by seq")
    assert [row["message"] for row in rows] == ["queued", "running"]


def test_a_keeper_may_be_stopped_before_it_began_and_more_than_once(claim: Claim) -> None:
    keeper(claim, Alarms()).stop()
    kept = keeper(claim, Alarms())
    kept.start()
    kept.stop()
    kept.stop()


# --- alarms


def test_a_lost_lease_raises_one_alarm(claim: Claim) -> None:
    alarms = Alarms()
    kept = keeper(claim, alarms)
    kept.start()
    wait_for_renewal(claim)
    with claim.db.transaction() as conn:
        # One transaction, so that no renewal comes between the end of the lease and the reclaim.
        conn.execute("set local greenlight.transition = 'on'")
        conn.execute(
            "update public.agent_jobs set leased_until = now() - interval '1 second' where id = %s", [claim.job_id]
        )
        conn.execute("select public.reclaim_stale_jobs()")
    successor = claim_next(claim.db, "successor")
    held_until = leased_until(successor)
    assert alarms.wait() == ["lease_lost"]
    kept.stop()
    assert alarms.raised == ["lease_lost"]
    # What the old keeper still tried has prolonged nobody else's lease.
    assert leased_until(successor) == held_until


def test_a_requested_cancel_raises_one_alarm_and_the_lease_is_left_to_end(claim: Claim) -> None:
    alarms = Alarms()
    kept = keeper(claim, alarms)
    kept.start()
    queue.cancel(claim.db, claim.job_id)
    assert alarms.wait() == ["cancel_requested"]
    seen = leased_until(claim)
    kept.stop()
    assert (leased_until(claim), alarms.raised) == (seen, ["cancel_requested"])


def test_a_cancel_is_noticed_long_before_the_next_renewal(claim: Claim) -> None:
    alarms = Alarms()
    kept = keeper(claim, alarms, renew_seconds=FOREVER, lease_seconds=2 * FOREVER)
    kept.start()
    queue.cancel(claim.db, claim.job_id)
    assert alarms.wait() == ["cancel_requested"]
    kept.stop()


def test_an_attempt_that_takes_too_long_raises_one_alarm(claim: Claim) -> None:
    alarms = Alarms()
    kept = keeper(claim, alarms, timeout_seconds=0.05)
    kept.start()
    assert alarms.wait() == ["timeout"]
    kept.stop()
    assert alarms.raised == ["timeout"]


def test_an_alarm_may_stop_the_keeper_itself(claim: Claim) -> None:
    stopped = threading.Event()

    def stop(_: Alarm) -> None:
        kept.stop()
        stopped.set()

    kept = keeper(claim, stop, timeout_seconds=0.05)
    kept.start()
    assert stopped.wait(30)


# --- a database that is away


def test_a_database_that_does_not_answer_raises_the_alarm_when_the_lease_ends(claim: Claim) -> None:
    alarms = Alarms()
    with separate_connection(claim.db) as conn, conn.transaction():
        # As long as this lasts, the renewal hangs in the database without an answer or an error.
        conn.execute("select 1 from public.agent_jobs where id = %s for update", [claim.job_id])
        kept = keeper(claim, alarms, lease_seconds=1.0)
        started = time.monotonic()
        kept.start()
        wait_until_blocked(claim.db, _renewing_session(claim.db))
        assert alarms.wait() == ["lease_lost"]
        assert time.monotonic() - started >= 1.0
    kept.stop()
    assert alarms.raised == ["lease_lost"]


def _renewing_session(db: Database) -> int:
    def pid() -> int:
        row = db.fetch_one(
            "select pid from pg_stat_activity where datname = current_database()"
            " and query like %s and pid <> pg_backend_pid()",
            ["%renew_agent_job%"],
        )
        return int(row["pid"]) if row else 0

    return eventually(pid, what="a renewal under way")


def test_a_renewal_survives_its_connection(claim: Claim) -> None:
    alarms = Alarms()
    kept = keeper(claim, alarms)
    kept.start()
    with separate_connection(claim.db) as conn:
        for _ in range(3):
            wait_for_renewal(claim)
            cut_off_others(conn)
        wait_for_renewal(claim)
    kept.stop()
    assert alarms.raised == []
    claim.complete()


def test_a_renewal_survives_a_restart_of_the_database(postgres: TestServer, database: Database, claim: Claim) -> None:
    if postgres.embedded is None:
        pytest.skip("the server is somebody else's, and not ours to restart")
    alarms = Alarms()
    kept = keeper(claim, alarms)
    kept.start()
    wait_for_renewal(claim)
    postgres.embedded.restart()
    eventually(lambda: answers(database), what="the database")
    wait_for_renewal(claim)
    kept.stop()
    assert alarms.raised == []
    claim.complete()
    assert job(database, claim.job_id).claim_no == 1


def answers(db: Database) -> bool:
    try:
        return db.fetch_one("select true as yes") == {"yes": True}
    except (psycopg.OperationalError, DatabaseError):
        return False


# --- the watchdog


HELD = """
import ctypes, re, sys, threading, time
from uuid import UUID
from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.leases import LeaseKeeper

db = Database(sys.argv[1], pool_size=2)
claim = Claim(db, queue.get(db, UUID(sys.argv[2])))
alarm = threading.Event()
keeper = LeaseKeeper(
    claim,
    lease_seconds=float(sys.argv[3]),
    renew_seconds=0.1,
    timeout_seconds=3600,
    on_alarm=lambda _: alarm.set(),
    watchdog=True,
)
keeper.start()
print("started", flush=True)
{work}
keeper.stop()
{after}
print("finished", flush=True)
db.close()
"""

# PyDLL keeps the interpreter's lock during the call, as an extension does that never lets go of it.
SLEEPS_IN_C = "ctypes.PyDLL(None).sleep(120)"
RUNS_AWAY_IN_A_PATTERN = "re.match('(a+)+$', 'a' * 60 + 'b')"
WORKS_HARD_IN_PYTHON = """
until = time.monotonic() + 1.5 * float(sys.argv[3])
while time.monotonic() < until:
    sum(range(1000))
"""
WAITS_FOR_AN_ALARM_AND_DOES_NOT_STOP = """
alarm.wait()
print("alarm", flush=True)
time.sleep(120)
"""


def process_at(claim: Claim, work: str, lease_seconds: float, after: str = "") -> subprocess.Popen[str]:
    script = HELD.replace("{work}", work).replace("{after}", after)
    return subprocess.Popen(
        [sys.executable, "-c", script, claim.db.url, str(claim.job_id), str(lease_seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def outcome(process: subprocess.Popen[str]) -> tuple[list[str], int, str]:
    """Wait for the end; return what was printed, the exit code and what went to stderr."""
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return out.split(), process.returncode, err


def assert_ended_by_the_watchdog(code: int, complaint: str) -> None:
    """Before it exits, it prints what every thread does without stopping them, which may be a segmentation fault."""
    assert code in (1, -signal.SIGSEGV)
    assert "Timeout (" in complaint


@pytest.mark.parametrize("work", [SLEEPS_IN_C, RUNS_AWAY_IN_A_PATTERN], ids=["extension", "pattern"])
def test_a_process_that_cannot_renew_ends_itself(claim: Claim, work: str) -> None:
    with process_at(claim, work, lease_seconds=1.0) as process:
        printed, code, complaint = outcome(process)
    assert (printed, code) == (["started"], 1)
    # It says that it hung, and where.
    assert complaint.startswith("Timeout")
    assert 'File "<string>"' in complaint


def test_the_watchdog_bites_before_the_lease_ends() -> None:
    assert WATCHDOG_SHARE_OF_LEASE < 1


def test_a_process_that_works_hard_in_python_keeps_its_lease(claim: Claim) -> None:
    with process_at(claim, WORKS_HARD_IN_PYTHON, lease_seconds=2.0) as process:
        printed, code, complaint = outcome(process)
    assert (printed, code) == (["started", "finished"], 0), complaint
    assert job(claim.db, claim.job_id).status == "running"


def test_a_process_that_has_let_go_of_its_job_lives_on(claim: Claim) -> None:
    with process_at(claim, "", lease_seconds=0.5, after="time.sleep(1)") as process:
        printed, code, complaint = outcome(process)
    assert (printed, code) == (["started", "finished"], 0), complaint


def test_a_process_that_does_not_heed_the_alarm_is_ended(claim: Claim) -> None:
    with process_at(claim, WAITS_FOR_AN_ALARM_AND_DOES_NOT_STOP, lease_seconds=1.0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        queue.cancel(claim.db, claim.job_id)
        printed, code, complaint = outcome(process)
    assert printed == ["alarm"]
    assert_ended_by_the_watchdog(code, complaint)


def test_a_process_that_was_frozen_over_the_end_of_its_lease_does_not_go_on(claim: Claim) -> None:
    with process_at(claim, WAITS_FOR_AN_ALARM_AND_DOES_NOT_STOP, lease_seconds=1.0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        wait_for_renewal(claim)
        os.kill(process.pid, signal.SIGSTOP)
        successor = eventually(lambda: take_over_expired(claim), what="the end of the lease")
        os.kill(process.pid, signal.SIGCONT)
        printed, code, complaint = outcome(process)
    assert "finished" not in printed
    assert_ended_by_the_watchdog(code, complaint)
    assert successor is not None
    assert job(claim.db, claim.job_id).claim_no == successor.claim_no == 2


def take_over_expired(claim: Claim) -> Claim | None:
    """Let another worker have the job as soon as its lease is over by itself."""
    row = claim.db.fetch_one("select leased_until < now() as over from public.agent_jobs where id = %s", [claim.job_id])
    return take_over(claim.db, claim) if row == {"over": True} else None
