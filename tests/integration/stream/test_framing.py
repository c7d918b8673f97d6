"""A stream is the frames of the standard: ids that are seqs, one line of JSON, blank lines, and nothing held back."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from studio import events
from studio.events import NewEvent
from tests.integration.stream.conftest import ada, path
from tests.integration.studio_web.conftest import Desk
from tests.support import queue
from tests.support.event_hub import append
from tests.support.streams import Stream

TEXT = 'line\nline\r\nid: 9\n\ndata: "ü"   \U0001f6b2 \\n'


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_every_byte_is_as_the_standard_wants_it(desk: Desk, project: UUID, job: UUID, version: str) -> None:
    with desk.db.transaction() as conn:
        events.append(conn, job, [NewEvent("delta", TEXT, {"html": "<b>", "deep": {"list": [1, None]}})])
    row = desk.db.fetch_one("select * from public.agent_job_events where job_id = %s and seq = 2", [job])
    assert row is not None
    moment = row["created_at"].strftime("%Y-%m-%dT%H:%M:%S.") + f"{row['created_at'].microsecond // 1000:03d}Z"
    payload = (
        f'{{"seq":2,"id":"{row["id"]}","jobId":"{job}","job_id":"{job}","projectId":"{project}","agent":"ceo",'
        f'"type":"delta","message":{json.dumps(TEXT, ensure_ascii=False)},'
        f'"data":{{"deep":{{"list":[1,null]}},"html":"<b>"}},"attempt":0,"traceId":"{row["trace_id"].hex}",'
        f'"createdAt":"{moment}"}}'
    )
    expected = f"id: 2\nevent: message\ndata: {payload}\n\n".encode()
    with ada(desk, project, last_id="1", version=version) as stream:
        assert stream.answer.status == 200
        read = b""
        while expected not in read:
            read += stream.body()
    before, _, behind = read.partition(expected)
    assert before.startswith(b"retry: 100\n\n")
    # The hint that the server listens from here on may stand before it or behind.
    hints = before.removeprefix(b"retry: 100\n\n") + behind
    assert hints == b"" or hints.startswith(f'event: changed\ndata: {{"projectId":"{project}","what":'.encode())


def test_the_head_says_that_nobody_is_to_keep_or_hold_anything(desk: Desk, project: UUID) -> None:
    with ada(desk, project) as stream:
        headers = stream.answer.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["transfer-encoding"] == "chunked"
    assert "content-length" not in headers


@pytest.mark.parametrize("where", ["/api/events", "/api/projects/{}/events"])
def test_the_head_alone_is_answered_at_once(desk: Desk, project: UUID, where: str) -> None:
    answer = desk.ada.head(where.format(project))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    # The connection is good for more.
    assert desk.ada.get("/healthz").status_code == 200


def test_several_events_come_in_one_piece_and_live_ones_at_once(desk: Desk, project: UUID, job: UUID) -> None:
    append(desk.db, job, *map(str, range(50)))
    with ada(desk, project, last_id="1") as stream:
        pieces: list[bytes] = []
        while b"id: 51\n" not in b"".join(pieces):
            pieces.append(stream.body())
        assert sum(piece.count(b"event: message") > 0 for piece in pieces) <= 2
        append(desk.db, job, "live")
        while b"id: 52\n" not in pieces[-1]:
            pieces.append(stream.body())
    assert stream.parser.last_id == ""


def test_each_attempt_says_which_it_is(desk: Desk, project: UUID) -> None:
    # A lane that no other test has left anything in.
    job = queue.enqueue(desk.db, project, lane="heavy")
    with ada(desk, project, last_id="0") as stream:
        first = queue.claim_next(desk.db, lane="heavy")
        queue.append(first)
        first.fail("It broke.", permanent=False, retry_base=queue.AT_ONCE)
        second = queue.claim_next(desk.db, lane="heavy")
        queue.append(second)
        second.complete()
        found = [(event["type"], event["message"], event["attempt"]) for event in stream.events(7)]
    assert found == [
        ("status", "queued", 0),
        ("status", "running", 1),
        ("log", "I am still here.", 1),
        ("status", "queued", 1),
        ("status", "running", 2),
        ("log", "I am still here.", 2),
        ("status", "completed", 2),
    ]
    assert queue.job(desk.db, job).status == "completed"


def test_both_names_of_the_job_are_told(desk: Desk, project: UUID, job: UUID) -> None:
    with Stream(desk.ada, path(project)) as stream:
        (event,) = stream.events(1)
    assert event["jobId"] == event["job_id"] == str(job)
    assert event["agent"] == "ceo"
