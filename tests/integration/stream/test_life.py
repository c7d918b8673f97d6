"""A stream says that it lives, ends in time with a whole answer, and leaves the hub with its client."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest

from tests.integration.stream.conftest import ada, path
from tests.integration.studio_web.conftest import Desk
from tests.support.event_hub import append
from tests.support.streams import Stream
from tests.support.waiting import eventually

SETTINGS = {"stream_seconds": 0.5, "stream_ping_seconds": 0.05}
RECONNECT: tuple[str, dict[str, str]] = ("reconnect", {})


def state(desk: Desk) -> Any:
    """Return what the application keeps."""
    return desk.web._server.config.app.state  # type: ignore[union-attr]


def followers(desk: Desk, project: UUID) -> int:
    feed = state(desk).site.hub._feeds.get(project)
    return len(feed.followers) if feed else 0


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_stream_ends_in_time_and_as_a_whole(desk: Desk, project: UUID, job: UUID, version: str) -> None:
    began = time.monotonic()
    with ada(desk, project, version=version) as stream:
        frames = stream.rest()
    # A fifth less at most, so that those that began together do not end together.
    assert time.monotonic() - began >= SETTINGS["stream_seconds"] * 0.8
    assert stream.ended
    assert frames[-1][:2] == RECONNECT
    assert [frame.data["seq"] for frame in frames if frame.event == "message"] == [1]
    assert stream.parser.retries == [100]


def test_the_connection_is_good_for_the_next_stream(desk: Desk, project: UUID, job: UUID) -> None:
    before = desk.web.connections
    for seq in (1, 2, 3):
        append(desk.db, job, "more")
        answer = desk.ada.get(path(project), headers={"Last-Event-ID": str(seq)})
        assert f"id: {seq + 1}\n" in answer.text
        assert answer.text.endswith("event: reconnect\ndata: {}\n\n")
    assert desk.web.connections <= before + 1


def test_a_silent_stream_says_that_it_lives(desk: Desk, project: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.web.settings, "stream_seconds", 600.0)
    with ada(desk, project) as stream:
        while len(stream.parser.comments) < 3:
            list(stream.parser.feed(stream.body()))
    assert set(stream.parser.comments) == {"ping"}


def test_a_stream_that_has_ended_before_it_was_silent_sends_no_ping(
    desk: Desk, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.web.settings, "stream_ping_seconds", 600.0)
    with ada(desk, project) as stream:
        stream.rest()
    assert stream.parser.comments == []


@pytest.mark.parametrize("goes", ["politely", "without a word"])
def test_who_goes_is_forgotten_while_nothing_happens(
    desk: Desk, project: UUID, job: UUID, goes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.web.settings, "stream_seconds", 600.0)
    monkeypatch.setattr(desk.web.settings, "stream_ping_seconds", 600.0)
    stream = ada(desk, project)
    stream.seqs(1)
    eventually(lambda: followers(desk, project) == 1, what="a follower")
    stream.close() if goes == "politely" else stream.reset()
    eventually(lambda: followers(desk, project) == 0, what="the end of the follower")
    eventually(lambda: project not in state(desk).site.streams.changes._rooms, what="the end of the hints")


def test_all_streams_of_a_project_share_one_feed(
    desk: Desk, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.web.settings, "stream_seconds", 600.0)
    crowd = [ada(desk, project) for _ in range(30)] + [Stream(desk.ada, "/api/events") for _ in range(10)]
    try:
        for stream in crowd:
            while stream.events(1)[0]["jobId"] != str(job):
                pass
        eventually(lambda: followers(desk, project) == len(crowd), what="all of them")
        append(desk.db, job, "to all")
        for stream in crowd:
            while (event := stream.events(1)[0])["message"] != "to all":
                pass
        assert UUID(event["id"]) in state(desk).site.streams.frames._frames
    finally:
        for stream in crowd:
            stream.close()
    eventually(lambda: followers(desk, project) == 0, what="the end of all followers")
