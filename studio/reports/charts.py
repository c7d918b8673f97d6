"""Charts of figures that stand: proposed by whoever writes the report, drawn only of what its claims carry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from studio.packets.fields import squeeze
from studio.reports.figures import Figure, figures_in, figures_of, missing, number_in
from studio.reports.model import Chart, Claim, Datum

LABEL_CHARS = 60
TITLE_CHARS = 120
MOST_BARS = 8
MOST_CHARTS = 2

_WORD = re.compile(r"[^\W_]+")
# Of these alphabets words stand apart, each as it is written; those of other scripts may grow on to their neighbours.
_SPELLED = re.compile("[\\dA-Za-z\u00c0-\u052f]")


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


def carried(proposed: Iterable[ProposedChart], claims: Mapping[int, Claim], language: str) -> list[ProposedChart]:
    """Return the charts that the words of their claims carry, each figure as its quote writes it.

    A bar whose figure does not stand in statement and quote of its claim or may be one of several numbers, whose claim
    does not stand, or whose label has a word that its claim does not have, is left out; so is a chart of which fewer
    than two bars of one unit are left. Whether a figure is that of its label only a second reading tells. `language`
    is the report's, without script and country.
    """
    found: dict[int, list[ProposedChart]] = {}
    for one in proposed:
        bars = _bars(one, claims, language)
        if len(bars) < 2 or missing(figures_in(one.title), _said(bars, claims)):
            continue
        told = [ProposedDatum(label=bar.label, figure=bar.shown, claim=bar.claim) for bar, _ in bars]
        chart = one.model_copy(update={"data": told})
        drawn = found.setdefault(one.question, [])
        if chart not in drawn and len(drawn) < MOST_CHARTS:
            drawn.append(chart)
    return [chart for drawn in found.values() for chart in drawn]


def charts(proposed: Iterable[ProposedChart], claims: Mapping[int, Claim], language: str) -> dict[int, list[Chart]]:
    """Return by question the charts that are drawn of `proposed`, what is not `carried` left out."""
    found: dict[int, list[Chart]] = {}
    for one in carried(proposed, claims, language):
        bars = _bars(one, claims, language)
        chart = Chart(title=one.title, unit=bars[0][1], data=tuple(bar for bar, _ in bars))
        found.setdefault(one.question, []).append(chart)
    return found


def _bars(proposed: ProposedChart, claims: Mapping[int, Claim], language: str) -> list[tuple[Datum, str]]:
    """Return the bars that their claims carry, of the first one's unit, each with it."""
    bars: list[tuple[Datum, str]] = []
    for datum in proposed.data:
        claim = claims.get(datum.claim)
        if claim is None or claim.outcome != "supported" or claim.question != proposed.question:
            continue
        bar = _bar(datum, claim, language)
        if bar is not None and not any(known.label == datum.label for known, _ in bars):
            bars.append(bar)
    return [(bar, unit) for bar, unit in bars if unit == bars[0][1]][:MOST_BARS]


def _bar(datum: ProposedDatum, claim: Claim, language: str) -> tuple[Datum, str] | None:
    wanted = figures_in(datum.figure, language)
    if len(wanted) != 1 or wanted[0].spoken or not _named(datum.label, claim):
        return None
    stated = {reading for figure in figures_in(claim.statement, language) for reading in figure.readings}
    for figure in figures_in(claim.quote or ""):
        # What quote and statement can both mean: "1.500" of a short quote alone may be two numbers.
        shared = [reading for reading in figure.readings if reading in wanted[0].readings and reading in stated]
        if (number := number_in(shared)) is not None:
            bar = Datum(label=datum.label, value=float(number), shown=figure.shown, claim=claim.number)
            return bar, shared[0][1]
    return None


def _named(label: str, claim: Claim) -> bool:
    """Whether a label has no word and no figure that its claim does not have."""
    if missing(figures_in(label), figures_of(claim.statement, claim.quote)):
        return False
    text = f"{claim.statement} {claim.quote or ''}".casefold()
    words = frozenset(_WORD.findall(text))
    told = _WORD.findall(label.casefold())
    return bool(told) and all(word in words or (not _SPELLED.search(word) and word in text) for word in told)


def _said(bars: Iterable[tuple[Datum, str]], claims: Mapping[int, Claim]) -> list[Figure]:
    its = [claims[bar.claim] for bar, _ in bars]
    return [figure for claim in its for figure in figures_of(claim.statement, claim.quote)]
