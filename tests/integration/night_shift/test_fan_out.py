"""The night reaches every project once: however many there are, however often, late or interrupted it is queued."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from studio import claims, fan_out, queue
from studio.claims import Claim
from studio.database.connection import Connection, Database
from studio.errors import InvalidInput, NotFound, PermissionRefused
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail.dispatch import DUE_MAIL
from studio.queue import NewJob
from tests.support.night import LEASE, Nights, packet, rows, run_steps
from tests.support.queue import InBackground, make_project, separate_connection, wait_until_blocked

NIGHT = datetime(2026, 3, 1, 1, tzinfo=UTC)
MORROW = NIGHT + timedelta(days=1)


def projects(db: Database, count: int) -> None:
    """Make `count` projects that exist since long before any night of these tests."""
    db.execute(
        "insert into public.projects (owner_clerk_id, name, idea_description, created_at)"
        " select 'owner', 'P' || i, 'A tea shop.', '2020-01-01' from generate_series(1, %s) i",
        [count],
    )


def old(db: Database, **columns: Any) -> UUID:
    return make_project(db, created_at=datetime(2020, 1, 1, tzinfo=UTC), **columns)


def cycles(db: Database) -> list[dict[str, Any]]:
    return db.fetch_all("select * from public.agent_jobs where job_type = %s order by created_at, id", [fan_out.CYCLE])


# --- 500 projects


def test_five_hundred_projects_have_one_cycle_each_and_it_can_be_run(nights: Nights) -> None:
    db = nights.db
    projects(db, 500)
    night = fan_out.night_shift(db, NIGHT, page=120)
    assert str(night) == "Queued 500 night-shift cycles of 2026-03-01."
    jobs = cycles(db)
    assert len({job["project_id"] for job in jobs}) == len(jobs) == 500
    assert {job["idempotency_key"] for job in jobs} == {f"nightshift:{j['project_id']}:2026-03-01" for j in jobs}
    assert {(job["lane"], job["priority"], job["agent_key"]) for job in jobs} == {("standard", 10, "night_shift")}
    for job in jobs[::50]:
        packet(db, job["project_id"], 0, words=["Talk to five customers"])
    claimed = queue.claim(db, "worker", limit=500, lane="standard", lease=LEASE, slots=500)
    assert len(claimed) == 500
    sample = {job["id"] for job in jobs[::50]}
    for job in claimed:
        if job.id in sample:
            claim = Claim(db, job)
            assert run_steps(nights.night(claim))["report"]["skip"] is None
            claim.complete()
    told = db.fetch_one(
        "select count(*)::int as n from public.project_events where event_type = 'nightshift.cycle_completed'"
    )
    assert told == {"n": 10}


def test_only_active_projects_on_night_shift_that_were_there_have_a_turn(database: Database) -> None:
    wanted = old(database)
    for columns in ({"status": "paused"}, {"status": "killed"}, {"night_shift": False}):
        old(database, **columns)
    make_project(database, created_at=NIGHT)
    late = make_project(database, created_at=NIGHT - timedelta(seconds=1))
    assert fan_out.night_shift(database, NIGHT).queued == 2
    assert {job["project_id"] for job in cycles(database)} == {wanted, late}


def test_without_projects_nothing_is_queued(database: Database) -> None:
    assert fan_out.night_shift(database, NIGHT) == fan_out.Night(date(2026, 3, 1), 0, complete=True)


# --- twice, late, interrupted


def test_a_second_tick_queues_nothing_and_wakes_nothing(database: Database) -> None:
    projects(database, 3)
    fan_out.night_shift(database, NIGHT)
    done, failed, canceled = (queue.get(database, job["id"]) for job in cycles(database))
    for job in (done, failed):
        with database.transaction() as conn:
            claim = claims.claim_by_id(conn, database, job.id, "worker", f"run-{job.id}", LEASE)
        if job is done:
            claim.complete()
        else:
            claim.fail("It broke.", permanent=True, retry_base=timedelta(0))
    queue.cancel(database, canceled.id, "Not tonight.")
    before = cycles(database)
    # The tick of the rest of the night, an hour later, is of the same night.
    for again in (NIGHT, NIGHT + timedelta(hours=1)):
        assert fan_out.night_shift(database, again).queued == 0
    assert cycles(database) == before


def test_a_night_that_was_cut_off_goes_on_where_it_stopped(database: Database) -> None:
    projects(database, 50)
    first = fan_out.night_shift(database, NIGHT, page=20, seconds=0)
    assert (first.queued, first.complete) == (20, False)
    assert str(first).endswith(", and the rest will follow.")
    rest = fan_out.night_shift(database, NIGHT, page=20)
    assert (rest.queued, rest.complete) == (30, True)
    assert len({job["project_id"] for job in cycles(database)}) == 50


def test_two_ticks_at_once_queue_each_cycle_once(database: Database) -> None:
    projects(database, 200)
    both = [InBackground(lambda: fan_out.night_shift(database, NIGHT, page=10).queued) for _ in range(4)]
    assert sum(running.result() for running in both) == 200
    assert len({job["project_id"] for job in cycles(database)}) == len(cycles(database)) == 200


def test_a_project_that_is_being_paused_is_left_out_and_the_others_have_their_turn(database: Database) -> None:
    projects(database, 3)
    busy = old(database)
    with separate_connection(database) as conn, conn.transaction():
        conn.execute("update public.projects set status = 'paused' where id = %s", [busy])
        assert fan_out.night_shift(database, NIGHT).queued == 3
    assert fan_out.night_shift(database, NIGHT).queued == 0
    assert busy not in {job["project_id"] for job in cycles(database)}


def test_a_project_cannot_be_paused_under_the_hands_of_a_page(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = old(database)
    entered, go_on = threading.Event(), threading.Event()
    real = fan_out.enqueue_many

    def slowly(conn: Connection, jobs: list[NewJob]) -> Any:
        entered.set()
        assert go_on.wait(30)
        return real(conn, jobs)

    monkeypatch.setattr(fan_out, "enqueue_many", slowly)
    tick = InBackground(lambda: fan_out.night_shift(database, NIGHT).queued)
    assert entered.wait(30)
    with separate_connection(database) as conn:
        pid = conn.info.backend_pid
        pause = InBackground(
            lambda: conn.execute("update public.projects set status = 'paused' where id = %s", [made]).rowcount
        )
        wait_until_blocked(database, pid)
        monkeypatch.setattr(fan_out, "enqueue_many", real)
        go_on.set()
        assert (tick.result(), pause.result()) == (1, 1)


def test_each_night_is_a_night_of_its_own(database: Database) -> None:
    projects(database, 2)
    # Two of them in a week 53, one where clocks change, which UTC does not know.
    for night in ("2026-12-31", "2027-01-01", "2026-03-29", "2026-10-25"):
        scheduled = datetime.fromisoformat(f"{night}T01:00:00+00:00")
        assert fan_out.night_shift(database, scheduled) == fan_out.Night(date.fromisoformat(night), 2, complete=True)
    assert len(cycles(database)) == 8


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_night_is_that_of_utc_wherever_a_project_lives(database: Database, zone: str) -> None:
    made = old(database, timezone=zone)
    # A schedule that is asked in another zone means the same moment.
    shifted = NIGHT.astimezone(datetime.fromisoformat("2026-03-01T00:00:00-08:00").tzinfo)
    assert shifted.date() == date(2026, 2, 28)
    fan_out.night_shift(database, shifted)
    assert [job["idempotency_key"] for job in cycles(database)] == [f"nightshift:{made}:2026-03-01"]


# --- one project, by hand


def test_a_person_may_run_a_project_s_night_again_where_it_failed(database: Database) -> None:
    made = old(database)

    def run() -> Any:
        with database.transaction() as conn:
            return fan_out.cycle_project(conn, made, NIGHT.date())

    first = run()
    assert (first.outcome, run().outcome) == ("created", "existing")
    queue.cancel(database, first.job_id)
    assert (run().outcome, run().job_id) == ("revived", first.job_id)


@pytest.mark.parametrize(
    ("columns", "error", "what"),
    [
        ({"status": "paused"}, PermissionRefused, "is paused"),
        ({"night_shift": False}, PermissionRefused, "is not on night shift"),
    ],
)
def test_a_project_that_has_no_nights_is_refused(
    database: Database, columns: dict[str, Any], error: type[Exception], what: str
) -> None:
    made = old(database, **columns)
    with pytest.raises(error, match=what), database.transaction() as conn:
        fan_out.cycle_project(conn, made, NIGHT.date())
    assert cycles(database) == []


def test_neither_an_unknown_project_nor_the_system_s_own_has_nights(database: Database) -> None:
    with pytest.raises(NotFound), database.transaction() as conn:
        fan_out.cycle_project(conn, UUID(int=7), NIGHT.date())
    with pytest.raises(PermissionRefused), database.transaction() as conn:
        fan_out.cycle_project(conn, SYSTEM_PROJECT_ID, NIGHT.date())


# --- mail


@pytest.mark.parametrize(
    ("enqueue", "key"),
    [
        (fan_out.due_mail, "email_due:2026-03-01T01"),
        (fan_out.digests, "drip_digests:2026-03-01"),
        (fan_out.nudges, "drip_nudges:2026-03-01"),
    ],
)
def test_mail_is_queued_once_per_hour_or_day_and_what_was_canceled_stays_so(
    database: Database, enqueue: Any, key: str
) -> None:
    def tick(at: datetime) -> Any:
        with database.transaction() as conn:
            return enqueue(conn, at)

    first = tick(NIGHT)
    assert tick(NIGHT + timedelta(minutes=59)).job_id == first.job_id
    queue.cancel(database, first.job_id)
    again = tick(NIGHT)
    assert (again.outcome, again.status) == ("existing", "canceled")
    assert tick(MORROW).outcome == "created"
    [job, _] = rows(database, "agent_jobs", SYSTEM_PROJECT_ID)
    assert job["idempotency_key"] == key


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="time zone"):
        fan_out.night_shift(database, datetime(2026, 3, 1))  # noqa: DTZ001


# --- everything at once, as the route does it


def test_the_whole_night_answers_as_the_seed_s_route(database: Database) -> None:
    projects(database, 4)
    now = datetime.now(UTC)
    answer = fan_out.whole_night(database, now).json()
    assert answer["queuedProjects"] == 4
    kinds = {
        queue.get(database, UUID(str(answer[name]))).job_type
        for name in ("queuedEmailJob", "queuedDripDigests", "queuedDripNudges")
    }
    assert kinds == {DUE_MAIL, fan_out.DIGESTS, fan_out.NUDGES}
    again = fan_out.whole_night(database, now).json()
    assert again == {**answer, "queuedProjects": 0}


def test_a_past_night_can_be_made_up_for_and_one_to_come_cannot(database: Database) -> None:
    projects(database, 1)
    assert fan_out.whole_night(database, MORROW, NIGHT.date()).queued_projects == 1
    assert cycles(database)[0]["payload"]["day"] == "2026-03-01"
    with pytest.raises(InvalidInput, match="has not come yet"):
        fan_out.whole_night(database, NIGHT, MORROW.date())
