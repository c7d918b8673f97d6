"""A soak run's load knows what became of each of its jobs, and its samples say what lies in the database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from benchmarks.soak import arrivals, tables
from benchmarks.soak.arrivals import Arrivals
from benchmarks.soak.tally import Tally
from greenlight_dagster.bench.ground import ground
from studio.database.connection import Database
from studio.job_types import BENCH_STARTED_AT

RATES = {"realtime": 200.0, "standard": 200.0, "heavy": 200.0}


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_jobs_are_sent_in_each_lane_and_told_of_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "PER_SECOND", RATES)
    monkeypatch.setattr(arrivals, "PIECE", 2)
    tally, over = Tally(), threading.Event()
    with ground(database, 2) as lent:
        load = Arrivals(lent, tally, over)
        senders = [threading.Thread(target=partial(load.send, lane)) for lane in RATES]
        for sender in senders:
            sender.start()
        until(lambda: tally.take()["counts"]["sent"] >= 12)
        over.set()
        for sender in senders:
            sender.join()
        sent = tally.take()["counts"]["sent"]
        assert load.unfinished == sent

        load.look()
        assert (load.unfinished, tally.take()["waits"]) == (sent, {})

        rows = database.fetch_all("select id, lane from public.agent_jobs order by created_at, id")
        assert (len(rows), {row["lane"] for row in rows}) == (sent, set(RATES))
        failed, canceled, lost, open_one, *done = rows
        for row, status in ((failed, "failed"), (canceled, "canceled"), *((row, "completed") for row in done)):
            database.execute("update public.agent_jobs set status = %s where id = %s", [status, row["id"]])
        for row in done:
            database.execute(
                "insert into public.agent_job_steps (job_id, step, claim_no, attempt, output)"
                " values (%s, 'noop', 1, 1, jsonb_build_object(%s::text, extract(epoch from clock_timestamp())))",
                [row["id"], BENCH_STARTED_AT],
            )
        database.execute("delete from public.agent_jobs where id = %s", [lost["id"]])
        load.look()
        load.look()
        told = tally.take()
        wanted = {"sent": sent, "completed": sent - 4, "failed": 2, "lost": 1}
        assert (told["counts"], load.unfinished) == (wanted, 1)
        waits = [wait for lane in told["waits"].values() for wait in lane]
        assert len(waits) == sent - 4
        assert min(waits) > 0

        database.execute("update public.agent_jobs set status = 'canceled' where id = %s", [open_one["id"]])
        load.look()
        assert (tally.take()["counts"]["failed"], load.unfinished) == (3, 0)


def test_samples_know_tables_sessions_and_the_queue(database: Database) -> None:
    tally, over = Tally(), threading.Event()
    with ground(database, 1) as lent:
        load = Arrivals(lent, tally, over)
        sender = threading.Thread(target=load.send, args=("realtime",))
        sender.start()
        until(lambda: load.unfinished > 0)
        over.set()
        sender.join()
        seen = tables.look(database, database)
        assert seen["queue"]["realtime"]["queued"] == load.unfinished
    assert {f"studio.{name}" for name in tables.STUDIO} <= set(seen["tables"])
    assert seen["tables"]["studio.agent_jobs"]["bytes"] > 0
    assert seen["sessions"]["greenlight"] >= 1
    assert seen["wal"]["written"] > 0
    assert seen["wal"]["kept"] > 0
