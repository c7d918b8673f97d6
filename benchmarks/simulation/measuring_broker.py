"""What the hop through Celery and Redis costs, where both are installed: how late, and whose processor time.

The broker and its worker run for this alone, on a free port and in a folder of their own.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import psutil

from benchmarks import processes
from studio.paths import ROOT

ALONE, QUICK_ALONE = 100, 10
MANY, QUICK_MANY = 2_000, 100
WORKERS = 4
PATIENCE_SECONDS = 60.0


def measure(quick: bool) -> dict[str, float] | None:
    """Return milliseconds of a hop and of each process's CPU per task; None where Celery or Redis is missing."""
    if shutil.which("redis-server") is None or importlib.util.find_spec("celery") is None:
        return None
    with tempfile.TemporaryDirectory(prefix="greenlight-broker-") as folder, _broker(folder) as (url, broker):
        os.environ["BROKER_URL"] = url
        echo: Any = importlib.import_module("benchmarks.simulation.celery_echo").echo
        with _worker(url) as worker:
            echo.delay().get(timeout=PATIENCE_SECONDS)
            hops = []
            for _ in range(QUICK_ALONE if quick else ALONE):
                sent = time.time()
                hops.append((echo.delay().get(timeout=PATIENCE_SECONDS) - sent) * 1_000)
            count = QUICK_MANY if quick else MANY
            sender = psutil.Process()
            before = [processes.cpu_seconds(_family(one)) for one in (broker, worker)]
            sending = sum(sender.cpu_times()[:2])
            began = time.monotonic()
            waiting = [echo.delay() for _ in range(count)]
            sent_in = time.monotonic() - began
            # Before anything is read back, which costs the sender, too.
            sending = sum(sender.cpu_times()[:2]) - sending
            for one in waiting:
                one.get(timeout=PATIENCE_SECONDS)
            took = time.monotonic() - began
            used = [
                processes.cpu_seconds(_family(one)) - past for one, past in zip((broker, worker), before, strict=True)
            ]
    cuts = statistics.quantiles(hops, n=100, method="inclusive")
    return {
        "hop_ms_p50": cuts[49],
        "hop_ms_p99": cuts[98],
        "sent_per_second": count / sent_in,
        "tasks_per_second": count / took,
        "sender_cpu_ms": 1_000 * sending / count,
        "broker_cpu_ms": 1_000 * used[0] / count,
        "worker_cpu_ms": 1_000 * used[1] / count,
    }


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


@contextlib.contextmanager
def _broker(folder: str) -> Iterator[tuple[str, psutil.Process]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes"]
    with _running(command, {}) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if time.monotonic() > deadline:
                raise TimeoutError("The broker has not started.")
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0", process


@contextlib.contextmanager
def _worker(url: str) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.simulation.celery_echo", "worker"]
    options = ["--concurrency", str(WORKERS), "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
    environment = {"BROKER_URL": url, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with _running([*command, *options], environment) as process:
        yield process


@contextlib.contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[psutil.Process]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
