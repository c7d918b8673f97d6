"""A stream is its owner's: anybody else finds nothing there, and hears nothing of it."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID, uuid4

from tests.integration.stream.conftest import ada, path
from tests.integration.studio_web.conftest import Desk
from tests.support.event_hub import append
from tests.support.queue import claim_next, enqueue
from tests.support.streams import Stream


def test_who_has_not_signed_in_is_told_so(desk: Desk, project: UUID) -> None:
    for where in (path(project), "/api/events", path(uuid4())):
        answer = desk.stranger.get(where)
        assert (answer.status_code, answer.json()) == (401, {"error": "Sign in first."})
        assert desk.stranger.head(where).status_code == 401


def test_another_owners_project_looks_like_none(desk: Desk, project: UUID, job: UUID) -> None:
    nothing = uuid4()
    theirs, missing = desk.bob.get(path(project)), desk.bob.get(path(nothing))
    assert theirs.status_code == missing.status_code == 404
    assert theirs.text.replace(str(project), "?") == missing.text.replace(str(nothing), "?")
    # Not even whether its query makes sense.
    assert desk.bob.get(path(project), params={"cursor": "nonsense!"}).status_code == 404
    assert desk.bob.get(path(project), params={"jobId": str(job)}).status_code == 404


def test_all_events_are_the_owners_alone(desk: Desk, project: UUID, job: UUID) -> None:
    theirs = desk.project("bob")
    their_job = enqueue(desk.db, theirs)
    with Stream(desk.bob, "/api/events") as stream:
        assert [event["projectId"] for event in stream.events(1)] == [str(theirs)]
        append(desk.db, job, "hers")
        append(desk.db, their_job, "his")
        event = stream.events(1)[0]
        assert (event["projectId"], event["message"]) == (str(theirs), "his")


def test_all_events_leave_streamed_text_and_sleeping_projects_out(desk: Desk, project: UUID) -> None:
    sleeping = desk.project()
    append(desk.db, enqueue(desk.db, sleeping), "asleep")
    desk.db.execute("update public.projects set status = 'paused' where id = %s", [sleeping])
    job = enqueue(desk.db, project, lane="realtime")
    claim = claim_next(desk.db, lane="realtime")
    assert claim.job_id == job
    desk.db.execute(
        'select public.append_agent_job_events(%s, \'[{"type": "delta", "message": "text"},'
        ' {"type": "log", "message": "line"}]\')',
        [job],
    )
    with Stream(desk.ada, "/api/events") as stream:
        found: list[dict[str, Any]] = []
        while not found or found[-1]["message"] != "line":
            found += stream.events(1)
    assert str(sleeping) not in {event["projectId"] for event in found}
    assert [event["seq"] for event in found if event["projectId"] == str(project)] == [1, 2, 4]
    with ada(desk, project, cursor="2") as stream:
        assert [event["type"] for event in stream.events(2)] == ["delta", "log"]


def test_who_has_no_project_waits_in_peace(desk: Desk) -> None:
    with contextlib.closing(desk.web.sign_in("nobody")) as nobody, Stream(nobody, "/api/events") as stream:
        assert stream.answer.status == 200
        assert stream.body().startswith(b"retry: ")
