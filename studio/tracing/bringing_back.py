"""Traces that were spilled to the disk go where they belong, once it takes them again."""

from __future__ import annotations

from studio.database.connection import Database
from studio.settings import Settings
from studio.tracing.collector import sinks_of, spill_of


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
