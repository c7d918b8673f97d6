"""The audit of a fleet reports every kind of breach: each is put into a history that is whole, and must be found."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from tests.support.fleet_audit import audit
from tests.support.fleet_history import Calls, Due, Effect, EventSeen, Held, History, JobSeen, RunSeen, Sample

PROJECT, OTHER, EMPTY = uuid4(), uuid4(), uuid4()
JOB, TRIED, CANCELED, WAITING = uuid4(), uuid4(), uuid4(), uuid4()
LEASE = 10.0
SLOTS = {"standard": (2, 1)}


def event(seq: int, job: UUID, message: str, claim_no: int, project: UUID = PROJECT, **more: str) -> EventSeen:
    kind = "log" if more else "status"
    return EventSeen(project, seq, UUID(int=seq), job, kind, message, claim_no, **more)


def sample(at: float, *, held: list[Held] | None = None, due: list[Due] | None = None) -> Sample:
    return Sample(at, SLOTS, held or [], due or [])


def held(at: float, *, job: UUID = JOB, project: UUID = PROJECT, until: float | None = None) -> Held:
    return Held(job, project, "standard", 1, at + LEASE if until is None else until)


def pairs(events: list[EventSeen]) -> list[tuple[int, UUID]]:
    return [(one.seq, one.id) for one in events]


def whole() -> History:
    """A job that went through at once, and one that lost its first worker."""
    told = [
        event(1, JOB, "queued", 0),
        event(2, TRIED, "queued", 0),
        event(3, JOB, "running", 1),
        event(4, JOB, "started", 1, op="begin", step_event="STEP_START"),
        event(5, JOB, "ended", 1, op="begin", step_event="STEP_SUCCESS"),
        event(6, JOB, "started", 1, op="end", step_event="STEP_START"),
        event(7, JOB, "completed", 1),
        event(8, TRIED, "running", 1),
        event(9, TRIED, "queued", 1),
        event(10, TRIED, "running", 2),
        event(11, TRIED, "started", 2, op="only", step_event="STEP_START"),
        event(12, TRIED, "completed", 2),
    ]
    elsewhere = [
        event(1, CANCELED, "queued", 0, OTHER),
        event(2, CANCELED, "canceled", 0, OTHER),
        event(3, WAITING, "queued", 0, OTHER),
    ]
    return History(
        LEASE,
        121.0,
        jobs=[
            JobSeen(JOB, PROJECT, "chat.reply", "standard", "completed", None, 1),
            JobSeen(TRIED, PROJECT, "approval.execute", "standard", "completed", None, 2),
            JobSeen(CANCELED, OTHER, "email.process_due", "standard", "canceled", None, 0),
            JobSeen(WAITING, OTHER, "email.process_due", "standard", "queued", None, 0, waits=True),
        ],
        events=[*told, *elsewhere],
        counters={PROJECT: 12, OTHER: 3, EMPTY: 0},
        steps={JOB: {"begin", "end"}, TRIED: {"only"}},
        followed={PROJECT: pairs(told), OTHER: pairs(elsewhere), EMPTY: []},
        effects=[Effect("mail", "a@example.org", 1, True), Effect("dispatch", "held for a person", 0, False)],
        calls=[Calls(JOB, 1, 1, 1, 0), Calls(TRIED, 1, 0, 1, 0)],
        runs=[
            RunSeen("r1", "SUCCESS", str(JOB), "1", 1),
            RunSeen("r2", "FAILURE", str(TRIED), "1", 1),
            RunSeen("r3", "SUCCESS", str(TRIED), "2", 1),
            RunSeen("r4", "CANCELED", None, None, 0),
        ],
        samples=[
            sample(100.0, held=[held(100.0)], due=[Due(TRIED, PROJECT, "standard")]),
            # A lease that has ended is seen before it is taken back.
            sample(105.0, held=[held(105.0, until=96.0)], due=[Due(TRIED, PROJECT, "standard")]),
            sample(110.0, held=[held(110.0), held(110.0, job=uuid4(), project=OTHER)]),
            sample(120.0, due=[Due(TRIED, PROJECT, "standard")]),
        ],
    )


def drop(history: History, seq: int) -> None:
    """Let an event be neither in the table nor with its follower, and the numbers be whole without it."""
    kept = [one for one in history.events if one.project == PROJECT and one.seq != seq]
    kept = [one._replace(seq=number) for number, one in enumerate(kept, 1)]
    put(history, kept)


def put(history: History, events: list[EventSeen]) -> None:
    """Let these be the events of the project, and its follower have seen them."""
    history.events = [*events, *(one for one in history.events if one.project != PROJECT)]
    history.counters[PROJECT] = len(events)
    history.followed[PROJECT] = pairs(events)


def add(history: History, *events: EventSeen) -> None:
    put(history, [*(one for one in history.events if one.project == PROJECT), *events])


def change_job(history: History, number: int, **changes: object) -> None:
    history.jobs[number] = history.jobs[number]._replace(**changes)  # type: ignore[arg-type]


def running(history: History) -> None:
    change_job(history, 0, status="running")


def queued(history: History) -> None:
    change_job(history, 3, waits=False)


def failed_silently(history: History) -> None:
    change_job(history, 2, status="failed", error=" ")


def twice(history: History) -> None:
    history.effects[0] = history.effects[0]._replace(count=2)


def held_effect_twice(history: History) -> None:
    history.effects[1] = history.effects[1]._replace(count=2)


def never(history: History) -> None:
    history.effects[0] = history.effects[0]._replace(count=0)


def unpaid(history: History) -> None:
    history.calls[0] = history.calls[0]._replace(asked=2)


def unsettled(history: History) -> None:
    history.calls[1] = history.calls[1]._replace(open=1)


def stray(history: History) -> None:
    history.stray_requests = 1


def gap(history: History) -> None:
    del history.events[3]
    history.followed[PROJECT].pop(3)


def tail(history: History) -> None:
    history.counters[PROJECT] = 13


def no_stream(history: History) -> None:
    history.counters[EMPTY] = 1


def after_the_end(history: History) -> None:
    add(history, event(13, JOB, "running", 1), event(14, JOB, "completed", 1))


def step_twice(history: History) -> None:
    add(history, event(13, JOB, "started", 1, op="end", step_event="STEP_START"))


def no_steps(history: History) -> None:
    del history.steps[TRIED]


def unseen(history: History) -> None:
    del history.followed[PROJECT][4]


def seen_twice(history: History) -> None:
    history.followed[PROJECT].insert(5, history.followed[PROJECT][4])


def out_of_order(history: History) -> None:
    seen = history.followed[PROJECT]
    seen[2], seen[3] = seen[3], seen[2]


def taken_back(history: History) -> None:
    history.followed[PROJECT].append((13, uuid4()))


def run_hangs(history: History) -> None:
    history.runs[2] = history.runs[2]._replace(status="STARTED")


def run_twice(history: History) -> None:
    history.runs[0] = history.runs[0]._replace(starts=2)


def claim_twice(history: History) -> None:
    history.runs.append(RunSeen("r5", "FAILURE", str(TRIED), "2", 1))


def lane_full(history: History) -> None:
    for _ in range(3):
        history.samples[3].held.append(held(120.0, job=uuid4(), project=uuid4()))  # type: ignore[attr-defined]


def project_full(history: History) -> None:
    for _ in range(2):
        history.samples[3].held.append(held(120.0, job=uuid4()))  # type: ignore[attr-defined]


def silent(history: History) -> None:
    history.samples[3] = sample(120.0, held=[held(120.0, until=109.0)])


def without_lease(history: History) -> None:
    history.samples[3] = sample(120.0, held=[held(120.0)._replace(leased_until=None)])


def forgotten(history: History) -> None:
    history.samples += [sample(at, due=[Due(TRIED, PROJECT, "standard")]) for at in (130.0, 140.0, 141.0)]


def blind(history: History) -> None:
    history.samples.append(sample(131.0))


def blind_at_the_end(history: History) -> None:
    history.read_at = 131.0


def nobody_looked(history: History) -> None:
    history.samples = []


BREACHES: dict[Callable[[History], None], str] = {
    running: "has not ended: it is running",
    queued: "has not ended: it is queued",
    failed_silently: "failed without a reason",
    twice: "mail a@example.org happened 2 times",
    held_effect_twice: "dispatch held for a person happened 2 times",
    never: "mail a@example.org is told to be done, and never happened",
    unpaid: "the model was asked 2 times, the ledger has 1",
    unsettled: "1 model calls are still reserved",
    stray: "1 requests to the model belong to no claim",
    gap: "the stream is not 1..11, it breaks at [5]",
    tail: "the counter says 13, the stream ends at 12",
    no_stream: "the counter says 1, but there is no event",
    after_the_end: "went from completed to running",
    step_twice: "step end tells STEP_START 2 times",
    no_steps: "is completed without a finished step",
    unseen: "missing [5], twice []",
    seen_twice: "missing [], twice [5]",
    out_of_order: "in order: False",
    taken_back: "not in the table [13]",
    run_hangs: "has not ended: it is STARTED",
    run_twice: "was carried out 2 times",
    claim_twice: "claim 2: 2 runs",
    lane_full: "3 jobs ran in the lane standard, which has 2 slots",
    project_full: "ran in standard, where 1 may",
    silent: "running for 21.0 s without a sign of life",
    without_lease: "running for 10.0 s without a sign of life",
    forgotten: "lay in the queue for 21.0 s while slots were free",
    blind: "nobody looked for 11.0 s",
    blind_at_the_end: "nobody looked for the last 11.0 s",
    nobody_looked: "there is no sample",
}


# Events of `whole` by their seq, and what is to be found without them.
MISSING = {
    1: "does not begin with being queued",
    5: "2 steps are saved, 0 tell of their end",
    6: "the start of step end is missing",
    7: "is completed, but its last status event says running",
    9: "went from running to running",
    10: "has 2 claims, its events tell of [1]",
}


def test_a_whole_history_has_no_breach() -> None:
    assert audit(whole()) == []


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.__name__)
def test_a_breach_is_found(breach: Callable[[History], None]) -> None:
    history = whole()
    breach(history)
    found = audit(history)
    assert any(BREACHES[breach] in finding for finding in found), found


@pytest.mark.parametrize("seq", MISSING)
def test_an_event_that_was_never_written_is_missed(seq: int) -> None:
    history = whole()
    drop(history, seq)
    found = audit(history)
    assert any(MISSING[seq] in finding for finding in found), found


def test_a_wait_for_a_slot_is_no_breach() -> None:
    history = whole()
    busy = [held(0.0, until=1_000.0), held(0.0, job=uuid4(), project=OTHER, until=1_000.0)]
    waiting = [Due(TRIED, uuid4(), "standard")]
    history.samples = [sample(100.0 + at, held=busy, due=waiting) for at in range(0, 50, 5)]
    assert audit(history) == []
