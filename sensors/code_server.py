"""What an evaluation knows of the code server that it takes place in: how large it is, and whether it is ending.

What is private to Dagster in here: the name of the thread that a code server ends first, before it waits for the
evaluations that are still going on.
"""

import functools
import os
import threading

# A proxy, as `dagster dev` and `dagster code-server start` put it before a code server, has a variable of its own.
SIZES = ("DAGSTER_GRPC_MAX_WORKERS", "DAGSTER_CODE_SERVER_MAX_WORKERS")
CLEANUP_THREAD = "grpc-server-cleanup"


def threads() -> int:
    """Return how many evaluations a code server with this environment carries out at once.

    A proxy's threads wait along, and a code server cannot see whether it stands behind one: the smaller size counts.
    """
    given = [os.environ.get(name, "") for name in SIZES]
    return min(int(size) if size.isdecimal() else (os.cpu_count() or 1) + 4 for size in given)


def is_ending() -> bool:
    """Say whether this code server has been told to end (Ctrl-C, SIGTERM, a reload) and waits for its evaluations."""
    thread = _cleanup_thread(os.getpid())
    return thread is not None and not thread.is_alive()


@functools.cache
def _cleanup_thread(_process: int) -> threading.Thread | None:
    return next((thread for thread in threading.enumerate() if thread.name == CLEANUP_THREAD), None)
