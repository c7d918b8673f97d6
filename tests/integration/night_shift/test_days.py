"""A night's day is that of its schedule, whatever the clock says."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.support.night import Nights, project
from tests.support.queue import enqueue


@pytest.mark.parametrize(
    ("payload", "key", "expected"),
    [
        ({"day": "2026-03-01"}, "nightshift:{p}:2026-03-07", "2026-03-01"),
        ({}, "nightshift:{p}:2026-03-29", "2026-03-29"),
        # ISO week 53 of 2026 reaches into 2027; a night is a day, and knows no week.
        ({}, "nightshift:{p}:2027-01-01", "2027-01-01"),
        ({}, "nightshift:{p}:2026-13-45", None),
        ({}, "recur:17", None),
    ],
)
def test_the_day_is_that_of_the_schedule(
    nights: Nights, payload: dict[str, Any], key: str, expected: str | None
) -> None:
    made = project(nights.db)
    job_id = enqueue(
        nights.db,
        made,
        key.format(p=made),
        {"projectId": str(made), **payload},
        job_type="nightshift.cycle_project",
    )
    claim = nights.claimed(job_id)
    wanted = claim.job.created_at.date() if expected is None else date.fromisoformat(expected)
    assert nights.night(claim).day == wanted
