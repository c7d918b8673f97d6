"""How much a series grows over time, and how much of that its own scatter would explain.

Two estimates, neither of which a few outliers move: the slope of Theil and Sen (the median of the slopes between all
pairs of points; Sen 1968, JASA 63:1379) for what creeps, and the difference between the medians of the last and the
first third for what steps. The larger one counts. Both come after a warm-up, in which caches fill and pools open.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

Point = tuple[float, float]

# Caches, pools and lazily loaded modules are there after this share of the run.
WARM_UP = 1 / 6
# Fewer cannot be told from chance: three in each third.
LEAST_POINTS = 9
# Pairs grow with the square. Of more points medians of neighbours are taken, which loses next to nothing.
MOST_POINTS = 120
# What chance exceeds once in several hundred times: there are as many series.
SIGMAS = 3.0
# Of a normal distribution: from the median of absolute values to the standard deviation, and from the standard error
# of a mean to that of a median.
_FROM_MAD = 1.4826
_OF_MEDIAN = 1.2533


class Trend(NamedTuple):
    """Medians of the first and the last third, the growth over the time between warm-up and end, and its noise.

    All in the series' unit. Growth up to `noise` may be chance.
    """

    first: float
    last: float
    growth: float
    noise: float

    @property
    def percent(self) -> float:
        """The growth by what there was first; infinite where there was nothing."""
        if self.growth == 0:
            return 0.0
        return 100 * self.growth / self.first if self.first > 0 else math.copysign(math.inf, self.growth)


def trend(points: Sequence[Point]) -> Trend | None:
    """Return how a series of (seconds, value) grows; None where it is too short to say."""
    body = settled(points)
    if len(body) < LEAST_POINTS:
        return None
    first, _, last = (third or body for third in thirds(body))
    before, after = (statistics.median(value for _, value in third) for third in (first, last))
    crept = slope(body) * (body[-1][0] - body[0][0])
    error = _OF_MEDIAN * scatter([value for _, value in body]) / math.sqrt(len(body) / 3)
    return Trend(before, after, max(crept, after - before), SIGMAS * math.sqrt(2) * error)


def settled(points: Sequence[Point]) -> list[Point]:
    """Return what comes after the warm-up."""
    if not points:
        return []
    began, ended = points[0][0], points[-1][0]
    return [point for point in points if point[0] >= began + (ended - began) * WARM_UP]


def thirds(points: Sequence[Point]) -> tuple[list[Point], list[Point], list[Point]]:
    """Return the points of three parts of the same duration."""
    found: tuple[list[Point], list[Point], list[Point]] = ([], [], [])
    if points:
        began, lasted = points[0][0], points[-1][0] - points[0][0]
        for point in points:
            found[min(2, int(3 * (point[0] - began) / lasted)) if lasted > 0 else 0].append(point)
    return found


def slope(points: Sequence[Point]) -> float:
    """Return the slope of Theil and Sen, in units a second; 0 where all points have one time."""
    few = _thinned(points)
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for index, earlier in enumerate(few)
        for later in few[index + 1 :]
        if later[0] > earlier[0]
    ]
    return statistics.median(slopes) if slopes else 0.0


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    size = math.ceil(len(points) / MOST_POINTS)
    if size <= 1:
        return points
    blocks = (points[first : first + size] for first in range(0, len(points), size))
    return [(statistics.median(at for at, _ in block), statistics.median(v for _, v in block)) for block in blocks]


def scatter(values: Sequence[float]) -> float:
    """Return the standard deviation of a series around whatever trend or steps it has: that of its differences."""
    if len(values) < 2:
        return 0.0
    return _FROM_MAD * statistics.median(abs(b - a) for a, b in pairwise(values)) / math.sqrt(2)
