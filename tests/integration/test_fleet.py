"""What the database knows of a fleet: who lives is told by its own clock, and a run is taken by one alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from sensors.pickup import free_slots
from studio import fleet, worker_health
from studio.database.connection import Database
from studio.settings import Settings
from tests.support.queue import make_project
from tests.support.queue_rows import put_job

BEAT = 5.0


def details(lane: str, slots: int, process: str = "1:1") -> dict[str, Any]:
    return {"lane": lane, "slots": slots, "host": "a", "process": process, "running": 0, "done": 3, "build": "r1"}


def age(db: Database, worker_id: str, seconds: float) -> None:
    db.execute(
        "update worker_heartbeats set last_seen_at = now() - make_interval(secs => %s) where worker_id = %s",
        [seconds, worker_id],
    )


def test_a_run_is_taken_by_one_of_all_that_it_is_delivered_to(database: Database) -> None:
    ready = threading.Barrier(8)

    def take(number: int) -> bool:
        ready.wait()
        return fleet.take(database, "run-1", "standard@a", "a", number, "77")

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(take, range(8)))
    assert sum(taken) == 1
    winner = taken.index(True)
    # Asked again because the answer was lost, it has it still; when it has ended the run, nobody has.
    assert fleet.take(database, "run-1", "standard@a", "a", winner, "77")
    assert fleet.open_takes(database, "standard@a", "a") == [("run-1", winner, "77")]
    # A container that is started anew has the name and the numbers of the one before.
    assert not fleet.take(database, "run-1", "standard@a", "a", winner, "78")
    # On another machine of that name the number is another process's.
    assert fleet.open_takes(database, "standard@a", "b") == []
    assert fleet.end_take(database, "run-1", "standard@a", "done")
    assert not fleet.end_take(database, "run-1", "standard@a", "lost")
    assert not fleet.take(database, "run-1", "standard@a", "a", winner, "77")
    found = fleet.take_of(database, "run-1")
    assert found is not None
    assert (found.pid, found.ending) == (winner, "done")


def test_only_workers_that_live_and_take_runs_are_counted(database: Database) -> None:
    for worker_id, status, slots in [("standard@a", "running", 3), ("standard@b", "running", 4)]:
        fleet.report(database, worker_id, status, details("standard", slots), 120.5)  # type: ignore[arg-type]
    fleet.report(database, "heavy@a", "running", details("heavy", 7), None)
    assert fleet.offered_slots(database, "standard", BEAT) == 7
    fleet.report(database, "standard@b", "error", details("standard", 4), None)
    assert fleet.offered_slots(database, "standard", BEAT) == 3
    fleet.report(database, "standard@b", "draining", details("standard", 4), None)
    assert fleet.offered_slots(database, "standard", BEAT) == 3
    fleet.report(database, "standard@b", "running", details("standard", 4), None)
    age(database, "standard@a", BEAT * fleet.HEARTBEATS_OF_A_LIFE + 1)
    assert fleet.offered_slots(database, "standard", BEAT) == 4
    states = {w.worker_id: (w.lives, w.slots) for w in fleet.workers(database, BEAT)}
    assert states == {"standard@a": (False, 3), "standard@b": (True, 4), "heavy@a": (True, 7)}
    assert fleet.forget(database, "standard@a")
    assert not fleet.forget(database, "standard@a")


def test_pickup_claims_no_more_than_the_workers_offer(database: Database) -> None:
    alone = Settings(WORKER_CONCURRENCY=3)  # type: ignore[call-arg]
    assert free_slots(database, "standard", alone).slots == 3
    of_fleet = Settings(GREENLIGHT_BROKER_URL="redis://x/0", WORKER_CONCURRENCY=3)  # type: ignore[call-arg]
    assert free_slots(database, "standard", of_fleet).slots == 0
    fleet.report(database, "standard@a", "running", details("standard", 11), None)
    limit = free_slots(database, "standard", of_fleet)
    assert limit.slots == 11
    assert limit.per_project == of_fleet.worker_project_limit


def test_runs_at_workers_that_drain_or_are_lost_take_no_slot_of_the_others(database: Database) -> None:
    of_fleet = Settings(GREENLIGHT_BROKER_URL="redis://x/0")  # type: ignore[call-arg]
    for name in ("a", "b"):
        fleet.report(database, f"standard@{name}", "running", details("standard", 2), None)
    for number, name in enumerate(["a", "a", "b"]):
        put_job(database, "running", dagster_run_id=f"run-{number}")
        fleet.take(database, f"run-{number}", f"standard@{name}", name, number)
    # One that was claimed and that nobody has taken yet waits for a process of theirs.
    put_job(database, "running")
    assert free_slots(database, "standard", of_fleet).slots == 4
    fleet.report(database, "standard@a", "draining", details("standard", 2), None)
    # Two of the four that run are at the draining one, so of b's two processes none is free for a further claim.
    assert free_slots(database, "standard", of_fleet).slots == 2 + 2
    age(database, "standard@b", 600)
    assert free_slots(database, "standard", of_fleet).slots == 0


def test_a_worker_that_comes_wakes_those_that_wait_for_a_slot(database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as listener:
        listener.execute("listen agent_jobs")

        def heard() -> list[str]:
            return [note.payload for note in listener.notifies(timeout=0.2)]

        fleet.report(database, "heavy@a", "running", details("heavy", 2), None)
        assert heard() == ["heavy"]
        fleet.report(database, "heavy@a", "running", details("heavy", 2), None)
        assert heard() == []
        fleet.report(database, "heavy@a", "running", details("heavy", 3), None)
        assert heard() == ["heavy"]
        age(database, "heavy@a", 60)
        fleet.report(database, "heavy@a", "running", details("heavy", 3), None)
        assert heard() == ["heavy"]


def test_another_process_under_a_name_has_begun_now(database: Database) -> None:
    fleet.report(database, "heavy@a", "running", details("heavy", 2), None)
    database.execute("update worker_heartbeats set started_at = now() - interval '1 hour'")
    fleet.report(database, "heavy@a", "running", details("heavy", 2), None)
    before = fleet.workers(database, BEAT)[0].started_at
    fleet.report(database, "heavy@a", "running", details("heavy", 2, process="2:2"), None)
    assert fleet.workers(database, BEAT)[0].started_at - before > timedelta(minutes=59)


@pytest.mark.parametrize(("slots", "status"), [(None, "down"), (0, "down"), (1, "down"), (-1, "ok")])
def test_work_that_no_worker_of_the_lane_takes_is_told_of(database: Database, slots: int | None, status: str) -> None:
    project = make_project(database)
    job = put_job(database, project=project)
    database.execute(
        "update agent_jobs set run_after = now() - interval '10 minutes', created_at = now() - interval '10 minutes'"
        " where id = %s",
        [job],
    )
    lane = database.fetch_one("select lane from agent_jobs where id = %s", [job])["lane"]
    if slots == -1:
        # Its lane's one process is busy, so the job waits as it should.
        fleet.report(database, f"{lane}@a", "running", details(lane, 1), None)
        busy = put_job(database, project=project)
        database.execute(
            "update agent_jobs set status = 'running', locked_at = now(), started_at = now(),"
            " leased_until = now() + interval '1 minute', claim_no = 1 where id = %s",
            [busy],
        )
    elif slots is not None:
        fleet.report(database, "realtime@a", "running", details("realtime", 1), None)
        if slots:
            fleet.report(database, f"{lane}@a", "running", details(lane, slots), None)
    assert worker_health.look(database).status == status


def test_what_is_old_is_forgotten(database: Database) -> None:
    fleet.take(database, "old", "standard@a", "a", 1)
    fleet.take(database, "new", "standard@a", "a", 1)
    database.execute("update run_takes set taken_at = now() - interval '31 days' where run_id = 'old'")
    fleet.report(database, "heavy@gone", "stopped", details("heavy", 2), None)
    age(database, "heavy@gone", 31 * 86400)
    assert fleet.prune(database, timedelta(days=30)) == 2
    assert fleet.take_of(database, "old") is None
    assert fleet.take_of(database, "new") is not None
