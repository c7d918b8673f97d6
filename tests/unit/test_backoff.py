"""The pauses between failing attempts: they double up to a limit, differ from each other, and begin anew."""

from __future__ import annotations

import pytest

from studio.backoff import Backoff


def test_each_pause_is_up_to_twice_as_long_as_the_last_until_the_limit() -> None:
    backoff = Backoff(0.2, 30.0)
    pauses = [backoff.pause() for _ in range(2000)]
    for number, longest in enumerate([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, *[30.0] * 1992]):
        assert longest / 2 <= pauses[number] <= longest


def test_those_that_failed_together_do_not_try_together() -> None:
    assert len({Backoff(1.0, 8.0).pause() for _ in range(20)}) > 1


def test_after_a_success_it_begins_with_the_first_pause() -> None:
    backoff = Backoff(1.0, 64.0)
    for _ in range(6):
        backoff.pause()
    backoff.reset()
    assert backoff.pause() == pytest.approx(0.75, abs=0.25)
