"""A night that dies at any moment leaves nothing half done and repeats nothing when it goes on."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from studio import queue
from studio.claims import Json
from studio.errors import LeaseLost
from studio.night_shift.cycle import list_failure
from tests.integration.night_shift.traces import counts, eventful
from tests.support.night import STEPS, Nights, rows, run_steps


def test_an_attempt_after_each_step_repeats_none(nights: Nights) -> None:
    made = eventful(nights.db)
    undisturbed = eventful(nights.db)
    nights.run(undisturbed)
    claim = nights.claimed(nights.queued(made))
    for name, _, _ in STEPS[1:]:
        run_steps(nights.night(claim), until=name)
        claim = nights.reclaimed(claim)
    run_steps(nights.night(claim))
    claim.complete()
    assert counts(nights.db, made) == counts(nights.db, undisturbed)


class Killed(BaseException):
    """Stands for `kill -9`: nothing catches it."""


class Breaking:
    """A connection that dies after so many statements."""

    def __init__(self, conn: Any, statements: int) -> None:
        self._conn = conn
        self.left = statements

    def execute(self, *arguments: Any, **options: Any) -> Any:
        if self.left == 0:
            raise Killed
        self.left -= 1
        return self._conn.execute(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)


@pytest.mark.parametrize("broken", [name for name, _, transactional in STEPS if transactional])
def test_a_death_between_any_two_statements_leaves_nothing_half_done(nights: Nights, broken: str) -> None:
    made, undisturbed = eventful(nights.db), eventful(nights.db)
    nights.run(undisturbed)
    claim = nights.claimed(nights.queued(made))
    night = nights.night(claim)
    outputs = run_steps(night, until=broken)
    needs = next(needs for name, needs, _ in STEPS if name == broken)
    before = counts(nights.db, made)
    statements = 0
    while True:
        breaking: list[Breaking] = []

        def dying(conn: Any, after: int = statements, made: list[Breaking] = breaking) -> Json:
            made.append(Breaking(conn, after))
            result: Json = getattr(night, broken)(made[0], *[outputs[need] for need in needs])
            if made[0].left == 0:
                raise Killed  # between the last statement and the checkpoint
            return result

        try:
            claim.once_in_transaction(broken, dying)
        except Killed:
            assert counts(nights.db, made) == before
            statements += 1
        else:
            break
    assert statements > 2, "nothing was interrupted"
    run_steps(night)
    claim.complete()
    assert counts(nights.db, made) == counts(nights.db, undisturbed)


def test_a_worker_that_was_overtaken_changes_nothing(nights: Nights) -> None:
    made = eventful(nights.db)
    stale = nights.claimed(nights.queued(made))
    zombie = nights.night(stale)
    seen = run_steps(zombie, until="propose")["look"]
    claim = nights.reclaimed(stale)
    outputs = run_steps(nights.night(claim))
    claim.complete()
    before = counts(nights.db, made)
    for name, inputs in (("propose", [seen]), ("report", [seen, outputs["propose"]])):
        with pytest.raises(LeaseLost), stale.transaction() as conn:
            getattr(zombie, name)(conn, *inputs)
    assert counts(nights.db, made) == before


def test_a_failure_for_good_is_listed_and_forgotten_once_it_is_made_good(nights: Nights) -> None:
    made = eventful(nights.db)
    claim = nights.claimed(nights.queued(made))
    claim.fail(
        "It broke.",
        permanent=True,
        retry_base=timedelta(0),
        also=lambda conn, _status: list_failure(conn, made, claim.job_id, "It broke."),
    )
    failed = [row for row in rows(nights.db, "tasks", made) if row["description"] == "nightshift_failed"]
    assert [(row["status"], row["detail"]) for row in failed] == [("failed", "It broke.")]
    queue.retry(nights.db, claim.job_id)
    run_steps(nights.night(nights.claimed(claim.job_id)))
    assert Counter(row["description"] for row in rows(nights.db, "tasks", made)) == {"nightshift_summary": 1}
