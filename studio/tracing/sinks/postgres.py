"""The studio's own database as a place for traces: two functions of the migration, which bear to be called again."""

from __future__ import annotations

import psycopg

from studio.database.connection import Database, first_line
from studio.errors import DatabaseError
from studio.tracing.encoding import as_array
from studio.tracing.errors import SinkRefused, SinkUnavailable
from studio.tracing.rows import Batch

# The work shares its connections with us: where a table is locked, it is we who wait, and not for long.
LOCK_TIMEOUT_MS = 500
STATEMENT_TIMEOUT_MS = 10_000

_TIMEOUTS = "select set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)"
_SPANS = "select public.store_pipeline_spans(%s::jsonb)"
_TRACES = "select public.store_pipeline_traces(%s::jsonb)"

# The fault of a row, now and for ever: text or numbers that a column does not take, a project that is gone, a row that
# is there twice, JSON that is too much. A function or a right that is missing is nobody's row: somebody will migrate.
_REFUSED = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.CardinalityViolation,
    psycopg.errors.ProgramLimitExceeded,
    # Text that is no UTF-8 does not even leave.
    UnicodeEncodeError,
)


class PostgresSink:
    """Stores traces in `pipeline_traces` and `pipeline_spans`."""

    name = "postgres"
    takes_open_rows = True

    def __init__(self, db: Database) -> None:
        self._db = db

    def write(self, batch: Batch) -> None:
        """Store the batch in one transaction; raise `SinkUnavailable` or `SinkRefused` as `Sink.write` does."""
        try:
            with self._db.transaction() as conn:
                conn.execute(_TIMEOUTS, [str(LOCK_TIMEOUT_MS), str(STATEMENT_TIMEOUT_MS)])
                if batch.spans:
                    conn.execute(_SPANS, [as_array(batch.spans)])
                if batch.traces:
                    conn.execute(_TRACES, [as_array(batch.traces)])
        except _REFUSED as exc:
            raise SinkRefused(f"The database does not take {len(batch)} rows of traces: {_said(exc)}.") from exc
        except psycopg.ProgrammingError as exc:
            raise SinkUnavailable(
                f"The database takes no traces: {_said(exc)}.", "Run `greenlight db migrate`; it is tried again."
            ) from exc
        except psycopg.Error as exc:
            raise SinkUnavailable(f"The database takes no traces now: {_said(exc)}.", "It is tried again.") from exc
        except DatabaseError as exc:
            raise SinkUnavailable(exc.message, "It is tried again.") from exc

    def close(self) -> None:
        """Do nothing: the pool belongs to the process."""


def _said(exc: Exception) -> str:
    # The further lines repeat the row, prompts and all.
    return first_line(exc) if isinstance(exc, psycopg.Error) else type(exc).__name__
