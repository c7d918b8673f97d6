"""How far a run stands behind others where cores are short: the niceness of its process, and of its session."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

from studio.backoff import Backoff

log = logging.getLogger("greenlight.launcher.worker")

# Linux shares the cores among sessions first (`sched_autogroup_enabled`), and a process's niceness counts only within
# its own. A worker leads a session, so it would have as much as any other, however nice it is: see sched(7).
SESSION = Path("/proc/self/autogroup")
# Without privileges, one session of the whole machine may be changed in a tenth of a second.
RETRY_SECONDS = (0.1, 1.0)


def lower(niceness: int) -> None:
    """Let this process, and the session that it leads, stand behind others by `niceness` (0: as they are, to 19)."""
    if niceness == 0:
        return
    os.nice(niceness)
    if not _lower_session(niceness):
        threading.Thread(target=_lower_session_later, args=[niceness], name="priority", daemon=True).start()


def _lower_session(niceness: int) -> bool:
    """Return whether that is settled; False where it was not this process's turn."""
    try:
        SESSION.write_text(str(niceness))
    except BlockingIOError:
        return False
    except OSError as exc:
        # Where sessions are not told apart, or a container forbids it, the process's own niceness has to do.
        log.debug("the session keeps its priority: %s", exc)
    return True


def _lower_session_later(niceness: int) -> None:
    backoff = Backoff(*RETRY_SECONDS)
    while True:
        time.sleep(backoff.pause())
        if _lower_session(niceness):
            return
