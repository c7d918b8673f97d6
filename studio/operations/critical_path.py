"""The critical path of a trace: the chain of spans that decided when it ended.

Nothing that is off the path would have made the trace shorter by being faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from studio.operations.tree import TOLERANCE_MS, Node, TraceTree


@dataclass(frozen=True)
class Segment:
    """A stretch of the path, in which `span` itself worked and none of its children was waited for."""

    span: Node
    start_ms: float
    end_ms: float

    @property
    def duration_ms(self) -> float:
        """How long it is."""
        return self.end_ms - self.start_ms


@dataclass(frozen=True)
class OnPath:
    """What the spans of one name have on the path. `share` is the part of the whole path, 0 to 1."""

    name: str
    segments: int
    total_ms: float
    share: float


@dataclass(slots=True)
class _Visit:
    """A span on the way back from the end: `at` is the place that is explained next."""

    node: Node
    at: float
    children: Iterator[Node]


def critical_path(tree: TraceTree) -> list[Segment]:
    """Return the path from the start to the end. The segments follow one another and fill the root's duration.

    It is walked from the end: what ended last before a place is what was waited for there, and a gap between two
    children is their parent's own time.
    """
    found: list[Segment] = []
    stack = [_visit(tree.root, tree.root.end_ms)]
    while stack:
        here = stack[-1]
        child = _last_before(here)
        if child is None:
            _add(found, here.node, here.node.start_ms, here.at)
            stack.pop()
            if stack:
                stack[-1].at = here.node.start_ms
            continue
        end = min(child.end_ms, here.at)
        _add(found, here.node, end, here.at)
        stack.append(_visit(child, end))
    found.reverse()
    return found


def by_name(path: Iterable[Segment]) -> list[OnPath]:
    """Return the path's time per name of a span, the longest first."""
    totals: dict[str, tuple[int, float]] = {}
    for segment in path:
        count, total = totals.get(segment.span.name, (0, 0.0))
        totals[segment.span.name] = (count + 1, total + segment.duration_ms)
    whole = sum(total for _, total in totals.values()) or 1.0
    found = [OnPath(name, count, total, total / whole) for name, (count, total) in totals.items()]
    return sorted(found, key=lambda one: (-one.total_ms, one.name))


def span_ids(path: Iterable[Segment]) -> frozenset[str]:
    """Return the ids of the spans that are on the path, with the parents through which it leads."""
    found: set[str] = set()
    for segment in path:
        node: Node | None = segment.span
        while node is not None and node.span_id not in found:
            found.add(node.span_id)
            node = node.parent
    return frozenset(found)


def _visit(node: Node, at: float) -> _Visit:
    return _Visit(node, at, iter(sorted(node.children, key=lambda child: child.end_ms, reverse=True)))


def _last_before(visit: _Visit) -> Node | None:
    """Return the child that ended last before the place, and take it and all that ended later out of the choice.

    One that ended a moment after the next one's start counts as before it: they are timed by two clocks.
    """
    for child in visit.children:
        if child.end_ms <= visit.at + TOLERANCE_MS and child.start_ms < min(child.end_ms, visit.at):
            return child
    return None


def _add(found: list[Segment], node: Node, start_ms: float, end_ms: float) -> None:
    if end_ms > start_ms:
        found.append(Segment(node, start_ms, end_ms))
