"""Does it work? `GET /healthz`."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from web.site import site

router = APIRouter()


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
def health(request: Request) -> JSONResponse:
    """Say that requests are answered, and whether the database is there for them."""
    if site(request).pulse.beats():
        return JSONResponse({"status": "ok", "database": "ok"})
    return JSONResponse({"status": "degraded", "database": "unreachable"}, 503)
