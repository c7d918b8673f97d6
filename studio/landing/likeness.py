"""Whether a page looks like its brand: the grounds, texts, accents and fonts in which decks and papers are drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from studio.brand import Brand, turned
from studio.brand.colors import find_hex
from studio.landing import cascade
from studio.landing.media import Scheme
from studio.landing.problems import Problem
from studio.landing.tree import find

_HEX = re.compile(r"#[0-9a-fA-F]{3,8}\b")


def off_brand(root: Element, brand: Brand) -> Iterator[Problem]:
    """Yield what of the brand a page lacks: its ground and its text where they are seen, an accent, the two fonts.

    On the other ground (`turned`) a page is as much the brand's, so either of the two does.
    """
    grounds, texts = _shown(root)
    palettes = (brand.palette, turned(brand.palette))
    for role, words, shown in (("background", "ground", grounds), ("text", "colour of text", texts)):
        wanted = [getattr(palette, role) for palette in palettes]
        if not shown & set(wanted):
            yield Problem("brand", f"Nothing on the page has the brand's {words}, {wanted[0]} (or {wanted[1]}).")
    styles = "\n".join(node.text or "" for node in find(root, "style"))
    named = {find_hex(found) for found in _HEX.findall(styles)}
    accents = {getattr(palette, role) for palette in palettes for role in ("accent", "accent_fill", "accent_text")}
    if not named & accents:
        yield Problem("brand", f"The styles do not hold the brand's accent, {brand.accent_fill}.")
    for font, words in ((brand.heading_stack, "headings"), (brand.body_stack, "text")):
        family = font.split(",")[0].strip("'\" ")
        if family.casefold() not in styles.casefold():
            yield Problem("brand", f"The styles do not name the brand's font for {words}, {family}.")


def _shown(root: Element) -> tuple[set[str], set[str]]:
    """Return the colours that stand behind texts and those that texts have, in both schemes."""
    schemes: list[Scheme] = ["light", "dark"] if cascade.has_dark_scheme(root) else ["light"]
    looks = [look for scheme in schemes for look in cascade.looks(root, scheme).values()]
    grounds = {ground.hex for look in looks for ground in look.grounds}
    return grounds, {look.color.hex for look in looks if look.color}
