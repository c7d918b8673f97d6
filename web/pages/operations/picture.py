"""What a trace's page draws: lines, flame graph, critical path, and who spent the time by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from studio.operations import critical_path, flame
from studio.operations.critical_path import OnPath, Segment
from studio.operations.flame import Box
from studio.operations.tree import TraceTree
from web.pages.operations import lines
from web.pages.operations.kinds import KINDS, Kind, kind_of
from web.pages.operations.lines import Line

# A box that is narrower than a pixel or two of a wide window can be neither read nor hit.
NARROWEST_BOX = 0.0015
MOST_BOXES = 600
BOX_PX = 22
# A path of thousands of stretches is told by name; these are its longest, in their order.
STRETCHES_TOLD = 40
NAMES_TOLD = 25
TICKS = 6
# What an attribute of an SVG needs at most: a thousandth of a percent is less than a pixel of any screen.
_EXACT = 3


@dataclass(frozen=True)
class NameShare:
    """The spans of one name in a trace. Milliseconds; `share` is the part of all self time, 0 to 1."""

    name: str
    kind: Kind
    count: int
    total_ms: float
    self_ms: float
    share: float

    @property
    def children_ms(self) -> float:
        """The part of its time in which others worked for it."""
        return max(self.total_ms - self.self_ms, 0.0)


@dataclass
class Picture:
    """A trace as it is drawn. `shown` of `spans` spans stand in lines; `found` counts those like a filter."""

    total_ms: float
    spans: int
    lines: list[Line]
    shown: int
    boxes: list[Box]
    rows: int
    path: list[Segment]
    path_shares: list[OnPath]
    path_left_out: int
    names: list[NameShare]
    kinds: list[Kind]
    # Whether names took more in sum than there was time, because they ran side by side.
    side_by_side: bool = False
    found: int | None = None
    ticks: Sequence[float] = field(default_factory=list)

    def x(self, at_ms: float) -> str:
        """Return where a moment is drawn, in percent."""
        return _percent(at_ms / self.total_ms if self.total_ms else 0.0)

    def width(self, start_ms: float, end_ms: float) -> str:
        """Return how wide a stretch is drawn, in percent."""
        return _percent((end_ms - start_ms) / self.total_ms if self.total_ms else 0.0)

    @property
    def flame_height(self) -> int:
        """How high the flame graph is, in pixels."""
        return self.rows * BOX_PX


def draw(tree: TraceTree, *, opened: str | None = None, under: str | None = None, name: str | None = None) -> Picture:
    """Return a trace as it is drawn; `opened`, `under` as in `lines.lines`, only spans whose `name` holds a text."""
    path = critical_path.critical_path(tree)
    found: int | None = None
    if name:
        shown, found = lines.named(tree, path, name)
    else:
        shown = lines.lines(tree, path, opened=opened, under=under)
    boxes = flame.flame(tree, min_fraction=NARROWEST_BOX, max_boxes=MOST_BOXES)
    names = _names(tree)
    told = _longest(path)
    return Picture(
        total_ms=tree.duration_ms,
        spans=len(tree),
        lines=shown,
        shown=sum(line.span_id is not None for line in shown),
        boxes=boxes,
        rows=max((box.depth for box in boxes), default=0) + 1,
        path=told,
        path_shares=critical_path.by_name(path)[:NAMES_TOLD],
        path_left_out=len(path) - len(told),
        names=names,
        kinds=[kind for kind in KINDS if any(line.kind is kind for line in shown)],
        side_by_side=sum(one.self_ms for one in names) > tree.duration_ms * 1.01,
        found=found,
        ticks=[tree.duration_ms * n / TICKS for n in range(TICKS + 1)],
    )


def _names(tree: TraceTree) -> list[NameShare]:
    totals: dict[str, tuple[int, float, float]] = {}
    for node in tree.walk():
        count, total, own = totals.get(node.name, (0, 0.0, 0.0))
        totals[node.name] = (count + 1, total + node.shown_ms, own + node.own_ms)
    whole = sum(own for _, _, own in totals.values()) or 1.0
    found = [
        NameShare(name, kind_of(name), count, total, own, own / whole) for name, (count, total, own) in totals.items()
    ]
    return sorted(found, key=lambda one: (-one.self_ms, one.name))[:NAMES_TOLD]


def _longest(path: list[Segment]) -> list[Segment]:
    if len(path) <= STRETCHES_TOLD:
        return path
    shortest = sorted((segment.duration_ms for segment in path), reverse=True)[STRETCHES_TOLD - 1]
    return [segment for segment in path if segment.duration_ms >= shortest][:STRETCHES_TOLD]


def _percent(share: float) -> str:
    return f"{round(share * 100, _EXACT):g}%"
