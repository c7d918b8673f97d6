"""A simulated installation keeps the queue's promises: slots, project limits, priorities, every job once."""

from __future__ import annotations

import simpy

from benchmarks.simulation.installation import Installation, Job, Shape, on_one_machine
from benchmarks.simulation.parts import Piece
from benchmarks.simulation.service import Lock, RunCosts, Shares
from studio.job_types import LANES, Lane

COSTS = RunCosts(
    enqueue=0.0005,
    claim=0.0005,
    append=0.0002,
    launch=Shares(database=0.002, daemon=0.010, code_server=0.003),
    start=Shares(worker=0.030, database=0.010),
    finish=Shares(worker=0.010, database=0.003),
    last=Shares(worker=0.008, database=0.002),
    beside=Shares(worker=0.020, database=0.005, daemon=0.010, code_server=0.002),
    spread=0.1,
    crowding=1.0,
    flush=0.0002,
    lock=Lock(0.00005),
)
SHAPE = Shape(workers=64, control=8, database=16, slots={"realtime": 8, "standard": 5, "heavy": 2}, spares=64)


def simulated(shape: Shape, jobs: list[Job], seconds: float = 600.0) -> Installation:
    env = simpy.Environment()
    installation = Installation(env, shape, COSTS, seed=1)

    def send() -> Piece:
        yield from installation.send(*jobs)

    env.process(send())
    env.run(seconds)
    return installation


def at_once(jobs: list[Job], held: Lane | None = None, project: int | None = None) -> int:
    """Return how many of the jobs, at most, were between their op's begin and their end at the same moment."""
    chosen = [job for job in jobs if held in (None, job.lane) and project in (None, job.project)]
    changes = sorted(
        change for job in chosen for change in ((job.began or 0.0, 1), (job.ended or 0.0, -1)) if job.ended is not None
    )
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def test_every_job_is_done_once_and_in_order_of_its_stages() -> None:
    jobs = [Job(lane, number, seconds=0.5, commits=2) for lane in LANES for number in range(30)]
    installation = simulated(SHAPE, jobs)
    assert len(installation.jobs) == len(jobs)
    for job in jobs:
        assert job.began is not None
        assert job.ended is not None
        assert job.at < job.began < job.ended
    assert all(installation.queued(lane) == 0 for lane in LANES)


def test_no_more_jobs_of_a_lane_run_than_it_has_slots() -> None:
    jobs = [Job(lane, number, seconds=3.0) for lane in LANES for number in range(40)]
    simulated(SHAPE, jobs)
    for lane in LANES:
        # All slots are taken, and no more.
        assert at_once(jobs, held=lane) == SHAPE.slots[lane]


def test_no_more_jobs_of_a_project_run_than_its_limit() -> None:
    greedy = [Job("standard", 1, seconds=2.0) for _ in range(20)]
    other = Job("standard", 2, seconds=2.0)
    simulated(SHAPE, [*greedy, other])
    assert at_once(greedy, project=1) == SHAPE.project_limit
    # It came last, and did not wait behind the twenty.
    assert other.began is not None
    assert other.began < 1.0


def test_what_matters_more_goes_first() -> None:
    jobs = [Job("heavy", number, seconds=1.0, priority=number % 2) for number in range(10)]
    simulated(SHAPE, jobs)
    began = {job.project: job.began or 0.0 for job in jobs}
    assert max(began[number] for number in (1, 3, 5, 7, 9)) < min(began[number] for number in (0, 2, 4, 6, 8))


def test_one_daemon_launches_no_faster_than_its_interpreter_computes() -> None:
    shape = Shape(workers=64, control=8, database=16, slots=dict.fromkeys(LANES, 200), spares=200)
    jobs = [Job("standard", number) for number in range(500)]
    simulated(shape, jobs)
    rate = len(jobs) / max(job.ended or 0.0 for job in jobs)
    most = 1 / COSTS.daemon_seconds
    assert 0.7 * most < rate <= most


def test_on_one_machine_a_chat_goes_before_a_batch() -> None:
    def wait_of_chat(batch: Lane) -> float:
        shape = on_one_machine(SHAPE, 2)
        chat = Job("realtime", 999)
        env = simpy.Environment()
        installation = Installation(env, shape, COSTS, seed=1)

        def send() -> Piece:
            yield from installation.send(*(Job(batch, number) for number in range(60)))
            yield env.timeout(1.0)
            yield from installation.send(chat)

        env.process(send())
        env.run(60.0)
        assert chat.began is not None
        return chat.began - chat.at

    # Behind jobs of its own lane it waits for a slot, behind a batch's only for cores.
    assert wait_of_chat("standard") < wait_of_chat("realtime") / 2


def test_the_same_seed_simulates_the_same() -> None:
    def moments() -> list[float | None]:
        return [job.ended for job in simulated(SHAPE, [Job("standard", number) for number in range(20)]).jobs]

    assert moments() == moments()
