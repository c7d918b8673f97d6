"""Charts of figures that stand: proposed by whoever writes the report, drawn only of what its claims carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from studio.packets.fields import squeeze
from studio.reports.figures import Figure, figures_in, missing
from studio.reports.matter import terms
from studio.reports.model import Chart, Claim, Datum

LABEL_CHARS = 60
TITLE_CHARS = 120
MOST_BARS = 8
MOST_CHARTS = 2


class ProposedDatum(BaseModel):
    """A bar: what it is of, the figure as its claim writes it, and the number of the claim."""

    label: Annotated[str, squeeze(LABEL_CHARS), Field(min_length=1, max_length=LABEL_CHARS)]
    figure: str
    claim: int


class ProposedChart(BaseModel):
    """Figures of one unit that can be compared, all answering `question` (its number)."""

    question: int
    title: Annotated[str, squeeze(TITLE_CHARS), Field(min_length=1, max_length=TITLE_CHARS)]
    data: list[ProposedDatum]


def charts(proposed: Iterable[ProposedChart], claims: Mapping[int, Claim]) -> dict[int, list[Chart]]:
    """Return the charts that can be drawn, by question.

    A bar whose figure does not stand in statement and quote of its claim, whose claim does not stand, or whose label
    says what its claim does not, is left out; so is a chart of which fewer than two bars of one unit are left.
    """
    found: dict[int, list[Chart]] = {}
    for one in proposed:
        chart = _chart(one, claims)
        drawn = found.setdefault(one.question, [])
        if chart is not None and chart not in drawn and len(drawn) < MOST_CHARTS:
            drawn.append(chart)
    return {question: drawn for question, drawn in found.items() if drawn}


def _chart(proposed: ProposedChart, claims: Mapping[int, Claim]) -> Chart | None:
    bars: list[tuple[Datum, Figure]] = []
    for datum in proposed.data:
        claim = claims.get(datum.claim)
        if claim is None or claim.outcome != "supported" or claim.question != proposed.question:
            continue
        figure = _carried(datum, claim)
        if figure is None or figure.value is None or any(bar.label == datum.label for bar, _ in bars):
            continue
        bars.append(
            (Datum(label=datum.label, value=float(figure.value), shown=figure.shown, claim=claim.number), figure)
        )
    if not bars:
        return None
    unit = bars[0][1].unit
    alike = [bar for bar, figure in bars if figure.unit == unit][:MOST_BARS]
    if len(alike) < 2:
        return None
    said = [figure for bar in alike for figure in figures_in(_text(claims[bar.claim]))]
    if missing(figures_in(proposed.title), said):
        return None
    return Chart(title=proposed.title, unit=unit, data=tuple(alike))


def _carried(datum: ProposedDatum, claim: Claim) -> Figure | None:
    """Return the figure as the claim's quote writes it, None where the bar says more than the claim."""
    wanted = figures_in(datum.figure)
    if len(wanted) != 1 or wanted[0].spoken or not any(wanted[0].same(known) for known in figures_in(claim.statement)):
        return None
    there = [figure for figure in figures_in(claim.quote or "") if figure.same(wanted[0])]
    text = _text(claim)
    if not there or missing(figures_in(datum.label), figures_in(text)) or not terms(datum.label) <= terms(text):
        return None
    return there[0]


def _text(claim: Claim) -> str:
    return f"{claim.statement} {claim.quote or ''}"
