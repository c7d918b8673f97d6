"""Looking at a domain and a repository before there is a project: `/api/onboarding/scan`, for everybody.

The look is a job, as all long work. Who waits for it asks again, or lets a request wait for the next step.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import AwareDatetime, Field

from studio.job_types import ADDRESS_LIMIT, DOMAIN_LIMIT, SYSTEM_PROJECT_ID
from studio.onboarding import request as scans
from studio.onboarding.limits import take_owners_scan, take_scan
from studio.onboarding.scan import Scan
from studio.queue import ENDED, JobStatus, Outcome
from web.api.routing import open_router
from web.api.transactions import committed
from web.api.wire import Answer, SeedBody, Text
from web.errors import errors
from web.identity.clerk import KeysUnavailable
from web.identity.owner import found_owner
from web.studio_site import StudioSite, studio_site
from web.visitors import visitor

log = logging.getLogger(__name__)

router = open_router("onboarding")

# As long as an event stream lasts.
WAIT_LIMIT = 25
# Anybody may wait, and each takes a place among the requests at work: beyond this, nobody waits.
MOST_WAITING = 50
# Where a notification gets lost.
LOOK_AGAIN_SECONDS = 2.0
_CHANNEL = "agent_job_events"


class ScanBody(SeedBody):
    """What there is to look at; an idea alone needs no look."""

    domain: Annotated[Text, Field(max_length=DOMAIN_LIMIT)] | None = None
    repo_url: Annotated[Text, Field(max_length=ADDRESS_LIMIT)] | None = None
    idea_description: Annotated[Text, Field(max_length=scans.IDEA_CHARS)] | None = None


class ScanAnswer(Answer):
    """The scan, where it is known or needs no look, or the job that makes it. Names in `scan` are the seed's."""

    job_id: UUID | None
    status: JobStatus
    outcome: Outcome | None
    scan: Scan | None
    cache_hit: bool
    # Older clients read it so.
    cache_hit_seed: bool = Field(alias="cache_hit")


class StepAnswer(Answer):
    """A step of the scan, as it was recorded."""

    seq: int
    message: str
    at: AwareDatetime


class ScanProgress(Answer):
    """What has become of a scan: its steps after `after`, and the scan itself once it is there."""

    job_id: UUID
    status: JobStatus
    scan: Scan | None
    error: str | None
    steps: list[StepAnswer]


@router.post("/api/onboarding/scan", responses=errors(413, 429))
def request_scan(request: Request, body: ScanBody) -> ScanAnswer:
    """Return what is known of a domain, or have it looked at."""
    here = studio_site(request)
    wish = {"domain": body.domain, "repo_url": body.repo_url, "idea": body.idea_description}
    with here.db.connection() as conn:
        found = scans.known(conn, here.settings, **wish)
    if found is None:
        # Only what makes this machine look costs anything.
        _take(here, request)
        found = committed(here.db, lambda conn: scans.request_scan(conn, here.settings, **wish))
    return ScanAnswer(
        job_id=None if found.job is None else found.job.job_id,
        status="completed" if found.job is None else found.job.status,
        outcome=None if found.job is None else found.job.outcome,
        scan=found.scan,
        cache_hit=found.cache_hit,
        cache_hit_seed=found.cache_hit,
    )


def _take(here: StudioSite, request: Request) -> None:
    try:
        owner = found_owner(request)
    except KeysUnavailable as exc:
        # Nobody needs to have signed in for this.
        log.info("a scan is counted as a stranger's: %s", exc)
        owner = None
    if owner is None:
        take_scan(here.db, visitor(request).address)
    else:
        take_owners_scan(here.db, owner.clerk_id)


@router.get("/api/onboarding/scan/{job_id}", responses=errors(404))
async def show_scan(
    job_id: UUID,
    request: Request,
    after: Annotated[int, Query(ge=0, le=2**53, description="Only steps after this seq.")] = 0,
    wait: Annotated[
        float, Query(ge=0, le=WAIT_LIMIT, description="So many seconds at most for the next step or the end.")
    ] = 0,
) -> ScanProgress:
    """Return what has become of a scan."""
    here = studio_site(request)

    def look() -> ScanProgress:
        found = scans.result(here.db, job_id)
        steps = scans.scan_events(here.db, job_id, after)
        return ScanProgress(
            job_id=found.job_id,
            status=found.status,
            scan=found.scan,
            error=found.error,
            steps=[StepAnswer.model_validate(step) for step in steps],
        )

    def is_news(progress: ScanProgress) -> bool:
        return bool(progress.steps) or progress.scan is not None or progress.status in ENDED

    if not wait or not _room(request.app.state):
        return await run_in_threadpool(look)
    return await _waited(request, wait, look, is_news)


async def _waited(
    request: Request, seconds: float, look: Callable[[], ScanProgress], is_news: Callable[[ScanProgress], bool]
) -> ScanProgress:
    """Return the first look that finds news, or the last one in time."""
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(woken.set)

    state = request.app.state
    until = time.monotonic() + seconds
    state.scans_waiting += 1
    subscription = studio_site(request).listener.subscribe(_CHANNEL, str(SYSTEM_PROJECT_ID), wake)
    try:
        while True:
            woken.clear()
            progress = await run_in_threadpool(look)
            left = until - time.monotonic()
            if is_news(progress) or left <= 0 or await request.is_disconnected():
                return progress
            try:
                await asyncio.wait_for(woken.wait(), min(left, LOOK_AGAIN_SECONDS))
            except TimeoutError:
                continue
    finally:
        state.scans_waiting -= 1
        subscription.close()


def _room(state: Any) -> bool:
    if not hasattr(state, "scans_waiting"):
        state.scans_waiting = 0
    return bool(state.scans_waiting < MOST_WAITING)
