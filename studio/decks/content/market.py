"""The market in the Phase 0 deck: sizes as the sources give them, or that none was measured."""

from __future__ import annotations

import re
from typing import Literal

from studio.decks.content import common
from studio.decks.content.common import references, texts
from studio.decks.model import Bar, Bars, Notes, Panel, Panels, Slide, clean
from studio.packets.phase0 import MarketSizing

_SIZES: tuple[tuple[Literal["tam", "sam", "som"], str], ...] = (
    ("tam", "Total market (TAM)"),
    ("sam", "Market in reach (SAM)"),
    ("som", "Market to win (SOM)"),
)
_AMOUNT = re.compile(
    r"(?P<currency>US\$|\$|€|£|USD|EUR|GBP)\s?(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s?"
    r"(?P<scale>trillion|billion|bn|million|thousand|tn|m|k|b)?\b",
    re.IGNORECASE,
)
_SCALES = {
    "": 1.0, "k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9,
    "tn": 1e12, "trillion": 1e12,
}  # fmt: skip
_CURRENCIES = {"us$": "$", "usd": "$", "eur": "€", "gbp": "£"}
_AS_BEFORE = "Nothing here either."


def slides(sizing: MarketSizing) -> list[Slide]:
    """Return the market's pages: three figures, and a chart of those that can be set side by side."""
    panels: list[Panel] = []
    for key, label in _SIZES:
        figure = sizing.figures.get(key)
        sourced = figure is not None and figure.sourced
        host = common.host_of(figure.sources[0].url) if figure is not None and figure.sources and sourced else ""
        text = clean(getattr(sizing, key))
        # That the search found nothing is said once.
        told = _AS_BEFORE if not sourced and any(panel.text == text for panel in panels) else text
        panels.append(Panel(label, told, host or "no source", sourced))
    measured = sum(panel.sourced for panel in panels)
    carried = [source for figure in sizing.figures.values() for source in figure.sources]
    carried += [source for note in sizing.notes for source in note.sources]
    notes = Notes(
        say="Market sizes as the sources give them. What has no source is an estimate or was not measured.",
        details=tuple(f"{panel.label}: {panel.text}" for panel in panels) + texts(note.text for note in sizing.notes),
        references=references(carried),
        unsourced=tuple(f"{panel.label}." for panel in panels if not panel.sourced)
        + tuple(clean(note.text) for note in sizing.notes if not note.sourced),
    )
    title = (
        f"Market size: {measured} of 3 figures {'has' if measured == 1 else 'have'} a source"
        if measured
        else "The market's size has not been measured"
    )
    remark = " ".join(clean(note.text) for note in sizing.notes)
    made = [Slide(title=title, kicker="Market", body=Panels(tuple(panels), note=remark), notes=notes)]
    chart = _sizes_chart(sizing)
    if chart:
        made.append(Slide(title="The sourced market figures side by side", kicker="Market", body=chart, notes=notes))
    return made


def _sizes_chart(sizing: MarketSizing) -> Bars | None:
    """Return a chart of the sourced figures, only where at least two name one amount each in one currency."""
    found: list[tuple[str, float]] = []
    currencies: set[str] = set()
    for key, label in _SIZES:
        figure = sizing.figures.get(key)
        amounts = list(_AMOUNT.finditer(figure.text)) if figure is not None and figure.sourced else []
        if len(amounts) != 1:
            continue
        sign = amounts[0]["currency"].lower()
        currencies.add(_CURRENCIES.get(sign, sign))
        found.append(
            (label, float(amounts[0]["number"].replace(",", "")) * _SCALES[(amounts[0]["scale"] or "").lower()])
        )
    if len(found) < 2 or len(currencies) != 1:
        return None
    sign = currencies.pop()
    unit, short, word = (1e9, "bn", "Billion") if max(value for _, value in found) >= 1e9 else (1e6, "m", "Million")
    places = next((n for n in (0, 1) if all(abs(v / unit - round(v / unit, n)) < 1e-9 for _, v in found)), 2)
    return Bars(
        series=f"{word} {sign}",
        bars=tuple(Bar(label, value / unit, f"{sign}{value / unit:,.{places}f} {short}") for label, value in found),
        number_format=f'"{sign}"#,##0{"." + "0" * places if places else ""}" {short}"',
        maximum=None,
        remarks=("Amounts as the sources give them. Figures without a source are not drawn.",),
    )
