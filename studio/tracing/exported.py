"""A span as OpenTelemetry's exporters send it: our attributes, beside those of its GenAI conventions, without secrets.

Inputs and outputs are not sent: prompts and answers are the owner's, and stay in the studio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.tracing import names
from studio.tracing.made import attributes

if TYPE_CHECKING:
    from studio.tracing.spans import Span

_PLAIN = (str, bool, int, float)


def attributes_of(span: Span) -> dict[str, Any]:
    """Return the attributes of a span that ends."""
    sent = _sendable(span, span.attributes)
    for name, value in span.figures.items():
        sent[f"greenlight.{name}"] = value
    if span.fault is not None:
        sent[names.ERROR_TYPE] = span.fault.type
        sent["greenlight.error_class"] = span.fault.error_class
        sent["greenlight.fingerprint"] = span.fault.fingerprint
    return sent


def event_of(span: Span, event: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an event of the span."""
    return _sendable(span, {name: value for name, value in event.items() if name not in ("name", "at_ms")})


def _sendable(span: Span, given: dict[str, Any]) -> dict[str, Any]:
    # OpenTelemetry takes plain values and lists of them.
    return {
        name: value
        for name, value in attributes(given, span.trace.collector.redactor).items()
        if isinstance(value, _PLAIN) or (isinstance(value, list) and all(isinstance(item, _PLAIN) for item in value))
    }
