"""The tree of a trace's spans, without what went in and out of them: what all pictures of a trace are made of.

Places are milliseconds after the start of the root, clipped to the parent for display: a parent's box always holds its
children's. Nothing here recurses, because a chain of spans may be deeper than Python's stack, and a payload is read for
one span at a time, because a trace may have a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from studio.database.connection import Database
from studio.errors import NotFound
from studio.operations import traces, window
from studio.operations.trace import Trace

# Clocks of two processes, and the two clocks of one, differ by less without anything being wrong.
TOLERANCE_MS = 1.0
ERROR_CHARS = 500
_DIGITS = 16

_SPANS: LiteralString = """
select s.span_id, s.parent_span_id, s.span_name, s.category, s.status,
  extract(epoch from s.start_time - %(origin)s)::float8 * 1000,
  coalesce(s.duration_ms, extract(epoch from
    coalesce(s.end_time, least(now(), %(end)s::timestamptz)) - s.start_time)::float8 * 1000),
  s.self_ms, s.end_time is null, left(s.error, %(error_chars)s), s.error_type, s.error_class, s.fingerprint,
  s.input_size, s.output_size, s.model, s.input_tokens, s.output_tokens, s.cost_micros, s.first_token_ms, s.retries
from public.pipeline_spans s where s.trace_id = %(trace_id)s
"""
_SPAN: LiteralString = """
select s.span_id, s.trace_id, s.parent_span_id, s.span_name, s.category, s.pipeline_name, s.start_time, s.end_time,
  s.duration_ms, s.self_ms, s.status, s.error, s.error_type, s.error_class, s.fingerprint, s.stack, s.input_data,
  s.output_data, s.input_size, s.output_size, s.input_sha256, s.output_sha256, s.model, s.input_tokens,
  s.output_tokens, s.cache_read_tokens, s.cache_write_tokens, s.cost_micros, s.first_token_ms, s.retries, s.attributes,
  s.events
from public.pipeline_spans s where s.trace_id = %(trace_id)s and s.span_id
"""


@dataclass(slots=True, eq=False)
class Node:
    """A span in its tree. Milliseconds after the root's start, money in micro-dollars; `duration_ms` is unclipped."""

    span_id: str
    parent_span_id: str | None
    name: str
    category: str
    status: str
    start_ms: float
    duration_ms: float
    self_ms: float | None
    is_open: bool
    error: str | None = None
    error_type: str | None = None
    error_class: str | None = None
    fingerprint: str | None = None
    input_size: int | None = None
    output_size: int | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_micros: int | None = None
    first_token_ms: float | None = None
    retries: int | None = None
    end_ms: float = 0.0
    depth: int = 0
    parent: Node | None = field(default=None, repr=False)
    children: list[Node] = field(default_factory=list, repr=False)
    # Its parent was not stored; it hangs under the root.
    is_orphan: bool = False
    # It ran on after its parent's end, or began before its parent: it is drawn shorter than it was.
    is_clipped: bool = False

    @property
    def shown_ms(self) -> float:
        """How long it is drawn."""
        return self.end_ms - self.start_ms

    @property
    def own_ms(self) -> float:
        """Its duration without the time in which any of its children ran."""
        return self.self_ms or 0.0

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than well."""
        return self.status not in ("ok", "running")


@dataclass(frozen=True)
class TraceTree:
    """A trace with its spans. `root` is made of the trace's row where no root span is stored (`root.span_id` is "")."""

    trace: Trace
    root: Node
    by_id: dict[str, Node]

    @property
    def duration_ms(self) -> float:
        """How long it took, or has run."""
        return self.root.shown_ms

    def __len__(self) -> int:
        return len(self.by_id)

    def walk(self) -> Iterator[Node]:
        """Go through all spans, each parent before its children, children by their start, the longest first."""
        stack = [self.root]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def node(self, span_id: str) -> Node:
        """Return the span whose id is or begins with `span_id`; raise `NotFound` where none or several do."""
        found = self.by_id.get(span_id)
        if found is not None:
            return found
        begun = [node for name, node in self.by_id.items() if name.startswith(span_id)] if span_id else []
        if len(begun) == 1:
            return begun[0]
        raise _not_one(span_id, len(begun))


@dataclass(frozen=True)
class SpanDetail:
    """All of a span. `input_data` and `output_data` are JSON values; None where nothing was, or where it is no longer.

    Where `input_size` (bytes of the whole) is larger than the limit, the value is a text of the beginning.
    """

    span_id: str
    trace_id: UUID
    parent_span_id: str | None
    span_name: str
    category: str
    pipeline_name: str
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    self_ms: float | None
    status: str
    error: str | None
    error_type: str | None
    error_class: str | None
    fingerprint: str | None
    stack: str | None
    input_data: Any
    output_data: Any
    input_size: int | None
    output_size: int | None
    input_sha256: str | None
    output_sha256: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    cost_micros: int | None
    first_token_ms: float | None
    retries: int | None
    attributes: dict[str, Any]
    events: list[dict[str, Any]]


