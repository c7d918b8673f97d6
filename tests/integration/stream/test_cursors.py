"""A stream begins after what the client says that it has seen, in whatever form, and loses nothing it has not."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio import event_positions, events
from tests.integration.stream.conftest import ada, path
from tests.integration.studio_web.conftest import Desk
from tests.support.event_hub import append
from tests.support.queue import enqueue
from tests.support.streams import Stream
from web.stream.frames import moment

LAST = 6


def encoded(text: str, *, urlsafe: bool = False, padded: bool = True) -> str:
    found = (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(text.encode()).decode()
    return found if padded else found.rstrip("=")


def row(desk: Desk, project: UUID, seq: int) -> dict[str, Any]:
    found = desk.db.fetch_one(
        "select * from public.agent_job_events where project_id = %s and seq = %s", [project, seq]
    )
    assert found is not None
    return found


def seed(desk: Desk, project: UUID, seq: int) -> tuple[str, str]:
    """Return createdAt and id of an event, as a client has got them."""
    found = row(desk, project, seq)
    return moment(found["created_at"]), str(found["id"])


@pytest.fixture
def told(desk: Desk, project: UUID, job: UUID) -> UUID:
    """A project whose stream has six events, five of one transaction."""
    append(desk.db, job, "a", "b", "c", "d", "e")
    assert events.last_seq(desk.db, project) == LAST
    return project


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "4"},
        {"cursor": encoded("4")},
        {"cursor": encoded("4", padded=False)},
        {"last_id": "4"},
        {"last_id": "4", "cursor": "1"},
        {"last_id": "4", "after": "2000-01-01T00:00:00Z"},
        {"last_id": "", "cursor": "4"},
    ],
    ids=str,
)
def test_a_seq_is_a_position(desk: Desk, told: UUID, query: dict[str, Any]) -> None:
    with ada(desk, told, **query) as stream:
        assert stream.seqs(2) == [5, 6]


@pytest.mark.parametrize("form", ["pair", "cursor", "urlsafe cursor", "last id"])
def test_the_pair_of_the_seed_is_exact_within_one_moment(desk: Desk, told: UUID, form: str) -> None:
    assert len({row(desk, told, seq)["created_at"] for seq in range(2, LAST + 1)}) == 1
    for seen in range(1, LAST + 1):
        after, after_id = seed(desk, told, seen)
        both = json.dumps({"after": after, "afterId": after_id})
        query: dict[str, Any] = {
            "pair": {"after": after, "afterId": after_id},
            "cursor": {"cursor": encoded(both)},
            "urlsafe cursor": {"cursor": encoded(both, urlsafe=True, padded=False)},
            "last id": {"last_id": encoded(both)},
        }[form]
        with ada(desk, told, **query) as stream:
            append(desk.db, enqueue(desk.db, told), "later")
            assert stream.seqs(1) == [seen + 1]


def test_a_moment_alone_lies_before_whatever_is_later(desk: Desk, told: UUID) -> None:
    after, _ = seed(desk, told, 1)
    with ada(desk, told, after=after) as stream:
        # What it has of its millisecond is told again.
        assert stream.seqs(LAST)[-1] == LAST
    written = row(desk, told, 3)["created_at"]
    for at, seqs in ((written, []), (written - timedelta(microseconds=1), list(range(2, LAST + 1)))):
        position = event_positions.after(desk.db, [told], at)[told]
        assert list(range(position + 1, LAST + 1)) == seqs
    with ada(desk, told, after=(written + timedelta(hours=1)).isoformat()) as stream:
        append(desk.db, enqueue(desk.db, told), "now")
        assert stream.seqs(1) == [LAST + 1]


def test_an_unknown_id_counts_in_the_order_of_its_moment(desk: Desk, told: UUID) -> None:
    written = row(desk, told, 3)["created_at"]
    for unknown, position in ((UUID(int=0), 1), (UUID(int=2**128 - 1), LAST)):
        assert event_positions.after(desk.db, [told], written, unknown) == {told: position}


def test_what_committed_late_is_not_passed_over(desk: Desk, told: UUID) -> None:
    # The fourth began long before the others and committed between them.
    desk.db.execute(
        "update public.agent_job_events set created_at = created_at - interval '1 hour'"
        " where project_id = %s and seq = 4",
        [told],
    )
    seen = row(desk, told, 1)["created_at"]
    assert event_positions.after(desk.db, [told], seen) == {told: 1}
    assert event_positions.after(desk.db, [told], seen - timedelta(minutes=30)) == {told: 0}
    # By its id, though its moment says that all others are later.
    assert event_positions.after(desk.db, [told], row(desk, told, 4)["created_at"], row(desk, told, 4)["id"]) == {
        told: 4
    }


def test_who_says_nothing_gets_the_last_minute(desk: Desk, told: UUID) -> None:
    with ada(desk, told) as stream:
        assert stream.seqs(LAST) == list(range(1, LAST + 1))
    desk.db.execute(
        "update public.agent_job_events set created_at = now() - interval '61 seconds'"
        " where project_id = %s and seq < 4",
        [told],
    )
    with ada(desk, told) as stream:
        assert stream.seqs(3) == [4, 5, 6]
    desk.db.execute(
        "update public.agent_job_events set created_at = now() - interval '1 hour' where project_id = %s", [told]
    )
    with ada(desk, told) as stream:
        append(desk.db, enqueue(desk.db, told), "now")
        assert stream.seqs(1) == [LAST + 1]


def test_a_position_beyond_the_end_is_the_end(desk: Desk, told: UUID) -> None:
    # As after the database was restored: the browser would wait for what comes under numbers that it has seen.
    for beyond in (str(LAST + 1), str(2**63 - 1), "0000000000000000099"):
        with ada(desk, told, last_id=beyond) as stream:
            append(desk.db, enqueue(desk.db, told), "next")
            first = stream.seqs(1)[0]
            assert first in (events.last_seq(desk.db, told) - 1, events.last_seq(desk.db, told))


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "-1"},
        {"cursor": str(2**63)},
        {"cursor": "9" * 400},
        {"cursor": "x" * 10_000},
        {"cursor": "nonsense!"},
        {"cursor": "1.5"},
        {"cursor": "٣"},
        {"cursor": encoded("-1")},
        {"cursor": encoded("[]")},
        {"cursor": encoded("{}")},
        {"cursor": encoded('{"after": 5}')},
        {"cursor": encoded('{"after": "2026-01-01T00:00:00Z", "afterId": "x"}')},
        {"cursor": encoded('{"after": "2026-01-01T00:00:00Z", "afterId": 5}')},
        {"cursor": encoded("[" * 3_000)},
        {"cursor": "p1.AAAA"},
        {"cursor": "p1."},
        {"last_id": "nonsense"},
        {"after": "yesterday"},
        {"after": "9999-12-31T23:59:59-23:00"},
        {"after": "2026-01-01T00:00:00Z", "afterId": "x"},
        {"afterId": "00000000-0000-4000-8000-000000000001"},
        {"jobId": "x"},
    ],
    ids=lambda query: str(query)[:60],
)
def test_what_says_nothing_is_refused(desk: Desk, told: UUID, query: dict[str, Any]) -> None:
    headers = {"Last-Event-ID": query.pop("last_id")} if "last_id" in query else {}
    answer = desk.ada.get(path(told), params=query, headers=headers)
    assert answer.status_code == 422
    assert len(answer.json()["error"]) < 400


def test_a_stream_of_one_job_has_no_other(desk: Desk, told: UUID) -> None:
    other = enqueue(desk.db, told)
    append(desk.db, other, "mine")
    with ada(desk, told, jobId=other, cursor="0") as stream:
        assert stream.seqs(2) == [LAST + 1, LAST + 2]
    with ada(desk, told, jobId=other, last_id=LAST + 1) as stream:
        assert stream.seqs(1) == [LAST + 2]


def test_a_job_of_another_project_is_not_there(desk: Desk, told: UUID) -> None:
    elsewhere = enqueue(desk.db, desk.project())
    for job_id in (elsewhere, uuid4()):
        answer = desk.ada.get(path(told), params={"jobId": str(job_id)})
        assert (answer.status_code, answer.json()) == (404, {"error": "There is no such job."})


def test_a_stream_of_all_projects_resumes_in_each(desk: Desk, told: UUID) -> None:
    other = desk.project()
    mine = {str(told), str(other)}
    append(desk.db, enqueue(desk.db, other), "x", "y")
    ids: dict[str, tuple[str, int]] = {}
    with Stream(desk.ada, "/api/events") as stream:
        seen: list[tuple[str, int]] = []
        while len(seen) < LAST + 3:
            frame = stream.frame()
            if frame.event == "message" and frame.data["projectId"] in mine:
                seen.append((frame.data["projectId"], frame.data["seq"]))
                ids[frame.id] = seen[-1]
    assert len(ids) == len(seen)
    for number, last_id in enumerate(ids, start=1):
        with Stream(desk.ada, "/api/events", last_id=last_id) as stream:
            rest: list[tuple[str, int]] = []
            while len(rest) < len(seen) - number:
                event = stream.events(1)[0]
                if event["projectId"] in mine:
                    rest.append((event["projectId"], event["seq"]))
        assert sorted(rest) == sorted(seen[number:])


def test_a_project_that_a_cursor_does_not_know_begins_a_minute_ago(desk: Desk, told: UUID) -> None:
    with Stream(desk.ada, "/api/events") as stream:
        last_id = ""
        while not last_id:
            last_id = stream.frame().id
    new = desk.project()
    append(desk.db, enqueue(desk.db, new), "x")
    with Stream(desk.ada, "/api/events", last_id=last_id) as stream:
        found: list[int] = []
        while len(found) < 2:
            event = stream.events(1)[0]
            if event["projectId"] == str(new):
                found.append(event["seq"])
    assert found == [1, 2]


def test_a_seq_says_nothing_about_all_projects(desk: Desk, told: UUID) -> None:
    with Stream(desk.ada, "/api/events") as stream:
        several = ""
        while not several:
            several = stream.frame().id
    assert desk.ada.get("/api/events", params={"cursor": "4"}).status_code == 422
    assert desk.ada.get(path(told), params={"cursor": several}).status_code == 422
