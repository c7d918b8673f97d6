"""The errors of tracing. None of them ever reaches the work that is traced.

TracingError
├── SinkError            a place that keeps traces did not take a batch
│   ├── SinkUnavailable  it cannot be reached, is busy or full (worth a retry)
│   └── SinkRefused      some row of the batch is not taken, now or later
└── SpillFailed          the disk did not take what a sink does not (in `studio.tracing.spill`)
"""

from __future__ import annotations

from studio.errors import StudioError


class TracingError(StudioError):
    """Tracing itself went wrong."""


class SinkError(TracingError):
    """A place that keeps traces did not take a batch."""


class SinkUnavailable(SinkError):
    """It cannot be reached, is busy or full; the same batch may be taken later."""


class SinkRefused(SinkError):
    """Some row of the batch is not taken, now or later."""

    permanent = True
