"""What a program sees of its host's clocks: prints them, and how long its pauses took, as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import uvloop

PAUSE_SECONDS = 0.2


def _condition() -> None:
    held = threading.Condition()
    with held:
        held.wait(PAUSE_SECONDS)


def _lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire(timeout=PAUSE_SECONDS)


async def _in_loop() -> None:
    await asyncio.sleep(PAUSE_SECONDS / 2)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), PAUSE_SECONDS / 2)


PAUSES: dict[str, Callable[[], Any]] = {
    "sleep": lambda: time.sleep(PAUSE_SECONDS),
    "event": lambda: threading.Event().wait(PAUSE_SECONDS),
    "condition": _condition,
    "lock": _lock,
    "queue": lambda: queue.Queue[None]().get(timeout=PAUSE_SECONDS),
    "asyncio": lambda: asyncio.run(_in_loop()),
    "uvloop": lambda: uvloop.run(_in_loop()),
    "subprocess": lambda: subprocess.run(["sleep", "600"], timeout=PAUSE_SECONDS, check=False),
}


def _seconds(pause: Callable[[], Any]) -> float:
    began = time.monotonic()
    with contextlib.suppress(queue.Empty, subprocess.TimeoutExpired):
        pause()
    return time.monotonic() - began


def _in_a_fork() -> float:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, str(time.time()).encode())
        os._exit(0)
    return float(os.read(reading, 64))


def _of_a_file() -> float:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"now")
        file.flush()
        return os.stat(file.name).st_mtime


if __name__ == "__main__":
    clocks = {
        "time": time.time(),
        "datetime": datetime.datetime.now(datetime.UTC).timestamp(),
        "fork": _in_a_fork(),
        "file": _of_a_file(),
        "other program": float(subprocess.check_output(["date", "+%s.%N"])),
    }
    pauses = {name: _seconds(pause) for name, pause in PAUSES.items()}
    print(json.dumps({"monotonic": time.monotonic(), "clocks": clocks, "pauses": pauses}))
