"""The answer to a request for a landing page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from studio.sandbox.facts import Facts
from studio.sandbox.landing import brief as briefs
from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.layouts import (
    blueprint,
    broadsheet,
    cutout,
    fieldnotes,
    gallery,
    ledger,
    nocturne,
    poster,
    riso,
    swiss,
    tableau,
    wayfinding,
)
from studio.sandbox.landing.parts import Page, document

LAYOUTS: dict[str, Callable[[Brief], Page]] = {
    "broadsheet": broadsheet.page,
    "swiss": swiss.page,
    "poster": poster.page,
    "blueprint": blueprint.page,
    "fieldnotes": fieldnotes.page,
    "nocturne": nocturne.page,
    "ledger": ledger.page,
    "cutout": cutout.page,
    "tableau": tableau.page,
    "riso": riso.page,
    "wayfinding": wayfinding.page,
    "gallery": gallery.page,
}


def page(facts: Facts) -> str:
    """Return a whole HTML document for the request, in the direction it names, else in one that its idea draws."""
    brief = briefs.read(facts)
    if brief.direction not in LAYOUTS:
        keys = sorted(LAYOUTS)
        brief = replace(brief, direction=keys[brief.draw("direction", len(keys))])
    return document(brief, LAYOUTS[brief.direction](brief))
