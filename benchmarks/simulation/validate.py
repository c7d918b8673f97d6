"""The error of the simulation: what it predicts for loads that it has not seen, beside what the stack did with them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.simulation import fitting, loads
from benchmarks.simulation.measured import DISTURBED, Measured, Round
from benchmarks.simulation.service import RunCosts


class Compared(NamedTuple):
    """A figure as it was measured and as it was simulated; `fitted` ones say how good the fit is, and no more."""

    what: str
    unit: str
    measured: float
    simulated: float
    fitted: bool = False
    others: float = 0.0

    @property
    def error(self) -> float:
        """Return by how many percent the simulation is off."""
        return 100.0 * (self.simulated / self.measured - 1.0)


class Checked(NamedTuple):
    """A figure over several rounds: medians, the errors' median and range in percent, and how much the machine varied.

    `others` is how many cores other programs took meanwhile, `noise` half the range of what was measured, in percent of
    its median.
    """

    what: str
    unit: str
    measured: float
    simulated: float
    error: float
    errors: tuple[float, float]
    noise: float
    others: float
    fitted: bool


def compare(measured: Measured, one: Round) -> Iterator[Compared]:
    """Yield every figure of one round."""
    cores = int(measured.machine["cpus"])
    costs = fitting.fitted(measured, one)
    alone, crowd = one.fit["alone"], one.fit["burst"]
    found = loads.latency(costs, cores, alone["others"], jobs=alone["jobs"])
    yield Compared("one by one, p50", "ms", alone["latency_ms"]["50"], found["p50"], True, alone["others"])
    if "95" in alone["latency_ms"]:
        yield Compared("one by one, p95", "ms", alone["latency_ms"]["95"], found["p95"], False, alone["others"])
    rate = loads.burst(costs, cores, crowd["others"], jobs=crowd["jobs"])
    yield Compared(f"burst of {crowd['jobs']}", "runs/s", crowd["per_second"], rate, False, crowd["others"])
    for name, values in one.check.items():
        yield from _check(costs, cores, name, values)


def _check(costs: RunCosts, cores: int, name: str, values: Mapping[str, float]) -> Iterator[Compared]:
    if "per_second" in values:
        rate = loads.burst(costs, cores, values["others"], jobs=int(values["jobs"]))
        yield Compared(name, "runs/s", values["per_second"], rate, False, values["others"])
        return
    rate = float(name.split("/s")[0].split()[-1])
    behind = 900 if "burst" in name else 0
    found = loads.chats(costs, cores, values["others"], per_second=rate, seconds=values["n"] / rate, behind=behind)
    for quantile in ("p50", "p95"):
        if quantile not in values:
            continue
        yield Compared(f"{name}, {quantile}", "ms", values[quantile], found[quantile], False, values["others"])


def writers(measured: Measured) -> Iterator[Compared]:
    """Yield the rates of concurrent writers: fitted to one, and to eight that are heard or not, each on its own."""
    cores, cost, lock = int(measured.machine["cpus"]), fitting.writing(measured), fitting.lock(measured)
    for way, heard, together in (("apart", True, False), ("unheard", False, False), ("together", True, True)):
        for count, rates in measured.database["writers"].items():
            simulated = loads.appends(lock, cores, cost, writers=int(count), heard=heard, together=together)
            is_fitted = count in ("1", "8") and not together
            yield Compared(f"{count} writers, {way}", "appends/s", rates[way], simulated, fitted=is_fitted)


def over_rounds(measured: Measured) -> list[Checked]:
    """Return every figure over all rounds but those whose fit others disturbed; over all where they did in each."""
    steady = [one for one in measured.rounds if one.others <= DISTURBED]
    rounds = [list(compare(measured, one)) for one in steady or measured.rounds]
    return [_checked(list(same)) for same in zip(*rounds, strict=True)]


def _checked(same: list[Compared]) -> Checked:
    errors = [one.error for one in same]
    seen = [one.measured for one in same]
    middle = statistics.median(seen)
    return Checked(
        same[0].what,
        same[0].unit,
        middle,
        statistics.median(one.simulated for one in same),
        statistics.median(errors),
        (min(errors), max(errors)),
        100.0 * (max(seen) - min(seen)) / 2 / middle,
        statistics.median(one.others for one in same),
        same[0].fitted,
    )


def typical_error(checked: list[Checked]) -> float:
    """Return the median of the errors' sizes in percent, of what was not fitted."""
    return statistics.median(abs(one.error) for one in checked if not one.fitted)
