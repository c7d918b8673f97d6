"""The simulator gives the answers of queues whose answers are known: Erlang's, Pollaczek's, Little's."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable

import pytest
import simpy

from benchmarks.simulation import erlang
from benchmarks.simulation.parts import QUANTUM, Claimant, Cores, Piece, Program, Server

CUSTOMERS = 25_000


def waits_of(
    env: simpy.Environment, compute: Callable[[float], Piece], arrivals: float, service: Callable[[], float], seed: int
) -> tuple[list[float], float]:
    """Return what customers of a Poisson stream wait, and how many are there on average."""
    rng = random.Random(seed)
    waits: list[float] = []
    there = area = last = 0.0

    def count(change: int) -> None:
        nonlocal there, area, last
        area += there * (env.now - last)
        there, last = there + change, env.now

    def customer() -> Piece:
        came, wanted = env.now, service()
        count(+1)
        yield from compute(wanted)
        count(-1)
        waits.append(env.now - came - wanted)

    def stream() -> Piece:
        for _ in range(CUSTOMERS):
            yield env.timeout(rng.expovariate(arrivals))
            env.process(customer())

    env.process(stream())
    env.run()
    return waits, area / env.now


def test_known_values_of_erlangs_formulas() -> None:
    # Two servers at half load: C = 1/3. Five servers and three Erlang: B = 0.1101 (any table).
    assert erlang.erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert erlang.erlang_b(5, 3.0) == pytest.approx(0.1101, abs=1e-4)
    # One server is an M/M/1 queue: the share that waits is its load, and the wait that of exponential service.
    assert erlang.erlang_c(1, 0.7) == pytest.approx(0.7)
    assert erlang.mean_wait(1, 0.7, 1.0) == pytest.approx(erlang.mean_wait_general(0.7, 1.0, 1.0))
    assert math.isinf(erlang.mean_wait(2, 2.0, 1.0))


def test_the_fewest_servers_keep_the_wait_and_one_less_does_not() -> None:
    servers = erlang.servers_for(3.0, 9.0, 0.05, 0.99)
    assert erlang.wait_quantile(servers, 3.0, 9.0, 0.99) <= 0.05
    assert erlang.wait_quantile(servers - 1, 3.0, 9.0, 0.99) > 0.05


@pytest.mark.parametrize(("count", "load"), [(1, 0.7), (2, 1.5), (4, 3.0)])
def test_cores_are_an_erlang_queue(count: int, load: float) -> None:
    env, rng = simpy.Environment(), random.Random(7)
    cores = Cores(env, count, quantum=None)
    waits, _ = waits_of(env, cores.compute, load, lambda: rng.expovariate(1.0), seed=11)
    assert statistics.fmean(waits) == pytest.approx(erlang.mean_wait(count, load, 1.0), rel=0.12)
    assert sum(wait > 1e-9 for wait in waits) / CUSTOMERS == pytest.approx(erlang.erlang_c(count, load), rel=0.06)
    assert cores.utilisation(env.now) == pytest.approx(load / count, rel=0.03)


def test_a_program_is_a_queue_with_one_server_and_constant_service() -> None:
    env = simpy.Environment()
    program = Program(env, Cores(env, 4, quantum=None))
    waits, _ = waits_of(env, program.compute, 0.8, lambda: 1.0, seed=3)
    assert statistics.fmean(waits) == pytest.approx(erlang.mean_wait_general(0.8, 1.0, 0.0), rel=0.08)
    assert program.utilisation(env.now) == pytest.approx(0.8, rel=0.03)


def test_littles_law_holds() -> None:
    env, rng = simpy.Environment(), random.Random(5)
    cores = Cores(env, 3, quantum=0.5)
    waits, there = waits_of(env, cores.compute, 2.4, lambda: rng.expovariate(1.0), seed=9)
    # The number of customers is the rate at which they come times how long each stays.
    rate = CUSTOMERS / env.now
    stay = statistics.fmean(waits) + 1.0
    assert there == pytest.approx(rate * stay, rel=0.03)


@pytest.mark.parametrize("together", [True, False])
def test_turns_are_shared_by_weight(together: bool) -> None:
    env = simpy.Environment()
    core = Cores(env, 1)
    done = {1.0: 0.0, 0.25: 0.0}

    def busy(weight: float) -> Piece:
        who = Claimant(weight)
        while True:
            # Whether somebody asks for much at once or for little again and again.
            yield from core.compute(1.0 if together else 0.003, who)
            done[weight] += 1.0 if together else 0.003

    for weight in done:
        env.process(busy(weight))
    env.run(100.0)
    assert done[0.25] / done[1.0] == pytest.approx(0.25, rel=0.05)
    assert sum(done.values()) == pytest.approx(100.0, rel=0.02)


def test_who_has_rested_does_not_wait_behind_the_work_of_the_others() -> None:
    env = simpy.Environment()
    core = Cores(env, 1)
    waits = []

    def busy() -> Piece:
        while True:
            yield from core.compute(1.0)

    def now_and_then() -> Piece:
        who = Claimant(1.0)
        for _ in range(50):
            yield env.timeout(0.5)
            began = env.now
            yield from core.compute(0.002, who)
            waits.append(env.now - began)

    for _ in range(4):
        env.process(busy())
    env.process(now_and_then())
    env.run(60.0)
    # At most a turn of each of them.
    assert max(waits) <= 4 * QUANTUM + 0.002 + 1e-9


def test_crowded_cores_do_less() -> None:
    env = simpy.Environment()
    cores = Cores(env, 2, crowding=1.5)

    def work() -> Piece:
        yield from cores.compute(1.0)

    env.process(work())
    env.run()
    assert env.now == pytest.approx(1.0)
    for _ in range(2):
        env.process(work())
    env.run()
    # Both together take half as long again, but for the quanta in which the other one was between two turns.
    assert 2.3 < env.now <= 2.5 + 1e-9


def test_commits_that_notify_queue_for_one_lock_and_others_do_not() -> None:
    def commits(notifies: int) -> int:
        env = simpy.Environment()
        server = Server(env, Cores(env, 64, quantum=None), flush=0.001, commit=0.0)
        done = 0

        def client() -> Piece:
            nonlocal done
            while True:
                yield from server.transact(0.0001, notifies=notifies)
                done += 1

        for _ in range(16):
            env.process(client())
        env.run(1.0)
        return done

    assert commits(1) == pytest.approx(1 / 0.001, rel=0.02)
    assert commits(0) == pytest.approx(16 / 0.0011, rel=0.02)
