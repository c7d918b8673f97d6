"""`make bench-fleet`: runs by workers behind a broker, beside the launcher of one machine, in one run.

All of them share this machine's cores. So what it says is what the way over a broker costs, and that a second machine's
processes are used; how much faster two real machines are is left to them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import burst, latency, machine, report
from benchmarks.__main__ import err, forget_surroundings, out, say
from benchmarks.bed import Bed, running
from benchmarks.figures import Figure, at_least, at_most, missed
from benchmarks.server import Server
from greenlight_dagster.bench.samples import ratio
from greenlight_dagster.stack.stack import Stack
from studio import fleet
from studio.database.connection import Database
from studio.errors import StackError, StudioError
from studio.paths import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "fleet.json"
# Half of the slots of the launcher it stands beside: two such machines have as many.
SLOTS = 4
LANES = ("--lane", f"standard={SLOTS}", "--lane", "realtime=1", "--lane", "heavy=1")
START_SECONDS = 120.0
LOOPBACK = "127.0.0.1"

# The broker, Celery's loop and a pipe are between, and no process has to be forked.
LATENCY_RATIO = at_most(2.0, 1.3)
# A process that is replaced while jobs come must keep none of them waiting for long.
TAIL_RATIO = at_most(3.0, 1.5)
# Processes that are used again do more runs with the same cores than those that are forked for each.
BURST_RATIO = at_least(0.6, 1.0)
# The same cores: a second machine's processes must not be in the way.
SECOND_HOST_RATIO = at_least(0.7, 1.0)


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """Start Debian's `redis-server` on a free port and lend its URL."""
    program = shutil.which("redis-server")
    if program is None:
        raise StackError("There is no redis-server here.", "Install it: apt-get install redis-server.")
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    arguments = [program, "--port", str(port), "--bind", LOOPBACK, "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, cwd=folder)
        try:
            yield f"redis://{LOOPBACK}:{port}/0"
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def worker(stack: Stack, name: str) -> Iterator[None]:
    """Start `greenlight worker` as on a machine called `name`, wait until it takes runs, and stop it afterwards."""
    environment = stack.environment()
    with tempfile.TemporaryDirectory(prefix=f"greenlight-bench-{name}-") as folder:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from greenlight_dagster.cli.main import main; main()",
                "worker",
                "--name",
                name,
                *LANES,
            ],
            env={**os.environ, **environment, "GREENLIGHT_DATA_DIR": folder, "GREENLIGHT_DRAIN_SECONDS": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(environment["DATABASE_URL"], name, process)
            yield
        finally:
            process.terminate()
            process.wait()


def _wait_for(url: str, name: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    with Database(url, pool_size=1) as db:
        while True:
            takes_runs = [
                found for found in fleet.workers(db, 5.0) if found.lives and found.worker_id.endswith(f"@{name}")
            ]
            if len(takes_runs) == len(LANES) // 2:
                return
            if process.poll() is not None or time.monotonic() > deadline:
                raise StackError("A worker did not start.", "Start `greenlight worker` by hand and see what it says.")
            time.sleep(0.2)


def measure(server: Server, folder: Path, *, quick: bool) -> dict[str, Mapping[str, float]]:
    """Return what was measured, by what: `latency` and `burst` of `here`, of `one` worker machine, and of `two`."""
    found: dict[str, Mapping[str, float]] = {}

    def both(bed: Bed, who: str) -> None:
        say(f"latency, {who} …")
        found[f"latency {who}"] = latency.measure(bed)
        say(f"burst, {who} …")
        found[f"burst {who}"] = burst.measure(bed)

    with running("ours", server, folder / "ours", quick=quick, say=say) as bed:
        both(bed, "here")
    with broker() as url:
        one = running(
            "fleet",
            server,
            folder / "fleet",
            quick=quick,
            say=say,
            with_stack=lambda stack: worker(stack, "one"),
            GREENLIGHT_BROKER_URL=url,
        )
        with one as bed:
            both(bed, "one")
            with worker(bed.stack, "two"):
                both(bed, "two")
    return found


def figures(found: Mapping[str, Mapping[str, float]]) -> Iterator[Figure]:
    """Yield what was measured; beside it stands the launcher of one machine."""
    here, one, two = (found[f"latency {who}"] for who in ("here", "one", "two"))
    yield Figure("latency", "enqueue → op, p50, one worker machine", "ms", one["p50"], here["p50"])
    yield Figure("latency", "enqueue → op, p99, one worker machine", "ms", one["p99"], here["p99"])
    yield Figure("latency", "enqueue → op, p50, two", "ms", two["p50"], here["p50"])
    yield Figure("latency", "p50 by workers / by the launcher", "×", ratio(one["p50"], here["p50"]), goal=LATENCY_RATIO)
    yield Figure("latency", "p99 by workers / by the launcher", "×", ratio(one["p99"], here["p99"]), goal=TAIL_RATIO)
    rate, first, second = (found[f"burst {who}"]["per_second"] for who in ("here", "one", "two"))
    yield Figure("burst", "no-op runs, one worker machine", "/s", first, rate)
    yield Figure("burst", "no-op runs, two", "/s", second, rate, note=f"{SLOTS} and {2 * SLOTS} processes")
    yield Figure("burst", "by two worker machines / by the launcher", "×", ratio(second, rate), goal=BURST_RATIO)
    yield Figure("burst", "by two worker machines / by one", "×", ratio(second, first), goal=SECOND_HOST_RATIO)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, write the JSON; return 1 where a figure is short of its bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little, to see that everything works")
    given = parser.parse_args(arguments)
    forget_surroundings()
    try:
        with tempfile.TemporaryDirectory(prefix="greenlight-bench-") as folder, Server(Path(folder) / "db") as server:
            facts = machine.facts(server.version())
            made = list(figures(measure(server, Path(folder), quick=given.quick)))
    except StudioError as exc:
        err.print(f"Error: {exc}", style="red", highlight=False, markup=False, soft_wrap=True)
        return 1
    report.show(out, facts, made, "one machine")
    report.write(RESULTS, report.as_json(facts, made, quick=given.quick))
    return 1 if missed(made) else 0


if __name__ == "__main__":
    sys.exit(main())
