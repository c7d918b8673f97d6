"""The tree holds every span once, each within its parent, whatever the rows say: open, lost, late, or in a circle."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.operations.critical_path import by_name, critical_path, span_ids
from studio.operations.flame import flame
from studio.operations.tree import TraceTree
from studio.operations.waterfall import siblings, waterfall
from tests.support.size import FULL
from tests.support.traces import ELAPSED_MS, Planned, span, span_id, tree_of

DEEP = 3000
HUGE = 100_000


@st.composite
def planned(draw: st.DrawFn) -> list[Planned]:
    """Spans in any order in time: children may begin before their parents, outlive them, and never end."""
    spans = [span("job:test", 0, draw(st.integers(0, 1000)), span_id=span_id(0))]
    for number in range(draw(st.integers(0, 25))):
        begin = draw(st.integers(-50, 1200))
        end = draw(st.none() | st.integers(begin, 1400))
        under = draw(st.none() | st.integers(0, number))
        parent = None if under is not None else "f" * 16
        spans.append(span(f"tool:{draw(st.integers(0, 3))}", begin, end, under=under, parent_span_id=parent))
        spans[-1].span_id = span_id(number + 1)
    return spans


def chain(length: int) -> list[Planned]:
    """Return spans each of which holds the next one."""
    spans = [span("job:test", 0, 2 * length)]
    spans += [span(f"tool:{n}", n, 2 * length - n, under=n - 1) for n in range(1, length)]
    return spans


def names(tree: TraceTree) -> list[tuple[int, str]]:
    return [(node.depth, node.name) for node in tree.walk()]


def test_children_stand_below_their_parents_in_the_order_of_their_starts() -> None:
    tree = tree_of(
        [
            span("job:test", 0, 100),
            span("step:two", 50, 90, under=0),
            span("agent:a", 55, 80, under=1),
            span("step:one", 10, 50, under=0),
        ]
    )
    assert names(tree) == [(0, "job:test"), (1, "step:one"), (1, "step:two"), (2, "agent:a")]
    assert [(node.start_ms, node.end_ms) for node in tree.walk()] == [(0, 100), (10, 50), (50, 90), (55, 80)]
    assert not any(node.is_orphan or node.is_clipped or node.is_open for node in tree.walk())


def test_self_time_leaves_out_the_union_of_the_children() -> None:
    spans = [
        span("job:test", 0, 100),
        span("tool:a", 10, 50, under=0),
        span("tool:b", 30, 60, under=0),
        span("tool:c", 80, 90, under=0),
    ]
    tree = tree_of(spans)
    tree.root.self_ms = None
    assert tree_of(spans).root.own_ms == pytest.approx(40)
    for planned_span in spans:
        planned_span.self_ms = 7.0
    assert tree_of(spans).root.own_ms == 7.0, "what the writer measured stands"


def test_an_open_span_runs_until_now() -> None:
    tree = tree_of(
        [span("job:test", 0, None), span("agent:a", 1000, None, under=0), span("tool:x", 2000, 3000, under=1)]
    )
    assert tree.duration_ms == ELAPSED_MS
    agent = next(node for node in tree.walk() if node.name == "agent:a")
    assert agent.is_open
    assert (agent.start_ms, agent.end_ms) == (1000, ELAPSED_MS)
    assert agent.own_ms == pytest.approx(ELAPSED_MS - 2000), "worked out here: nobody has measured an open span"


def test_what_has_lost_its_parent_hangs_under_the_root() -> None:
    tree = tree_of(
        [span("job:test", 0, 100), span("tool:x", 10, 20, parent_span_id="f" * 16), span("step:s", 0, 5, under=0)]
    )
    orphan = next(node for node in tree.walk() if node.name == "tool:x")
    assert orphan.is_orphan
    assert orphan.parent is tree.root
    assert not next(node for node in tree.walk() if node.name == "step:s").is_orphan


def test_what_outlives_its_parent_or_precedes_it_is_clipped_for_display() -> None:
    tree = tree_of(
        [
            span("job:test", 0, 100),
            span("step:s", 20, 60, under=0),
            span("tool:late", 50, 90, under=1),
            span("tool:early", 10, 30, under=1),
            span("tool:after", 70, 80, under=1),
            span("tool:a moment late", 59.5, 60.5, under=1),
        ]
    )
    shown = {node.name: (node.start_ms, node.end_ms, node.is_clipped) for node in tree.walk()}
    assert shown["tool:late"] == (50, 60, True)
    assert shown["tool:early"] == (20, 30, True)
    assert shown["tool:after"] == (60, 60, True)
    assert shown["tool:a moment late"] == (59.5, 60, False), "two clocks differ by that much"
    assert next(node for node in tree.walk() if node.name == "tool:late").duration_ms == 40, "told as it was"


def test_without_a_root_span_the_trace_is_the_root() -> None:
    tree = tree_of([span("step:s", 10, 20, parent_span_id="f" * 16)], pipeline="phase0", end_ms=500.0)
    assert names(tree) == [(0, "job:phase0"), (1, "step:s")]
    assert tree.root.span_id == ""
    assert tree.duration_ms == 500
    assert [row.name for row in siblings(tree, "")] == ["step:s"]
    assert tree_of([], end_ms=5.0).duration_ms == 5


@pytest.mark.parametrize("with_root", [True, False], ids=["with a root", "without one"])
def test_spans_that_are_each_others_parents_are_shown_once(with_root: bool) -> None:
    ids = ["a" * 16, "b" * 16, "c" * 16]
    spans = [span(f"tool:{n}", 10 * n, 10 * n + 5, span_id=ids[n], parent_span_id=ids[(n + 1) % 3]) for n in range(3)]
    spans.append(span("tool:self", 40, 45, span_id="d" * 16, parent_span_id="d" * 16))
    if with_root:
        spans.append(span("job:test", 0, 100))
    tree = tree_of(spans, end_ms=100.0)
    assert sorted(node.name for node in tree.walk() if node is not tree.root) == [
        "tool:0",
        "tool:1",
        "tool:2",
        "tool:self",
    ]
    assert len(waterfall(tree)) == 5


@given(planned())
def test_every_span_is_there_once_and_within_its_parent(spans: list[Planned]) -> None:
    tree = tree_of(spans)
    seen = list(tree.walk())
    assert sorted(node.span_id for node in seen) == sorted(one.span_id for one in spans)
    for node in seen:
        assert 0 <= node.start_ms <= node.end_ms <= tree.duration_ms
        if node.parent is not None:
            assert node.parent.start_ms <= node.start_ms
            assert node.end_ms <= node.parent.end_ms
            assert node.depth == node.parent.depth + 1


@given(planned())
def test_the_critical_path_fills_the_duration_without_a_gap(spans: list[Planned]) -> None:
    tree = tree_of(spans)
    path = critical_path(tree)
    at = 0.0
    for segment in path:
        assert segment.start_ms == at
        assert segment.end_ms > segment.start_ms
        assert segment.span.start_ms <= segment.start_ms
        assert segment.end_ms <= segment.span.end_ms
        for child in segment.span.children:
            waited_for = child.end_ms <= segment.end_ms and child.start_ms < child.end_ms
            assert not waited_for or child.end_ms <= segment.start_ms, "a child that was waited for is left out"
        at = segment.end_ms
    assert at == tree.duration_ms
    assert sum(one.total_ms for one in by_name(path)) == pytest.approx(tree.duration_ms)


@given(planned(), st.integers(2, 12))
def test_a_waterfall_keeps_to_its_rows_and_loses_no_span(spans: list[Planned], max_rows: int) -> None:
    tree = tree_of(spans)
    rows = waterfall(tree, max_rows=max_rows)
    assert len(rows) <= max_rows
    assert sum(row.count + row.hidden for row in rows) == len(spans)
    for above, row in pairwise(rows):
        assert row.depth <= above.depth + 1
    assert len(waterfall(tree)) == len(spans)


def test_the_critical_path_goes_through_what_ended_last() -> None:
    tree = tree_of(
        [
            span("job:test", 0, 100),
            span("queue:wait", 0, 10, under=0),
            span("step:fast", 20, 50, under=0),
            span("step:slow", 20, 90, under=0),
            span("llm:a", 30, 60, under=3),
            span("llm:b", 55, 85, under=3),
        ]
    )
    path = [(segment.span.name, segment.start_ms, segment.end_ms) for segment in critical_path(tree)]
    assert path == [
        ("queue:wait", 0, 10),
        ("job:test", 10, 20),
        ("step:slow", 20, 55),
        ("llm:b", 55, 85),
        ("step:slow", 85, 90),
        ("job:test", 90, 100),
    ]
    totals = by_name(critical_path(tree))
    assert [(one.name, one.segments, one.total_ms) for one in totals[:2]] == [("step:slow", 2, 40), ("llm:b", 1, 30)]
    assert totals[0].share == pytest.approx(0.4)
    on_path = span_ids(critical_path(tree))
    assert {node.name for node in tree.walk() if node.span_id in on_path} == {
        "job:test",
        "queue:wait",
        "step:slow",
        "llm:b",
    }


def test_a_span_that_ends_a_moment_after_the_next_begins_was_still_waited_for() -> None:
    tree = tree_of([span("job:test", 0, 100), span("tool:a", 0, 50.4, under=0), span("tool:b", 50, 100, under=0)])
    path = [(segment.span.name, segment.start_ms, segment.end_ms) for segment in critical_path(tree)]
    assert path == [("tool:a", 0, 50), ("tool:b", 50, 100)]


def test_a_path_through_spans_that_are_not_on_it_themselves_names_them() -> None:
    tree = tree_of([span("job:test", 0, 10), span("step:s", 0, 10, under=0), span("tool:x", 0, 10, under=1)])
    assert [segment.span.name for segment in critical_path(tree)] == ["tool:x"]
    assert len(span_ids(critical_path(tree))) == 3


def many_requests() -> list[Planned]:
    """Return a step with 500 requests, of which five failed, and one tool with a span of its own."""
    spans = [span("job:test", 0, 10_000), span("step:s", 0, 10_000, under=0)]
    spans += [
        span("http:get", n * 10, n * 10 + 5, under=1, cost_micros=2, error="No." if n % 100 == 99 else None)
        for n in range(500)
    ]
    spans.append(span("tool:slow", 5000, 9000, under=1))
    spans.append(span("llm:x", 5000, 9000, under=len(spans) - 1))
    return spans


def test_like_named_siblings_become_one_row_but_their_failures() -> None:
    tree = tree_of(many_requests())
    rows = waterfall(tree)
    assert [(row.kind, row.name, row.count, row.failures, row.depth) for row in rows] == [
        ("span", "job:test", 1, 0, 0),
        ("span", "step:s", 1, 0, 1),
        ("alike", "http:get", 497, 2, 2),
        ("span", "http:get", 1, 1, 2),
        ("span", "http:get", 1, 1, 2),
        ("span", "http:get", 1, 1, 2),
        ("span", "tool:slow", 1, 0, 2),
        ("span", "llm:x", 1, 0, 3),
    ]
    alike = rows[2]
    assert (alike.start_ms, alike.end_ms, alike.duration_ms, alike.cost_micros) == (0, 4995, 497 * 5, 497 * 2)
    assert (alike.status, alike.error) == ("error", "No.")
    assert alike.span_id == rows[1].span_id


def test_the_siblings_behind_a_row_are_turned_over_page_by_page() -> None:
    tree = tree_of(many_requests())
    step = tree.root.children[0].span_id
    pages = [siblings(tree, step, name="http:get", after=after, limit=200) for after in (0, 200, 400)]
    assert [len(page) for page in pages] == [200, 200, 100]
    assert [row.start_ms for page in pages for row in page] == [n * 10 for n in range(500)]
    assert len(siblings(tree, step)) == 100
    assert siblings(tree, step, after=500)[0].hidden == 1


def test_a_part_of_a_waterfall_begins_with_its_span() -> None:
    tree = tree_of(many_requests())
    slow = next(node for node in tree.walk() if node.name == "tool:slow")
    rows = waterfall(tree, under=slow.span_id)
    assert [(row.name, row.depth) for row in rows] == [("tool:slow", 2), ("llm:x", 3)]


def test_where_there_is_little_room_failures_and_the_critical_path_are_shown() -> None:
    spans = [span("job:test", 0, 1000)]
    for n in range(50):
        spans.append(span(f"step:{n}", n * 20, n * 20 + 15, under=0))
        spans.append(span("tool:x", n * 20, n * 20 + (15 if n != 30 else 1), under=len(spans) - 1))
    failing = len(spans)
    spans.append(span("tool:broken", 602, 603, under=61, error="No."))
    rows = waterfall(tree_of(spans), max_rows=8)
    assert len(rows) <= 8
    assert [row.name for row in rows if row.failures and row.kind == "span"] == ["tool:broken"]
    assert rows[-1].kind == "rest"
    assert sum(row.count + row.hidden for row in rows) == failing + 1


def test_a_flame_graph_merges_like_named_siblings() -> None:
    boxes = flame(
        tree_of(
            [
                span("job:test", 0, 100),
                span("agent:a", 0, 20, under=0),
                span("llm:x", 0, 10, under=1),
                span("tool:t", 20, 40, under=0),
                span("agent:a", 40, 100, under=0),
                span("llm:x", 50, 90, under=4, error="No."),
            ]
        )
    )
    assert [(box.name, box.depth, round(box.x0, 6), round(box.x1, 6), box.count) for box in boxes] == [
        ("job:test", 0, 0.0, 1.0, 1),
        ("agent:a", 1, 0.0, 0.8, 2),
        ("tool:t", 1, 0.8, 1.0, 1),
        ("llm:x", 2, 0.0, 0.5, 2),
    ]
    assert [box.parent for box in boxes] == [None, 0, 0, 1]
    assert (boxes[3].total_ms, boxes[3].failures, boxes[1].self_ms) == (50, 1, 30)


@given(planned())
def test_boxes_of_a_flame_graph_lie_side_by_side_within_their_parent(spans: list[Planned]) -> None:
    boxes = flame(tree_of(spans), min_fraction=0.0)
    assert sum(box.count for box in boxes) == len(spans)
    right: dict[int, float] = {}
    for box in boxes:
        assert box.x0 <= box.x1
        if box.parent is not None:
            above = boxes[box.parent]
            assert box.depth == above.depth + 1
            assert above.x0 - 1e-9 <= box.x0
            assert box.x1 <= above.x1 + 1e-9
        assert box.x0 >= right.get(box.depth, 0.0) - 1e-9
        right[box.depth] = box.x1


def test_a_chain_deeper_than_the_stack_of_python_is_drawn() -> None:
    tree = tree_of(chain(DEEP))
    assert max(node.depth for node in tree.walk()) == DEEP - 1
    assert len(critical_path(tree)) == 2 * DEEP - 1
    assert max(box.depth for box in flame(tree, min_fraction=0.0)) == DEEP - 1
    rows = waterfall(tree)
    assert len(rows) == 500
    assert sum(row.count + row.hidden for row in rows) == DEEP


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="the full form of what the tests above check on fewer spans")
def test_a_hundred_thousand_spans_are_drawn() -> None:
    chosen = random.Random(7)
    spans = [span("job:test", 0, HUGE * 10)]
    while len(spans) < HUGE:
        under = chosen.randrange(len(spans)) if len(spans) % 2 else chosen.randrange(max(1, len(spans) // 100))
        begin, end = spans[under].start_ms, spans[under].end_ms or 0
        begin += chosen.random() * (end - begin)
        spans.append(span(f"tool:{len(spans) % 40}", begin, begin + chosen.random() * (end - begin), under=under))
    tree = tree_of(spans)
    path = critical_path(tree)
    assert sum(one.duration_ms for one in path) == pytest.approx(tree.duration_ms)
    assert len(flame(tree)) > 100
    rows = waterfall(tree)
    assert len(rows) == 500
    assert sum(row.count + row.hidden for row in rows) == HUGE
