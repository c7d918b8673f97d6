"""The critic: points for what can be seen in a page's source, and the part that lacks most named first.

It judges as this model does everything: by counting what is there. It knows nothing about taste, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from studio.brand.colors import Oklch, find_hex, oklch
from studio.sandbox.facts import Facts
from studio.sandbox.landing.brief import squeezed
from studio.webpage import read_page

# What can be counted is a part of what makes a page good; the rest of the points this model cannot give.
_COUNTABLE = 0.75
_CLOSE_HUE = 24.0
_GREY = 0.03


class Finding(NamedTuple):
    """Points for one part of the rubric, what earned them, and what would earn more."""

    points: int
    seen: str
    wanted: str


class _Page(NamedTuple):
    source: str
    css: str
    body: str
    facts: Facts

    def count(self, pattern: str) -> int:
        return len(set(re.findall(pattern, self.css)))

    def has(self, pattern: str) -> bool:
        return re.search(pattern, self.source, re.IGNORECASE) is not None


def critique(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `LandingCritique` schema for the page in the request."""
    source = facts.blocks.get("page", "")
    css = " ".join(re.findall(r"<style[^>]*>(.*?)(?:</style>|$)", source, re.DOTALL | re.IGNORECASE))
    page = _Page(source, css, source.partition("<body")[2] or source, facts)
    found = {part: judge(page) for part, judge in _RUBRIC.items()}
    measured = [line for line in _list(facts.given("figures")) if not line.startswith("No problem")]
    weakest = sorted(found, key=lambda part: found[part].points / _WEIGHTS[part])
    # No title of a part in what is praised: whoever mends the page reads the parts' names as what to mend.
    praise = "; ".join(found[part].seen for part in reversed(weakest) if found[part].seen)
    lacking = [f"{part}: {found[part].wanted}" for part in weakest if found[part].wanted]
    told = [f"Seen: {praise}." if praise else "", f"Measured: {' '.join(measured)}" if measured else ""]
    told += [
        f"Most is missing in {lacking[0]}." if lacking else "",
        "Counted by the sandbox model, which has no taste.",
    ]
    return {
        "rubric": {part: round(finding.points * _COUNTABLE) for part, finding in found.items()},
        "feedback": " ".join(part for part in told if part)[:1200],
        "improvements": lacking[:6],
    }


def _typography(page: _Page) -> Finding:
    points, seen = 0, list[str]()
    sizes = page.count(r"font(?:-size)?\s*:[^;}]*?([\d.]+(?:rem|em|px|vw))")
    if 3 <= sizes <= 24:
        points, seen = points + 6, [*seen, f"{sizes} sizes of type"]
    for pattern, worth, what in (
        (r"clamp\(", 5, "sizes that follow the window"),
        (r"line-height|/\s*(?:0?\.|1\.)\d", 3, "set line heights"),
        (r"max-width\s*:\s*[\d.]+(?:em|rem|ch)", 3, "a measure"),
        (r"letter-spacing|text-wrap", 2, "tracking"),
        (r"font-style\s*:\s*italic|italic|font-weight|\b[78]00\b", 1, "weights"),
    ):
        if re.search(pattern, page.css):
            points, seen = points + worth, [*seen, what]
    wanted = "" if points > 16 else "a scale of a few sizes with clamp(), line heights and a measure"
    return Finding(points, ", ".join(seen[:3]), wanted)


def _colour(page: _Page) -> Finding:
    brand = page.facts.given("brand")
    entries = brand.get("color_palette") if isinstance(brand, dict) else []
    hues = [oklch(color) for entry in _list(entries) if (color := find_hex(entry))]
    used = {found.upper() for found in re.findall(r"#[0-9a-fA-F]{6}\b", page.css)}
    near = [hue for hue in hues if hue.chroma > _GREY and any(_close(hue.hue, oklch(color)) for color in used)]
    points = 6 if "--" in page.css and "var(" in page.css else 2 if page.css else 0
    share = len(near) / max(1, sum(hue.chroma > _GREY for hue in hues))
    points += round(8 * share) if hues else 4
    measured = " ".join(_list(page.facts.given("figures")))
    points += 6 if "contrast" not in measured and used else 0
    seen = f"{len(near)} of the brand's hues" if near else ""
    wanted = "" if points > 15 else "the brand's own hues as custom properties, with enough contrast"
    return Finding(min(points, 20), seen, wanted)


def _layout(page: _Page) -> Finding:
    points = 6 if page.has(r"display\s*:\s*grid") else 3 if page.has(r"display\s*:\s*flex") else 0
    points += 5 if page.has(r"@media[^{]*(?:max|min)-width|@media[^{]*width\s*[<>]") else 0
    points += 4 if page.count(r"grid-(?:template-columns|column)\s*:\s*([^;}]+)") >= 3 else 0
    points += 3 if page.has(r"(?:padding|gap)[^;}]*clamp\(") else 0
    points += 2 if page.has(r"minmax\(|auto-fit|subgrid") else 0
    wanted = "" if points > 14 else "a grid with more than one pattern, and a form for phones"
    return Finding(points, "a grid that changes with the window" if points > 8 else "", wanted)


def _atmosphere(page: _Page) -> Finding:
    drawings = len(re.findall(r"<svg", page.body, re.IGNORECASE))
    shapes = len(re.findall(r"<(?:path|circle|rect|ellipse|polygon)\b", page.body, re.IGNORECASE))
    name = squeezed(page.facts.project.get("name")).lower()
    points = (6 if drawings else 0) + (6 if shapes > 5 else 2 if shapes else 0) + (3 if drawings > 1 else 0)
    points += 3 if name and name in read_page(page.source).text.lower() else 0
    wanted = "" if points > 14 else "a drawing of what the product is about"
    return Finding(points, f"{shapes} drawn shapes" if shapes else "", wanted)


def _motion(page: _Page) -> Finding:
    points = 5 if page.has(r"prefers-reduced-motion") else 0
    points += 2 if page.has(r":hover|:focus-visible") else 0
    points += 2 if page.has(r"@keyframes|transition\s*:") else 0
    wanted = "" if points > 6 else "a small movement, and none for those who prefer that"
    return Finding(points, "", wanted)


def _completeness(page: _Page) -> Finding:
    copy = page.facts.given("landing")
    copy = copy if isinstance(copy, dict) else {}
    shown = read_page(page.source)
    text = squeezed(f"{shown.title or ''} {shown.text}").lower()
    wanted = [squeezed(copy.get(key)).lower() for key in ("headline", "subheadline", "primary_cta")]
    wanted += [title.lower() for title in _list(copy.get("sections"))]
    wanted = [part for part in wanted if part]
    there = sum(part in text for part in wanted)
    points = round(6 * there / len(wanted)) if wanted else 3
    points += 3 if page.has(r"type=[\"']?email") else 0
    points += 1 if shown.title and shown.description else 0
    lack = "" if points > 8 else "words of the copy, the form, title and description"
    return Finding(points, f"{there} of {len(wanted)} texts" if wanted else "", lack)


_RUBRIC: dict[str, Callable[[_Page], Finding]] = {
    "typography": _typography,
    "colour": _colour,
    "layout": _layout,
    "atmosphere": _atmosphere,
    "motion": _motion,
    "completeness": _completeness,
}
_WEIGHTS = {"typography": 20, "colour": 20, "layout": 20, "atmosphere": 20, "motion": 10, "completeness": 10}


def _close(hue: float, color: Oklch) -> bool:
    return color.chroma > _GREY / 2 and abs((color.hue - hue + 180) % 360 - 180) < _CLOSE_HUE


def _list(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
