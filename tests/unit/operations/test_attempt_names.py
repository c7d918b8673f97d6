"""Attempts at a job are told apart by their names, although an interruption burns none."""

from __future__ import annotations

import pytest

from studio.operations.attempt_names import attempt_names
from studio.operations.trace import Trace
from tests.support.traces import tree_of


def attempts(*told: tuple[int, str | None]) -> list[Trace]:
    """Return the traces of a job's claims, each with its attempt and with what became of the job."""
    return [
        tree_of([], attempt=attempt, claim_no=claim, outcome=outcome, end_ms=1).trace
        for claim, (attempt, outcome) in enumerate(told, start=1)
    ]


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ([(1, "queued"), (2, "completed")], ["attempt 1", "attempt 2"]),
        ([(1, None), (1, "completed")], ["attempt 1, interrupted", "attempt 1, taken up again"]),
        (
            [(1, None), (1, "queued"), (1, None), (1, "queued"), (2, "completed")],
            [
                "attempt 1, interrupted",
                "attempt 1, interrupted again",
                "attempt 1, interrupted 3 times",
                "attempt 1, taken up again",
                "attempt 2",
            ],
        ),
        ([(1, "failed"), (1, "completed")], ["attempt 1 (claim 1)", "attempt 1 (claim 2)"]),
        ([(1, "completed")], ["attempt 1"]),
        ([], []),
    ],
    ids=["one after the other", "interrupted", "again and again", "begun anew", "one", "none"],
)
def test_no_two_attempts_have_the_same_name(told: list[tuple[int, str | None]], names: list[str]) -> None:
    assert attempt_names(attempts(*told)) == names
