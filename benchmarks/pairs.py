"""The same with and without something, in turns, in one process: so the machine's moods fall on both."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def in_turns(rounds: int, measure: Callable[[bool], T]) -> list[tuple[T, T]]:
    """Return pairs of what `measure(True)` and `measure(False)` gave, `rounds` of them after one that is thrown away.

    Which of the two comes first changes with each round, and no garbage of the one is cleared up in the other.
    """
    pairs = []
    for number in range(rounds + 1):
        found: dict[bool, T] = {}
        for given in (True, False) if number % 2 else (False, True):
            gc.collect()
            found[given] = measure(given)
        pairs.append((found[True], found[False]))
    return pairs[1:]


def added(pairs: Iterable[tuple[float, float]]) -> float:
    """Return what the first of each pair usually is above the second."""
    return statistics.median(one - other for one, other in pairs)
