"""A lane hands out its free slots, a project gets its share of them, and no backlog starves or slows the others."""

from __future__ import annotations

from typing import LiteralString
from uuid import UUID

import pytest

from studio import queue
from studio.database.connection import Database
from tests.support.queue import LEASE, claim, claim_foreign, enqueue, make_project, set_lane
from tests.support.size import FULL, SECONDS

BACKLOG = 300_000 if FULL else 30_000
# A claim looks at some 300 blocks; a walk over any one of the backlogs adds at least 700 at the smaller size.
BLOCKS_OF_A_CLAIM = 600
# What it looks at more before it goes project by project, and a tenth of the smaller backlog.
BLOCKS_OF_A_WALK = 2_400


def test_a_lane_hands_out_free_slots_only(database: Database) -> None:
    set_lane(database, "standard", slots=3, project_limit=10)
    project = make_project(database)
    jobs = [enqueue(database, project) for _ in range(5)]
    assert claim(database) == jobs[:3]
    assert claim(database) == []
    database.execute("select public.complete_agent_job(%s, 'completed', null, 1)", [jobs[1]])
    assert claim(database) == jobs[3:4]


def test_a_closed_lane_hands_out_nothing(database: Database) -> None:
    set_lane(database, "standard", slots=0, project_limit=1)
    enqueue(database, make_project(database))
    assert claim(database) == []


def test_a_claimer_may_bring_its_own_limits(database: Database) -> None:
    set_lane(database, "standard", slots=1, project_limit=1)
    project, other = make_project(database), make_project(database)
    jobs = [enqueue(database, project) for _ in range(3)] + [enqueue(database, other)]
    assert claim(database, slots=4, project_limit=2) == [jobs[0], jobs[1], jobs[3]]


def test_a_project_gets_no_more_than_its_share_of_a_lane(database: Database) -> None:
    set_lane(database, "standard", slots=10, project_limit=2)
    heavy_user, other = make_project(database), make_project(database)
    many = [enqueue(database, heavy_user, priority=100) for _ in range(6)]
    few = [enqueue(database, other) for _ in range(1)]
    assert claim(database) == [*many[:2], *few]
    assert claim(database) == []
    # The share is per lane: what runs elsewhere does not count.
    elsewhere = enqueue(database, heavy_user, lane="realtime")
    assert claim(database, lane="realtime") == [elsewhere]


def test_a_chat_does_not_wait_behind_long_work(database: Database) -> None:
    set_lane(database, "heavy", slots=1, project_limit=1)
    project = make_project(database)
    for _ in range(3):
        enqueue(database, project, lane="heavy", priority=200)
    assert len(claim(database, lane="heavy")) == 1
    chat = enqueue(database, project, lane="realtime")
    assert claim(database, lane="heavy") == []
    assert claim(database, lane="realtime") == [chat]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_claim_over_all_lanes_takes_the_best_of_all(database: Database, limit: int) -> None:
    project = make_project(database)
    build = enqueue(database, project, lane="heavy", priority=50)
    mail = enqueue(database, project, lane="standard", priority=10)
    chat = enqueue(database, project, lane="realtime", priority=120)
    assert claim_foreign(database, limit=limit) == [chat, build, mail][:limit]
    # What was offered and not taken is as free as before.
    assert len(claim_foreign(database)) == 3 - limit


BACKLOGS: dict[str, LiteralString] = {
    "due": "'queued', now() - interval '1 day', null",
    "planned": "'queued', now() + interval '1 day', now() + interval '1 day'",
    "done": "'completed', now() - interval '1 day', null",
}


def backlog(db: Database, project: UUID, rows: int, kind: str = "due") -> None:
    """Write `rows` jobs of a project without their events, as quickly as the server can."""
    with db.transaction() as conn:
        conn.execute("set local session_replication_role = replica")
        conn.execute(
            "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, priority, lane,"
            " created_at, status, run_after, waits_until)"
            " select %s, 'test.work', 'ceo', 'backlog-' || n, 100, 'standard', now() - interval '1 day',"
            + BACKLOGS[kind]
            + " from generate_series(1, %s) n",
            [project, rows],
        )


