"""What is measured, on a stack that somebody else has started."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple

from greenlight_dagster.bench.ground import Ground
from greenlight_dagster.bench.workload import Sent, outcomes, send, unfinished, wait
from studio.errors import StackError
from studio.job_types import Lane

# Two to four jobs a second, at no fixed phase: what polls by the second would else always be met at the same point.
PAUSE_SECONDS = (0.25, 0.5)
# So many chats a second are a busy studio's; each is a job of its own.
CHATS_PER_SECOND = 10.0
# The first job loads what later ones share.
WARM_UP_SECONDS = 90.0


class Latencies(NamedTuple):
    """Seconds from commit to op. Of a job that has not begun it is how long it had waited when we stopped looking."""

    seconds: list[float]
    not_begun: int


class Burst(NamedTuple):
    """How many of `sent` jobs were completed within `seconds`: from the commit to the last completion, or the limit."""

    sent: int
    completed: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Runs a second."""
        return self.completed / self.seconds if self.seconds > 0 else 0.0


def warm_up(ground: Ground, lane: Lane) -> None:
    """Let one job through. Raise `StackError` where none comes through."""
    sent = send(ground.db, [ground.job(lane)])
    if not wait(ground.db, sent, WARM_UP_SECONDS):
        raise StackError(
            f"Nobody has run a job of the {lane} lane for {WARM_UP_SECONDS:.0f} s.",
            "See `greenlight doctor`: does the daemon run, and is the lane free?",
        )
    outcomes(ground.db, sent)


def latency(ground: Ground, lane: Lane, *, jobs: int, seconds: float, patience: float = 60.0) -> Latencies:
    """Measure one job after the other on an idle stack: up to `jobs`, for `seconds` at most.

    The next one is sent two to four times a second, but never before the last has ended: a slow stack is
    measured idle as well, only less often.
    """
    sent: list[Sent] = []
    deadline = time.monotonic() + seconds
    while len(sent) < jobs and time.monotonic() < deadline:
        pause = time.monotonic() + random.uniform(*PAUSE_SECONDS)  # noqa: S311 - jitter, not a secret
        job = send(ground.db, [ground.job(lane)])
        sent += job
        if not wait(ground.db, job, patience):
            break
        _sleep_until(pause)
    return _latencies(ground, sent)


def chats(ground: Ground, *, seconds: float, per_second: float = CHATS_PER_SECOND, patience: float = 30.0) -> Latencies:
    """Measure realtime jobs that come `per_second` times a second, whether or not earlier ones have ended."""
    began = time.monotonic()
    sent = _arrivals(ground, per_second, lambda: time.monotonic() < began + seconds)
    wait(ground.db, sent, patience)
    return _latencies(ground, sent)


def burst(ground: Ground, lane: Lane, *, jobs: int, seconds: float) -> Burst:
    """Measure how fast jobs are done that were enqueued in one transaction; look for `seconds` at most."""
    sent = send(ground.db, [ground.job(lane) for _ in range(jobs)])
    wait(ground.db, sent, seconds)
    limit = sent[0].at + seconds
    ends = [
        outcome.ended_at
        for outcome in outcomes(ground.db, sent)
        if outcome.status == "completed" and outcome.ended_at is not None and outcome.ended_at <= limit
    ]
    took = max(ends) - sent[0].at if len(ends) == jobs else seconds
    return Burst(jobs, len(ends), took)


def chats_during_burst(
    ground: Ground, lane: Lane, *, jobs: int, per_second: float, seconds: float, patience: float = 30.0
) -> Latencies:
    """Measure realtime jobs while `jobs` jobs of `lane` are worked off, for `seconds` at most."""
    behind = send(ground.db, [ground.job(lane) for _ in range(jobs)])
    deadline = time.monotonic() + seconds
    sent = _arrivals(ground, per_second, lambda: time.monotonic() < deadline and unfinished(ground.db, behind) > 0)
    wait(ground.db, sent, patience)
    return _latencies(ground, sent)


def _arrivals(ground: Ground, per_second: float, goes_on: Callable[[], bool]) -> list[Sent]:
    sent: list[Sent] = []
    due = time.monotonic()
    while goes_on():
        # Jobs come when they come: between half and one and a half of the mean distance.
        due += random.uniform(0.5, 1.5) / per_second  # noqa: S311 - jitter, not a secret
        _sleep_until(due)
        sent += send(ground.db, [ground.job("realtime")])
    return sent


def _latencies(ground: Ground, sent: list[Sent]) -> Latencies:
    now = time.time()
    found = outcomes(ground.db, sent)
    return Latencies([outcome.latency(now) for outcome in found], sum(outcome.began_at is None for outcome in found))


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
