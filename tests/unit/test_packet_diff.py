"""The comparison of two packets says every change once, where it is, and nothing that has not changed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.packets.diff import Change, changes


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [Change("a", "changed", 1, 2)]),
        ({"a": {"b": "x"}}, {"a": {"b": "y"}}, [Change("a.b", "changed", "x", "y")]),
        ({"a": 1}, {"b": 1}, [Change("a", "removed", 1, None), Change("b", "added", None, 1)]),
        ({"a": None}, {}, [Change("a", "removed", None, None)]),
        ({"a": 1}, {"a": True}, [Change("a", "changed", 1, True)]),
        ({"a": [1]}, {"a": {"b": 1}}, [Change("a", "changed", [1], {"b": 1})]),
        ({"l": ["x", "y"]}, {"l": ["x", "z"]}, [Change("l", "changed", "y", "z")]),
        ({"l": ["x", "y"]}, {"l": ["y", "x"]}, [Change("l", "changed", ["x", "y"], ["y", "x"])]),
        ({"l": ["x"]}, {"l": ["x", "x"]}, [Change("l", "added", None, "x")]),
        (
            {"l": ["x", "y", "z"]},
            {"l": ["z", "w"]},
            [Change("l", "removed", "x", None), Change("l", "removed", "y", None), Change("l", "added", None, "w")],
        ),
        (
            {"rivals": [{"name": "A", "gap": "g"}, {"name": "B", "gap": "h"}]},
            {"rivals": [{"name": "B", "gap": "i"}, {"name": "C", "gap": "k"}]},
            [
                Change("rivals[A]", "removed", {"name": "A", "gap": "g"}, None),
                Change("rivals[B].gap", "changed", "h", "i"),
                Change("rivals[C]", "added", None, {"name": "C", "gap": "k"}),
            ],
        ),
        (
            {"m": [{"name": "A"}, {"name": "B"}]},
            {"m": [{"name": "B"}, {"name": "A"}]},
            [Change("m", "changed", "in the order: A, B", "in the order: B, A")],
        ),
        # Two of one name cannot be told apart by it.
        (
            {"m": [{"name": "A", "x": 1}, {"name": "A", "x": 2}]},
            {"m": [{"name": "A", "x": 1}, {"name": "A", "x": 3}]},
            [Change("m[2].x", "changed", 2, 3)],
        ),
        ({"m": [1, 2]}, {"m": [1]}, [Change("m[2]", "removed", 2, None)]),
    ],
)
def test_every_change_is_said_once(before: Any, after: Any, expected: list[Change]) -> None:
    assert changes(before, after) == expected


_json = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b", "c"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "title", "x", "y"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(before=_json, after=_json)
def test_there_are_changes_exactly_where_two_packets_differ(before: Any, after: Any) -> None:
    assert changes(before, before) == []
    found = changes(before, after)
    if before != after:
        assert found, "a difference was missed"
    for change in found:
        assert change.kind in ("added", "removed", "changed")
        assert (change.before is None) or change.kind != "added"