def load(db: Database, trace_id: UUID | str, owner: str | None = None) -> TraceTree:
    """Return a trace with the tree of its spans; `trace_id` and errors as in `traces.get`."""
    trace = traces.get(db, trace_id, owner)
    params = {
        "trace_id": trace.trace_id,
        "origin": trace.start_time,
        "end": trace.end_time,
        "error_chars": ERROR_CHARS,
    }
    with db.connection() as conn, conn.cursor(row_factory=tuple_row, binary=True) as cursor:
        rows = cursor.execute(_SPANS, params).fetchall()
    return build(trace, [Node(*row) for row in rows])


def span(db: Database, trace_id: UUID, span_id: str, owner: str | None = None) -> SpanDetail:
    """Return all of one span, with what went in and out; raise `NotFound`. `span_id` may be its first digits."""
    wanted = "".join(digit for digit in span_id.lower() if digit in "0123456789abcdef")
    whole = len(wanted) == _DIGITS
    # Of a whole id the index of spans needs to be asked, not each span of the trace.
    query: LiteralString = _SPAN + (" = %(span_id)s" if whole else " like %(span_id)s")
    if owner is not None:
        query += " and s.project_id in " + window.OWN
    params = {"trace_id": trace_id, "span_id": wanted if whole else f"{wanted}%", "owner": owner}
    found = db.fetch_all(query + " order by s.start_time limit 2", params) if wanted else []
    if len(found) != 1:
        raise _not_one(span_id, len(found))
    return SpanDetail(**found[0])


def _not_one(span_id: str, found: int) -> NotFound:
    what = f"Several spans of the trace begin with {span_id}." if found else f"The trace has no span {span_id}."
    return NotFound(what, "`greenlight traces show` shows the ids of its spans, with --json all of each.")


def build(trace: Trace, nodes: list[Node]) -> TraceTree:
    """Return the tree of spans that have no places yet: parents, places and self times are worked out here."""
    by_id = {node.span_id: node for node in nodes}
    root = _root(trace, nodes)
    for node in nodes:
        if node is root:
            continue
        parent = by_id.get(node.parent_span_id or "")
        node.is_orphan = parent is None or parent is node
        node.parent = root if parent is None or parent is node else parent
        node.parent.children.append(node)
    _hang_up_circles(root, nodes)
    _place(root, _end(trace, root))
    return TraceTree(trace, root, by_id)


def _root(trace: Trace, nodes: list[Node]) -> Node:
    """Return the span that holds all others, or one made of the trace where it was not stored."""
    candidates = [node for node in nodes if node.parent_span_id is None]
    if candidates:
        return min(candidates, key=lambda node: (node.category != "job", node.start_ms, node.span_id))
    return Node("", None, f"job:{trace.pipeline_name}", "job", trace.status, 0.0, trace.elapsed_ms, None, trace.is_open)


def _end(trace: Trace, root: Node) -> float:
    """Return how long the root is: what is open runs until now."""
    return max(trace.elapsed_ms if root.is_open else root.duration_ms, 0.0)


def _hang_up_circles(root: Node, nodes: list[Node]) -> None:
    """Hang spans under the root that cannot be reached from it: foreign rows may be each other's parents."""
    reached = {id(root)}
    _reach(root, reached)
    if all(id(node) in reached for node in nodes):
        return
    for node in nodes:
        if id(node) not in reached and node.parent is not None:
            node.parent.children.remove(node)
            node.parent, node.is_orphan = root, True
            root.children.append(node)
            reached.add(id(node))
            _reach(node, reached)


def _reach(start: Node, reached: set[int]) -> None:
    stack = [start]
    while stack:
        for child in stack.pop().children:
            if id(child) not in reached:
                reached.add(id(child))
                stack.append(child)


def _place(root: Node, end_ms: float) -> None:
    """Give every span its depth, its place within its parent's, and its self time."""
    # Everything is told from the root's start: the trace's own differs where clocks do.
    origin = root.start_ms
    root.start_ms, root.end_ms, root.duration_ms = 0.0, end_ms, end_ms
    stack = [root]
    while stack:
        node = stack.pop()
        for child in node.children:
            start, end = child.start_ms - origin, child.start_ms - origin + max(child.duration_ms, 0.0)
            child.depth = node.depth + 1
            child.start_ms = min(max(start, node.start_ms), node.end_ms)
            child.end_ms = max(min(end, node.end_ms), child.start_ms)
            child.is_clipped = abs(child.shown_ms - max(child.duration_ms, 0.0)) > TOLERANCE_MS
        node.children.sort(key=_order)
        if node.self_ms is None:
            node.self_ms = node.shown_ms - _covered(node)
        stack.extend(node.children)


def _order(node: Node) -> tuple[float, float, str]:
    return node.start_ms, -node.end_ms, node.span_id


def _covered(node: Node) -> float:
    """Return for how long any of its children ran; they are sorted by their start."""
    covered, until = 0.0, node.start_ms
    for child in node.children:
        if child.end_ms > until:
            covered += child.end_ms - max(child.start_ms, until)
            until = child.end_ms
    return covered
