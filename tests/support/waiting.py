"""Waiting for something to become true, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Generous, because it costs nothing while things go well, and the machine may be busy.
DEFAULT_TIMEOUT_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.1


def eventually(probe: Callable[[], T], timeout: float = DEFAULT_TIMEOUT_SECONDS, what: str = "the condition") -> T:
    """Return the first truthy answer of `probe`; fail the test after `timeout` seconds.

    The probe may raise AssertionError, which counts as "not yet" and is shown if it stays so.
    """
    deadline = time.monotonic() + timeout
    pause = FIRST_PAUSE_SECONDS
    while True:
        reason: object
        try:
            answer = probe()
            if answer:
                return answer
            reason = f"the last answer was {answer!r}"
        except AssertionError as exc:
            reason = exc
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s: {reason}")
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
