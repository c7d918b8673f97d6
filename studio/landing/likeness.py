"""Whether a page looks like its brand: the grounds, texts, accents and fonts in which decks and papers are drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from xml.etree.ElementTree import Element

from studio.brand import Brand, turned
from studio.brand.colors import channels
from studio.landing import cascade, declarations
from studio.landing.cascade import Look
from studio.landing.media import Scheme
from studio.landing.problems import Problem
from studio.landing.tree import find, squeeze, walk

# What a colour may lose when it is written in the whole numbers of hsl(), of 255 per channel.
_ROUNDING = 4
_HEADING = ("h1",)
_TEXT = ("p", "li", "dd", "blockquote")


def off_brand(root: Element, brand: Brand) -> Iterator[Problem]:
    """Yield what of the brand a page lacks: its ground and its text where they are seen, an accent, the two fonts.

    On the other ground (`turned`) a page is as much the brand's, so either of the two does. An accent counts wherever
    the page names it and however it writes it; a font counts where the text of headings or paragraphs is set in it.
    """
    schemes: list[Scheme] = ["light", "dark"] if cascade.has_dark_scheme(root) else ["light"]
    looks = [cascade.looks(root, scheme) for scheme in schemes]
    seen = [look for page in looks for look in page.values()]
    grounds = {ground.hex for look in seen for ground in look.grounds}
    texts = {look.color.hex for look in seen if look.color}
    palettes = (brand.palette, turned(brand.palette))
    for role, words, shown in (("background", "ground", grounds), ("text", "colour of text", texts)):
        wanted = [getattr(palette, role) for palette in palettes]
        if not _meet(shown, wanted):
            yield Problem("brand", f"Nothing on the page has the brand's {words}, {wanted[0]} (or {wanted[1]}).")
    accents = {getattr(palette, role) for palette in palettes for role in ("accent", "accent_fill", "accent_text")}
    if not _meet({color.hex for color in declarations.colors(root) if color.alpha >= 1}, accents):
        yield Problem("brand", f"The styles do not hold the brand's accent, {brand.accent_fill}.")
    for stack, names, words in (
        (brand.heading_stack, _HEADING, "headings are"),
        (brand.body_stack, _TEXT, "text is"),
    ):
        font, role = stack.split(",")[0].strip("'\" "), words.split()[0]
        # Where nothing is set, whatever is wrong with that is told elsewhere.
        if (found := _font_of(find(root, *names), looks[0])) not in (None, font.casefold()):
            set_in = found or "no font of its own"
            yield Problem("brand", f"The {words} set in {set_in}, not in the brand's font for {role}, {font}.")


def _meet(found: Iterable[str], wanted: Iterable[str]) -> bool:
    """Return whether one of the colours found is one of those wanted, but for rounding."""
    sought = [channels(color) for color in wanted]
    return any(
        all(abs(one - other) <= _ROUNDING for one, other in zip(channels(color), target, strict=True))
        for color in found
        for target in sought
    )


def _font_of(elements: Iterable[Element], looks: dict[Element, Look]) -> str | None:
    """Return the font of most of the text in the elements, None where they show none."""
    lengths: Counter[str] = Counter()
    for node in dict.fromkeys(chain.from_iterable(walk(element) for element in elements)):
        look = looks.get(node)
        if look is not None and look.shown:
            own = [node.text or "", *(child.tail or "" for child in node)]
            lengths[look.family] += sum(len(squeeze(text)) for text in own)
    return max(lengths, key=lambda family: lengths[family]) if lengths.total() else None
