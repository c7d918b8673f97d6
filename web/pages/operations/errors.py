"""Errors by kind: `GET /operations/errors`, and one kind, `GET /operations/errors/{fingerprint}`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio.errors import NotFound
from studio.operations import explanation, failures, issues, tree
from studio.operations.failures import Failure
from studio.operations.issues import ERROR_CLASSES, Issue
from studio.operations.tree import SpanDetail
from studio.views import operations as views
from web.identity.viewer import Looking, Viewer
from web.pages.operations import asked
from web.pages.operations.asked import Text
from web.pages.operations.payload import payload_of
from web.pages.rendering import page
from web.studio_site import StudioSite, studio_site

router = APIRouter(include_in_schema=False)

LISTED = 100
STATUSES = {"open": "Open", "resolved": "Resolved", "all": "All"}
CLASSES = {name: name for name in ERROR_CLASSES}


@router.get("/operations/errors")
def listed(
    looking: Looking, request: Request, status: Text = None, error_class: Text = None, since: Text = None
) -> Response:
    """Show the kinds of errors, the one that came up last first."""
    db = studio_site(request).db
    status = asked.one_of(asked.chosen(status), STATUSES) or "open"
    error_class = asked.one_of(asked.chosen(error_class), CLASSES)
    key, age = asked.age(asked.chosen(since), "30d")
    wanted: Any = None if status == "all" else status
    found = issues.find(db, looking.scope, status=wanted, error_class=error_class, since=age, limit=LISTED)

    def link(**changes: Any) -> str:
        given = {"status": status, "error_class": error_class, "since": key, **changes}
        return f"/operations/errors?{urlencode({k: v for k, v in given.items() if v})}"

    return page(
        request,
        "operations/errors.html",
        looking.owner,
        looking=looking,
        issues=found,
        sparks=views.sparks(db, [issue.fingerprint for issue in found], looking.scope),
        state=status,
        states=STATUSES,
        error_class=error_class,
        classes=CLASSES,
        since=key,
        ages=asked.AGES,
        link=link,
        is_full=len(found) >= LISTED,
    )


@router.get("/operations/errors/{fingerprint}")
def one(fingerprint: str, looking: Looking, request: Request) -> Response:
    """Show a kind of error: why, how often, where, what went in and out where it failed, and what was tried."""
    return page(request, "operations/error.html", looking.owner, **_one(request, looking, fingerprint))


@router.get("/parts/operations/errors/{fingerprint}")
def one_part(fingerprint: str, looking: Looking, request: Request) -> Response:
    """Return a kind of error as it is now."""
    shown = _one(request, looking, fingerprint)
    return page(request, "operations/error_part.html", looking.owner, nav_inbox=0, **shown)


def _one(request: Request, looking: Viewer, fingerprint: str) -> dict[str, Any]:
    here = studio_site(request)
    detail = issues.get(here.db, fingerprint, looking.scope)
    failure, span, told = _newest(here, looking, detail.issue)
    return {
        "looking": looking,
        "detail": detail,
        "issue": detail.issue,
        "failure": failure,
        "span": span,
        "told": told,
        "input": span and payload_of(span.input_data, span.input_size, span.input_sha256),
        "output": span and payload_of(span.output_data, span.output_size, span.output_sha256),
        "payload_days": here.settings.trace_payload_days,
        "trace": failure.trace if failure else None,
    }


def _newest(here: StudioSite, looking: Viewer, issue: Issue) -> tuple[Failure | None, SpanDetail | None, str | None]:
    """Return the attempt in which it came up last, the span, and what happened; None where they are no longer kept."""
    if issue.last_trace_id is None or issue.last_span_id is None:
        return None, None, None
    try:
        found = failures.failure(here.db, issue.last_trace_id, looking.scope)
        span = tree.span(here.db, issue.last_trace_id, issue.last_span_id, looking.scope)
        return found, span, explanation.explain(here.db, issue.last_trace_id, looking.scope)
    except NotFound:
        # Errors are remembered for longer than their traces are.
        return None, None, None
