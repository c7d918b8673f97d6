"""The list of traces: `GET /operations/traces`, filtered and page by page, and its live part."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from studio.errors import InvalidInput
from studio.operations import traces
from studio.operations.trace import Cursor
from studio.views import operations as views
from web.identity.viewer import Looking, Viewer
from web.pages.operations import asked
from web.pages.operations.asked import Text
from web.pages.rendering import page
from web.studio_site import studio_site

router = APIRouter(include_in_schema=False)

PER_PAGE = 40
SINCE = "30d"
STATUSES: dict[str, str] = {
    "running": "running",
    "ok": "ok",
    "failed": "all that did not go well",
    "error": "error",
    "cancelled": "cancelled",
    "lost": "lost",
}
KINDS: dict[str, str] = {"job": "jobs", "synthetic": "synthetic runs", "manual": "others"}


@dataclass
class Filter:
    """What the form above the list says; an empty field is none."""

    pipeline: Text = None
    status: Text = None
    project: Text = None
    kind: Text = None
    since: Text = None
    slower: Text = None
    text: Text = None
    fingerprint: Text = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            setattr(self, name, asked.chosen(value))

    @property
    def is_set(self) -> bool:
        """Whether it leaves anything out."""
        return any(value for name, value in asdict(self).items() if name != "since")

    @property
    def slower_ms(self) -> float | None:
        """What it says in seconds, in milliseconds; raise `InvalidInput` for no number."""
        if self.slower is None:
            return None
        try:
            seconds = float(self.slower.replace(",", "."))
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            raise InvalidInput(f"{self.slower!r} is no number of seconds.", "Write 12 or 0.5.")
        return seconds * 1000

    def link(self, **changes: Any) -> str:
        """Return the address of the list with these changes."""
        query = urlencode({key: str(value) for key, value in {**asdict(self), **changes}.items() if value})
        return f"/operations/traces{f'?{query}' if query else ''}"


Wanted = Annotated[Filter, Depends()]


@router.get("/operations/traces")
def listed(looking: Looking, request: Request, wanted: Wanted, before: Text = None) -> Response:
    """Show attempts at jobs, the newest first."""
    return page(request, "operations/traces.html", looking.owner, **_found(request, looking, wanted, before))


@router.get("/parts/operations/traces")
def listed_part(looking: Looking, request: Request, wanted: Wanted) -> Response:
    """Return the newest attempts as they are now."""
    shown = _found(request, looking, wanted, None)
    return page(request, "operations/traces_part.html", looking.owner, nav_inbox=0, **shown)


def _found(request: Request, looking: Viewer, wanted: Filter, before: str | None) -> dict[str, Any]:
    db = studio_site(request).db
    since, age = asked.age(wanted.since, SINCE)
    found = traces.find(
        db,
        looking.scope,
        pipeline=wanted.pipeline,
        status=asked.one_of(wanted.status, STATUSES),
        project_id=asked.project_of(wanted.project),
        kind=asked.one_of(wanted.kind, KINDS),
        since=age,
        min_ms=wanted.slower_ms,
        text=wanted.text,
        fingerprint=wanted.fingerprint,
        before=Cursor.parse(before) if before else None,
        limit=PER_PAGE + 1,
    )
    listed = found[:PER_PAGE]
    return {
        "looking": looking,
        "wanted": wanted,
        "since": since,
        "ages": asked.AGES,
        "statuses": STATUSES,
        "kinds": KINDS,
        "pipelines": traces.pipelines(db, looking.scope, since=age),
        "projects": views.projects(db, looking.scope),
        "traces": listed,
        "longest": max((trace.elapsed_ms for trace in listed), default=0.0),
        "before": before,
        "older": wanted.link(before=listed[-1].cursor) if len(found) > PER_PAGE else None,
    }
