"""Whether anybody works: `GET /api/worker/health`, for monitors that know `WORKER_HEALTH_SECRET`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader

from studio import worker_health
from studio.worker_health import Status
from web.api.routing import open_router
from web.api.secret import is_secret, refused
from web.api.wire import Answer
from web.errors import errors
from web.studio_site import studio_site

router = open_router("operations")

_monitor = APIKeyHeader(
    name="x-worker-health-secret",
    auto_error=False,
    scheme_name="workerHealthSecret",
    description="`WORKER_HEALTH_SECRET`",
)


class LaneAnswer(Answer):
    """A lane of the queue; `takeable` are due jobs for which a slot is free, the oldest for `lateSeconds`."""

    lane: str
    slots: int
    running: int
    queued: int
    due: int
    takeable: int
    late_seconds: float


class FailuresAnswer(Answer):
    """How many jobs of a type have failed for good."""

    job_type: str
    count: int


class HeartbeatAnswer(Answer):
    """A worker of another make that says by itself that it lives."""

    worker_id: str
    service_name: str
    status: str
    seconds_ago: float


class HealthAnswer(Answer):
    """How the work fares.

    `degraded`: due work waits for more than 30 s, leases end unnoticed, or some workers are silent. `down`: it waits
    for more than two minutes, or all workers are silent.
    """

    status: Status
    problems: list[str]
    at: datetime
    lanes: list[LaneAnswer]
    expired_leases: int
    oldest_expired_seconds: float
    last_claim_at: datetime | None
    completed_last_hour: int
    failures_last_hour: list[FailuresAnswer]
    heartbeats: list[HeartbeatAnswer]


def _known(request: Request, secret: Annotated[str | None, Depends(_monitor)]) -> None:
    if not is_secret(secret, studio_site(request).settings.worker_health_secret):
        raise refused()


@router.get("/api/worker/health", responses=errors(401), dependencies=[Depends(_known)])
def show_worker_health(request: Request) -> HealthAnswer:
    """Return how the queue fares, told from what is taken from it and what is not."""
    return HealthAnswer.model_validate(worker_health.look(studio_site(request).db))
