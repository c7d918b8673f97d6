"""A watch reads several projects' streams in one event loop, each once and in order, and never blocks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from uuid import UUID

import pytest

from studio import events
from studio.database.connection import Database
from studio.event_hub import EventHub
from studio.event_watch import Watch
from studio.events import PAGE, Event
from tests.integration.event_hub.test_cost import Statements
from tests.support.event_hub import NAME, append, hub_on, running
from tests.support.queue import enqueue, make_project
from tests.support.sessions import cut_off
from tests.support.waiting import eventually

LONG = 30.0


async def gather(
    hub: EventHub, positions: Mapping[UUID, int], until: Callable[[list[Event]], bool], job_id: UUID | None = None
) -> list[Event]:
    """Return what a watch has read when that is enough."""
    woken = asyncio.Event()
    found: list[Event] = []
    with hub.watch(positions, woken.set, job_id=job_id) as watch:
        while not until(found):
            woken.clear()
            if batch := watch.take():
                found += batch
            else:
                await asyncio.wait_for(woken.wait(), LONG)
    return found


def seqs(found: list[Event], project: UUID) -> list[int]:
    return [event.seq for event in found if event.project_id == project]


def test_each_project_is_read_in_order_from_its_position(database: Database, hub: EventHub) -> None:
    projects = [make_project(database) for _ in range(5)]
    jobs = [enqueue(database, project) for project in projects]
    for job in jobs:
        append(database, job, *map(str, range(9)))
    positions = {project: number for number, project in enumerate(projects)}

    async def main() -> list[Event]:
        reading = asyncio.create_task(gather(hub, positions, lambda found: len(found) == sum(range(6, 11)) + 5))
        for job in jobs:
            await asyncio.to_thread(append, database, job, "live")
        return await reading

    found = asyncio.run(main())
    for project, after in positions.items():
        assert seqs(found, project) == list(range(after + 1, 12))
    eventually(lambda: "event-hub" not in running(), what="the end of the reader")


def test_one_who_is_far_behind_gets_pages_and_then_the_feed(
    database: Database, following: Database, project: UUID, job: UUID
) -> None:
    append(database, job, *map(str, range(3 * PAGE)))
    with hub_on(following, kept=10) as hub:
        found = asyncio.run(gather(hub, {project: 0}, lambda found: len(found) == 3 * PAGE + 1))
    assert seqs(found, project) == list(range(1, 3 * PAGE + 2))


def test_only_the_job_that_is_asked_for_is_read(database: Database, hub: EventHub, project: UUID, job: UUID) -> None:
    append(database, enqueue(database, project), "another's")
    append(database, job, "mine")
    found = asyncio.run(gather(hub, {project: 0}, lambda found: len(found) == 2, job))
    assert seqs(found, project) == [1, 4]


def test_a_crowd_that_comes_together_shares_one_look(
    database: Database, hub: EventHub, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before where a feed usually begins.
    append(database, job, *map(str, range(PAGE)))
    statements = Statements(monkeypatch)

    async def main() -> list[list[Event]]:
        readers = [gather(hub, {project: 1}, lambda found: len(found) == PAGE) for _ in range(50)]
        return await asyncio.gather(*readers)

    for found in asyncio.run(main()):
        assert seqs(found, project) == list(range(2, PAGE + 2))
    for_all, for_one = statements.take()
    assert for_all <= 3
    assert for_one == 0


def test_connections_that_are_cut_off_lose_nothing(database: Database, hub: EventHub, project: UUID, job: UUID) -> None:
    def trouble() -> None:
        for number in range(3):
            append(database, job, f"before {number}")
            cut_off(database, NAME)
            append(database, job, f"behind {number}")

    async def main() -> list[Event]:
        reading = asyncio.create_task(gather(hub, {project: 0}, lambda found: len(found) == 7))
        await asyncio.to_thread(trouble)
        return await reading

    assert seqs(asyncio.run(main()), project) == list(range(1, 8))


def test_what_cannot_be_read_is_told_to_who_takes(
    database: Database, following: Database, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(database, job, *map(str, range(PAGE)))

    def read_after(*_: object, **__: object) -> list[Event]:
        raise ValueError("nobody can read this")

    monkeypatch.setattr(events, "read_after", read_after)
    with hub_on(following, kept=10) as hub, pytest.raises(ValueError, match="nobody can read this"):
        asyncio.run(gather(hub, {project: 0}, lambda found: len(found) > PAGE))


def test_a_closed_hub_wakes_who_watches(following: Database, project: UUID, job: UUID) -> None:
    async def main(hub: EventHub) -> bool:
        woken = asyncio.Event()
        with hub.watch({project: 0}, woken.set) as watch:
            while not _read_all(watch):
                await asyncio.wait_for(woken.wait(), LONG)
                woken.clear()
            closing = asyncio.create_task(asyncio.to_thread(hub.close))
            while not hub.closed:
                await asyncio.wait_for(woken.wait(), LONG)
            await closing
            return hub.closed

    with hub_on(following) as hub:
        assert asyncio.run(main(hub))


def _read_all(watch: Watch) -> bool:
    return bool(watch.take())
