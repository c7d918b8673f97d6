"""Jobs that do nothing, at a steady rate in each lane, and what became of them."""

from __future__ import annotations

import random
import threading
import time
from uuid import UUID

from benchmarks.soak.tally import Tally
from greenlight_dagster.bench.ground import Ground
from greenlight_dagster.bench.workload import Sent, outcomes, send
from studio.job_types import Lane
from studio.queue import ENDED

# Two cores start a dozen runs a second. With a Phase 0 now and then, chats and streams this is about a third of what
# they can do: enough that leaks show, and not so much that a neighbour's hour makes a queue.
PER_SECOND: dict[Lane, float] = {"realtime": 1.0, "standard": 1.5, "heavy": 0.1}
LOOK_SECONDS = 1.0
# So many ids in one question. After a stall there may be thousands that have not ended.
PIECE = 200


class Arrivals:
    """Sends jobs until `over`, and tells `tally` of each that has ended."""

    def __init__(self, ground: Ground, tally: Tally, over: threading.Event) -> None:
        self._ground = ground
        self._tally = tally
        self._over = over
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._pending: dict[UUID, tuple[Lane, Sent]] = {}
        for what in ("sent", "completed", "failed", "lost"):
            tally.count(what, 0)

    @property
    def unfinished(self) -> int:
        """How many jobs have not ended yet."""
        with self._lock:
            return len(self._pending)

    def send(self, lane: Lane) -> None:
        """Send jobs of `lane` until it is over, whether or not earlier ones have ended."""
        due = time.monotonic()
        while True:
            # At no fixed phase: what looks by the second would else always be met at the same point.
            due += random.uniform(0.5, 1.5) / PER_SECOND[lane]
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            with self._lock:
                new = self._ground.job(lane)
            job = send(self._ground.db, [new])[0]
            with self._lock:
                self._pending[job.job_id] = (lane, job)
            self._tally.count("sent")

    def collect(self) -> None:
        """Look what has ended, until it is over."""
        while not self._over.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Tell of the jobs that have ended since the last look."""
        # At the end two look at once, and nothing may be told twice.
        with self._looking:
            with self._lock:
                pending = list(self._pending.values())
            for first in range(0, len(pending), PIECE):
                self._look(pending[first : first + PIECE])

    def _look(self, piece: list[tuple[Lane, Sent]]) -> None:
        rows = self._ground.db.fetch_all(
            "select id, status from public.agent_jobs where id = any (%s)", [[job.job_id for _, job in piece]]
        )
        status = {row["id"]: row["status"] for row in rows}
        gone = [(lane, job) for lane, job in piece if status.get(job.job_id, "lost") in {*ENDED, "lost"}]
        done = [(lane, job) for lane, job in gone if status.get(job.job_id) == "completed"]
        for (lane, _), outcome in zip(
            done, outcomes(self._ground.db, [job for _, job in done]) if done else [], strict=True
        ):
            self._tally.waited(lane, outcome.latency(time.time()) * 1000)
        self._tally.count("completed", len(done))
        self._tally.count("lost", sum(job.job_id not in status for _, job in gone))
        # Nobody cancels here: a job that was canceled has failed its sender as well.
        self._tally.count("failed", sum(status.get(job.job_id) in ("failed", "canceled") for _, job in gone))
        with self._lock:
            for _, job in gone:
                del self._pending[job.job_id]
