"""The signed-in owner of a request, and what is his: the one place where that is asked.

Routes take `SignedIn`, `OwnProject` and `OwnJob`. What belongs to somebody else looks as if it were not there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from studio import projects, queue, sign_in
from studio.errors import NotFound
from studio.projects import Project
from studio.queue import Job
from web.identity import cookies
from web.identity.clerk import TokenRefused
from web.studio_site import StudioSite, studio_site

log = logging.getLogger(__name__)

_CLERK_COOKIE = "__session"


@dataclass(frozen=True)
class Owner:
    """Who asks. `session_id` is that of a browser that signed in by link."""

    clerk_id: str
    via: Literal["link", "cookie", "bearer"]
    session_id: UUID | None = None


def found_owner(request: Request) -> Owner | None:
    """Return who asks; None where nobody has signed in, or no longer. Raise `StudioError` where that cannot be told."""
    here = studio_site(request)
    if here.clerk is not None:
        return _by_clerk(here, request)
    token = cookies.session_token(request)
    if token is None:
        return None
    found = sign_in.session(here.db, token, life=timedelta(days=here.settings.session_days))
    return None if found is None else Owner(found.owner_clerk_id, "link", found.id)


def _by_clerk(here: StudioSite, request: Request) -> Owner | None:
    assert here.clerk is not None  # noqa: S101 - the caller has looked
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    via: Literal["bearer", "cookie"] = "bearer" if scheme.lower() == "bearer" else "cookie"
    token = bearer.strip() if via == "bearer" else request.cookies.get(_CLERK_COOKIE, "")
    if not token:
        return None
    try:
        return Owner(here.clerk.subject(token), via)
    except TokenRefused as exc:
        log.info("a session token was refused: %s", exc)
        return None


def signed_in(request: Request) -> Owner:
    """Return who asks; a program gets 401, a person the sign-in page, where nobody has signed in."""
    owner = found_owner(request)
    if owner is None:
        raise HTTPException(401, "Sign in first.", {"WWW-Authenticate": 'Bearer realm="greenlight"'})
    return owner


SignedIn = Annotated[Owner, Depends(signed_in)]


def own_project(project_id: UUID, owner: SignedIn, request: Request) -> Project:
    """Return the project of the path where it is the owner's; else it is not there."""
    project = projects.get(studio_site(request).db, project_id)
    if project.owner_clerk_id != owner.clerk_id:
        raise NotFound(f"There is no project {project_id}.")
    return project


OwnProject = Annotated[Project, Depends(own_project)]


def own_job(job_id: UUID, owner: SignedIn, request: Request) -> Job:
    """Return the job of the path where it is of a project of the owner's; else it is not there."""
    return queue.of_owner(studio_site(request).db, owner.clerk_id, job_id)


OwnJob = Annotated[Job, Depends(own_job)]
