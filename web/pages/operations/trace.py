"""One trace: `GET /traces/{trace}`, its live part, and all of one span for the drawer beside it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from studio.operations import baseline, explanation, traces, tree
from studio.operations.attempt_names import attempt_names
from studio.operations.trace import Trace
from studio.operations.tree import TraceTree
from studio.views import operations as views
from web.identity.viewer import Looking, Viewer
from web.pages.operations.payload import event_of, payload_of
from web.pages.operations.picture import draw
from web.pages.rendering import page
from web.studio_site import StudioSite, studio_site

router = APIRouter(include_in_schema=False)

NAME_LIMIT = 200
# Below how many spans an open trace is asked for again after how many seconds: what takes a second to be loaded, and
# another one to be drawn, must not fill every second.
EVERY = ((2_000, 2), (20_000, 10))
SLOWEST = 30
Name = Annotated[str | None, Query(max_length=NAME_LIMIT)]
Place = Annotated[str | None, Query(max_length=2 * NAME_LIMIT)]


@router.get("/traces/{trace_id}")
def whole(
    trace_id: UUID,
    looking: Looking,
    request: Request,
    span: Name = None,
    name: Name = None,
    open: Place = None,
    under: Name = None,
) -> Response:
    """Show where an attempt's time went and what went wrong. The id of a job or a run leads to its newest attempt."""
    here = studio_site(request)
    trace = traces.get(here.db, trace_id, looking.scope)
    if trace.trace_id != trace_id:
        return RedirectResponse(f"/traces/{trace.id}", 303)
    shown = _shown(here, looking, trace, name=name, opened=open, under=under)
    detail = _detail(here, looking, trace, span) if span else {"span": None}
    return page(request, "operations/trace.html", looking.owner, **shown, **detail)


@router.get("/parts/traces/{trace_id}")
def whole_part(
    trace_id: UUID,
    looking: Looking,
    request: Request,
    name: Name = None,
    open: Place = None,
    under: Name = None,
) -> Response:
    """Return a trace as it is now."""
    here = studio_site(request)
    trace = traces.get(here.db, trace_id, looking.scope)
    shown = _shown(here, looking, trace, name=name, opened=open, under=under)
    return page(request, "operations/trace_part.html", looking.owner, nav_inbox=0, **shown)


@router.get("/parts/traces/{trace_id}/spans/{span_id}")
def span_part(trace_id: UUID, span_id: str, looking: Looking, request: Request) -> Response:
    """Return all of one span: what went in and out, attributes, events, and its error."""
    here = studio_site(request)
    trace = traces.get(here.db, trace_id, looking.scope)
    detail = _detail(here, looking, trace, span_id)
    return page(request, "operations/span.html", looking.owner, nav_inbox=0, trace=trace, **detail)


def _shown(
    here: StudioSite, looking: Viewer, trace: Trace, *, name: str | None, opened: str | None, under: str | None
) -> dict[str, Any]:
    loaded = tree.load(here.db, trace.trace_id, looking.scope)
    attempts = traces.of_job(here.db, trace.job_id, looking.scope) if trace.job_id else []
    asked = {"name": name, "open": opened, "under": under}

    def link(**changes: Any) -> str:
        query = urlencode({key: str(value) for key, value in {**asked, **changes}.items() if value})
        return f"/traces/{trace.id}{f'?{query}' if query else ''}"

    return {
        "trace": loaded.trace,
        "attempts": list(zip(attempt_names(attempts), attempts, strict=True)),
        "max_attempts": views.max_attempts(here.db, trace.job_id),
        "own_job": trace.owner_clerk_id == looking.owner.clerk_id,
        "told": explanation.explain(here.db, trace.trace_id, looking.scope),
        "every": seconds_between(len(loaded)) if trace.is_open else None,
        # An open one is looked at again and again, and its figures say little before its end.
        "comparison": None if trace.is_open else baseline.compare(here.db, trace.trace_id, looking.scope),
        "picture": draw(loaded, opened=opened, under=under, name=name),
        "name": name,
        "opened": opened,
        "under": _under(loaded, under),
        "link": link,
    }


def seconds_between(spans: int) -> int:
    """Return how many seconds pass until an open trace of so many spans is asked for again."""
    return next((seconds for below, seconds in EVERY if spans < below), SLOWEST)


def _under(loaded: TraceTree, span_id: str | None) -> tree.Node | None:
    return None if span_id is None else loaded.node(span_id)


def _detail(here: StudioSite, looking: Viewer, trace: Trace, span_id: str) -> dict[str, Any]:
    found = tree.span(here.db, trace.trace_id, span_id, looking.scope)
    return {
        "span": found,
        "events": [event_of(event) for event in found.events],
        "input": payload_of(found.input_data, found.input_size, found.input_sha256),
        "output": payload_of(found.output_data, found.output_size, found.output_sha256),
        "payload_days": here.settings.trace_payload_days,
    }
