"""A trace's drawing stays small however many spans there are, and every span of it can be reached."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from uuid import UUID

import pytest

from studio.errors import NotFound
from studio.operations.critical_path import critical_path
from studio.operations.trace import Trace
from studio.operations.tree import Node, TraceTree, build
from tests.support.size import FULL
from web.pages import rendering
from web.pages.operations import charts, payload, writing
from web.pages.operations.kinds import kind_of
from web.pages.operations.lines import lines, named
from web.pages.operations.picture import draw

SPANS = 100_000 if FULL else 20_000
MOST_BYTES = 1_000_000
NOW = datetime(2026, 3, 6, 12, tzinfo=UTC)


def trace(ms: float = 60_000.0) -> Trace:
    """Return a trace that took so long."""
    return Trace(
        trace_id=UUID(int=1),
        pipeline_name="phase0.generate_packet",
        kind="job",
        project_id=None,
        owner_clerk_id=None,
        subject="Hallway",
        job_id=None,
        claim_no=None,
        attempt=None,
        lane=None,
        dagster_run_id=None,
        start_time=NOW,
        end_time=NOW,
        duration_ms=ms,
        status="ok",
        outcome=None,
        error=None,
        error_type=None,
        error_class=None,
        fingerprint=None,
        queue_ms=None,
        launch_ms=None,
        span_count=0,
        dropped_spans=0,
        model_calls=0,
        input_tokens=0,
        output_tokens=0,
        cost_micros=0,
        attributes={},
        elapsed_ms=ms,
    )


def node(number: int, parent: int | None, name: str, start: float, ms: float, status: str = "ok") -> Node:
    """Return a span before it has a place."""
    above = None if parent is None else f"{parent:016x}"
    return Node(f"{number:016x}", above, name, name.partition(":")[0], status, start, ms, None, False)


def forest(count: int) -> TraceTree:
    """Return a trace of so many spans, wide and deep, of which one in a hundred failed."""
    chance = random.Random(7)
    names = [f"{kind}:{n}" for kind in ("agent", "tool", "llm", "http", "step") for n in range(40)]
    nodes = [node(0, None, "job:phase0.generate_packet", 0, 60_000)]
    for number in range(1, count):
        above = chance.randrange(max(0, number - 2_000), number)
        parent = nodes[above]
        start = parent.start_ms + chance.random() * parent.duration_ms * 0.5
        status = "error" if chance.random() < 0.01 else "ok"
        nodes.append(
            node(number, above, chance.choice(names), start, parent.duration_ms * 0.4 * chance.random(), status)
        )
    return build(trace(), nodes)


def crowd(count: int) -> TraceTree:
    """Return a trace whose one agent called `count` tools."""
    calls = [node(2 + n, 1, "tool:read", 10 + n, 0.5) for n in range(count)]
    return build(
        trace(count + 50.0), [node(0, None, "job:x", 0, count + 50.0), node(1, 0, "agent:a", 5, count + 40.0), *calls]
    )


@pytest.mark.chaos
def test_a_drawing_of_many_spans_is_a_small_page() -> None:
    tree = forest(SPANS)
    picture = draw(tree)
    assert picture.spans == SPANS
    assert 100 < len(picture.lines) <= 500
    html = rendering.environment.get_template("operations/trace_part.html").render(
        trace=tree.trace,
        attempts=[],
        max_attempts=3,
        own_job=False,
        told="It went well.",
        comparison=None,
        picture=picture,
        name=None,
        opened=None,
        under=None,
        link=lambda **_: "/traces/1",
        every=None,
        dagster_url=None,
        owner=None,
    )
    assert len(html.encode()) < MOST_BYTES
    assert f"of {SPANS:,} spans" in html


def test_every_sibling_is_reached_a_hundred_at_a_time() -> None:
    tree = crowd(250)
    path = critical_path(tree)
    [summed] = [line for line in lines(tree, path) if line.opens]
    seen: list[str] = []
    opened: str | None = f"{summed.opens}:0"
    while opened:
        found = lines(tree, path, opened=opened)
        seen += [line.span_id for line in found if line.span_id and line.name == "tool:read"]
        opened = next((line.opens for line in found if line.is_more), None)
    assert len(seen) == len(set(seen)) == 250


def test_a_part_begins_at_the_left_and_names_are_found() -> None:
    tree = crowd(30)
    path = critical_path(tree)
    part = lines(tree, path, under=f"{1:016x}")
    assert [(line.name, line.depth) for line in part] == [("agent:a", 0), ("tool:read", 1)]
    assert [line.holds for line in part] == [True, False]
    found, count = named(tree, path, "READ")
    assert (len(found), count) == (30, 30)
    for wrong in ("x", "x:y:0", f"{1:016x}:tool:read:x"):
        with pytest.raises(NotFound):
            lines(tree, path, opened=wrong)


def test_the_path_fills_the_duration_and_shares_are_those_of_it() -> None:
    picture = draw(crowd(10))
    assert sum(one.share for one in picture.path_shares) == pytest.approx(1)
    assert sum(end - start for line in picture.lines for start, end in line.path) == pytest.approx(picture.total_ms)
    assert picture.x(0) == "0%"
    assert picture.width(0, picture.total_ms) == "100%"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("job:phase0.generate_packet", "job"),
        ("queue:wait", "wait"),
        ("launch", "wait"),
        ("db:wait", "wait"),
        ("db:query", "database"),
        ("chat claude-sonnet-4-5", "model"),
        ("llm:anthropic", "model"),
        ("tool:web_search", "tool"),
        ("weather", "other"),
    ],
)
def test_names_have_kinds(name: str, kind: str) -> None:
    assert kind_of(name).key == kind


@pytest.mark.parametrize(
    ("data", "size", "text", "cut"),
    [
        ({"a": "one\ntwo"}, 17, '{\n  "a": "one\n      two"\n}', False),
        ({"a": "back\\name"}, 18, '{\n  "a": "back\\\\name"\n}', False),
        ("said\nso", 10, "said\nso", False),
        ("x" * 40, 900, "x" * 40, True),
        (None, 4, "null", False),
        (None, 900, None, False),
    ],
)
def test_payloads_are_read(data: object, size: int, text: str | None, cut: bool) -> None:
    found = payload.payload_of(data, size, "0" * 64)
    assert found is not None
    assert (found.text, found.is_cut, found.is_removed) == (text, cut, text is None)
    assert payload.payload_of(None, None, None) is None


def test_axes_end_at_round_figures() -> None:
    assert [charts.top_of([value]) for value in (0, 0.03, 0.9, 1, 3, 7, 9, 41)] == [1, 0.04, 1, 1, 4, 8, 10, 80]
    assert [writing.round_ms(charts.longest_of([ms])) for ms in (0.3, 900, 3_000, 50_000, 130_000, 5_000_000)] == [
        "0.4 ms",
        "2 s",
        "4 s",
        "1 min",
        "4 min",
        "2 h",
    ]
