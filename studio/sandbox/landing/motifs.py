"""What a product is about, as drawings: the first thing that the idea names, and another one beside it."""

from __future__ import annotations

import re
from pathlib import Path

from studio.sandbox.landing.brief import Brief
from studio.sandbox.landing.cues import COMPANIONS, CUES, OPEN, WEAK

_SHEET = (Path(__file__).parent / "drawings.svg").read_text(encoding="utf-8")
# The shapes of each drawing, as markup.
DRAWINGS = {
    name: re.sub(r">\s+<", "><", shapes.strip())
    for name, shapes in re.findall(r'<symbol id="(\w+)"[^>]*>(.*?)</symbol>', _SHEET, re.DOTALL)
}
# Within so many characters it does not matter what is named first.
_STEP = 60


def chosen(brief: Brief) -> tuple[str, str]:
    """Return the names of two drawings for an idea: the thing it names first, and another."""
    found: dict[str, int] = {}
    for name, cues in CUES:
        match = re.search(rf"(?<![\w-])(?:{cues})(?![\w-])", brief.text, re.IGNORECASE)
        if match:
            found[name] = match.start()
    order = [name for name, _ in CUES]
    ranked = sorted(found, key=lambda name: (name in WEAK, found[name] // _STEP, order.index(name)))
    if not ranked:
        start = brief.draw("open motif", len(OPEN))
        ranked = [OPEN[start], OPEN[(start + 1 + brief.draw("second", len(OPEN) - 1)) % len(OPEN)]]
    first = ranked[0]
    second = COMPANIONS.get(first) or next(iter(ranked[1:]), "") or OPEN[brief.draw("companion", len(OPEN))]
    return first, second if second != first else "sun"


def drawing(name: str, class_: str = "m") -> str:
    """Return a drawing that adorns, as inline SVG."""
    return ornament(DRAWINGS[name], "0 0 240 240", class_)


def ornament(shapes: str, box: str, class_: str = "", *, more: str = "") -> str:
    """Return shapes that adorn, as inline SVG with the view box `box`."""
    named = f' class="{class_}"' if class_ else ""
    extra = f" {more}" if more else ""
    return f'<svg{named} viewBox="{box}"{extra} aria-hidden="true" focusable="false">{shapes}</svg>'
