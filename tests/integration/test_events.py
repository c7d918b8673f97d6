"""A project's event stream: every event once, in commit order, without a gap, whoever writes and whatever breaks."""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from studio import events
from studio.claims import Claim
from studio.database.connection import Connection, Database
from studio.errors import DatabaseError
from studio.events import Event, NewEvent
from tests.support.queue import InBackground, claim_next, enqueue, make_project, separate_connection, seqs
from tests.support.waiting import eventually

# As in a system under load: more writers than connections in a usual pool, over several projects.
WRITERS = 50
WRITES = 4
PROJECTS = 3
# Nothing but a notification may wake a follower that is tested for being woken.
NEVER = 600.0
QUICKLY = 0.01


@pytest.fixture
def claim(database: Database) -> Claim:
    enqueue(database, make_project(database))
    return claim_next(database)


def append(db: Database, job_id: UUID, *messages: str) -> None:
    with db.transaction() as conn:
        events.append(conn, job_id, [NewEvent("log", message) for message in messages])


class Follower:
    """Follows a project in a thread of its own, and keeps what came."""

    def __init__(self, db: Database, project_id: UUID, after: int = 0, **options: Any) -> None:
        self.events: list[Event] = []
        self._stop = False
        self._db = db
        self._project = project_id
        stream = events.follow(db, project_id, after, stop=lambda: self._stop, **options)
        self._work = InBackground(lambda: self._take(stream))

    def _take(self, stream: Iterator[Event]) -> None:
        for event in stream:
            self.events.append(event)

    @property
    def messages(self) -> list[str | None]:
        return [event.message for event in self.events if event.type == "log"]

    def wait_for(self, count: int) -> None:
        eventually(lambda: len(self.events) >= count, what=f"{count} events")

    def end(self) -> None:
        """Stop; the last event, which nobody counts, wakes whoever only listens."""
        self._stop = True
        self._db.execute("select pg_notify(%s, %s)", [events.CHANNEL, str(self._project)])
        self._work.result()


@contextlib.contextmanager
def following(db: Database, project_id: UUID, after: int = 0, **options: Any) -> Iterator[Follower]:
    follower = Follower(db, project_id, after, **options)
    try:
        yield follower
    finally:
        follower.end()


# --- order


def test_fifty_writers_in_random_order_are_followed_without_loss_or_repeat(
    database: Database, database_url: str
) -> None:
    chance = random.Random(20260227)
    projects = [make_project(database) for _ in range(PROJECTS)]
    jobs = [enqueue(database, projects[number % PROJECTS]) for number in range(WRITERS)]
    delays = [[chance.uniform(0, 0.02) for _ in range(WRITES)] for _ in range(WRITERS)]
    sizes = [[chance.randint(1, 5) for _ in range(WRITES)] for _ in range(WRITERS)]

    def write(number: int) -> None:
        with contextlib.closing(database.connect()) as conn:
            for round_number, (delay, size) in enumerate(zip(delays[number], sizes[number], strict=True)):
                with conn.transaction():
                    messages = [f"{number}/{round_number}/{index}" for index in range(size)]
                    if round_number % 2:
                        events.append(conn, jobs[number], [NewEvent("log", message) for message in messages])
                    else:
                        for message in messages:
                            insert(conn, jobs[number], message)
                    # Whoever has written first may well be the last to commit.
                    time.sleep(delay)

    with contextlib.ExitStack() as stack:
        db = stack.enter_context(Database(database_url, pool_size=2))
        listening = [stack.enter_context(following(db, p, poll_seconds=NEVER)) for p in projects]
        polling = [stack.enter_context(following(db, p, listen=False, poll_seconds=QUICKLY)) for p in projects]
        writers = [InBackground(functools.partial(write, number)) for number in range(WRITERS)]
        for writer in writers:
            writer.result()
        for number, project in enumerate(projects):
            last = events.last_seq(database, project)
            for follower in (listening[number], polling[number]):
                follower.wait_for(last)
                assert [event.seq for event in follower.events] == list(range(1, last + 1))
            assert listening[number].events == polling[number].events

    written = {f"{n}/{r}/{i}" for n in range(WRITERS) for r in range(WRITES) for i in range(sizes[n][r])}
    followed = [message for follower in listening for message in follower.messages]
    assert set(followed) == written
    assert len(followed) == len(written)
    # What one transaction wrote stands together and in its order, even where it went row by row.
    for follower in listening:
        batches = [str(message).rpartition("/")[0] for message in follower.messages]
        assert len(set(batches)) == 1 + sum(a != b for a, b in itertools.pairwise(batches))


