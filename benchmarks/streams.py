"""Event streams in the browser: how late events are with many browsers at once, and what each of them costs.

The web application runs as it does in a stack, in a process of its own; so do the browsers. Each append is a
transaction of its own, as those of a model's streamed answer are.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import psutil

from benchmarks import goals, processes
from benchmarks.figures import Figure
from benchmarks.fixtures import make_project
from studio import events, sign_in
from studio.database.connection import Database
from studio.events import NewEvent

BROWSERS = 500
# A model's answer comes in four pieces a second; two of them at once, and their steps.
PER_SECOND = 10
# Longer than a stream lasts, so that each has come back once.
SECONDS, QUICK_SECONDS = 40.0, 6.0
# By then each has, which takes some memory once: threads, and what they leave.
GENERATION = 0.7
# Connections and caches are as they are in a process that has run for a while.
WARM_UP_SECONDS = 3.0
START_SECONDS = 30.0
OPEN_FILES = 4 * BROWSERS
_OWNER = "bench"


class StreamFigures(NamedTuple):
    """Milliseconds from before an append to its frame in a browser; kilobytes of the server for each browser."""

    alone_p50_ms: float
    p50_ms: float
    p99_ms: float
    kilobytes: float
    growth_megabytes: float
    cpu_percent: float


def run(db: Database, quick: bool) -> Iterator[Figure]:
    """Yield how late browsers are."""
    found = measure(db, QUICK_SECONDS if quick else SECONDS)
    many = f"{BROWSERS} browsers"
    yield Figure("streams", "append → one browser p50", "ms", found.alone_p50_ms)
    yield Figure("streams", f"append → {many} p50", "ms", found.p50_ms, goal=goals.STREAMS_P50_MS)
    yield Figure("streams", f"append → {many} p99", "ms", found.p99_ms, goal=goals.STREAMS_P99_MS)
    yield Figure("streams", "memory of a stream", "kB", found.kilobytes, goal=goals.STREAM_KILOBYTES)
    yield Figure("streams", f"growth of the server, {many}", "MB", found.growth_megabytes, goal=goals.STREAMS_GROWTH_MB)
    yield Figure("streams", f"CPU of the server, {many}", "% of a core", found.cpu_percent)


def measure(db: Database, seconds: float = SECONDS, browsers: int = BROWSERS) -> StreamFigures:
    """Measure on a migrated database: one browser first, then all of them on one project."""
    project_id, job_id = make_project(db), uuid4()
    db.execute(
        "insert into public.agent_jobs (id, project_id, job_type, agent_key, idempotency_key)"
        " values (%s, %s, 'email.process_due', 'outreach', 'bench')",
        [job_id, project_id],
    )
    with web_server(db) as (port, server):
        cookie, path = signed_in(db, port), path_of(project_id)
        with crowd(port, [path], cookie) as one:
            _append(db, job_id, WARM_UP_SECONDS)
            told(one, "")
            _append(db, job_id, QUICK_SECONDS)
            alone = _latencies(one)
        before = processes.pss_megabytes(server)
        with crowd(port, [path] * browsers, cookie) as all_of_them:
            _append(db, job_id, WARM_UP_SECONDS)
            used, began = processes.cpu_seconds([server]), time.monotonic()
            told(all_of_them, "")
            _append(db, job_id, seconds * GENERATION)
            full = processes.pss_megabytes(server)
            _append(db, job_id, seconds * (1 - GENERATION))
            after = processes.pss_megabytes(server)
            used, passed = processes.cpu_seconds([server]) - used, time.monotonic() - began
            many = _latencies(all_of_them)
    cuts = statistics.quantiles(many, n=100, method="inclusive")
    return StreamFigures(
        statistics.median(alone),
        cuts[49],
        cuts[98],
        (full - before) * 1024 / browsers,
        after - full,
        100 * used / passed,
    )


def _append(db: Database, job_id: UUID, seconds: float) -> None:
    began = time.monotonic()
    for number in range(int(seconds * PER_SECOND)):
        time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
        at = time.monotonic_ns()
        with db.transaction() as conn:
            events.append(
                conn, job_id, [NewEvent("delta", "Some words of an answer, as a model writes them.", {"at": at})]
            )
    # The last one is under way.
    time.sleep(1.0)


def _latencies(browsers: subprocess.Popen[str]) -> list[float]:
    seen = told(browsers, "")
    assert seen["faults"] == 0, f"{seen['faults']} events were lost or came twice"
    latencies: list[float] = seen["latencies"]
    return latencies


def path_of(project_id: UUID) -> str:
    """Return the path of a project's stream."""
    return f"/api/projects/{project_id}/events"


@contextlib.contextmanager
def crowd(port: int, paths: Sequence[str], cookie: str) -> Iterator[subprocess.Popen[str]]:
    """Lend a process with a browser for each of `paths`, all of them there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.crowd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        told(process, json.dumps({"port": port, "paths": list(paths), "cookie": cookie}))
        yield process
    finally:
        process.kill()
        process.communicate()


def told(process: subprocess.Popen[str], line: str) -> dict[str, Any]:
    """Send a crowd a line, and return its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


@contextlib.contextmanager
def web_server(db: Database) -> Iterator[tuple[int, psutil.Process]]:
    """Lend the port and the process of a studio's web application."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < OPEN_FILES:
        raise OSError(f"{OPEN_FILES} open files are needed, {most} are allowed: raise the hard limit (ulimit -Hn).")
    with tempfile.TemporaryDirectory(prefix="greenlight-bench-web-") as folder:
        port_file = Path(folder) / "port"
        process = subprocess.Popen(
            [sys.executable, "-m", "web", "studio", "--port-file", str(port_file)],
            env={**os.environ, "DATABASE_URL": db.url, "GREENLIGHT_DATA_DIR": folder},
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not port_file.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise TimeoutError("the web application has not started")
                time.sleep(0.05)
            yield int(port_file.read_text()), psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def signed_in(db: Database, port: int) -> str:
    """Return the cookie of the projects' owner."""
    token = sign_in.make_link_token(db, _OWNER)
    address = f"http://localhost:{port}"
    answer = httpx.post(f"{address}/sign-in/{token}", headers={"Origin": address})
    return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
