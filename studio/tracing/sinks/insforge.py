"""InsForge as a place for traces: a copy of them in its tables.

With `on_conflict` and `resolution=ignore-duplicates` a record that is there already stays as it is, so that a request
may be repeated, but an open row would stay for ever: it is given ended rows only. What grows old there is deleted by
`studio.operations.copy_retention`.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.tracing.encoding import Row, as_uniform_array
from studio.tracing.errors import SinkRefused
from studio.tracing.rows import Batch
from studio.tracing.sinks.insforge_records import TIMEOUT_SECONDS, Records

RECORDS_AT_ONCE = 500


class InsForgeSink:
    """Keeps a copy of the traces in the tables of `insforge/migrations` at the project behind `url`."""

    name = "insforge"
    takes_open_rows = False

    def __init__(self, url: str, api_key: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """Make one; nothing is sent before the first write. `timeout` is for one request, in seconds."""
        self._records = Records(url, api_key, timeout=timeout)

    def write(self, batch: Batch) -> None:
        """Store the spans, then the traces; raise `SinkUnavailable` or `SinkRefused` as `Sink.write` does."""
        self._store("pipeline_spans", "span_id", batch.spans)
        self._store("pipeline_traces", "trace_id", batch.traces)

    def close(self) -> None:
        """Close the connection, where there is one; another write opens it again."""
        self._records.close()

    def _store(self, table: str, key: str, rows: Sequence[Row]) -> None:
        for start in range(0, len(rows), RECORDS_AT_ONCE):
            try:
                content = as_uniform_array(rows[start : start + RECORDS_AT_ONCE]).encode()
            except UnicodeEncodeError:
                raise SinkRefused("A row holds text that is no UTF-8.") from None
            self._records.insert(table, key, content)
