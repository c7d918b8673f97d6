"""What event streams cost a web process, by what they do: a fit by least squares over the crowds that were measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.simulation.measured import Measured
from benchmarks.simulation.validate import Compared

_CAUSES = ("streams", "frames_per_second", "reads_per_second", "heard_per_second")


@dataclass(frozen=True)
class StreamCosts:
    """Seconds of one web process: per open stream and second, per frame sent, per event read, per event heard of."""

    stream: float
    frame: float
    read: float
    heard: float

    def share(self, crowd: Mapping[str, float]) -> float:
        """Return which share of a core a crowd takes."""
        return sum(cost * crowd[cause] for cost, cause in zip(self, _CAUSES, strict=True))

    def __iter__(self) -> Iterator[float]:
        """Yield the costs in the order of the causes."""
        return iter((self.stream, self.frame, self.read, self.heard))


def fitted(measured: Measured) -> StreamCosts:
    """Return the costs of which as many crowds were measured as there are causes."""
    crowds = list(measured.streams["fitted"].values())
    rows = [[crowd[cause] for cause in _CAUSES] for crowd in crowds]
    return StreamCosts(*(max(0.0, cost) for cost in _solved(rows, [crowd["cpu_share"] for crowd in crowds])))


def compare(measured: Measured) -> Iterator[Compared]:
    """Yield the CPU of crowds that the fit has not seen."""
    costs = fitted(measured)
    for name, crowd in measured.streams["checked"].items():
        yield Compared(name, "% of a core", 100 * crowd["cpu_share"], 100 * costs.share(crowd))


def _solved(rows: list[list[float]], wanted: list[float]) -> list[float]:
    """Return the solution of as many linear equations as there are unknowns (Gauss)."""
    system = [[*row, value] for row, value in zip(rows, wanted, strict=True)]
    size = len(system)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(system[row][column]))
        system[column], system[pivot] = system[pivot], system[column]
        for row in range(size):
            if row != column:
                factor = system[row][column] / system[column][column]
                system[row] = [one - factor * other for one, other in zip(system[row], system[column], strict=True)]
    return [system[row][size] / system[row][row] for row in range(size)]
