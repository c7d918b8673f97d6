"""Percentiles of what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Summary(NamedTuple):
    """How many values there are, and where they lie; NaN where there are none."""

    n: int
    p50: float
    p95: float
    p99: float
    worst: float


def percentile(values: Sequence[float], q: float) -> float:
    """Return the `q`-th percentile (0 to 100), interpolated between neighbours; NaN where there are no values."""
    if not values:
        return math.nan
    ordered = sorted(values)
    position = (len(ordered) - 1) * q / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def summarise(values: Sequence[float]) -> Summary:
    """Return the percentiles that are reported."""
    return Summary(
        len(values),
        percentile(values, 50),
        percentile(values, 95),
        percentile(values, 99),
        max(values, default=math.nan),
    )


def ratio(slow: float, fast: float) -> float:
    """Return how many times `fast` fits into `slow`; NaN where one of them was not measured or is nothing."""
    if math.isnan(slow) or math.isnan(fast) or fast <= 0:
        return math.nan
    return slow / fast
