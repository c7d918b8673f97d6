"""Every follower gets each event once and in order, whether it comes from memory or from the database."""

from __future__ import annotations

from uuid import UUID

import pytest

from studio import events
from studio.database.connection import Database
from studio.event_hub import EventHub
from studio.events import PAGE, NewEvent
from tests.support.event_hub import Reader, append, hub_on
from tests.support.queue import InBackground, enqueue, make_project, separate_connection, wait_until_blocked


@pytest.mark.parametrize("listen", [True, False], ids=["listening", "polling"])
def test_a_follower_gets_what_was_there_and_what_comes(
    database: Database, following: Database, project: UUID, job: UUID, listen: bool
) -> None:
    append(database, job, "a", "b")
    with hub_on(following, listen=listen) as hub:
        reader = Reader(hub, project, 1)
        reader.wait_for(3)
        for number in range(20):
            append(database, job, str(number))
        reader.wait_for(23)
    assert reader.result() == list(range(2, 24))
    assert [event.message for event in reader.events] == ["a", "b", *map(str, range(20))]


def test_what_commits_late_comes_late_and_nothing_is_skipped(
    database: Database, hub: EventHub, project: UUID, job: UUID
) -> None:
    other = enqueue(database, project)
    reader = Reader(hub, project)
    reader.wait_for(2)
    with separate_connection(database) as first, separate_connection(database) as second:
        with first.transaction():
            events.append(first, job, [NewEvent("log", "early, but slow")])

            def quick() -> None:
                with second.transaction():
                    events.append(second, other, [NewEvent("log", "late, but quick")])

            work = InBackground(quick)
            wait_until_blocked(database, second.info.backend_pid)
            # Another project's commit rouses the hub while the two are open.
            append(database, enqueue(database, make_project(database)), "elsewhere")
        work.result()
    reader.wait_for(4)
    assert reader.seqs == [1, 2, 3, 4]
    assert [event.message for event in reader.events][2:] == ["early, but slow", "late, but quick"]


def test_projects_do_not_mix(database: Database, hub: EventHub) -> None:
    projects = [make_project(database) for _ in range(5)]
    jobs = [enqueue(database, project) for project in projects]
    readers = [Reader(hub, project) for project in projects]
    for number in range(10):
        for job in jobs:
            append(database, job, f"{job} {number}")
    for reader, project, job in zip(readers, projects, jobs, strict=True):
        reader.wait_for(11)
        assert reader.seqs == list(range(1, 12))
        assert {(event.project_id, event.job_id) for event in reader.events} == {(project, job)}


@pytest.mark.parametrize("kept", [2_000, 5], ids=["from memory", "from the database"])
def test_a_follower_of_one_job_sees_no_other(
    database: Database, following: Database, project: UUID, job: UUID, kept: int
) -> None:
    other = enqueue(database, project)
    with hub_on(following, kept=kept) as hub:
        reader = Reader(hub, project, job_id=job)
        reader.wait_for(1)
        append(database, other, *map(str, range(PAGE + 10)))
        append(database, job, "mine")
        reader.wait_for(PAGE + 13)
        append(database, other, "yours")
        append(database, job, "mine again")
        reader.wait_for(PAGE + 15)
    assert reader.result() == [1, PAGE + 13, PAGE + 15]


def test_pages_of_other_jobs_do_not_let_a_follower_wait(
    database: Database, hub: EventHub, project: UUID, job: UUID
) -> None:
    stream, witness = hub.follow(project, job_id=job), Reader(hub, project)
    assert next(stream).seq == 1
    other = enqueue(database, project)
    append(database, other, *map(str, range(2 * PAGE)))
    append(database, job, "mine")
    witness.wait_for(2 * PAGE + 3)
    # All of it is in memory, and nothing wakes any more.
    assert next(stream).message == "mine"
    stream.close()


def test_a_flood_arrives_whole(database: Database, following: Database, project: UUID, job: UUID) -> None:
    # Several pages in one commit, and more than is kept in memory.
    with hub_on(following, kept=PAGE) as hub:
        readers = [Reader(hub, project) for _ in range(3)]
        for reader in readers:
            reader.wait_for(1)
        append(database, job, *map(str, range(5 * PAGE)))
        for reader in readers:
            reader.wait_for(5 * PAGE + 1)
    assert [reader.result() for reader in readers] == [list(range(1, 5 * PAGE + 2))] * 3


def test_what_was_pruned_is_passed_over(database: Database, hub: EventHub, project: UUID, job: UUID) -> None:
    append(database, job, "a", "b", "c")
    database.execute("delete from public.agent_job_events where project_id = %s and seq in (1, 3)", [project])
    reader = Reader(hub, project)
    reader.wait_for(4)
    append(database, job, "d")
    reader.wait_for(5)
    assert reader.seqs == [2, 4, 5]


def test_a_position_that_nobody_has_reached_is_waited_for(
    database: Database, hub: EventHub, project: UUID, job: UUID
) -> None:
    early, late = Reader(hub, project), Reader(hub, project, 3)
    append(database, job, "a", "b", "c")
    early.wait_for(4)
    late.wait_for(4)
    assert late.seqs == [4]