def insert(conn: Connection, job_id: UUID, message: str) -> None:
    """Write an event as workers of other clients do."""
    conn.execute(
        "insert into public.agent_job_events (project_id, job_id, type, message)"
        " select project_id, id, 'log', %s from public.agent_jobs where id = %s",
        [message, job_id],
    )


def test_an_event_that_is_not_committed_holds_back_those_after_it(database: Database) -> None:
    project, other = make_project(database), make_project(database)
    first, second, elsewhere = (enqueue(database, p) for p in (project, project, other))
    with separate_connection(database) as conn:
        with conn.transaction():
            insert(conn, first, "early, but slow")
            late = InBackground(lambda: append(database, second, "late, but quick"))
            # Another project's stream waits for nobody.
            append(database, elsewhere, "meanwhile")
            seen = events.read_after(database, project, 0)
            assert [event.message for event in seen] == ["queued", "queued"]
        late.result()
    assert [event.message for event in events.read_after(database, project, 2)] == [
        "early, but slow",
        "late, but quick",
    ]
    assert seqs(database, project) == [1, 2, 3, 4]


def test_what_is_rolled_back_leaves_no_gap(database: Database, claim: Claim) -> None:
    with database.connection() as conn, conn.transaction(force_rollback=True):
        events.append(conn, claim.job_id, [NewEvent("log", "never"), NewEvent("log", "was")])
        insert(conn, claim.job_id, "neither")
    with pytest.raises(psycopg.errors.CheckViolation), database.transaction() as conn:
        events.append(conn, claim.job_id, [NewEvent("log", "good"), NewEvent("nonsense", "bad")])  # type: ignore[arg-type]
    append(database, claim.job_id, "was")
    assert seqs(database, claim.job.project_id) == [1, 2, 3]


