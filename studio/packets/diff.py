"""What changed between two versions of a packet, entry by entry.

Entries of a list are matched by what names them (a name, a title, a claim…), so that one that moved has not changed;
lists of plain texts are compared as sets in order: what came, what went.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

# Under which keys the parts of our packets carry what names them, the most telling first.
_NAMES = ("name", "title", "claim", "channel", "subject", "action_type", "domain", "url", "text")
_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One change: where, what it was, what it is. `before` is None for what was added, `after` for what was removed."""

    path: str
    kind: Literal["added", "removed", "changed"]
    before: Any
    after: Any


def changes(before: Any, after: Any) -> list[Change]:
    """Return what differs from `before` to `after`, both JSON, in the packet's order; empty where they are equal."""
    return list(_compare("", before, after))


def _compare(path: str, before: Any, after: Any) -> Iterator[Change]:
    if _same(before, after):
        return
    if before is _ABSENT:
        yield Change(path, "added", None, after)
    elif after is _ABSENT:
        yield Change(path, "removed", before, None)
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _compare(
                f"{path}.{key}" if path else str(key), before.get(key, _ABSENT), after.get(key, _ABSENT)
            )
    elif isinstance(before, list) and isinstance(after, list):
        yield from _compare_lists(path, before, after)
    else:
        yield Change(path, "changed", before, after)


def _same(before: Any, after: Any) -> bool:
    if before is _ABSENT or after is _ABSENT:
        return before is after
    # In Python true is 1, also deep inside; in a packet it is not.
    return json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)


def _compare_lists(path: str, before: list[Any], after: list[Any]) -> Iterator[Change]:
    old, new = _named(before), _named(after)
    if old is not None and new is not None:
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _compare(f"{path}[{name}]", old.get(name, _ABSENT), new.get(name, _ABSENT))
        if list(old) != list(new) and sorted(old) == sorted(new):
            yield Change(path, "changed", f"in the order: {', '.join(old)}", f"in the order: {', '.join(new)}")
        return
    if all(isinstance(item, str) for item in (*before, *after)):
        came, went = Counter(after) - Counter(before), Counter(before) - Counter(after)
        if not came and not went:
            yield Change(path, "changed", before, after)
        elif len(before) == len(after) and sum(came.values()) == 1:
            yield Change(path, "changed", next(iter(went)), next(iter(came)))
        else:
            yield from (Change(path, "removed", item, None) for item in _taken(before, went))
            yield from (Change(path, "added", None, item) for item in _taken(after, came))
        return
    for index in range(max(len(before), len(after))):
        yield from _compare(
            f"{path}[{index + 1}]",
            before[index] if index < len(before) else _ABSENT,
            after[index] if index < len(after) else _ABSENT,
        )


def _taken(items: list[str], wanted: Counter[str]) -> Iterator[str]:
    """Yield of `items`, in their order, each as often as it is wanted."""
    left = Counter(wanted)
    for item in items:
        if left[item] > 0:
            left[item] -= 1
            yield item


def _named(items: list[Any]) -> dict[str, Any] | None:
    """Return the entries by what names them; None where they are no objects, or a name is missing or used twice."""
    if not all(isinstance(item, dict) for item in items):
        return None
    for key in _NAMES:
        names = [item.get(key) for item in items]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return dict(zip(names, items, strict=True))
    return None
