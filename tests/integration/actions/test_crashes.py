"""Whatever moment an action's process dies at, what was approved happens at most once, and no approval is stuck.

Each attempt runs in a process of its own against the database and real servers, and is killed there. Further
attempts then run to the job's end. The moments are counted below the code (`tests.support.crashing`): around each
statement, commit, read and write. `make test` takes those after which the world looks different, each for one action
at the least, and a sample of the others; `make chaos` takes all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from studio import outbox
from studio.approvals import Approval
from studio.mail import dispatch
from tests.support.actions import ADS, ASKABLE, EFFECTS, HOOK, PHASES, Stage
from tests.support.crashing import Crashes, Kind
from tests.support.size import FULL, SECONDS

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(SECONDS)]

# Of the moments that change nothing `make test` takes one in so many.
SAMPLE = 41
# An answer comes in one read or in two, so that the last moments of one attempt may be beyond the end of another.
LATE = 4


@pytest.fixture(scope="module")
def crashes() -> Iterator[Crashes]:
    with Crashes() as crashes:
        yield crashes


def approved(stage: Stage, action: str) -> Approval:
    company = stage.company(action)
    stage.sign_up(company, "anna@example.org", "ben@example.org")
    return stage.approved(action, company)[1]


def worth_dying_at(moments: Sequence[Kind], turn: int | None = None) -> list[int]:
    """Return the numbers of the moments to be killed at.

    They come in pairs, before and after. Before a commit, a read or a write the world is as it was after the last one.
    Whole attempts begin and end alike, whatever is done in between: of their first two and last two commits each
    action takes one in its `turn`.
    """
    numbered = list(enumerate(moments, start=1))
    if FULL:
        return [number for number, _ in numbered]
    changing = {number for number, kind in numbered if kind != "sql" and number % 2 == 0}
    sampled = {number for number, _ in numbered if number % SAMPLE == 0}
    if turn is None:
        return sorted(changing | sampled)
    commits = [number for number in sorted(changing) if moments[number - 1] == "commit"]
    alike = [*commits[:2], *commits[-2:]]
    return sorted(changing - set(alike) | {alike[turn % len(alike)]} | sampled)


def settle(stage: Stage, approval: Approval) -> None:
    """Run the job to its end, let a person look where nobody knows, and check what stands then."""
    status = stage.run_to_end(approval)
    assert stage.happened(approval) <= 1
    if stage.status(approval) == "unknown":
        assert approval.action_type in EFFECTS
        assert approval.action_type not in ASKABLE
        assert status == "failed"
        entry = stage.effect(approval)
        assert entry.status == "unknown"
        outbox.resolve(stage.db, entry.id, "done" if stage.happened(approval) else "retry", by="founder")
        status = stage.run_to_end(approval)
    assert (status, stage.status(approval)) == ("completed", "completed"), stage.job(approval).last_error
    assert stage.executed(approval)["status"] == "completed"
    assert stage.happened(approval) == 1
    if approval.action_type in EFFECTS:
        assert stage.effect(approval).status == "done"


@pytest.mark.parametrize("action", PHASES)
def test_a_death_at_any_moment_repeats_and_loses_nothing(stage: Stage, crashes: Crashes, action: str) -> None:
    # Whoever schedules mail asks for such a job, unless one waits: so each attempt goes the same way.
    dispatch.send_soon(stage.db)
    whole = approved(stage, action)
    undisturbed = crashes.attempt(stage.order(stage.claimed(whole)), kill_at=None)
    assert undisturbed.status == "completed"
    settle(stage, whole)
    moments = worth_dying_at(undisturbed.moments, turn=list(PHASES).index(action))
    killed = 0
    for moment in moments:
        approval = approved(stage, action)
        killed += crashes.attempt(stage.order(stage.claimed(approval)), kill_at=moment).killed
        settle(stage, approval)
    assert killed >= len(moments) - LATE


@pytest.mark.parametrize("action", EFFECTS if FULL else [ADS, HOOK])
def test_a_second_death_while_finding_out_repeats_and_loses_nothing(
    stage: Stage, crashes: Crashes, action: str
) -> None:
    def half_done() -> Approval:
        """An approval whose request has arrived, but whose answer was never read."""
        approval = approved(stage, action)
        assert crashes.attempt(stage.order(stage.claimed(approval)), kill_at=answered).killed
        assert stage.happened(approval) == 1
        assert stage.effect(approval).status == "sending"
        stage.lose(stage.job(approval).id)
        return approval

    rehearsed = crashes.attempt(stage.order(stage.claimed(approved(stage, action))), kill_at=None)
    answered = max(number for number, kind in enumerate(rehearsed.moments, start=1) if kind == "http")
    second = crashes.attempt(stage.order(stage.claimed(half_done())), kill_at=None)
    assert second.status == ("completed" if action in ASKABLE else "failed")
    moments = worth_dying_at(second.moments)
    killed = 0
    for moment in moments:
        approval = half_done()
        killed += crashes.attempt(stage.order(stage.claimed(approval)), kill_at=moment).killed
        settle(stage, approval)
    assert killed >= len(moments) - LATE
