"""The trace on what leaves the process: the `traceparent` header of requests (W3C Trace Context)."""

from __future__ import annotations

import contextlib
import urllib.parse

from studio.tracing import names
from studio.tracing.active import current
from studio.tracing.blocks import span
from studio.tracing.spans import Span

HEADER = "traceparent"
STATUS = "http.response.status_code"


def request_span(method: str, base: str, path: str = "", *, secret: bool = False) -> span:
    """Return the span of a request: `http:{method}`, with the host and the path, but neither query nor credentials.

    Of an address that is a `secret` itself it has the host alone.
    """
    attributes = {"http.request.method": method}
    # What is no address is for the request to refuse, inside of its span.
    with contextlib.suppress(ValueError):
        parts = urllib.parse.urlsplit(base)
        attributes["server.address"] = parts.hostname or ""
        if not secret:
            attributes["url.path"] = urllib.parse.urlsplit(path).path or parts.path or "/"
    return span(names.named(names.HTTP, method.lower()), attributes)


def trace_headers() -> dict[str, str]:
    """Return the header for a request that the current span makes; nothing outside of a trace."""
    span = current()
    if not isinstance(span, Span):
        return {}
    # Version 00; the last field says that the trace is recorded.
    return {HEADER: f"00-{span.trace.row.trace_id.hex}-{span.span_id}-01"}
