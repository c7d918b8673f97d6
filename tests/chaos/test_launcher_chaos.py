"""Under a load of many jobs, any process of the stack may be killed at any moment, and again.

Every job ends, no effect happens twice, no event is missing, and no process, connection or record is left over.
`GREENLIGHT_CHAOS=full` makes it 300 jobs.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from uuid import UUID

import psutil
import pytest

from greenlight_dagster.stack import descent
from greenlight_dagster.stack.parts import CODE_SERVER, DAEMON, POSTGRES
from studio import queue
from studio.database.connection import Database
from studio.errors import DatabaseError
from studio.job_types import LANES
from studio.queue import NewJob
from tests.support.effect_records import LINES, TABLE
from tests.support.queue import make_project, seqs, statuses
from tests.support.size import FULL, SECONDS
from tests.support.stack import UpStack
from tests.support.waiting import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(SECONDS)]

SEED = int(os.environ.get("GREENLIGHT_CHAOS_SEED", "20260301"))
JOBS, BLOWS, PROJECTS = (300, 60, 12) if FULL else (16, 4, 4)
PATIENCE = 600.0 if FULL else 150.0
SETTINGS = {
    "GREENLIGHT_LEASE_SECONDS": "12",
    "GREENLIGHT_LEASE_RENEW_SECONDS": "1",
    # A launch that is lost with daemon or server comes back this soon.
    "GREENLIGHT_LAUNCH_LEASE_SECONDS": "15",
    "GREENLIGHT_RETRY_SECONDS": "1",
    "GREENLIGHT_DRAIN_SECONDS": "0",
    "WORKER_CONCURRENCY": "4",
    "WORKER_HEAVY_CONCURRENCY": "2",
    "GREENLIGHT_REALTIME_CONCURRENCY": "4",
    "GREENLIGHT_PROJECT_CONCURRENCY": "4",
}
# Connections of a worker, and of daemon, code server, UI and this test together.
PER_WORKER, OTHERS = 4, 60
LAUNCHER, TEMPLATE, SPARE, WORKER = "launcher", "template", "spare", "worker"
TARGETS = (WORKER, WORKER, WORKER, SPARE, TEMPLATE, LAUNCHER, DAEMON, CODE_SERVER, POSTGRES)


@pytest.fixture(scope="module")
def stack() -> Iterator[UpStack]:
    with UpStack(SETTINGS, definitions_module="tests.support.effects") as running:
        yield running


@pytest.fixture(scope="module")
def database(stack: UpStack) -> Iterator[Database]:
    with stack.database() as opened:
        yield opened


def strike(stack: UpStack, target: str, dice: random.Random) -> None:
    """Kill one process of the kind `target`, if there is one just now."""
    if target in (DAEMON, CODE_SERVER, POSTGRES):
        victim = stack.kill(target)
        if target == POSTGRES:
            # The test itself wants to go on looking.
            stack.returned(POSTGRES, victim)
        return
    found = stack.launcher.overview() or {}
    pids = {
        LAUNCHER: [found.get("pid")],
        TEMPLATE: [template["pid"] for template in found.get("templates", ())],
        SPARE: found.get("spares", []),
        WORKER: [process.pid for process in stack.launcher.working()],
    }[target]
    if living := [pid for pid in pids if pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(dice.choice(living), signal.SIGKILL)


@pytest.fixture(scope="module")
def struck() -> Counter[str]:
    """How many blows went where."""
    return Counter()


@pytest.fixture(scope="module")
def storm(stack: UpStack, database: Database, struck: Counter[str]) -> list[UUID]:
    """The jobs, all of which have ended, whatever was done to the processes meanwhile."""
    dice = random.Random(SEED)
    database.execute(TABLE)
    owners = [make_project(database) for _ in range(PROJECTS)]
    jobs: list[UUID] = []
    with database.transaction() as conn:
        for number in range(JOBS):
            owner = owners[number % PROJECTS]
            kind = f"bench.{dice.choice(LANES)}"
            # The attempts of a bench job are for measuring; here a blow to the database may cost one.
            new = NewJob(kind, owner, {"projectId": str(owner)}, key=f"storm-{number}", max_attempts=8)
            jobs.append(queue.enqueue(conn, new).job_id)
    # Each kind once in any case.
    plan = [*dict.fromkeys(TARGETS), *dice.choices(TARGETS, k=max(0, BLOWS - len(set(TARGETS))))]
    for target in plan:
        time.sleep(dice.uniform(0.0, 2.0))
        if not unfinished(database):
            break
        strike(stack, target, dice)
        struck[target] += 1
    print(f"seed {SEED}, struck: {dict(struck)}")
    assert struck, "the jobs were over before the first blow"
    eventually(lambda: not unfinished(database), PATIENCE, "the end of every job")
    return jobs


def unfinished(db: Database) -> int:
    for _ in range(20):
        with contextlib.suppress(DatabaseError):
            row = db.fetch_one(
                "select count(*) as n from public.agent_jobs where status not in ('completed', 'failed', 'canceled')"
            )
            return int(row["n"]) if row else 0
    raise AssertionError("the database does not come back")


def test_every_job_is_completed(storm: list[UUID], database: Database) -> None:
    ends = Counter((queue.get(database, job).status, queue.get(database, job).last_error) for job in storm)
    assert ends == {("completed", None): JOBS}


def test_every_effect_happened_once(storm: list[UUID], database: Database) -> None:
    rows = database.fetch_all("select job_id, count(*) as n, count(distinct op) as ops from public.effects group by 1")
    assert {row["job_id"]: (row["n"], row["ops"]) for row in rows} == dict.fromkeys(storm, (2, 2))


def test_no_event_is_missing_or_doubled(storm: list[UUID], database: Database, struck: Counter[str]) -> None:
    for row in database.fetch_all("select distinct project_id from public.agent_jobs"):
        found = seqs(database, row["project_id"])
        assert found == list(range(1, len(found) + 1))
    for job in storm:
        said = statuses(database, job)
        assert (said[0], said[-1], said.count("completed")) == ("queued", "completed", 1)
        assert [text for text in said if text != "running"][:-1] == ["queued"] * said.count("running")
        # What an op said before its effect stood is in the stream of the claim under which it stands.
        lines = database.fetch_all(
            "select e.claim_no, e.message from public.agent_job_events e join public.effects f"
            " on f.job_id = e.job_id and f.claim_no = e.claim_no and e.message like f.op || ' line %%'"
            " where e.job_id = %s and e.type = 'log'",
            [job],
        )
        # A blow to the database undoes the transaction of an op, which then does and says everything once more.
        times = Counter((line["claim_no"], line["message"]) for line in lines)
        assert max(times.values(), default=0) <= 1 + struck[POSTGRES]
        assert sum(count > 1 for count in times.values()) % LINES == 0
        last = queue.get(database, job).claim_no
        whole = database.fetch_one(
            "select count(*) as n from public.effects where job_id = %s and claim_no = %s", [job, last]
        )
        assert whole is not None
        assert sum(claim_no == last for claim_no, _ in times) == whole["n"] * LINES


def test_nothing_is_left_over(storm: list[UUID], stack: UpStack, database: Database) -> None:
    def settled() -> bool:
        found = stack.launcher.overview()
        assert found is not None
        assert (found["running"], found["waiting"]) == ({}, [])
        assert stack.launcher.working() == []
        assert len(found["templates"]) == 1
        return True

    eventually(settled, 60, "an idle launcher")
    records = stack.folder / "data" / "dagster_home" / "launcher" / "runs"
    assert list(records.iterdir()) == []

    def only_spares() -> int:
        """Daemon, code server, UI and what they have started; workers only as spares. Return how many of these."""
        found = stack.launcher.overview()
        assert found is not None
        workers = {
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if "launcher.template" in " ".join(process.info["cmdline"] or ())
            and str(stack.folder) in " ".join(process.info["cmdline"] or ())
            and process.status() != psutil.STATUS_ZOMBIE
        }
        assert workers - {template["pid"] for template in found["templates"]} == set(found["spares"])
        return len(found["spares"])

    # A spare that is just being forked, or has just been collected, is counted on one side alone.
    spares = eventually(only_spares, 60, "no worker being left over")

    def closed() -> bool:
        owners = database.fetch_all(
            "select application_name, count(*) as n from pg_stat_activity where backend_type = 'client backend'"
            " group by 1 order by 1"
        )
        count = sum(row["n"] for row in owners)
        assert count <= OTHERS + PER_WORKER * spares, f"{count} connections: {owners}"
        return True

    eventually(closed, 60, "the connections of the dead being closed")


def test_the_stop_leaves_no_process(storm: list[UUID], stack: UpStack) -> None:
    stack_id = stack.id
    stack.__exit__()
    assert descent.marked(stack_id) == set()
