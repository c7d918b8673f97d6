"""What was measured, as the simulation reads it: `measured.json` beside this file, or another of the same form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import InvalidInput

FILE = Path(__file__).parent / "measured.json"
PUBLISHED = Path(__file__).parent / "published.json"
NOOP = "queue-standard"
# Beyond so many cores for others, waits say more of them than of the stack.
DISTURBED = 0.5
# Who computes for a run, by the names of `benchmarks.processes`; the rest of the stack does not.
DATABASE, WORKERS, DAEMON, CODE_SERVER = "postgres", "runs", "daemon", "code-server"


@dataclass(frozen=True)
class Round:
    """One round on one stack: what is fitted to it, and what is checked against it (milliseconds, cores)."""

    fit: Mapping[str, Any]
    check: Mapping[str, Mapping[str, float]]

    @property
    def others(self) -> float:
        """How many cores other programs took while it was measured what is fitted to, at most."""
        return max(float(self.fit[what]["others"]) for what in ("alone", "burst", "stages"))

    def cpu_ms(self, part: str, where: str = "alone") -> float:
        """Return a part's CPU milliseconds per run, one by one (`alone`) or in a `burst`."""
        return float(self.fit[where]["cpu_ms"][part])

    @property
    def crowding(self) -> float:
        """How many times more CPU a run takes where all cores are busy."""
        parts = (DATABASE, WORKERS, DAEMON, CODE_SERVER)
        alone, burst = (sum(self.cpu_ms(part, where) for part in parts) for where in ("alone", "burst"))
        return max(1.0, burst / alone)


@dataclass(frozen=True)
class Measured:
    """The whole record."""

    machine: Mapping[str, Any]
    database: Mapping[str, Any]
    rounds: tuple[Round, ...]
    kinds: Mapping[str, Mapping[str, float]]
    row_bytes: Mapping[str, float]
    streams: Mapping[str, Mapping[str, Mapping[str, float]]]
    broker: Mapping[str, float] | None
    upkeep: Mapping[str, Mapping[str, float]]

    def operation(self, name: str, what: str = "cpu_us") -> float:
        """Return what an operation of the database costs: `cpu_us`, `wal_bytes` or `ms`."""
        return float(self.database["operations"][name][what])

    def base(self) -> Round:
        """Return the round that other programs disturbed least; where they did in each, the published figures."""
        steadiest = min(self.rounds, key=lambda one: one.others)
        return steadiest if steadiest.others <= DISTURBED else published()


def published() -> Round:
    """Return the figures of docs/performance.md, as a round."""
    found = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    return Round(found["fit"], found["check"])


def load(path: Path = FILE) -> Measured:
    """Read a record; raise `InvalidInput` where it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rounds = tuple(Round(one["fit"], one["check"]) for one in found["rounds"])
        names = ("machine", "database", "kinds", "row_bytes", "streams", "broker", "upkeep")
        return Measured(rounds=rounds, **{name: found[name] for name in names})
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InvalidInput(
            f"{path} is no record of measurements: {exc!r}.", "Make one: python -m benchmarks.simulation measure"
        ) from exc
