"""Ornament that is calculated: guilloche, blobs of paper, tiles. The same idea always gets the same curves."""

from __future__ import annotations

import math

from studio.sandbox.landing.brief import Brief


def rosette(brief: Brief, purpose: str, *, radius: float = 150, strands: int = 7, points: int = 200) -> str:
    """Return paths of a guilloche rosette around 0 0, as on banknotes; its petals depend on the idea."""
    petals = 7 + brief.draw(f"{purpose} petals", 9)
    waves = 2 + brief.draw(f"{purpose} waves", 3)
    inner = 0.42 + 0.05 * brief.draw(f"{purpose} inner", 4)
    paths = []
    for strand in range(strands):
        shift = 2 * math.pi * strand / strands
        line = []
        for step in range(points + 1):
            angle = 2 * math.pi * step / points
            swing = math.sin(petals * angle + shift) * 0.5 + math.sin(petals * waves * angle - shift) * 0.12
            distance = radius * (inner + (1 - inner) * (0.42 + 0.92 * swing))
            line.append(f"{distance * math.cos(angle):.0f} {distance * math.sin(angle):.0f}")
        paths.append(f'<path d="M{"L".join(line)}z"/>')
    return "".join(paths)


def band(brief: Brief, purpose: str, *, width: int = 1200, height: int = 60, strands: int = 7) -> str:
    """Return paths of a guilloche band of `width` by `height`."""
    beats = 5 + brief.draw(f"{purpose} beats", 6)
    paths = []
    for strand in range(strands):
        shift = math.pi * strand / strands
        line = []
        for step in range(width // 12 + 1):
            x = step * 12
            angle = 2 * math.pi * beats * x / width
            y = height / 2 + (height / 2 - 3) * math.sin(angle + shift) * math.cos(angle / 3 - shift)
            line.append(f"{x} {y:.0f}")
        paths.append(f'<path d="M{"L".join(line)}"/>')
    return "".join(paths)


def blob(brief: Brief, purpose: str, *, size: float = 200, corners: int = 7) -> str:
    """Return the outline of a piece of paper cut freehand, around 0 0, as path data."""
    knots = []
    for corner in range(corners):
        angle = 2 * math.pi * (corner + 0.3 * (brief.draw(f"{purpose} a{corner}", 100) / 100 - 0.5)) / corners
        distance = size * (0.72 + 0.28 * brief.draw(f"{purpose} r{corner}", 100) / 100)
        knots.append((distance * math.cos(angle), distance * math.sin(angle)))
    start = knots[0]
    data = f"M{start[0]:.0f} {start[1]:.0f}"
    for index in range(corners):
        # A Catmull-Rom spline through the knots, written as cubic Béziers.
        before, here, there, after = (knots[(index + shift) % corners] for shift in (-1, 0, 1, 2))
        one = (here[0] + (there[0] - before[0]) / 6, here[1] + (there[1] - before[1]) / 6)
        two = (there[0] - (after[0] - here[0]) / 6, there[1] - (after[1] - here[1]) / 6)
        data += f"C{one[0]:.0f} {one[1]:.0f} {two[0]:.0f} {two[1]:.0f} {there[0]:.0f} {there[1]:.0f}"
    return f"{data}z"


# Tiles of 100 by 100: `a` and `b` are the tile's two colours.
TILES = (
    '<path class="a" d="M0 100A100 100 0 0 1 100 0V100z"/>',
    '<path class="a" d="M0 0H100A100 100 0 0 1 0 100z"/><path class="b" d="M0 0H50A50 50 0 0 1 0 50z"/>',
    '<circle class="a" cx="50" cy="50" r="38"/><circle class="b" cx="50" cy="50" r="15"/>',
    '<path class="a" d="M0 50A50 50 0 0 1 100 50z"/><path class="b" d="M0 100A50 50 0 0 1 100 100z"/>',
    '<path class="a" d="M0 0 100 100H0z"/><circle class="b" cx="72" cy="28" r="16"/>',
    '<path class="a" d="M0 0h20v100H0zM40 0h20v100H40zM80 0h20v100H80z"/>',
    '<path class="a" d="M50 0A50 50 0 0 1 50 100z"/><path class="b" d="M50 25A25 25 0 0 0 50 75z"/>',
    '<path class="a" d="M0 0h50v50H0zM50 50h50v50H50z"/>',
    '<path class="a" d="M50 6 94 94H6z"/><circle class="b" cx="50" cy="64" r="14"/>',
    '<path class="a" d="M0 0A100 100 0 0 0 100 100V66A66 66 0 0 1 34 0z"/>'
    '<path class="b" d="M66 0A34 34 0 0 0 100 34V0z"/>',
)
