"""Charts of figures that stand: proposed by whoever writes the report, drawn only of what its claims carry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from studio.packets.fields import squeeze
from studio.reports.figures import (
    Figure,
    Reading,
    figures_in,
    figures_of,
    figures_quoted,
    missing,
    number_in,
    quoted_in,
)
from studio.reports.model import Chart, Claim, Datum

LABEL_CHARS = 60
TITLE_CHARS = 120
FEWEST_BARS, MOST_BARS = 2, 8
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


class CarriedDatum(ProposedDatum):
    """A bar that its claim carries: `figure` as it is shown, and what number of what unit that is.

    It is never stored: each attempt makes it anew of what was proposed.
    """

    value: float
    unit: str


def carried(proposed: Iterable[ProposedChart], claims: Mapping[int, Claim], language: str) -> list[ProposedChart]:
    """Return the charts that the words of their claims carry, each figure as its quote writes it.

    A bar whose figure does not stand in statement and quote of its claim or may be one of several numbers, whose claim
    does not stand, or whose label has a word that its claim does not have, is left out; so is a chart of which fewer
    than two bars of one unit are left. Whether a figure is that of its label only a second reading tells. `language`
    is the report's, without script and country. A bar that is carried already is not read again: its figure is written
    as another language may write it.
    """
    return [one.model_copy(update={"data": bars}) for one, bars in _carried(proposed, claims, language)]


def charts(proposed: Iterable[ProposedChart], claims: Mapping[int, Claim], language: str) -> dict[int, list[Chart]]:
    """Return by question the charts that are drawn of `proposed`, what is not `carried` left out."""
    found: dict[int, list[Chart]] = {}
    for one, bars in _carried(proposed, claims, language):
        data = tuple(Datum(label=bar.label, value=bar.value, shown=bar.figure, claim=bar.claim) for bar in bars)
        found.setdefault(one.question, []).append(Chart(title=one.title, unit=bars[0].unit, data=data))
    return found


def _carried(
    proposed: Iterable[ProposedChart], claims: Mapping[int, Claim], language: str
) -> list[tuple[ProposedChart, list[CarriedDatum]]]:
    found: dict[int, list[tuple[ProposedChart, list[CarriedDatum]]]] = {}
    for one in proposed:
        bars = _bars(one, claims, language)
        if len(bars) < FEWEST_BARS:
            continue
        said = [figure for bar in bars for figure in figures_of(claims[bar.claim], language)]
        if missing(figures_in(one.title, language), said):
            continue
        drawn = found.setdefault(one.question, [])
        same = any((known.title, data) == (one.title, bars) for known, data in drawn)
        if not same and len(drawn) < MOST_CHARTS:
            drawn.append((one, bars))
    return [chart for drawn in found.values() for chart in drawn]


def _bars(proposed: ProposedChart, claims: Mapping[int, Claim], language: str) -> list[CarriedDatum]:
    """Return the bars that their claims carry, of the first one's unit."""
    bars: list[CarriedDatum] = []
    for datum in proposed.data:
        claim = claims.get(datum.claim)
        if claim is None or claim.outcome != "supported" or claim.question != proposed.question:
            continue
        bar = datum if isinstance(datum, CarriedDatum) else _bar(datum, claim, language)
        if bar is not None and not any(known.label == datum.label for known in bars):
            bars.append(bar)
    return [bar for bar in bars if bar.unit == bars[0].unit][:MOST_BARS]


def _bar(datum: ProposedDatum, claim: Claim, language: str) -> CarriedDatum | None:
    wanted = figures_in(datum.figure, language)
    if len(wanted) != 1 or wanted[0].spoken or not _named(datum.label, claim, language):
        return None
    stated = _readings(figures_in(claim.statement, language))
    # It may be copied from the statement or from the quote, as each writes it.
    meant = _readings([*wanted, *figures_in(datum.figure, quoted_in(claim))])
    for figure in figures_quoted(claim):
        # What quote and statement can both mean: "1.500" of a short quote alone may be two numbers.
        shared = [reading for reading in figure.readings if reading in meant and reading in stated]
        if (number := number_in(shared)) is not None:
            # "10" of "10 to 20 million" does not say by itself what it says there.
            whole = shared[0] in _readings(figures_in(figure.shown, quoted_in(claim)))
            shown = figure.shown if whole else wanted[0].shown
            return CarriedDatum(
                label=datum.label, figure=shown, claim=claim.number, value=float(number), unit=shared[0][1]
            )
    return None


def _readings(figures: Iterable[Figure]) -> set[Reading]:
    return {reading for figure in figures for reading in figure.readings}


def _named(label: str, claim: Claim, language: str) -> bool:
    """Whether a label has no word and no figure that its claim does not have."""
    if missing(figures_in(label, language), figures_of(claim, language)):
        return False
    text = f"{claim.statement} {claim.quote or ''}".casefold()
    words = frozenset(_WORD.findall(text))
    told = _WORD.findall(label.casefold())
    return bool(told) and all(word in words or (not _SPELLED.search(word) and word in text) for word in told)
