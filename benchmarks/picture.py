"""Draws the path of a job as an SVG that reads in a light and in a dark page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from benchmarks.path import COMMIT, STAGES

WIDTH, LEFT, ROW, TOP = 900, 250, 30, 56
_BAR = 14
# Who works at a stage; the colours hold their contrast on white and on black.
_COLOURS = {
    "code server": "#2f81f7",
    "daemon": "#a371f7",
    "run launcher": "#d29922",
    "worker": "#3fb950",
}
_ACTOR = {
    "claimed by a sensor": "code server",
    "run created by the daemon": "daemon",
    "run launcher asked": "daemon",
    "worker has the run": "run launcher",
}


def draw(milliseconds: Mapping[str, float]) -> str:
    """Return an SVG with a bar per stage, from the moment the last one was reached to its own (milliseconds)."""
    stages = [stage for stage in STAGES if stage in milliseconds]
    end = max(milliseconds[stage] for stage in stages)
    scale = (WIDTH - LEFT - 70) / end
    height = TOP + ROW * len(stages) + 46
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' font-family="ui-sans-serif, system-ui, sans-serif" font-size="14">',
        f"<title>The path of one job: {end:.0f} ms from commit to end</title>",
        "<style>text{fill:#24292f}.grid{stroke:#d0d7de}"
        "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}}</style>",
    ]
    position = LEFT
    for actor, colour in _COLOURS.items():
        lines.append(f'<rect x="{position}" y="14" width="12" height="12" rx="3" fill="{colour}"/>')
        lines.append(f'<text x="{position + 18}" y="25">{actor}</text>')
        position += 60 + 8 * len(actor)
    for tick in range(0, int(end) + 1, _step(end)):
        x = LEFT + tick * scale
        lines.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 12}" x2="{x:.1f}" y2="{height - 34}"/>')
        lines.append(f'<text x="{x:.1f}" y="{height - 14}" text-anchor="middle">{tick} ms</text>')
    before = 0.0
    for index, stage in enumerate(stages):
        at, y = milliseconds[stage], TOP + index * ROW
        # Two writers stamp with clocks of their own, and may be a hair apart.
        width = max((at - before) * scale, 2.0)
        colour = _COLOURS[_ACTOR.get(stage, "worker")]
        lines.append(f'<text x="{LEFT - 12}" y="{y + 11}" text-anchor="end">{escape(stage)}</text>')
        bar = f'x="{LEFT + min(before, at) * scale:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}"'
        lines.append(f'<rect {bar} rx="3" fill="{colour}"/>')
        lines.append(f'<text x="{LEFT + at * scale + 8:.1f}" y="{y + 11}">{at:.0f}</text>')
        before = max(before, at)
    lines.append(f'<text x="{LEFT - 12}" y="{TOP - 18}" text-anchor="end" font-weight="600">{COMMIT}: 0</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _step(end: float) -> int:
    return next(step for step in (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000) if end / step <= 10)
