"""Traces: where the time of a piece of work went, and what went wrong in it.

span                     a span around a block                                         studio.tracing.blocks
traced_span              a span for each call of a function                            studio.tracing.traced
current, record          the span of the work that calls; a span for work that is over studio.tracing.active
TraceContext             around the whole of an execution                              studio.tracing.context
TraceCollector           collects the spans of a process, and writes them              studio.tracing.collector

Nothing here ever raises into the work that is traced. Reading traces is the matter of `studio.operations`.
"""

from studio.tracing.active import current, record
from studio.tracing.blocks import carried, span
from studio.tracing.traced import traced_span

__all__ = ["carried", "current", "record", "span", "traced_span"]