def test_events_say_which_attempt_and_claim_they_are_of(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    insert_one = "insert into public.agent_job_events (project_id, job_id, type, data) values (%s, %s, 'log', %s)"
    claim = claim_next(database)
    claim.release("Interrupted.")
    claim = claim_next(database)
    append(database, job_id, "batch")
    database.execute(insert_one, [claim.job.project_id, job_id, "{}"])
    found = events.read_after(database, claim.job.project_id, 4)
    assert [(event.attempt, event.claim_no) for event in found] == [(1, 2), (1, 2)]


# --- following


@pytest.mark.parametrize("listen", [True, False], ids=["listening", "polling"])
def test_a_follower_goes_on_exactly_where_it_was(database: Database, claim: Claim, listen: bool) -> None:
    append(database, claim.job_id, "a", "b", "c")
    pause = NEVER if listen else QUICKLY
    with following(database, claim.job.project_id, 3, listen=listen, poll_seconds=pause) as follower:
        follower.wait_for(2)
        append(database, claim.job_id, "d")
        follower.wait_for(3)
    assert follower.messages == ["b", "c", "d"]


def test_a_follower_of_one_job_sees_no_other(database: Database, claim: Claim) -> None:
    other = enqueue(database, claim.job.project_id)
    with following(database, claim.job.project_id, job_id=claim.job_id, poll_seconds=NEVER) as follower:
        append(database, claim.job_id, "mine")
        append(database, other, "yours")
        append(database, claim.job_id, "mine again")
        follower.wait_for(4)
    assert [event.message for event in follower.events] == ["queued", "running", "mine", "mine again"]


def test_a_follower_is_woken_by_its_project_only(database: Database, claim: Claim) -> None:
    elsewhere = enqueue(database, make_project(database))
    with following(database, claim.job.project_id, poll_seconds=NEVER) as follower:
        follower.wait_for(2)
        for number in range(20):
            append(database, elsewhere, str(number))
        append(database, claim.job_id, "here")
        follower.wait_for(3)
    assert follower.messages == ["here"]


def kill_followers(db: Database) -> int:
    """End the sessions of the followers, as a failover does; return how many there were."""
    with separate_connection(db) as conn:
        row = conn.execute(
            "select count(pg_terminate_backend(pid))::int as n from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid() and application_name = 'follower'"
        ).fetchone()
    assert row is not None
    return int(row["n"])


@pytest.mark.parametrize("listen", [True, False], ids=["listening", "polling"])
def test_a_follower_survives_its_connection_without_loss_or_repeat(
    database: Database, database_url: str, claim: Claim, listen: bool
) -> None:
    with Database(database_url, application_name="follower") as db:
        pause = NEVER if listen else QUICKLY
        with following(db, claim.job.project_id, listen=listen, poll_seconds=pause) as follower:
            for number in range(3):
                append(database, claim.job_id, f"before {number}")
                follower.wait_for(3 + 2 * number)
                assert kill_followers(database) >= 1
                # Written while nobody listens: only a look after the new LISTEN finds it.
                append(database, claim.job_id, f"behind {number}")
                follower.wait_for(4 + 2 * number)
    assert [event.seq for event in follower.events] == list(range(1, 9))


def test_a_follower_that_never_had_a_connection_says_so(database: Database) -> None:
    nowhere = Database("postgresql://postgres@/nowhere?host=/nonexistent", pool_size=1)
    with pytest.raises(DatabaseError, match="cannot be reached"):
        next(events.follow(nowhere, make_project(database)))


def test_a_follower_that_is_never_caught_up_still_stops(database: Database, claim: Claim) -> None:
    append(database, claim.job_id, *map(str, range(2 * events.PAGE)))
    seen: list[Event] = []
    stream = events.follow(database, claim.job.project_id, stop=lambda: len(seen) >= 10, listen=False)
    for event in stream:
        seen.append(event)
        # There is always more than it has read.
        assert len(seen) <= events.PAGE
        if len(seen) == events.PAGE:
            append(database, claim.job_id, *map(str, range(events.PAGE)))
    assert len(seen) == events.PAGE


def test_a_follower_that_is_let_go_leaves_no_session(database: Database, database_url: str, claim: Claim) -> None:
    with Database(database_url, application_name="follower") as db:
        stream = events.follow(db, claim.job.project_id)
        assert next(stream).seq == 1
        stream.close()  # type: ignore[attr-defined]
    eventually(lambda: kill_followers(database) == 0, what="the end of the session")


# --- reading


def test_a_page_goes_on_where_the_last_one_ended(database: Database, claim: Claim) -> None:
    append(database, claim.job_id, *map(str, range(25)))
    pages: list[list[int]] = []
    after = 0
    while page := events.read_after(database, claim.job.project_id, after, limit=10):
        pages.append([event.seq for event in page])
        after = page[-1].seq
    assert [len(page) for page in pages] == [10, 10, 7]
    assert list(itertools.chain(*pages)) == list(range(1, 28))
    assert events.last_seq(database, claim.job.project_id) == 27
    assert events.last_seq(database, make_project(database)) == 0


def test_an_event_comes_back_as_it_was_written(database: Database, claim: Claim) -> None:
    data = {"tool": "web_search", "depth": [1, {"två": None}], "ok": True, "cost": 0.25}
    with database.transaction() as conn:
        events.append(conn, claim.job_id, [NewEvent("tool_call", "Searching", data), NewEvent("done")], claim.claim_no)
    call, done = events.read_after(database, claim.job.project_id, 2)
    assert (call.type, call.message, call.data) == ("tool_call", "Searching", data)
    assert (done.type, done.message, done.data) == ("done", None, {})
    assert (call.job_id, call.project_id) == (claim.job_id, claim.job.project_id)
    assert call.created_at.utcoffset() is not None


def test_nothing_appended_is_nothing(database: Database, claim: Claim) -> None:
    append(database, claim.job_id)
    assert events.last_seq(database, claim.job.project_id) == 2


def test_a_position_that_nobody_has_reached_yet_reads_as_nothing(database: Database, claim: Claim) -> None:
    assert events.read_after(database, claim.job.project_id, 10**15) == []


# --- what cannot be stored is made storable


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("tea\x00shop", "tea�shop"),
        ("half an emoji \ud83d", "half an emoji �"),
        ("\udc00\x00\ud800", "���"),
        ("🍵 whole", "🍵 whole"),
        ("\\u0000 written out", "\\u0000 written out"),
    ],
)
def test_odd_text_loses_a_character_and_never_the_event(
    database: Database, claim: Claim, given: str, kept: str
) -> None:
    with database.transaction() as conn:
        data = {given: [given, {"deep": (given,)}]}
        events.append(conn, claim.job_id, [NewEvent("log", given, data), NewEvent("log", "after")])
    odd, after = events.read_after(database, claim.job.project_id, 2)
    assert (odd.message, odd.data) == (kept, {kept: [kept, {"deep": [kept]}]})
    assert after.message == "after"


