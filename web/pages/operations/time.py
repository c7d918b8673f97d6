"""How long things take: `GET /operations/time`, p50, p95 and p99 over time with the runs behind, and who spends it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio.operations import bottlenecks, names, traces
from studio.operations.names import Point
from studio.views import operations as views
from web.identity.viewer import Looking
from web.pages.operations import asked, charts
from web.pages.operations.asked import Text
from web.pages.operations.charts import Line, Mark, Value
from web.pages.operations.writing import ms, round_ms
from web.pages.rendering import page
from web.studio_site import studio_site

router = APIRouter(include_in_schema=False)

NAMES_LISTED = 60
# About thirty points, whatever the age.
BUCKETS = {
    "1h": timedelta(minutes=2),
    "24h": timedelta(hours=1),
    "7d": timedelta(hours=6),
    "30d": timedelta(days=1),
    "90d": timedelta(days=3),
}
SERIES = (("p50", "half of them took less (p50)"), ("p95", "19 of 20 took less (p95)"), ("p99", "p99"))


@dataclass(frozen=True)
class Chart:
    """Percentiles over time."""

    lines: list[Line]
    rising: list[Mark]
    dates: list[Mark]
    points: list[Point]
    links: list[str]


@router.get("/operations/time")
def over_time(
    looking: Looking,
    request: Request,
    name: Text = None,
    pipeline: Text = None,
    since: Text = None,
    at: Text = None,
) -> Response:
    """Show how long the spans of a name took, or whole runs, and what takes the time altogether."""
    db = studio_site(request).db
    name, pipeline = asked.chosen(name), asked.chosen(pipeline)
    key, age = asked.age(asked.chosen(since), "7d")
    bucket = BUCKETS[key]

    def link(**changes: Any) -> str:
        given = {"name": name, "pipeline": pipeline, "since": key, **changes}
        return f"/operations/time?{urlencode({k: str(v) for k, v in given.items() if v})}"

    points = names.quantiles(db, looking.scope, name=name, pipeline=pipeline, since=age, bucket=bucket)
    picked = next((point for point in points if point.at.isoformat() == at), None)
    return page(
        request,
        "operations/time.html",
        looking.owner,
        looking=looking,
        name=name,
        pipeline=pipeline,
        since=key,
        ages=asked.AGES,
        link=link,
        chart=_chart(points, age, bucket, [link(at=point.at.isoformat()) for point in points]),
        picked=picked,
        runs=views.traces_of(db, picked.runs, looking.scope) if picked else [],
        bucket=bucket,
        stats=names.table(db, looking.scope, pipeline=pipeline, since=age, limit=NAMES_LISTED),
        pipelines=bottlenecks.pipelines(db, looking.scope, since=age),
        all_pipelines=traces.pipelines(db, looking.scope, since=age),
    )


def _chart(points: list[Point], age: timedelta, bucket: timedelta, links: list[str]) -> Chart:
    end = datetime.now(UTC)
    begin = min([end - age, *(point.at for point in points)])
    if points:
        end = max(end, points[-1].at + bucket)
    every = [value for point in points for value in (point.p50_ms, point.p95_ms, point.p99_ms) if value is not None]
    top = charts.longest_of(every)
    lines = []
    for key, label in SERIES:
        values = [
            Value(point.at, getattr(point, f"{key}_ms"), href, _words(point, key))
            for point, href in zip(points, links, strict=True)
        ]
        lines.append(charts.line(key, label, values, begin=begin, end=end, bucket=bucket, top=top))
    return Chart(lines, charts.rising(top, round_ms), charts.dates(begin, end), points, links)


def _words(point: Point, key: str) -> str:
    at = point.at.astimezone(UTC).strftime("%-d %b, %H:%M UTC")
    return f"{key} {ms(getattr(point, f'{key}_ms'))} of {point.count:,}, {at}: show the runs"
