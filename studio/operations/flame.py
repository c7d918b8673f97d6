"""A trace as a flame graph: like-named siblings merged, as wide as they took together. Geometry only."""

from __future__ import annotations

from dataclasses import dataclass

from studio.operations.tree import Node, TraceTree

# What is narrower than a two-thousandth of the picture is no box but a line.
MIN_FRACTION = 0.0005
MAX_BOXES = 5000
EXAMPLES = 5


@dataclass(frozen=True)
class Box:
    """A box of the flame graph: `x0` and `x1` are fractions of the width, 0 to 1; `depth` 0 is the root's row.

    `total_ms` is the sum of the `count` spans in it; the box is as wide only where the spans did not run at the same
    time (see `flame`). `span_ids` are the longest of them. `parent` is the place of the box below which it hangs in the
    list, None for the root.
    """

    name: str
    category: str
    depth: int
    x0: float
    x1: float
    total_ms: float
    self_ms: float
    count: int
    failures: int
    parent: int | None
    span_ids: tuple[str, ...]

    @property
    def width(self) -> float:
        """As a fraction of the whole picture's."""
        return self.x1 - self.x0


def flame(tree: TraceTree, *, min_fraction: float = MIN_FRACTION, max_boxes: int = MAX_BOXES) -> list[Box]:
    """Return the boxes, row by row, each row from left to right by the first start.

    Children that ran at the same time may have taken more together than their parent: they share its width then, in
    proportion. Boxes narrower than `min_fraction` are left out with all below them.
    """
    boxes: list[Box] = []
    row: list[tuple[list[Node], float, float, int | None]] = [([tree.root], 0.0, 1.0, None)]
    depth = 0
    while row:
        below: list[tuple[list[Node], float, float, int | None]] = []
        for spans, x0, x1, parent in row:
            if len(boxes) >= max_boxes:
                return boxes
            boxes.append(_box(spans, depth, x0, x1, parent))
            below.extend(_inside(spans, x0, x1, len(boxes) - 1, min_fraction))
        row, depth = below, depth + 1
    return boxes


def _inside(
    spans: list[Node], x0: float, x1: float, parent: int, min_fraction: float
) -> list[tuple[list[Node], float, float, int | None]]:
    by_name: dict[str, list[Node]] = {}
    for child in sorted((child for node in spans for child in node.children), key=lambda child: child.start_ms):
        by_name.setdefault(child.name, []).append(child)
    totals = [_total(group) for group in by_name.values()]
    room = max(_total(spans), sum(totals))
    found: list[tuple[list[Node], float, float, int | None]] = []
    at = x0
    for group, total in zip(by_name.values(), totals, strict=True):
        width = (x1 - x0) * total / room if room > 0 else 0.0
        if width >= min_fraction:
            found.append((group, min(at, x1), min(at + width, x1), parent))
        at += width
    return found


def _total(spans: list[Node]) -> float:
    return sum(node.shown_ms for node in spans)


def _box(spans: list[Node], depth: int, x0: float, x1: float, parent: int | None) -> Box:
    longest = sorted(spans, key=lambda node: -node.shown_ms)[:EXAMPLES] if len(spans) > 1 else spans
    return Box(
        name=spans[0].name,
        category=spans[0].category,
        depth=depth,
        x0=x0,
        x1=x1,
        total_ms=_total(spans),
        self_ms=sum(node.own_ms for node in spans),
        count=len(spans),
        failures=sum(node.failed for node in spans),
        parent=parent,
        span_ids=tuple(node.span_id for node in longest),
    )
