"""Does it work? `GET /healthz`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from web.site import site

router = APIRouter()


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", tags=["operations"], responses={503: {"description": "The database cannot be reached."}})
def health(request: Request) -> JSONResponse:
    """Say that requests are answered, and whether the database is there for them."""
    if site(request).pulse.beats():
        return JSONResponse({"status": "ok", "database": "ok"})
    return JSONResponse({"status": "degraded", "database": "unreachable"}, 503)
