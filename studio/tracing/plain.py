"""Any object as plain JSON values, within a ceiling of work and without running its own code.

Everything that is looked at costs something of a budget; where it is used up, a note says how much more there was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from studio.text import canonical_json
from studio.tracing.shapes import UNREADABLE, class_name, shape

# Eighty times what is kept of it: enough for an honest size of all but the largest, in tens of milliseconds.
CEILING_CHARS = 4_000_000
# Looking at a value takes as long as copying so much text.
VALUE_CHARS = 200
# Text that is cut at all is longer than the one, and cut behind the other.
WHOLE_CHARS = 2_000
BEHIND_CHARS = 100_000
# Below what readers of the database take for readable (`studio.database.reading.JSON_DEPTH`).
DEPTH = 80
# Another thread may change a container while it is copied; it will hardly do so again and again.
COPIES = 4

_CYCLE = "<cycle>"


class Plain:
    """One look at an object: what it may still cost, and through which containers it has come."""

    __slots__ = ("_left", "_path")

    def __init__(self) -> None:
        self._left = CEILING_CHARS
        self._path: set[int] = set()

    def of(self, value: object, depth: int = DEPTH) -> Any:
        """Return `value` as JSON-like plain values, containers at most `depth` deep."""
        self._left -= VALUE_CHARS
        kind: Any = type(value)
        if kind is str:
            return self.text(value)  # type: ignore[arg-type]
        try:
            return shape(kind)(self, value, depth)
        except Exception:  # noqa: BLE001 - an object may break in any way, and the work must not
            return UNREADABLE

    @property
    def left(self) -> int:
        """How many characters may still be looked at."""
        return max(0, self._left)

    def charge(self, chars: int) -> None:
        """Count what is as much work as so many characters."""
        self._left -= chars

    def text(self, value: str) -> str:
        """Return text, of which no more than what is left, as an exact `str`.

        A cut may go through a secret, which nobody would recognise then: it lies behind all that is kept of a payload,
        or before the text.
        """
        length = len(value)
        left, self._left = self.left, self._left - length
        if length <= max(left, WHOLE_CHARS):
            return str.__str__(value)
        kept = left if left > BEHIND_CHARS else 0
        return f"{str.__getitem__(value, slice(kept))}… {length - kept} more characters"

    def items(self, owner: object, copied: list[Any], total: int, depth: int) -> Any:
        """Return the items of a sequence or set as a list."""
        if (refused := self._refused(owner, total, depth)) is not None:
            return refused
        out: list[Any] = []
        try:
            for item in copied:
                if self._left <= 0:
                    break
                out.append(self.of(item, depth - 1))
        finally:
            self._path.discard(id(owner))
        if len(out) < total:
            out.append(f"… {total - len(out)} more")
        return out

    def pairs(self, owner: object, copied: Iterable[tuple[Any, Any]], total: int, depth: int) -> Any:
        """Return the items of a mapping, or the fields of an object, as a dictionary."""
        if (refused := self._refused(owner, total, depth)) is not None:
            return refused
        out: dict[str, Any] = {}
        seen = 0
        try:
            for key, item in copied:
                if self._left <= 0:
                    break
                name = self._key(key, depth)
                while name in out:
                    name += "′"
                out[name] = self.of(item, depth - 1)
                seen += 1
        finally:
            self._path.discard(id(owner))
        if seen < total:
            out["…"] = f"{total - seen} more"
        return out

    def copied(self, iterate: Callable[[], Iterator[Any]]) -> list[Any]:
        """Return as many items as may be looked at, copied at once: the container may change meanwhile."""
        most = self.left // VALUE_CHARS + 1
        for _ in range(COPIES):
            with contextlib.suppress(RuntimeError):
                return list(islice(iterate(), most))
        return list(islice(iterate(), most))

    def _refused(self, owner: object, total: int, depth: int) -> str | None:
        if id(owner) in self._path:
            return _CYCLE
        if depth <= 0:
            return f"{class_name(type(owner))} of {total}"
        self._path.add(id(owner))
        return None

    def _key(self, key: Any, depth: int) -> str:
        if type(key) is str:
            return self.text(key)
        plain = self.of(key, min(depth, 3))
        return plain if isinstance(plain, str) else canonical_json(plain)
