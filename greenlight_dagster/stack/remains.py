"""What a killed stack left behind: its supervisor is gone, its children are not."""

from __future__ import annotations

import logging
from pathlib import Path

from greenlight_dagster.stack import descent, parts, state
from greenlight_dagster.stack.folders import Folders
from greenlight_dagster.stack.shutdown import LEFT_OVER_SECONDS, release_runs, run_processes
from studio.database.embedded import EmbeddedPostgres

log = logging.getLogger(__name__)


def clear(folder: Path, *, with_database: bool) -> int:
    """End what the last stack on `folder` left running, and forget that stack. Return how many processes.

    Whoever calls this holds the folder's lock. The database, which a next stack adopts, is stopped only
    `with_database`.
    """
    left = state.read(folder)
    if left is None:
        return 0
    pids = {
        name: record.pid for name, record in left.processes.items() if name != parts.POSTGRES and record.still_runs()
    }
    everyone = descent.marked(left.id) | descent.family(pids.values())
    if everyone:
        log.info("ending %s processes that a killed stack left", len(everyone))
        # Nobody launches what a daemon without code server still asks for, but it might go on asking.
        descent.end(descent.family([pids[parts.DAEMON]] if parts.DAEMON in pids else []), grace=LEFT_OVER_SECONDS)
        release_runs(run_processes(pids, left.id, Folders(folder).launcher))
        descent.end(everyone, grace=LEFT_OVER_SECONDS)
    if with_database:
        # Also where the record does not know of it: the supervisor may have died while it started.
        EmbeddedPostgres(Folders(folder).postgres).stop()
    state.remove(folder)
    return len(everyone)
