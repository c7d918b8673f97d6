"""What a stack costs that has nothing to do: CPU of all its processes, and statements on its databases."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from benchmarks import goals, processes
from benchmarks.bed import Bed, Way
from benchmarks.figures import Figure
from benchmarks.size import Size

PROFILES: tuple[Way, ...] = ("ours", "stock")
# Connections that were opened for the first jobs are closed, and what was loaded late is loaded.
SETTLE_SECONDS = Size(20, 5)
# CPU time comes in hundredths of a second per process: over 40 s ten processes are off by a quarter percent at most.
CPU_SECONDS = Size(40, 10)
# Some things look once in 30 s; two such rounds.
STATEMENT_SECONDS = Size(60, 10)
# Which statements those are, for whoever wants fewer: the most frequent ones.
SHOWN = 8


def measure(bed: Bed) -> dict[str, float]:
    """Return percents of a core and statements per second, in all and by part or kind."""
    time.sleep(SETTLE_SECONDS.of(bed.quick))
    values = {f"cpu.{part}": percent for part, percent in _cpu(bed, CPU_SECONDS.of(bed.quick)).items()}
    # Apart from the CPU, because writing each statement into a log costs some.
    seconds = STATEMENT_SECONDS.of(bed.quick)
    with bed.server.statements(*bed.databases) as counted:
        time.sleep(seconds)
    for text, count in counted.texts.most_common(SHOWN):
        bed.say(f"  {count / seconds:5.1f}/s  {text}")
    for kind, count in counted.kinds.items():
        values[f"statements.{kind}"] = count / seconds
    values["cpu"] = sum(value for name, value in values.items() if name.startswith("cpu."))
    values["statements"] = counted.kinds.total() / seconds
    return values


def _cpu(bed: Bed, seconds: float) -> dict[str, float]:
    before = _seconds_by_part(bed)
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    after = _seconds_by_part(bed)
    return {part: 100 * (after[part] - before.get(part, 0.0)) / passed for part in after}


def _seconds_by_part(bed: Bed) -> dict[str, float]:
    found = processes.by_part(bed.stack, bed.server.pid)
    return {part: processes.cpu_seconds(members) for part, members in found.items()}


def figures(ours: Mapping[str, float], stock: Mapping[str, float]) -> Iterator[Figure]:
    """Yield CPU and statements side by side, then their parts."""
    yield Figure("idle", "CPU, all processes", "% of a core", ours["cpu"], stock["cpu"], goals.IDLE_CPU_PERCENT)
    for name in sorted({*ours, *stock}):
        if name.startswith("cpu."):
            part = name.removeprefix("cpu.")
            yield Figure("idle", f"CPU of {part}", "% of a core", ours.get(name, 0.0), stock.get(name, 0.0))
    yield Figure("idle", "statements", "/s", ours["statements"], stock["statements"], goals.IDLE_STATEMENTS_PER_SECOND)
    for kind, meaning in (("work", "that ask or change"), ("control", "BEGIN, COMMIT…"), ("ping", "select 1")):
        name = f"statements.{kind}"
        yield Figure("idle", f"statements {meaning}", "/s", ours.get(name, 0.0), stock.get(name, 0.0))
