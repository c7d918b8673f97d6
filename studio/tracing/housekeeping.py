"""Done for traces every minute: what nobody else will close is closed, what was spilled goes where it belongs."""

from __future__ import annotations

from studio.database.connection import Database
from studio.settings import Settings
from studio.tracing import lost
from studio.tracing.collector import sinks_of, spill_of
from studio.tracing.copies import copy_closed
from studio.tracing.redaction import Redactor


def close_lost(db: Database, settings: Settings) -> int:
    """Close the traces that nobody else will, also in what keeps a copy; return how many."""
    closed = lost.sweep(db, Redactor.from_settings(settings))
    copy_closed(db, settings, closed)
    return len(closed)


def bring_back(db: Database, settings: Settings) -> str:
    """Write spilled traces of this machine to their sinks, some thousand rows at a time; say what was done.

    A sink that takes nothing yet is asked again the next time.
    """
    spill = spill_of(settings)
    said: list[str] = []
    for sink in sinks_of(settings, db):
        drained = spill.drain(sink)
        sink.close()
        if drained.rows:
            said.append(f"{drained.rows} rows to {sink.name}, {drained.refused} refused")
        if drained.left:
            said.append(f"{drained.left} files wait for {sink.name}{f': {drained.error}' if drained.error else ''}")
    return "; ".join(said) or "none"
