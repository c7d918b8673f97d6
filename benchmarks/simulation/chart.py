"""Draws at how many projects each part stops, as an SVG that reads in a light and in a dark page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from benchmarks.simulation.ceilings import Ceiling

WIDTH, LEFT, RIGHT, TOP, ROW = 900, 300, 60, 64, 25
_BAR = 12
_FIRST, _LAST = 2, 7.3
# By what removes it; the colours hold their contrast on white and on black.
_COLOURS = {"setting": "#3fb950", "code": "#d29922", "machine": "#2f81f7", "cell": "#a371f7"}
_SAID = {"setting": "a setting", "code": "a change of code", "machine": "machines", "cell": "another cell"}


def draw(ceilings: Sequence[Ceiling]) -> str:
    """Return an SVG with a bar for each ceiling, to its number of projects; each decade takes the same room."""
    height = TOP + ROW * len(ceilings) + 30
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' font-family="ui-sans-serif, system-ui, sans-serif" font-size="13">',
        "<title>At how many projects each part of one installation stops</title>",
        "<style>text{fill:#24292f}.grid{stroke:#d0d7de}"
        "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}}</style>",
    ]
    position = LEFT
    for removal, colour in _COLOURS.items():
        lines.append(f'<rect x="{position}" y="12" width="12" height="12" rx="3" fill="{colour}"/>')
        lines.append(f'<text x="{position + 18}" y="23">{_SAID[removal]}</text>')
        position += 150
    bottom = TOP + ROW * len(ceilings)
    for decade in range(_FIRST, math.ceil(_LAST)):
        x = _x(10.0**decade)
        lines.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}"/>')
        lines.append(f'<text x="{x:.1f}" y="{TOP - 14}" text-anchor="middle">{10**decade:,}</text>')
    for number, ceiling in enumerate(ceilings):
        y, end = TOP + ROW * number, _x(ceiling.projects)
        lines.append(f'<text x="{LEFT - 10}" y="{y + 11}" text-anchor="end">{escape(ceiling.part)}</text>')
        lines.append(
            f'<rect x="{LEFT}" y="{y}" width="{max(2.0, end - LEFT):.1f}" height="{_BAR}" rx="3"'
            f' fill="{_COLOURS[ceiling.removal]}"/>'
        )
        lines.append(f'<text x="{end + 6:.1f}" y="{y + 11}">{_short(ceiling.projects)}</text>')
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


def _x(projects: float) -> float:
    share = (math.log10(projects) - _FIRST) / (_LAST - _FIRST)
    return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, share))


def _short(projects: float) -> str:
    # Two digits count.
    projects = float(f"{projects:.1e}")
    if projects >= 1e6:
        return f"{projects / 1e6:.1f} M"
    return f"{projects / 1e3:.0f} k" if projects >= 1e4 else f"{projects / 1e3:.1f} k"
