"""How much is measured: in full, or quickly to see that it works."""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """A number of things or of seconds, in a full run and in a quick one."""

    full: float
    quick: float

    def of(self, quick: bool) -> float:
        """Return the number that counts."""
        return self.quick if quick else self.full

    def count(self, quick: bool) -> int:
        """Return the number that counts, of things."""
        return int(self.of(quick))
