"""OpenTelemetry's ids, but for a trace whose id was settled before it began."""

from __future__ import annotations

import threading
from random import SystemRandom
from uuid import UUID

from opentelemetry.sdk.trace.id_generator import IdGenerator as Interface
from opentelemetry.trace import INVALID_SPAN_ID, INVALID_TRACE_ID

# The system's: work that seeds `random`, for results that repeat, would have its ids repeat as well.
_random = SystemRandom()


class IdGenerator(Interface):
    """Random ids, but for a trace whose id was settled before it began."""

    def __init__(self) -> None:
        self._settled = threading.local()

    def settle(self, trace_id: UUID) -> None:
        """Let the next trace that this thread begins have the id."""
        self._settled.trace_id = trace_id.int

    def generate_span_id(self) -> int:
        """Return 64 random bits that are an id."""
        while (span_id := _random.getrandbits(64)) == INVALID_SPAN_ID:
            pass
        return span_id

    def generate_trace_id(self) -> int:
        """Return the settled id, once, or 128 random bits that are an id."""
        settled: int | None = getattr(self._settled, "trace_id", None)
        self._settled.trace_id = None
        if settled is not None:
            return settled
        while (trace_id := _random.getrandbits(128)) == INVALID_TRACE_ID:
            pass
        return trace_id