def cost_of_a_claim(db: Database) -> tuple[int, int]:
    """Claim, and undo it; return how many jobs it gave, and how many blocks of the database it touched."""
    with db.connection() as conn:
        # The first claim of a session also reads the catalog.
        for _ in range(2):
            with conn.transaction(force_rollback=True):
                row = conn.execute(
                    "explain (analyze, buffers, format json)"
                    " select * from public.claim_agent_jobs('worker', 5, 'standard', interval '1 hour')"
                ).fetchone()
    assert row is not None
    plan = row["QUERY PLAN"][0]["Plan"]
    return int(plan["Actual Rows"]), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@pytest.mark.chaos
@pytest.mark.timeout(SECONDS)
def test_the_backlog_of_one_project_neither_starves_nor_slows_the_others(database: Database) -> None:
    set_lane(database, "standard", slots=5, project_limit=2)
    # In the order of their ids, in which the search goes from project to project.
    crowd, planner, archive, first, second = (make_project(database, id=UUID(int=n)) for n in range(1, 6))
    backlog(database, planner, BACKLOG, "planned")
    backlog(database, archive, BACKLOG, "done")
    enqueue(database, first)
    enqueue(database, second)

    def expect_a_cheap_claim(jobs: int, most: int = BLOCKS_OF_A_CLAIM) -> None:
        given, blocks = cost_of_a_claim(database)
        assert given == jobs
        assert blocks < most

    # Before and after the planner knows how the table looks.
    expect_a_cheap_claim(2)
    database.execute("analyze public.agent_jobs")
    expect_a_cheap_claim(2)
    backlog(database, crowd, BACKLOG, "due")
    expect_a_cheap_claim(4, BLOCKS_OF_A_CLAIM + BLOCKS_OF_A_WALK)
    database.execute("analyze public.agent_jobs")
    expect_a_cheap_claim(4, BLOCKS_OF_A_CLAIM + BLOCKS_OF_A_WALK)

    jobs = queue.claim(database, "worker", limit=5, lane="standard", lease=LEASE)
    assert [held.project_id for held in jobs] == [crowd, crowd, first, second]
    # Now the crowd is at its limit, and everything it has queued stands in front of the next one.
    newest = enqueue(database, second)
    expect_a_cheap_claim(1, BLOCKS_OF_A_CLAIM + BLOCKS_OF_A_WALK)
    assert claim(database) == [newest]


@pytest.mark.chaos
@pytest.mark.timeout(SECONDS)
def test_a_full_project_before_the_night_does_not_slow_it(database: Database) -> None:
    set_lane(database, "standard", slots=8, project_limit=2)
    crowd = make_project(database)
    # As many as a project may have, and behind them a job of each of many projects.
    backlog(database, crowd, 1000)
    with database.transaction() as conn:
        conn.execute("set local session_replication_role = replica")
        conn.execute(
            "with made as (insert into public.projects (owner_clerk_id, name, idea_description)"
            " select 'owner-' || n, 'A project', 'An idea' from generate_series(1, %s) n returning id)"
            " insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, priority, lane)"
            " select id, 'test.work', 'ceo', 'night', 10, 'standard' from made",
            [BACKLOG],
        )
    assert len(claim(database, limit=2)) == 2
    given, blocks = cost_of_a_claim(database)
    assert given == 5
    # Project by project it would be three for each of them.
    assert blocks < BLOCKS_OF_A_CLAIM + BLOCKS_OF_A_WALK


def test_projects_behind_a_backlog_get_their_whole_share(database: Database) -> None:
    set_lane(database, "standard", slots=8, project_limit=3)
    crowd, other = make_project(database), make_project(database)
    # The other project's best two are within the window of the plain order, its third is behind it.
    ahead = [enqueue(database, other, priority=200) for _ in range(2)]
    backlog(database, crowd, 300)
    behind = [enqueue(database, other, priority=0) for _ in range(2)]
    jobs = queue.claim(database, "worker", limit=8, lane="standard", lease=LEASE)
    got = {project: [held.id for held in jobs if held.project_id == project] for project in (crowd, other)}
    assert got[other] == [*ahead, behind[0]]
    assert len(got[crowd]) == 3
