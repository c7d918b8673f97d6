"""Measures what the simulation is fed with, and what it is checked against, and writes both down.

What a run of the stack is fitted to and what it is checked against come from the same stack, minutes apart: on a
machine with neighbours only such figures compare. Several such rounds tell how much the machine itself varies.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.bed import running
from benchmarks.server import Server
from benchmarks.simulation import (
    measuring_broker,
    measuring_database,
    measuring_stack,
    measuring_streams,
    measuring_upkeep,
)
from benchmarks.simulation.quiet import Quiet

ROUNDS = 3
PARTS = ("database", "stack", "streams", "broker", "upkeep")


def measure(
    record: Path, *, quick: bool, rounds: int, patience: float, only: Collection[str], say: Callable[[str], None]
) -> None:
    """Measure the parts in `only`, and write each into `record` as soon as it is there; other parts of it stay.

    Waits `patience` seconds for each quiet moment.
    """
    quiet = Quiet(patience, say)
    found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    with tempfile.TemporaryDirectory(prefix="greenlight-sim-") as folder, Server(Path(folder)) as server:
        found |= {"machine": machine.facts(server.version()), "quick": quick}
        if "database" in only:
            say("the database …")
            with server.studio("sim_database") as db:
                found["database"] = measuring_database.measure(db, quiet, quick)
            write(record, found)
        if "stack" in only:
            found["rounds"] = []
            for number in range(1, rounds + 1):
                say(f"the stack, round {number} of {rounds} …")
                found["rounds"].append(_round(server, quick, quiet, say, found))
                write(record, found)
        if "streams" in only:
            say("event streams …")
            with server.studio("sim_streams") as db:
                found["streams"] = measuring_streams.measure(db, quick)
            write(record, found)
        if "broker" in only:
            say("the broker …")
            # Where none can be measured an earlier figure stands.
            found["broker"] = measuring_broker.measure(quick) or found.get("broker")
            write(record, found)
        if "upkeep" in only:
            say("the upkeep …")
            with server.studio("sim_upkeep") as db:
                found["upkeep"] = measuring_upkeep.measure(server, db, quiet, quick)
            write(record, found)


def _round(
    server: Server, quick: bool, quiet: Quiet, say: Callable[[str], None], found: dict[str, Any]
) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="greenlight-sim-stack-") as folder,
        running("ours", server, Path(folder), quick=quick, say=say) as bed,
    ):
        one: dict[str, Any] = {"load_before": machine.facts("")["load_before"]}
        one["fit"] = measuring_stack.measure(bed, quiet)
        idle = one["fit"]["idle"]["cpu_share"]
        one["check"] = measuring_stack.check(bed, quiet, idle)
        if not found["rounds"]:
            say("  kinds of work …")
            found["kinds"] = measuring_stack.kinds(bed, idle)
            found["row_bytes"] = measuring_stack.row_bytes(bed)
    return one


def write(path: Path, found: dict[str, Any]) -> None:
    """Write the record, rounded to what the figures are worth."""
    path.write_text(json.dumps(_rounded(found), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value
