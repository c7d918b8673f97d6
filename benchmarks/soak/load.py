"""The load, as a process: `python -m benchmarks.soak.load --studio URL`, in the environment of a stack.

Every ten seconds it writes a line of JSON: `counts` since the beginning, and `waits` in milliseconds since the last
line. It goes on until its input is closed; then it waits for its jobs, and its last line says how many are unfinished.
In a process of its own, because the one that starts the stack is a part of what is measured.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from benchmarks.soak.arrivals import Arrivals
from benchmarks.soak.tally import Tally
from benchmarks.soak.visitors import READERS, Visitors
from greenlight_dagster.bench.ground import OWNER, ground
from studio.database.connection import Database
from studio.job_types import LANES
from studio.settings import get_settings

log = logging.getLogger(__name__)

APPLICATION = "greenlight-soak"
PROJECTS = 10
TELL_SECONDS = 10.0
# As long as a job or a chat may take that is picked up late; what has not ended by then is a finding.
PATIENCE_SECONDS = 60.0
# Five senders and visitors, and what they do at once.
CONNECTIONS = 12


def main(arguments: list[str] | None = None) -> int:
    """Load a stack until the input is closed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak.load", description=__doc__)
    parser.add_argument("--studio", required=True, metavar="URL", help="where the stack's studio answers")
    address = parser.parse_args(arguments).studio
    # Whoever started this one ends it when he has what he wants.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    settings, over, tally = get_settings(), threading.Event(), Tally()
    url = settings.database_url
    assert url is not None, "the environment is a stack's"
    with Database(url, pool_size=CONNECTIONS, application_name=APPLICATION) as db, ground(db, PROJECTS) as lent:
        arrivals = Arrivals(lent, tally, over)
        visitors = Visitors(db, settings, address, tally, over)
        pages = [(OWNER, project) for project in lent.projects]
        tally.count("load broken", 0)
        work: list[Callable[[], None]] = [
            *(partial(arrivals.send, lane) for lane in LANES),
            arrivals.collect,
            visitors.think,
            visitors.chat,
            *(partial(visitors.read, pages) for _ in range(READERS)),
        ]
        threads = [threading.Thread(target=_kept, args=(one, tally), daemon=True) for one in work]
        for thread in threads:
            thread.start()
        threading.Thread(target=_until_closed, args=(over,), daemon=True).start()
        while not over.wait(TELL_SECONDS):
            _tell(tally)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while arrivals.unfinished and time.monotonic() < deadline:
            time.sleep(0.2)
            arrivals.look()
        # A Phase 0 and a chat are under way, perhaps; a reader hears of the end with the next ping.
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        tally.count("unfinished", arrivals.unfinished + sum(thread.is_alive() for thread in threads))
        _tell(tally)
    return 0


def _kept(work: Callable[[], None], tally: Tally) -> None:
    try:
        work()
    except Exception:
        log.exception("a part of the load broke")
        tally.count("load broken")


def _until_closed(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def _tell(tally: Tally) -> None:
    print(json.dumps(tally.take()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
