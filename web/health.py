"""Does it work, and can it serve? `GET /healthz`, `GET /readyz`."""

from __future__ import annotations

from typing import Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from web.site import site

router = APIRouter()

# One asks the database, the others hear what it was told.
_THREADS = 2


class Health(BaseModel):
    """Whether requests are answered, and whether the database is there for them."""

    status: Literal["ok", "degraded"]
    database: Literal["ok", "unreachable"]


@router.head("/healthz", include_in_schema=False)
@router.get(
    "/healthz",
    tags=["operations"],
    operation_id="getHealth",
    response_model=Health,
    responses={503: {"model": Health, "description": "The database cannot be reached."}},
)
async def health(request: Request) -> JSONResponse:
    """Say that requests are answered, and whether the database is there for them."""
    # In a thread that no other request can have: it is asked above all when those are all taken.
    if await to_thread.run_sync(site(request).pulse.beats, limiter=_limiter(request)):
        return JSONResponse({"status": "ok", "database": "ok"})
    return JSONResponse({"status": "degraded", "database": "unreachable"}, 503)


class Readiness(BaseModel):
    """Whether this process should be sent requests, and why not."""

    status: Literal["ready", "not ready"]
    reasons: list[str]


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    tags=["operations"],
    operation_id="getReadiness",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Requests should go elsewhere, for the reasons given."}},
)
async def readiness(request: Request) -> JSONResponse:
    """Say whether the database is there and of this release, and this process goes on."""
    reasons = await to_thread.run_sync(site(request).readiness.reasons, limiter=_limiter(request))
    return JSONResponse({"status": "not ready" if reasons else "ready", "reasons": reasons}, 503 if reasons else 200)


def _limiter(request: Request) -> CapacityLimiter:
    # It belongs to an event loop, so it is made within it.
    if not hasattr(request.app.state, "health_limiter"):
        request.app.state.health_limiter = CapacityLimiter(_THREADS)
    found: CapacityLimiter = request.app.state.health_limiter
    return found
