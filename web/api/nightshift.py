"""The night's work by a foreign scheduler's call: `GET` and `POST /api/nightshift/run` (seed plan §5.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from studio import fan_out
from web.api.routing import open_router
from web.api.secret import is_secret, refused
from web.api.wire import Answer
from web.errors import errors
from web.studio_site import studio_site

router = open_router("operations")

# Some ten thousand projects have their turn in it; the schedules of the night queue what is left.
ROUTE_SECONDS = 0.5

_cron = HTTPBearer(auto_error=False, scheme_name="cronSecret", description="`CRON_SECRET`")
_night = APIKeyHeader(
    name="x-night-shift-secret", auto_error=False, scheme_name="nightShiftSecret", description="`NIGHT_SHIFT_SECRET`"
)


class NightAnswer(Answer):
    """How many cycles were queued, and the jobs for due mail, digests and nudges. `complete`: no project is left."""

    queued_projects: int
    queued_email_job: UUID
    queued_drip_digests: UUID
    queued_drip_nudges: UUID
    complete: bool


def _scheduler(
    request: Request,
    cron: Annotated[HTTPAuthorizationCredentials | None, Depends(_cron)],
    night: Annotated[str | None, Depends(_night)],
) -> None:
    """Let nobody through but who knows one of the two secrets; a session gives no right to this."""
    settings = studio_site(request).settings
    bearer = None if cron is None else cron.credentials
    # Both are looked at, so that the time tells nothing.
    known = [is_secret(bearer, settings.cron_secret), is_secret(night, settings.night_shift_secret)]
    if not any(known):
        raise refused()


@router.get("/api/nightshift/run", responses=errors(401), dependencies=[Depends(_scheduler)])
def run_night_by_get(request: Request) -> NightAnswer:
    """Queue the night's work, for schedulers that can only `GET`; what is queued or done for this day stays."""
    return _run(request)


@router.post("/api/nightshift/run", responses=errors(401, 403, 413), dependencies=[Depends(_scheduler)])
def run_night(request: Request) -> NightAnswer:
    """Queue the night's work; what is queued or done for this day stays as it is."""
    return _run(request)


def _run(request: Request) -> NightAnswer:
    done = fan_out.whole_night(studio_site(request).db, datetime.now(UTC), seconds=ROUTE_SECONDS)
    return NightAnswer(
        queued_projects=done.queued_projects,
        queued_email_job=done.email_job.job_id,
        queued_drip_digests=done.drip_digests.job_id,
        queued_drip_nudges=done.drip_nudges.job_id,
        complete=done.complete,
    )
