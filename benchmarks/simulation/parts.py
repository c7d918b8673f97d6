"""What a simulated installation is made of: cores, single-threaded programs, and the log that commits wait for.

Times are seconds of the simulated clock. A generator is a piece of a simulated process: `yield from` it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

Piece = Generator[simpy.Event, Any, None]

# About what Linux lets a process run before it looks at who else waits, with some waiting.
QUANTUM = 0.004


class Claimant:
    """Somebody who computes beside others, with a weight: one of half the weight of another gets half as much."""

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self.served_until = 0.0


class Cores:
    """Cores that whoever computes shares in turns, and what they have done.

    Turns are taken by start-time fair queueing (Goyal, Vin, Cheng 1996), which is how Linux shares cores in outline:
    who has had less for his weight goes first. Where all cores are busy each does less: `crowding` is how many times
    longer the same work takes then, because caches and memory are shared, too. A `quantum` of None lets everybody
    finish, which costs less to simulate.
    """

    def __init__(
        self, env: simpy.Environment, count: int, *, crowding: float = 1.0, quantum: float | None = QUANTUM
    ) -> None:
        self._env = env
        self._cores = simpy.PriorityResource(env, capacity=count)
        self._crowding = crowding
        self._quantum = quantum
        # The fair clock: how much who computes now had got, for his weight, when his turn was due.
        self._clock = 0.0
        self.count = count
        self.busy_seconds = 0.0

    def compute(self, seconds: float, who: Claimant | None = None) -> Piece:
        """Take `seconds` of an idle machine's core."""
        who = who or Claimant(1.0)
        left = seconds
        while left > 0:
            due = max(self._clock, who.served_until)
            with self._cores.request(priority=due) as turn:  # type: ignore[arg-type]  # any number orders
                yield turn
                self._clock = max(self._clock, due)
                part = left if self._quantum is None else min(left, self._quantum)
                slower = self._crowding if self._cores.count == self.count else 1.0
                yield self._env.timeout(part * slower)
                self.busy_seconds += part * slower
            who.served_until = due + part / who.weight
            left -= part

    def utilisation(self, seconds: float) -> float:
        """Return the share of `seconds` that the cores were busy, on average."""
        return self.busy_seconds / (self.count * seconds) if seconds > 0 else 0.0


class Program:
    """A program that does one thing at a time: a Python process, whose threads share one lock."""

    def __init__(self, env: simpy.Environment, cores: Cores) -> None:
        self._lock = simpy.Resource(env, capacity=1)
        self._cores = cores
        self._env = env
        self.busy_seconds = 0.0

    def compute(self, seconds: float) -> Piece:
        """Compute for so long, when it is its turn; time on a core counts, also that of waiting for one."""
        with self._lock.request() as turn:
            yield turn
            began = self._env.now
            yield from self._cores.compute(seconds)
            self.busy_seconds += self._env.now - began

    def utilisation(self, seconds: float) -> float:
        """Return the share of `seconds` in which it was at work."""
        return self.busy_seconds / seconds if seconds > 0 else 0.0


class Server:
    """The database server: its cores, the log that commits wait for, and the one lock of all that notify.

    PostgreSQL takes that lock when a transaction that notified begins to commit, and gives it back when the log is
    written: `PreCommit_Notify` in src/backend/commands/async.c. It is the whole server's, not a database's.
    """

    def __init__(
        self,
        env: simpy.Environment,
        cores: Cores,
        *,
        flush: float,
        commit: float,
        handing_on: float = 0.0,
        hearing: float = 0.0,
    ) -> None:
        """`flush` is how long the disk takes to write the log; the lock is held for that and `commit`.

        Where it was waited for, `handing_on` comes on top: until who waited has been woken and runs. `hearing` is what
        all who listen cost the server for one notification.
        """
        self._env = env
        self.cores = cores
        self._flush = flush
        self._commit = commit
        self._handing_on = handing_on
        self._hearing = hearing
        self._notifying = simpy.Resource(env, capacity=1)
        self.lock_seconds = 0.0
        self.lock_waits = 0.0
        self.notifications = 0

    def transact(self, cpu: float, *, notifies: int = 0, flushes: bool = True) -> Piece:
        """Carry out `cpu` seconds of statements and commit; `notifies` is how many commits of it notify.

        More than one stand for as many transactions one after the other, whose work is simulated together.
        """
        flush = self._flush if flushes else 0.0
        if not notifies:
            yield from self.cores.compute(cpu)
            if flush:
                yield self._env.timeout(flush)
            return
        for _ in range(notifies):
            yield from self.cores.compute(cpu / notifies + self._hearing)
            asked = self._env.now
            with self._notifying.request() as turn:
                woken = 0.0 if turn.triggered else self._handing_on
                yield turn
                began = self._env.now
                yield self._env.timeout(woken + self._commit + flush)
                self.lock_seconds += self._env.now - began
                self.lock_waits += began - asked
                self.notifications += 1

    def lock_utilisation(self, seconds: float) -> float:
        """Return the share of `seconds` in which somebody held the lock of those that notify."""
        return self.lock_seconds / seconds if seconds > 0 else 0.0