def test_numbers_that_json_does_not_have_become_null(database: Database, claim: Claim) -> None:
    with database.transaction() as conn:
        data = {"score": float("nan"), "limits": [float("-inf"), float("inf"), 1.5]}
        events.append(conn, claim.job_id, [NewEvent("log", "measured", data)])
    [event] = events.read_after(database, claim.job.project_id, 2)
    assert event.data == {"score": None, "limits": [None, None, 1.5]}


def test_data_of_null_is_empty_data(database: Database, claim: Claim) -> None:
    database.execute(
        "select public.append_agent_job_events(%s, %s::jsonb)", [claim.job_id, '[{"type": "log", "data": null}]']
    )
    [event] = events.read_after(database, claim.job.project_id, 2)
    assert event.data == {}


# --- cost


def turns_at_the_counter(conn: Connection) -> int:
    """Return how often this session has moved a counter; what others do does not count."""
    row = conn.execute(
        "select n_tup_upd::int as n from pg_stat_xact_user_tables where relname = 'project_event_counters'"
    ).fetchone()
    assert row is not None
    return int(row["n"])


@pytest.mark.parametrize("size", [10, 20_000])
def test_a_batch_of_any_size_takes_one_turn_at_the_counter(database: Database, claim: Claim, size: int) -> None:
    batch = [NewEvent("delta", "x") for _ in range(size)]
    with database.transaction() as conn:
        before = turns_at_the_counter(conn)
        events.append(conn, claim.job_id, batch, claim.claim_no)
        # A turn for each event, in one transaction, would walk past all the turns before it.
        assert turns_at_the_counter(conn) - before == 1
    row = database.fetch_one("select count(*)::int as n, max(seq)::int as last from public.agent_job_events")
    assert row == {"n": size + 2, "last": size + 2}


# --- pruning


def age_events(db: Database) -> None:
    db.execute("update public.agent_job_events set created_at = created_at - interval '2 days'")


def prune(db: Database, older_than: str = "1 day", limit: int = 5000) -> int:
    row = db.fetch_one("select public.prune_agent_job_deltas(%s::interval, %s) as n", [older_than, limit])
    assert row is not None
    return int(row["n"])


def test_only_old_deltas_of_ended_jobs_are_pruned(database: Database, claim: Claim) -> None:
    running = enqueue(database, claim.job.project_id)
    for job_id in (claim.job_id, running):
        with database.transaction() as conn:
            events.append(conn, job_id, [NewEvent("delta", "some"), NewEvent("log", "kept"), NewEvent("delta", "text")])
    claim.complete()
    assert prune(database) == 0
    age_events(database)
    with database.transaction() as conn:
        events.append(conn, claim.job_id, [NewEvent("delta", "young")])
    assert prune(database, limit=1) == 1
    assert prune(database) == 1
    assert prune(database) == 0
    left = [(event.job_id, event.message) for event in events.read_after(database, claim.job.project_id, 0)]
    assert [message for job_id, message in left if job_id == claim.job_id] == [
        "queued", "running", "kept", "completed", "young",
    ]  # fmt: skip
    assert [message for job_id, message in left if job_id == running] == ["queued", "some", "kept", "text"]


def test_a_follower_reads_over_what_was_pruned(database: Database, claim: Claim) -> None:
    with database.transaction() as conn:
        events.append(conn, claim.job_id, [NewEvent("delta", "gone")])
    claim.complete()
    age_events(database)
    prune(database)
    assert [event.seq for event in events.read_after(database, claim.job.project_id, 0)] == [1, 2, 4]
    append(database, claim.job_id, "next")
    assert events.read_after(database, claim.job.project_id, 4)[0].seq == 5
