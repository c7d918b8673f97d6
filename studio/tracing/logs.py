"""The trace on log lines: `%(trace)s` in a format is ` trace=<id> span=<id>` inside of a trace, and nothing outside."""

from __future__ import annotations

import logging
from typing import Any

from studio.tracing.active import current
from studio.tracing.spans import Span

_plain = logging.getLogRecordFactory()


def name_traces() -> None:
    """Let every log record of this process know its trace: `record.trace_id`, `record.span_id`, `record.trace`."""
    if logging.getLogRecordFactory() is not _record:
        logging.setLogRecordFactory(_record)


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record = _plain(*args, **kwargs)
    span = current()
    if isinstance(span, Span):
        trace_id = span.trace.row.trace_id.hex
        said = {"trace_id": trace_id, "span_id": span.span_id, "trace": f" trace={trace_id} span={span.span_id}"}
    else:
        said = {"trace_id": "", "span_id": "", "trace": ""}
    record.__dict__.update(said)
    return record
