"""What happens in projects, live: of one project, and of all that an owner has."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import Response

from studio import event_positions
from studio.errors import InvalidInput, NotFound, RateLimited
from web.api.routing import owner_router
from web.errors import NAMED, errors
from web.identity.owner import OwnProject, SignedIn
from web.stream import cursor
from web.stream.cursor import Cursor, Moment, Several
from web.stream.response import MEDIA_TYPE, Course, EventStream
from web.studio_site import StudioSite, studio_site

router = owner_router("events")

# A client of the seed sends its message first and connects then. What came in between is not to be lost.
FIRST_LOOK_BACK = timedelta(seconds=60)
# So many positions are the id of each frame. Who has more projects sees the others when he opens them.
MOST_PROJECTS = 200
# A page that nobody looks at has none. More than this is no person, and would take the others' place.
STREAMS_PER_OWNER = 100
_AGAIN_SECONDS = 5

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Frames `id`, `event: message` and `data`, without end; `event: changed` hints at other changes,"
        " `event: reconnect` is the last. Come back with the last id.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    },
}


async def begin(
    request: Request,
    given: Annotated[str | None, Query(alias="cursor", description="The id of the last frame.")] = None,
    after: Annotated[str | None, Query(description="`createdAt` of the last event, in the seed's pair.")] = None,
    after_id: Annotated[str | None, Query(alias="afterId", description="`id` of the last event.")] = None,
) -> Cursor | None:
    """Return where a client says that it stands: what it sends when it comes back counts before what its page knew."""
    said = request.headers.get("last-event-id") or given
    if said:
        return cursor.parse(said)
    if after:
        return cursor.moment(after, after_id)
    if after_id:
        raise InvalidInput("afterId says nothing without after.", "Send createdAt of the same event as after.")
    return None


Begin = Annotated[Cursor | None, Depends(begin)]


def course_of_project(
    request: Request,
    project: OwnProject,
    where: Begin,
    job_id: Annotated[UUID | None, Query(alias="jobId", description="Only this job's events.")] = None,
) -> Course:
    """Return what a stream of one project carries."""
    here = studio_site(request)
    if job_id is not None and not here.db.fetch_one(
        "select 1 from public.agent_jobs where id = %s and project_id = %s", [job_id, project.id]
    ):
        raise NotFound(f"There is no job {job_id}.")
    if isinstance(where, Several):
        raise InvalidInput("This cursor is of a stream of all projects.", "Send the id of a frame of this one.")
    return Course(_positions(here, [project.id], where), project.owner_clerk_id, job_id)


def course_of_owner(request: Request, owner: SignedIn, where: Begin) -> Course:
    """Return what a stream of all of an owner's projects carries."""
    here = studio_site(request)
    if isinstance(where, int):
        raise InvalidInput("A seq is a position in one project.", "Send the id of a frame of this stream.")
    rows = here.db.fetch_all(
        "select id from public.projects where owner_clerk_id = %s and status = 'active'"
        " order by created_at desc, id limit %s",
        [owner.clerk_id, MOST_PROJECTS],
    )
    return Course(_positions(here, [row["id"] for row in rows], where), owner.clerk_id, several=True, deltas=False)


def _positions(here: StudioSite, project_ids: list[UUID], where: Cursor | None) -> dict[UUID, int]:
    if isinstance(where, Moment):
        return event_positions.after(here.db, project_ids, where.after, where.after_id)
    said = dict.fromkeys(project_ids, where) if isinstance(where, int) else where.of(project_ids) if where else {}
    # New ones, and all of who comes for the first time.
    others = [project_id for project_id in project_ids if project_id not in said]
    found = event_positions.known(here.db, said) if said else {}
    return {**found, **event_positions.before(here.db, others, FIRST_LOOK_BACK)} if others else found


@router.head("/api/projects/{project_id}/events", include_in_schema=False)
@router.get(
    "/api/projects/{project_id}/events", response_class=Response, responses={**_ANSWERS, **NAMED, **errors(429)}
)
async def project_events(request: Request, course: Annotated[Course, Depends(course_of_project)]) -> Response:
    """Send what happens in a project, from where the client stands, or else from a minute ago."""
    return _stream(request, course)


@router.head("/api/events", include_in_schema=False)
@router.get("/api/events", response_class=Response, responses={**_ANSWERS, **errors(429)})
async def all_events(request: Request, course: Annotated[Course, Depends(course_of_owner)]) -> Response:
    """Send what happens in the owner's active projects, the newest 200, without streamed text."""
    return _stream(request, course)


def _stream(request: Request, course: Course) -> EventStream:
    here = studio_site(request)
    # Where browsers sign in by link there is one owner, whose machine it is.
    if here.clerk is not None and here.streams.open[course.owner] >= STREAMS_PER_OWNER:
        raise RateLimited("Too many streams are open.", "Close some pages.", retry_after=_AGAIN_SECONDS)
    return EventStream(
        here.streams,
        course,
        seconds=here.settings.stream_seconds,
        ping_seconds=here.settings.stream_ping_seconds,
    )
