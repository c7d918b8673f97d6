"""Whether traces arrive: what is open, what was lost, and what waits on the disk for a database that takes it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

from studio.database.connection import Connection
from studio.settings import Settings
from studio.tracing.spill import SPILL_FOLDER

_WHOLE = ".jsonl"
_UNREADABLE = ".bad"


@dataclass(frozen=True)
class Spilled:
    """Files with rows that no sink has taken yet, on this machine; the oldest was written `oldest_seconds` ago.

    `unreadable` are those that never will be taken, and lie there for somebody to look at.
    """

    files: int
    bytes: int
    oldest_seconds: float
    unreadable: int


@dataclass(frozen=True)
class TraceKeeping:
    """Traces of the last 24 hours, how many failed or were lost, and how many spans are missing in them.

    Synthetic runs are not counted, but spans that are missing in them are. `open` are all that have not ended, however
    old.
    """

    day: int
    day_failed: int
    day_lost: int
    day_dropped_spans: int
    open: int
    spilled: Spilled


_DAY: LiteralString = """
select count(*) filter (where kind <> 'synthetic')::int as day,
  count(*) filter (where status = 'error' and kind <> 'synthetic')::int as day_failed,
  count(*) filter (where status = 'lost' and kind <> 'synthetic')::int as day_lost,
  coalesce(sum(dropped_spans), 0)::int as day_dropped_spans
from public.pipeline_traces where created_at > now() - interval '1 day'
"""
_OPEN: LiteralString = "select count(*)::int as open from public.pipeline_traces where end_time is null"


def look_in(conn: Connection, settings: Settings) -> TraceKeeping:
    """Return how the traces fare, in the caller's transaction."""
    day, still = conn.execute(_DAY).fetchone(), conn.execute(_OPEN).fetchone()
    assert day is not None  # noqa: S101 - an aggregate returns its row
    assert still is not None  # noqa: S101 - as does this one
    return TraceKeeping(**day, **still, spilled=spilled(settings.data_dir / SPILL_FOLDER))


def spilled(folder: Path) -> Spilled:
    """Return what lies in `folder`; nothing where it is not there, as where nothing was ever spilled."""
    sizes, written, unreadable = [], [], 0
    for path in _entries(folder):
        unreadable += path.name.endswith(_UNREADABLE)
        if not path.name.endswith(_WHOLE):
            continue
        try:
            found = path.stat()
        except FileNotFoundError:
            # A collector has just delivered it.
            continue
        sizes.append(found.st_size)
        written.append(found.st_mtime)
    oldest = max(0.0, time.time() - min(written)) if written else 0.0
    return Spilled(len(sizes), sum(sizes), oldest, unreadable)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
