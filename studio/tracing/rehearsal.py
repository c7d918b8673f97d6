"""What a traced run does, done once for nobody: in the process, and in the session of the database that it writes by.

A worker that waits for its run has the time. Else the run has to wait a few milliseconds, for pages that the process
then has for itself, and the server again, for two functions that a session compiles at their first use.
"""

from __future__ import annotations

from studio.database.connection import Connection
from studio.settings import get_settings
from studio.tracing import span
from studio.tracing.collector import TraceCollector
from studio.tracing.context import TraceContext
from studio.tracing.encoding import as_array
from studio.tracing.redaction import Redactor
from studio.tracing.rows import Batch

_NAME = "rehearsal"


class _Kept:
    """A sink that keeps what it is given."""

    name = _NAME
    takes_open_rows = True

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def write(self, batch: Batch) -> None:
        self.batches.append(batch)

    def close(self) -> None:
        """Keep everything."""


def rehearse(conn: Connection) -> None:
    """Trace nothing, and store the trace in the caller's transaction, which is to be rolled back.

    Raises what the database raises. For processes in which nothing else is traced meanwhile.
    """
    kept = _Kept()
    collector = TraceCollector([kept], redactor=Redactor.from_settings(get_settings()))
    with collector, TraceContext(_NAME, kind="manual"), span(f"step:{_NAME}") as step:
        step.set_input({"text": _NAME})
        step.set_output([_NAME])
    for batch in kept.batches:
        conn.execute("select public.store_pipeline_spans(%s::jsonb)", [as_array(batch.spans)])
        conn.execute("select public.store_pipeline_traces(%s::jsonb)", [as_array(batch.traces)])
