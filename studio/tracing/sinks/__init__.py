"""Where traces are stored: the studio's own database, and InsForge where it is configured."""

from __future__ import annotations

from typing import Protocol

from studio.tracing.rows import Batch


class Sink(Protocol):
    """A place that keeps traces. What it is given again, because nobody knows whether it arrived, it keeps once."""

    name: str
    # Whether it takes rows that have not ended, and replaces them by their end.
    takes_open_rows: bool

    def write(self, batch: Batch) -> None:
        """Store all of `batch`, or raise and store nothing that would not bear to be sent again.

        Raises `SinkUnavailable` where the same may be taken later, `SinkRefused` where some row in it never will.
        """

    def close(self) -> None:
        """Let go of what it holds."""
