"""Money and tokens over time: `GET /operations/cost`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio.operations import trends
from studio.operations.trends import By, CostPoint
from web.identity.viewer import Looking
from web.pages.operations import asked, charts
from web.pages.operations.asked import Text
from web.pages.operations.charts import Column, Mark
from web.pages.operations.writing import many, money
from web.pages.rendering import page
from web.studio_site import studio_site

router = APIRouter(include_in_schema=False)

GROUPS = {"pipeline": "By pipeline", "model": "By model", "project": "By project"}
AGES = {key: label for key, label in asked.AGES.items() if key in ("24h", "7d", "30d", "90d")}
# More colours nobody tells apart; the others are one.
TOLD_APART = 5
OTHERS = "others"


@dataclass(frozen=True)
class Group:
    """What one pipeline, model or project has cost altogether; `key` is its place in the order of cost."""

    key: str
    label: str
    calls: int
    cost_micros: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Stretch:
    """An hour or a day."""

    at: datetime
    calls: int
    cost_micros: int
    input_tokens: int
    output_tokens: int


@router.get("/operations/cost")
def spent(looking: Looking, request: Request, group: Text = None, since: Text = None) -> Response:
    """Show what model calls have cost, hour by hour or day by day."""
    wanted: trends.Group = asked.one_of(asked.chosen(group), GROUPS) or "pipeline"
    key, age = asked.age(asked.chosen(since), "30d")
    by: By = "hour" if age <= timedelta(days=1) else "day"
    points = trends.cost(studio_site(request).db, looking.scope, by=by, since=age, group=wanted)
    groups = _groups(points)
    keys = _keys(points)
    moments = _moments(age, by)

    def link(**changes: Any) -> str:
        return f"/operations/cost?{urlencode({'group': wanted, 'since': key, **changes})}"

    cost, cost_marks = _columns(points, keys, moments, by, "cost_micros", money)
    tokens, token_marks = _columns(points, keys, moments, by, "tokens", many)
    return page(
        request,
        "operations/cost.html",
        looking.owner,
        looking=looking,
        group=wanted,
        groups=GROUPS,
        since=key,
        ages=AGES,
        by=by,
        link=link,
        shares=groups,
        stretches=_stretches(points),
        cost=cost,
        cost_marks=cost_marks,
        tokens=tokens,
        token_marks=token_marks,
        dates=charts.dates(moments[0], moments[-1]),
        total=sum(point.cost_micros for point in points),
        total_tokens=sum(point.input_tokens + point.output_tokens for point in points),
        calls=sum(point.calls for point in points),
    )


def _keys(points: list[CostPoint]) -> dict[str, str]:
    """Return the class by which each group is drawn: the dearest have their own, all others one."""
    totals: dict[str, int] = defaultdict(int)
    for point in points:
        totals[point.key] += point.cost_micros
    ordered = sorted(totals, key=lambda key: (-totals[key], key))
    return {key: f"c{n + 1}" if n < TOLD_APART else OTHERS for n, key in enumerate(ordered)}


def _groups(points: list[CostPoint]) -> list[Group]:
    keys = _keys(points)
    found: dict[str, Group] = {}
    for point in points:
        known = found.get(point.key, Group(keys[point.key], point.label, 0, 0, 0, 0))
        found[point.key] = Group(
            known.key,
            point.label,
            known.calls + point.calls,
            known.cost_micros + point.cost_micros,
            known.input_tokens + point.input_tokens,
            known.output_tokens + point.output_tokens,
        )
    return sorted(found.values(), key=lambda group: (-group.cost_micros, group.label))


def _stretches(points: list[CostPoint]) -> list[Stretch]:
    found: dict[datetime, Stretch] = {}
    for point in points:
        known = found.get(point.at, Stretch(point.at, 0, 0, 0, 0))
        found[point.at] = Stretch(
            point.at,
            known.calls + point.calls,
            known.cost_micros + point.cost_micros,
            known.input_tokens + point.input_tokens,
            known.output_tokens + point.output_tokens,
        )
    return sorted(found.values(), key=lambda stretch: stretch.at, reverse=True)


def _moments(age: timedelta, by: By) -> list[datetime]:
    """Return every hour or day since then: one without a call is one, too."""
    step = timedelta(hours=1) if by == "hour" else timedelta(days=1)
    now = datetime.now(UTC)
    last = now.replace(minute=0, second=0, microsecond=0)
    if by == "day":
        last = last.replace(hour=0)
    count = int(age / step) + 1
    return [last - step * n for n in reversed(range(count))]


def _columns(
    points: list[CostPoint], keys: dict[str, str], moments: list[datetime], by: By, what: str, write: Any
) -> tuple[list[Column], list[Mark]]:
    """Return a column for each stretch, the dearest group at the bottom, and the axis."""
    order = list(keys)
    parts: dict[datetime, list[tuple[int, CostPoint]]] = defaultdict(list)
    for point in points:
        parts[point.at].append((order.index(point.key), point))

    def amount(point: CostPoint) -> int:
        return point.input_tokens + point.output_tokens if what == "tokens" else point.cost_micros

    top = charts.top_of([sum(amount(point) for _, point in parts[at]) for at in moments])
    style = "%-d %b, %H:%M UTC" if by == "hour" else "%-d %b"
    stretches = [
        (
            f"{at.strftime(style)}: {write(sum(amount(point) for _, point in parts[at]))}",
            [
                (keys[point.key], float(amount(point)), f"{point.label}: {write(amount(point))}")
                for _, point in sorted(parts[at], key=lambda part: part[0])
            ],
        )
        for at in moments
    ]
    return charts.columns(stretches, top=top), charts.rising(top, lambda value: write(round(value)))
