"""Samples of a stack under load, written as they come: a run that breaks has left what it saw."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks.bed import Bed
from benchmarks.soak import members, tables
from benchmarks.soak.load import APPLICATION
from studio.database.connection import Database

SAMPLE_SECONDS = 10.0
# Some milliseconds: long enough to be told from a timer, too short to be a load.
WORK_ROUNDS = 20_000


class Log:
    """A file of JSON lines: `kind`, `at` in seconds since it was begun, and what it is about. Thread-safe."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._file.close()

    def write(self, kind: str, content: dict[str, Any]) -> None:
        """Write a line, and make sure that it is there whatever becomes of this process."""
        with self._lock:
            line = {"kind": kind, "at": round(time.monotonic() - self._began, 2), **content}
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()


def read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a `Log`; one that a killed process has not ended is left out."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


@contextlib.contextmanager
def sampler(bed: Bed) -> Iterator[Sampler]:
    """Lend a sampler of `bed`, with connections of its own."""
    # Asking for a database that exists returns its URL.
    urls = [bed.stack.environment()["DATABASE_URL"], bed.server.database(bed.databases[1], synchronous_commit=False)]
    with Database(urls[0], pool_size=1, application_name=APPLICATION) as studio:
        with Database(urls[1], pool_size=1, application_name=APPLICATION) as dagster:
            yield Sampler(bed, studio, dagster)


class Sampler:
    """Looks at a stack."""

    def __init__(self, bed: Bed, studio: Database, dagster: Database) -> None:
        self._bed = bed
        self._studio = studio
        self._dagster = dagster

    def look(self) -> dict[str, Any]:
        """Return how it is now."""
        machine = {"cpu": psutil.cpu_percent(), "work_ms": round(_work_ms(), 2)}
        return {**members.look(self._bed), **tables.look(self._studio, self._dagster), "machine": machine}


def _work_ms() -> float:
    """Return how long the machine takes for the same as ever.

    Where that changes it was the machine, a virtual one with neighbours perhaps, that has become slower.
    """
    began = time.perf_counter()
    hashlib.pbkdf2_hmac("sha256", b"soak", b"salt", WORK_ROUNDS)
    return (time.perf_counter() - began) * 1000
