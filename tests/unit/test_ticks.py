"""The last tick of a sensor says whether jobs are picked up, and what is wrong where they are not."""

from __future__ import annotations

from typing import Any

import pytest

from greenlight_dagster.stack.ticks import SILENCE_SECONDS, judged

SKIPPED = {"job_name": "pickup_heavy", "skip_reason": "No job is due.", "error": None}
ERROR = {"message": "DagsterExecutionError: user code", "cause": {"message": "ValueError: what\n  it was\n"}}


@pytest.mark.parametrize(
    ("status", "body", "age", "trouble"),
    [
        ("SKIPPED", SKIPPED, 2.0, None),
        ("SUCCESS", {**SKIPPED, "skip_reason": None}, 2.0, None),
        ("STARTED", {**SKIPPED, "skip_reason": None}, 2.0, None),
        (
            "SKIPPED",
            SKIPPED,
            SILENCE_SECONDS + 1.0,
            "has not ticked for 91 s: is the daemon running, and the sensor turned on?",
        ),
        ("FAILURE", {**SKIPPED, "error": ERROR}, 1.0, "fails: ValueError: what it was"),
        ("FAILURE", {**SKIPPED, "error": {"message": "Timed out\n"}}, 1.0, "fails: Timed out"),
        ("FAILURE", SKIPPED, 1.0, "fails: without a message"),
        (
            "SKIPPED",
            {**SKIPPED, "skip_reason": "The queue cannot be read: it is away"},
            1.0,
            "The queue cannot be read: it is away",
        ),
    ],
)
def test_a_tick_is_judged(status: str, body: dict[str, Any], age: float, trouble: str | None) -> None:
    assert judged(status, body, age) == ("pickup_heavy", age, trouble)
