"""The lines of a waterfall: what the tree gives in rows, opened where the reader has asked, with the critical path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from studio.errors import NotFound
from studio.operations import waterfall
from studio.operations.critical_path import Segment
from studio.operations.tree import Node, TraceTree
from studio.operations.waterfall import Row
from web.pages.operations.kinds import OTHER, Kind, kind_of

# Of like-named siblings that the reader opens, so many at a time.
OPENED_AT_ONCE = 100
FOUND_MOST = 500
DEEPEST_INDENT = 12


@dataclass(frozen=True)
class Line:
    """A line. Places are milliseconds after the trace's start. `path` are the stretches of it on the critical path.

    `span_id` is None where the line stands for several spans. `opens` is what `open` says in the address to see them,
    `under` the span below which there is more than is shown.
    """

    key: str
    span_id: str | None
    name: str
    kind: Kind
    depth: int
    start_ms: float
    end_ms: float
    took_ms: float
    self_ms: float
    status: str
    is_open: bool
    critical: bool
    path: Sequence[tuple[float, float]] = ()
    count: int = 1
    failures: int = 0
    hidden: int = 0
    retries: int = 0
    cost_micros: int | None = None
    first_token_at: float | None = None
    error: str | None = None
    is_clipped: bool = False
    is_orphan: bool = False
    opens: str | None = None
    under: str | None = None
    # Only says how many more siblings there are; `opens` shows them.
    is_more: bool = False
    # Whether lines stand below it.
    holds: bool = False

    @property
    def indent(self) -> int:
        """By how many steps it is indented."""
        return min(self.depth, DEEPEST_INDENT)


def lines(
    tree: TraceTree, path: Iterable[Segment], *, opened: str | None = None, under: str | None = None
) -> list[Line]:
    """Return a trace's lines, or those `under` one span, with the siblings that `opened` names one by one.

    `opened` is a line's `opens`. Raises `NotFound` where it or `under` names nothing in the trace.
    """
    stretches = _stretches(path)
    rows = waterfall.waterfall(tree, under=under)
    # What is below a span begins at the left.
    base = rows[0].depth if under is not None and rows else 0
    shown = {row.span_id for row in rows if row.kind == "span"}
    found: list[Line] = []
    for row in rows:
        line = _line(tree, row, base, stretches)
        found.append(line)
        if opened is not None and line.opens == opened.rpartition(":")[0]:
            found += _opened(tree, line, opened, shown, stretches)
    if opened is not None and not any(line.opens == opened.rpartition(":")[0] for line in found):
        raise NotFound("There is nothing of this kind to open in the trace.", "Go back to the whole trace.")
    below = [*(line.depth for line in found[1:]), 0]
    return [replace(line, holds=next_depth > line.depth) for line, next_depth in zip(found, below, strict=True)]


def named(tree: TraceTree, path: Iterable[Segment], text: str) -> tuple[list[Line], int]:
    """Return the lines of spans whose names hold `text`, the first 500, and how many there are."""
    stretches = _stretches(path)
    wanted = text.lower()
    alike = [node for node in tree.walk() if wanted in node.name.lower()]
    return [_of_node(node, stretches) for node in alike[:FOUND_MOST]], len(alike)


def _stretches(path: Iterable[Segment]) -> Mapping[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for segment in path:
        found[segment.span.span_id].append((segment.start_ms, segment.end_ms))
    return found


def _line(tree: TraceTree, row: Row, base: int, stretches: Mapping[str, list[tuple[float, float]]]) -> Line:
    one = row.kind == "span"
    node = tree.by_id.get(row.span_id) if one else None
    group = None if one else f"{row.span_id}:{row.name if row.kind == 'alike' else ''}"
    return Line(
        key=f"{row.span_id or 'root'}{'' if one else f':{row.kind}:{row.name}'}",
        span_id=row.span_id if one and row.span_id else None,
        name=row.name if row.name != "more" or one else "others",
        kind=OTHER if not row.category else kind_of(row.name),
        depth=row.depth - base,
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        took_ms=row.duration_ms,
        self_ms=row.self_ms,
        status=row.status,
        is_open=row.is_open,
        critical=row.on_critical_path,
        path=stretches.get(row.span_id, ()) if one else (),
        count=row.count,
        failures=row.failures,
        hidden=row.hidden,
        retries=row.retries or 0,
        cost_micros=row.cost_micros,
        first_token_at=_first_token(node),
        error=row.error,
        is_clipped=row.is_clipped,
        is_orphan=row.is_orphan,
        opens=group if row.kind == "alike" else None,
        under=row.span_id or None if row.kind == "rest" or (one and row.hidden) else None,
    )


def _opened(
    tree: TraceTree, group: Line, opened: str, shown: set[str], stretches: Mapping[str, list[tuple[float, float]]]
) -> list[Line]:
    """Return like-named siblings from the one on that `opened` ends with, one step below the line that sums them up."""
    parent, _, name = (group.opens or "").partition(":")
    after = opened.rpartition(":")[2]
    if not after.isdecimal():
        raise NotFound("There is nothing of this kind to open in the trace.", "Go back to the whole trace.")
    rows = waterfall.siblings(tree, parent, name=name, after=int(after), limit=OPENED_AT_ONCE)
    base = rows[0].depth - group.depth - 1 if rows else 0
    found = [_line(tree, row, base, stretches) for row in rows if row.span_id not in shown]
    follows = int(after) + len(rows)
    if len(rows) == OPENED_AT_ONCE and follows < group.count:
        more = replace(
            group,
            key=f"{group.key}:more",
            name=f"the next of {group.count:,}",
            depth=group.depth + 1,
            opens=f"{group.opens}:{follows}",
            is_more=True,
        )
        found.append(more)
    return found


def _of_node(node: Node, stretches: Mapping[str, list[tuple[float, float]]]) -> Line:
    return Line(
        key=node.span_id,
        span_id=node.span_id or None,
        name=node.name,
        kind=kind_of(node.name),
        depth=0,
        start_ms=node.start_ms,
        end_ms=node.end_ms,
        took_ms=node.duration_ms,
        self_ms=node.own_ms,
        status=node.status,
        is_open=node.is_open,
        critical=node.span_id in stretches,
        path=stretches.get(node.span_id, ()),
        failures=int(node.failed),
        retries=node.retries or 0,
        cost_micros=node.cost_micros,
        first_token_at=_first_token(node),
        error=node.error,
        is_clipped=node.is_clipped,
        is_orphan=node.is_orphan,
    )


def _first_token(node: Node | None) -> float | None:
    if node is None or node.first_token_ms is None:
        return None
    at = node.start_ms + node.first_token_ms
    return at if at <= node.end_ms else None
