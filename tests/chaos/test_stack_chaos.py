"""A whole stack under blows to daemon, code server, database and runs: every job ends once, whatever is killed.

Part of `make chaos`: what `make test` strikes at, in `test_launcher_chaos`, is the same stack with shorter jobs. The
story is told once, and each test looks at one part of it.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from greenlight_dagster.stack.parts import CODE_SERVER, DAEMON, POSTGRES
from studio import projects, queue
from studio.database.connection import Database
from studio.queue import ENDED, NewJob
from studio.settings import Settings
from tests.support.dagster import DAGSTER_WARNINGS, JOB_TYPE, OWNER, STEPS, run_of, steps, versions, wait_for
from tests.support.dagster_ui import Clicks
from tests.support.queue import seqs, statuses
from tests.support.size import FULL, SECONDS
from tests.support.stack import UpStack, process_of
from tests.support.waiting import eventually

pytestmark = [
    *DAGSTER_WARNINGS,
    pytest.mark.chaos,
    pytest.mark.skipif(not FULL, reason="part of `make chaos`: a long storm"),
    pytest.mark.timeout(SECONDS),
]

SEED = int(os.environ.get("GREENLIGHT_CHAOS_SEED", "20260301"))
PROJECTS, JOBS_EACH, BLOWS = 8, 5, 40

PATIENCE = 120.0
SETTINGS = {
    # Long enough for a starved process to renew, short enough to wait for.
    "GREENLIGHT_LEASE_SECONDS": "12",
    "GREENLIGHT_LEASE_RENEW_SECONDS": "1",
    "GREENLIGHT_LAUNCH_LEASE_SECONDS": "60",
    "GREENLIGHT_RETRY_SECONDS": "1",
    "GREENLIGHT_DRAIN_SECONDS": "0",
    "WORKER_HEAVY_CONCURRENCY": "4",
}


@pytest.fixture(scope="module")
def stack() -> Iterator[UpStack]:
    with UpStack(SETTINGS) as running, pytest.MonkeyPatch.context() as patch:
        # By another name than the settings', which are hidden from every test.
        patch.setenv("GREENLIGHT_DAGSTER_DATABASE_URL", running.variables["GREENLIGHT_DAGSTER_DATABASE_URL"])
        yield running


@pytest.fixture(scope="module")
def database(stack: UpStack) -> Iterator[Database]:
    with stack.database() as opened:
        yield opened


@pytest.fixture(scope="module")
def instance(stack: UpStack) -> Iterator[DagsterInstance]:
    with stack.instance() as opened:
        yield opened


@pytest.fixture(scope="module")
def ui(stack: UpStack) -> Clicks:
    return Clicks.at(stack.ui)


def make_project(db: Database, name: str) -> UUID:
    with db.transaction() as conn:
        idea = f"{name} is a tool library: neighbours lend each other drills, ladders and sewing machines."
        return projects.create(conn, Settings(), owner_clerk_id=OWNER, idea=idea, name=name, email="anna@example.org")


def enqueue(db: Database, project: UUID, key: str | None = None) -> UUID:
    with db.transaction() as conn:
        # A blow to the database is a failed attempt for whoever was writing.
        new = NewJob(JOB_TYPE, project, {"ownerClerkId": OWNER}, key=key, max_attempts=8)
        return queue.enqueue(conn, new).job_id


def calls(stack: UpStack, name: str) -> list[tuple[str | None, bool]]:
    """Return what the model was asked for on behalf of the project `name`, and whether it got to the end."""
    return [(entry["schema_title"], entry["finished"]) for entry in stack.requests() if name in entry["user"]]


def assert_done_once(db: Database, job_id: UUID) -> None:
    """Whatever happened on the way: one end, one result, one of each effect, and nothing left open."""
    job = queue.get(db, job_id)
    assert (job.status, job.last_error) == ("completed", None)
    said = statuses(db, job_id)
    assert said[0] == "queued"
    assert said.count("completed") == 1
    assert said[-1] == "completed"
    # Taken up and given back in turns.
    assert [text for text in said if text != "running"][:-1] == ["queued"] * said.count("running")
    assert set(steps(db, job_id)) == set(STEPS)
    assert len([row for row in versions(db, job.project_id) if row["source_job_id"] == job_id]) == 1
    artifacts = db.fetch_all(
        "select data ->> 'asset' as shown, data ->> 'asset_id' as id from public.agent_job_events"
        " where job_id = %s and type = 'artifact'",
        [job_id],
    )
    # The packet once, and each of its deliverables once.
    assert [artifact["shown"] for artifact in artifacts].count("packets/phase0") == 1
    deliverables = [artifact["id"] for artifact in artifacts if artifact["id"]]
    assert len(deliverables) == len(set(deliverables)) == len(artifacts) - 1
    twice = db.fetch_all(
        "select claim_no, data ->> 'op' as op, data ->> 'step_event' as event, count(*) from public.agent_job_events"
        " where job_id = %s and data ? 'step_event' group by 1, 2, 3 having count(*) > 1",
        [job_id],
    )
    assert twice == []


def assert_project_in_order(db: Database, project: UUID) -> None:
    """The stream has no gap, one gate shows the latest packet, one mail went out, and the ledger adds up."""
    found = seqs(db, project)
    assert found == list(range(1, len(found) + 1))
    row = db.fetch_one(
        "select (select count(*)::int from public.email_jobs where project_id = %(p)s) as mails,"
        " (select array_agg(packet_version_id) from public.approval_queue"
        "  where project_id = %(p)s and status = 'pending') as gates,"
        " (select version_id from public.phase_packets where project_id = %(p)s) as latest,"
        " (select count(*)::int from public.model_calls where project_id = %(p)s and status = 'reserved') as open",
        {"p": project},
    )
    assert row is not None
    assert (row["mails"], row["gates"], row["open"]) == (1, [row["latest"]], 0)


# --- a story with five jobs


@dataclass
class Story:
    """Four jobs that were held in the middle of a step, one that waits behind them, and what was done to each."""

    jobs: dict[str, UUID] = field(default_factory=dict)
    projects: dict[str, UUID] = field(default_factory=dict)
    first_runs: dict[str, DagsterRun] = field(default_factory=dict)
    steps_before: dict[str, dict[str, int]] = field(default_factory=dict)


CRASHED, ORPHANED, CANCELED, TERMINATED, WAITING = "Crashbox", "Orphanbox", "Cancelbox", "Termbox", "Waitbox"


@pytest.fixture(scope="module")
def story(stack: UpStack, database: Database, instance: DagsterInstance, ui: Clicks) -> Story:
    told = Story()
    for name in (CRASHED, ORPHANED, CANCELED, TERMINATED):
        # One of the two searches that run side by side gets its answer, the other hangs.
        stack.fault("hang", match=name, seconds=600)
        told.projects[name] = make_project(database, name)
        told.jobs[name] = enqueue(database, told.projects[name])
    for name, job_id in told.jobs.items():
        eventually(lambda name=name, job_id=job_id: _held(stack, database, name, job_id), PATIENCE, f"{name} held")
        told.first_runs[name] = run_of(instance, database, job_id)
        told.steps_before[name] = _all_steps(database, job_id)
    # All slots are taken, so this one waits.
    told.projects[WAITING] = make_project(database, WAITING)
    told.jobs[WAITING] = enqueue(database, told.projects[WAITING])

    # Cancel two in the queue, one in the UI, and kill the process of a fourth.
    assert queue.cancel(database, told.jobs[WAITING]) == "canceled"
    assert queue.cancel(database, told.jobs[CANCELED], "No longer wanted.") == "cancel_requested"
    ui.terminate(told.first_runs[TERMINATED].run_id)
    _kill_run(instance, told.first_runs[CRASHED])
    for name in (CANCELED, TERMINATED):
        wait_for(database, told.jobs[name], "canceled", timeout=PATIENCE)
    eventually(
        lambda: "queued" in statuses(database, told.jobs[CRASHED])[1:], PATIENCE, "the watcher noticing the crash"
    )

    # Not in the middle of being launched once more: that would cost it another claim.
    wait_for(database, told.jobs[CRASHED], "completed", "failed", timeout=PATIENCE)

    # Then the code server dies together with the launcher's server and a run: nobody is left who could tell Dagster.
    victim = stack.kill(CODE_SERVER)
    stack.kill_launcher()
    _kill_run(instance, told.first_runs[ORPHANED])
    stack.returned(CODE_SERVER, victim)
    wait_for(database, told.jobs[ORPHANED], "completed", "failed", timeout=PATIENCE)
    return told


def _held(stack: UpStack, db: Database, name: str, job_id: UUID) -> bool:
    """Whether one search of the job hangs, and what the other one found has been saved."""
    saved, asked = set(_all_steps(db, job_id)), calls(stack, name)
    assert saved & {"research/competitors", "research/market"}, f"{queue.get(db, job_id)}, {saved}, {asked}"
    assert (None, False) in asked, f"{queue.get(db, job_id)}, {saved}, {asked}"
    return True


def _all_steps(db: Database, job_id: UUID) -> dict[str, int]:
    rows = db.fetch_all("select step, claim_no from public.agent_job_steps where job_id = %s", [job_id])
    return {row["step"]: row["claim_no"] for row in rows}


def _kill_run(instance: DagsterInstance, run: DagsterRun) -> None:
    pid = process_of(instance, run)
    assert pid is not None, f"run {run.run_id} has no process"
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("name", [CRASHED, ORPHANED])
def test_a_killed_run_is_resumed_and_finished_steps_are_kept(
    name: str, story: Story, stack: UpStack, database: Database, instance: DagsterInstance
) -> None:
    job_id = story.jobs[name]
    assert_done_once(database, job_id)
    assert_project_in_order(database, story.projects[name])
    job = queue.get(database, job_id)
    assert (job.attempts, job.claim_no, job.interruptions) == (1, 2, 1)
    # What was finished before the blow was neither done nor paid for again.
    before = story.steps_before[name]
    assert len({"load_context", "measure_presence", "research/competitors", "research/market"} & set(before)) == 3
    assert {step: claim for step, claim in _all_steps(database, job_id).items() if step in before} == before
    assert len(calls(stack, name)) == 4
    # The job is done a moment before its run has said so.
    again = run_of(instance, database, job_id)
    eventually(lambda: instance.get_run_by_id(again.run_id).is_finished, 60.0, "the end of the run")
    again = run_of(instance, database, job_id)
    assert again.status is DagsterRunStatus.SUCCESS
    assert again.run_id != story.first_runs[name].run_id
    assert again.tags["greenlight/claim_no"] == "2"


def test_the_lost_worker_is_named_in_the_stream(story: Story, database: Database) -> None:
    errors = {
        name: [
            row["error"]
            for row in database.fetch_all(
                "select data ->> 'error' as error from public.agent_job_events"
                " where job_id = %s and type = 'status' and message = 'queued' and data ? 'error' order by seq",
                [story.jobs[name]],
            )
        ]
        for name in (CRASHED, ORPHANED)
    }
    runs = {name: story.first_runs[name].run_id for name in (CRASHED, ORPHANED)}
    for name, run_id in runs.items():
        # On a machine that is busy enough the lease may end before anybody looks.
        lost = [f"The process of run {run_id} was lost.", f"The lease of run {run_id} ran out: its process is lost."]
        assert [error in lost for error in errors[name]] == [True], errors[name]


def test_dagster_knows_of_no_run_that_nobody_carries_out(story: Story, instance: DagsterInstance) -> None:
    for name in (CRASHED, ORPHANED):
        run = instance.get_run_by_id(story.first_runs[name].run_id)
        assert run is not None
        assert run.status is DagsterRunStatus.FAILURE


def test_a_job_that_is_canceled_while_it_waits_never_gets_a_run(
    story: Story, database: Database, instance: DagsterInstance
) -> None:
    assert statuses(database, story.jobs[WAITING]) == ["queued", "canceled"]
    assert instance.get_runs(RunsFilter(tags={"greenlight/job_id": str(story.jobs[WAITING])})) == []


@pytest.mark.parametrize("name", [CANCELED, TERMINATED])
def test_a_canceled_job_and_its_run_end_as_canceled(
    name: str, story: Story, database: Database, instance: DagsterInstance
) -> None:
    assert statuses(database, story.jobs[name]) == ["queued", "running", "canceled"]
    run = instance.get_run_by_id(story.first_runs[name].run_id)
    assert run is not None
    assert run.status is DagsterRunStatus.CANCELED
    assert versions(database, story.projects[name]) == []


def test_a_canceled_run_is_re_executed_from_the_ui(
    story: Story, stack: UpStack, database: Database, instance: DagsterInstance, ui: Clicks
) -> None:
    job_id = story.jobs[TERMINATED]
    before = _all_steps(database, job_id)
    run_id = ui.reexecute(story.first_runs[TERMINATED], "FROM_FAILURE")
    wait_for(database, job_id, "completed", "failed", timeout=PATIENCE)
    assert queue.get(database, job_id).dagster_run_id == run_id
    assert {step: claim for step, claim in _all_steps(database, job_id).items() if step in before} == before
    run = eventually(lambda: _ended(instance, run_id), PATIENCE, "the end of the run")
    assert run.status is DagsterRunStatus.SUCCESS
    assert_project_in_order(database, story.projects[TERMINATED])


def _ended(instance: DagsterInstance, run_id: str) -> DagsterRun | None:
    run = instance.get_run_by_id(run_id)
    return run if run is not None and run.is_finished else None


# --- a storm over many


def test_every_job_ends_once_in_a_storm(
    story: Story, stack: UpStack, database: Database, instance: DagsterInstance
) -> None:
    dice = random.Random(SEED)
    stack.clear()
    owners = [make_project(database, f"Storm{number}") for number in range(PROJECTS)]
    jobs = [enqueue(database, owner, f"job-{number}") for number in range(JOBS_EACH) for owner in owners]
    # The database falls in any case, as soon as something runs that it can hurt.
    plan = ["run", POSTGRES, *dice.choices(["run", "run", "run", DAEMON, CODE_SERVER, POSTGRES], k=BLOWS - 2)]
    struck: list[str] = []
    for blow in plan:
        eventually(lambda: _busy(database, jobs), PATIENCE, "something to strike")
        if all(queue.get(database, job_id).status in ENDED for job_id in jobs):
            break
        # No wait for anything: the blow falls at some moment of the jobs' lives.
        time.sleep(dice.uniform(0.0, 2.0))
        struck.append(blow)
        if blow == "run":
            _strike_a_run(dice, instance, database, jobs)
            continue
        victim = stack.kill(blow)
        if blow == POSTGRES:
            # The test itself wants to go on looking.
            stack.returned(POSTGRES, victim)
    print(f"seed {SEED}, struck: {', '.join(struck)}")
    assert struck[:2] == ["run", POSTGRES]
    for job_id in jobs:
        wait_for(database, job_id, "completed", "failed", "canceled", timeout=PATIENCE * (4 if FULL else 1))
    for job_id in jobs:
        assert_done_once(database, job_id)
    for owner in owners:
        assert_project_in_order(database, owner)
        assert len(versions(database, owner)) == JOBS_EACH


def _busy(db: Database, jobs: list[UUID]) -> bool:
    found = [queue.get(db, job_id) for job_id in jobs]
    assert all(job.ended for job in found) or any(job.dagster_run_id and job.status == "running" for job in found), (
        f"{[(job.status, job.claim_no, job.locked_by, job.last_error) for job in found]}"
    )
    return True


def _strike_a_run(dice: random.Random, instance: DagsterInstance, db: Database, jobs: list[UUID]) -> None:
    running = [job for job in (queue.get(db, job_id) for job_id in jobs) if job.status == "running"]
    dice.shuffle(running)
    for job in running:
        run = instance.get_run_by_id(job.dagster_run_id) if job.dagster_run_id else None
        if run is not None and (pid := process_of(instance, run)) is not None:
            os.kill(pid, signal.SIGKILL)
            return
