"""In an event loop a follower is told what every other one is, may be canceled at any time, and harms nobody."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from studio import events
from studio.database.connection import Database
from studio.errors import DatabaseError
from studio.event_hub import EventHub
from studio.events import PAGE, Event
from tests.support.event_hub import Reader, append, hub_on, running, until
from tests.support.waiting import eventually

LONG = 30.0


def test_async_followers_are_as_good_as_others(database: Database, hub: EventHub, project: UUID, job: UUID) -> None:
    append(database, job, *map(str, range(PAGE)))

    async def main() -> list[int]:
        seen: list[int] = []
        async with contextlib.aclosing(hub.follow_async(project, stop=lambda: len(seen) == PAGE + 3)) as stream:
            async for event in stream:
                seen.append(event.seq)
                if event.seq > PAGE and len(seen) < PAGE + 3:
                    await asyncio.to_thread(append, database, job, "next")
        return seen

    seen = asyncio.run(asyncio.wait_for(main(), LONG))
    assert seen == list(range(1, PAGE + 4))


@pytest.mark.parametrize("moment", ["waiting", "reading"])
def test_a_task_may_be_canceled_at_any_time(
    database: Database, hub: EventHub, project: UUID, job: UUID, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_read = threading.Event(), threading.Event()
    original = events.read_after

    def read_after(*arguments: Any, **options: Any) -> list[Event]:
        begun.set()
        assert may_read.wait(LONG)
        return original(*arguments, **options)

    async def main() -> list[int]:
        seen: list[int] = []

        async def read() -> None:
            async for event in hub.follow_async(project):
                seen.append(event.seq)

        task = asyncio.create_task(read())
        if moment == "waiting":
            await until(lambda: bool(seen))
        else:
            assert await asyncio.to_thread(begun.wait, LONG)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # At once, though the thread still waits for its answer.
        eventually(lambda: "event-hub" not in running(), what="the end of the reader")
        may_read.set()
        return seen

    if moment == "reading":
        monkeypatch.setattr(events, "read_after", read_after)
    else:
        may_read.set()
    assert asyncio.run(asyncio.wait_for(main(), LONG)) == ([1] if moment == "waiting" else [])


def test_a_loop_that_is_gone_harms_nobody(database: Database, hub: EventHub, project: UUID, job: UUID) -> None:
    async def first(stream: AsyncIterator[Event]) -> int:
        return (await anext(stream)).seq

    # Kept, so that nobody closes it, and its follower stays.
    loop, stream = asyncio.new_event_loop(), hub.follow_async(project)
    assert loop.run_until_complete(first(stream)) == 1
    loop.close()
    reader = Reader(hub, project)
    for number in range(5):
        append(database, job, str(number))
        reader.wait_for(number + 2)


def test_a_loop_that_is_held_up_gathers_no_calls(database: Database, hub: EventHub, project: UUID, job: UUID) -> None:
    async def main() -> list[int]:
        stream = hub.follow_async(project)
        seen = [(await anext(stream)).seq]
        loop = asyncio.get_running_loop()
        calls: list[object] = []
        original = loop.call_soon_threadsafe

        def call_soon_threadsafe(*arguments: Any, **options: Any) -> Any:
            calls.append(arguments)
            return original(*arguments, **options)

        loop.call_soon_threadsafe = call_soon_threadsafe  # type: ignore[method-assign]
        later = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        # The loop does nothing else meanwhile, while another follower sees each batch come.
        witness = Reader(hub, project)
        for number in range(20):
            append(database, job, str(number))
            witness.wait_for(number + 2)
        assert len(calls) <= 2
        seen += [(await later).seq, *[(await anext(stream)).seq for _ in range(19)]]
        await stream.aclose()
        return seen

    assert asyncio.run(asyncio.wait_for(main(), LONG)) == list(range(1, 22))


def test_the_first_look_of_an_async_follower_says_that_it_failed(caplog: pytest.LogCaptureFixture) -> None:
    async def main(hub: EventHub) -> None:
        await anext(hub.follow_async(UUID(int=1)))

    with Database("postgresql://postgres@/nowhere?host=/nonexistent", pool_size=1) as nowhere:
        nowhere._pool.timeout = 0.1
        with hub_on(nowhere) as hub, pytest.raises(DatabaseError, match="cannot be reached"):
            asyncio.run(main(hub))
