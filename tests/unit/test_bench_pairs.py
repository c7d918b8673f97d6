"""A comparison with and without something takes turns, so that what changes meanwhile falls on both."""

from __future__ import annotations

from benchmarks.pairs import added, in_turns


def test_who_comes_first_changes_and_the_first_round_does_not_count() -> None:
    asked: list[bool] = []

    def measure(given: bool) -> int:
        asked.append(given)
        return len(asked)

    assert in_turns(3, measure) == [(3, 4), (6, 5), (7, 8)]
    assert asked == [False, True, True, False, False, True, True, False]


def test_what_is_added_is_the_usual_difference_of_a_pair() -> None:
    assert added([(11.0, 10.0), (22.0, 20.0), (1_000.0, 30.0)]) == 2.0
