"""A trace as rows, one under another: few enough for a page, however many spans there are."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from studio.operations import critical_path as path
from studio.operations.tree import Node, TraceTree

MAX_ROWS = 500
# So many like-named siblings stand one by one; more become one row.
ALIKE = 20
# Failed ones among them stand on their own, so that an error is seen where it came up.
FAILURES_APART = 3


@dataclass(frozen=True)
class Row:
    """A row: a span, several like-named siblings in one (`alike`), or what there was no room for (`rest`).

    Places are milliseconds after the trace's start. Of several spans, `start_ms` and `end_ms` are the first's start and
    the last's end, `duration_ms`, `self_ms`, `cost_micros` and the tokens are sums, `count` says how many spans, their
    descendants not among them; `span_id` is the parent's then, under which `siblings` lists them. `hidden` counts the
    spans below a span that stand in no row of their own.
    """

    kind: Literal["span", "alike", "rest"]
    span_id: str
    name: str
    category: str
    depth: int
    start_ms: float
    end_ms: float
    duration_ms: float
    self_ms: float
    status: str
    on_critical_path: bool
    count: int = 1
    failures: int = 0
    hidden: int = 0
    cost_micros: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    model: str | None = None
    retries: int | None = None
    error: str | None = None
    error_type: str | None = None
    is_open: bool = False
    is_orphan: bool = False
    is_clipped: bool = False


def waterfall(tree: TraceTree, *, max_rows: int = MAX_ROWS, under: str | None = None) -> list[Row]:
    """Return a trace, or what is `under` one span (itself first), in at most `max_rows` rows, parents before children.

    What failed, what is on the critical path and what took longest is shown first; the rest is summed up per parent.
    Raises `NotFound` where `under` is no span of the trace.
    """
    start = tree.root if under is None else tree.node(under)
    on_path = path.span_ids(path.critical_path(tree))
    return _Picture(start, on_path, max_rows).rows()


def siblings(tree: TraceTree, parent: str, *, name: str | None = None, after: int = 0, limit: int = 100) -> list[Row]:
    """Return the children of a span (only those called `name`, where it is given), from the `after`-th on.

    Raises `NotFound` where `parent` is no span of the trace.
    """
    node = tree.root if parent == tree.root.span_id else tree.node(parent)
    on_path = path.span_ids(path.critical_path(tree))
    found = [child for child in node.children if name is None or child.name == name]
    return [_row(child, on_path, hidden=_below(child)) for child in found[after : after + limit]]


@dataclass(slots=True)
class _Alike:
    """Like-named children of one parent."""

    spans: list[Node]

    @property
    def start_ms(self) -> float:
        return self.spans[0].start_ms


@dataclass(slots=True)
class _Shown:
    """A span that has a row, with what may stand below it: `left` of its entries have no row yet."""

    node: Node
    entries: list[Node | _Alike]
    left: int


class _Picture:
    """The choice of rows: the most important first, until there is no more room."""

    def __init__(self, start: Node, on_path: Collection[str], max_rows: int) -> None:
        self._start = start
        self._on_path = on_path
        self._room = max(max_rows, 2)
        self._failing = _with_failures(start)
        self._shown: dict[int, _Shown] = {}
        self._alike: set[int] = set()

    def rows(self) -> list[Row]:
        self._choose()
        found: list[Row] = []
        stack: list[tuple[Node | _Alike | list[Node], Node]] = [(self._start, self._start)]
        while stack:
            entry, parent = stack.pop()
            if isinstance(entry, list):
                found.append(_summed("rest", entry, parent, self._on_path))
            elif isinstance(entry, _Alike):
                found.append(_summed("alike", entry.spans, parent, self._on_path))
            else:
                shown = self._shown[id(entry)]
                rest: list[Node] = []
                below: list[tuple[Node | _Alike | list[Node], Node]] = []
                for inner in shown.entries:
                    if id(inner) in self._shown or id(inner) in self._alike:
                        below.append((inner, entry))
                    else:
                        rest.extend(inner.spans if isinstance(inner, _Alike) else [inner])
                if rest:
                    below.append((rest, entry))
                found.append(_row(entry, self._on_path, hidden=0 if below else _below(entry)))
                stack.extend(reversed(below))
        return found

    def _choose(self) -> None:
        order = 0
        waiting: list[tuple[tuple[bool, bool, float], int, Node | _Alike, Node | None]] = []
        heapq.heappush(waiting, ((False, False, 0.0), order, self._start, None))
        used = 0
        while waiting:
            _, _, entry, parent = heapq.heappop(waiting)
            above = None if parent is None else self._shown[id(parent)]
            entries = [] if isinstance(entry, _Alike) else _entries(entry)
            # A row of its own, one for the rest below it, and where it is the last one, that of the rest it was in.
            cost = 1 + bool(entries) - (above is not None and above.left == 1)
            if used + cost > self._room:
                continue
            used += cost
            if above is not None:
                above.left -= 1
            if isinstance(entry, _Alike):
                self._alike.add(id(entry))
                continue
            self._shown[id(entry)] = _Shown(entry, entries, len(entries))
            for inner in entries:
                order += 1
                heapq.heappush(waiting, (self._rank(inner), order, inner, entry))

    def _rank(self, entry: Node | _Alike) -> tuple[bool, bool, float]:
        spans = entry.spans if isinstance(entry, _Alike) else [entry]
        return (
            not any(id(node) in self._failing for node in spans),
            not any(node.span_id in self._on_path for node in spans),
            -sum(node.shown_ms for node in spans),
        )


def _entries(node: Node) -> list[Node | _Alike]:
    """Return what may stand below a span, by its start: its children, of many like-named ones all but a few as one."""
    by_name: dict[str, list[Node]] = {}
    for child in node.children:
        by_name.setdefault(child.name, []).append(child)
    found: list[Node | _Alike] = []
    for alike in by_name.values():
        if len(alike) <= ALIKE:
            found.extend(alike)
            continue
        apart = [child for child in alike if child.failed][:FAILURES_APART]
        found.extend(apart)
        named = {id(child) for child in apart}
        found.append(_Alike([child for child in alike if id(child) not in named]))
    return sorted(found, key=lambda entry: entry.start_ms)


def _with_failures(start: Node) -> set[int]:
    """Return the spans that failed or have a failed one below them."""
    found: set[int] = set()
    stack = [start]
    while stack:
        node = stack.pop()
        stack.extend(node.children)
        if node.failed:
            above: Node | None = node
            while above is not None and id(above) not in found:
                found.add(id(above))
                above = above.parent
    return found


def _below(node: Node) -> int:
    """Return how many spans are below one."""
    count, stack = 0, [node]
    while stack:
        children = stack.pop().children
        count += len(children)
        stack.extend(children)
    return count


def _row(node: Node, on_path: Collection[str], *, hidden: int) -> Row:
    return Row(
        kind="span",
        span_id=node.span_id,
        name=node.name,
        category=node.category,
        depth=node.depth,
        start_ms=node.start_ms,
        end_ms=node.end_ms,
        duration_ms=node.duration_ms,
        self_ms=node.own_ms,
        status=node.status,
        on_critical_path=node.span_id in on_path,
        failures=int(node.failed),
        hidden=hidden,
        cost_micros=node.cost_micros,
        input_tokens=node.input_tokens,
        output_tokens=node.output_tokens,
        model=node.model,
        retries=node.retries,
        error=node.error,
        error_type=node.error_type,
        is_open=node.is_open,
        is_orphan=node.is_orphan,
        is_clipped=node.is_clipped,
    )


def _summed(kind: Literal["alike", "rest"], spans: Sequence[Node], parent: Node, on_path: Collection[str]) -> Row:
    names = {node.name for node in spans}
    failures = [node for node in spans if node.failed]
    return Row(
        kind=kind,
        span_id=parent.span_id,
        name=spans[0].name if len(names) == 1 else "more",
        category=spans[0].category if len(names) == 1 else "",
        depth=parent.depth + 1,
        start_ms=min(node.start_ms for node in spans),
        end_ms=max(node.end_ms for node in spans),
        duration_ms=sum(node.duration_ms for node in spans),
        self_ms=sum(node.own_ms for node in spans),
        status="error" if failures else "running" if any(node.is_open for node in spans) else "ok",
        on_critical_path=any(node.span_id in on_path for node in spans),
        count=len(spans),
        failures=len(failures),
        hidden=sum(_below(node) for node in spans),
        cost_micros=_total(node.cost_micros for node in spans),
        input_tokens=_total(node.input_tokens for node in spans),
        output_tokens=_total(node.output_tokens for node in spans),
        error=failures[0].error if failures else None,
        error_type=failures[0].error_type if failures else None,
        is_open=any(node.is_open for node in spans),
    )


def _total(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
