"""One run beside others: `GET /operations/compare?trace=…`, its own baseline, or `with` one other run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from studio.operations import baseline
from studio.operations.comparison import MIN_RUNS, Comparison, Metric, times
from studio.operations.figures import dollars, duration, number
from web.identity.viewer import Looking
from web.pages.operations import asked
from web.pages.operations.asked import Text
from web.pages.rendering import page
from web.studio_site import studio_site

router = APIRouter(include_in_schema=False)

Other = Annotated[str | None, Query(alias="with", max_length=asked.TEXT_LIMIT)]
KINDS = {"duration": "Time", "count": "How often", "cost": "Cost", "tokens": "Tokens"}
_WRITE = {"duration": duration, "count": number, "cost": dollars, "tokens": number}


@dataclass(frozen=True)
class Row:
    """A figure as it is written. `more` and `less` are how it is drawn: percent of the widest, beside the middle."""

    metric: Metric
    value: str
    median: str
    p95: str
    times: str
    more: float
    less: float


@router.get("/operations/compare")
def compared(looking: Looking, request: Request, trace: Text = None, other: Other = None) -> Response:
    """Show what of a run is not as usual, and everything that was compared."""
    db = studio_site(request).db
    trace, other = asked.chosen(trace), asked.chosen(other)
    found: Comparison | None = None
    if trace is not None and other is not None:
        found = baseline.against(db, trace, other, looking.scope)
    elif trace is not None:
        found = baseline.compare(db, trace, looking.scope)
    return page(
        request,
        "operations/compare.html",
        looking.owner,
        looking=looking,
        asked_trace=trace,
        asked_with=other,
        comparison=found,
        groups=_groups(found) if found else [],
    )


def _groups(comparison: Comparison) -> list[tuple[str, list[Row]]]:
    found: list[tuple[str, list[Row]]] = []
    for kind, title in KINDS.items():
        metrics = [metric for metric in comparison.metrics if metric.kind == kind]
        widest = max((abs(metric.excess) for metric in metrics if _comparable(metric, comparison)), default=0.0) or 1.0
        ordered = sorted(metrics, key=lambda one: (not _comparable(one, comparison), -abs(one.excess), one.name))
        rows = [_row(metric, widest, drawn=_comparable(metric, comparison)) for metric in ordered]
        if rows:
            found.append((title, rows))
    return found


def _comparable(metric: Metric, comparison: Comparison) -> bool:
    """Say whether a difference means something: one side alone has it, or the others have it often enough."""
    if metric.is_new:
        return True
    if metric.value is None or metric.median is None:
        return comparison.other is not None
    return comparison.other is not None or metric.runs >= MIN_RUNS


def _row(metric: Metric, widest: float, *, drawn: bool) -> Row:
    def write(value: float | None) -> str:
        return "–" if value is None else _WRITE[metric.kind](value)

    share = round(metric.excess / widest * 50, 2) if drawn else 0.0
    ratio = times(metric.ratio) if metric.ratio is not None else "new" if metric.is_new else "–"
    return Row(
        metric=metric,
        value=write(metric.value),
        median=write(metric.median),
        p95=write(metric.p95),
        times=ratio,
        more=max(share, 0.0),
        less=max(-share, 0.0),
    )
