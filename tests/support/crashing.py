"""Attempts at approved actions that are killed at a chosen moment, in processes of their own.

A moment is any at which the world outside the process could see a difference: before and after each exchange with
the database (statements, commits), and before and after each read and write on a connection to a provider. They are
counted below the code that is tested, in psycopg and httpcore, so that none is left out.

`Crashes` starts a process that has imported everything once, and forks a child for each attempt.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

Kind = Literal["sql", "commit", "http"]
ROOT = Path(__file__).resolve().parents[2]


class Ended(NamedTuple):
    """How an attempt ended: whether it was killed, what it said otherwise, and the moments it went through."""

    killed: bool
    status: str
    moments: list[Kind]


class Crashes:
    """The side of the tests. A context manager."""

    def __enter__(self) -> Crashes:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def attempt(self, order: Mapping[str, Any], *, kill_at: int | None) -> Ended:
        """Run one attempt and kill it at its moment number `kill_at` (from 1), or let it run to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = json.dumps({**order, "kill_at": kill_at}, default=str)
        self._process.stdin.write(request.encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["code"] in (0, -signal.SIGKILL), f"the attempt ended with {answer['code']}"
        return Ended(answer["code"] != 0, answer.get("status", ""), answer.get("moments", []))


# --- the process that forks, and its children


class _Moments:
    """Counts the moments of a child, and ends it at the chosen one."""

    def __init__(self, kill_at: int | None) -> None:
        self.passed: list[Kind] = []
        self._kill_at = kill_at
        self._committing = 0

    def pass_one(self, kind: Kind) -> None:
        self.passed.append("commit" if self._committing and kind == "sql" else kind)
        if len(self.passed) == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str, kind: Kind) -> None:
        """Put a moment before and after each call of a method."""
        original: Callable[..., Any] = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.pass_one(kind)
            try:
                return original(*args, **kwargs)
            finally:
                self.pass_one(kind)

        setattr(owner, name, wrapped)

    def mark_commits(self, transaction: Any) -> None:
        original = transaction.__exit__

        def wrapped(*args: Any) -> Any:
            self._committing += 1
            try:
                return original(*args)
            finally:
                self._committing -= 1

        transaction.__exit__ = wrapped


def _run(order: Mapping[str, Any], answer_to: int) -> None:
    import httpcore
    import psycopg
    from httpcore._backends.sync import SyncStream

    from studio import queue
    from studio.claims import Claim
    from studio.database.connection import Database
    from studio.settings import Settings
    from tests.support.actions import attempt, execution, hook_client

    assert httpcore.SyncBackend
    settings = Settings(**order["settings"])
    with Database(str(settings.database_url), pool_size=2) as db:
        claim = Claim(db, queue.get(db, order["job_id"]))
        work = execution(claim, settings, hook_client((order["hook"][0], order["hook"][1])))
        moments = _Moments(order["kill_at"])
        moments.around(psycopg.Connection, "wait", "sql")
        moments.mark_commits(psycopg.Transaction)
        moments.around(SyncStream, "write", "http")
        moments.around(SyncStream, "read", "http")
        status = attempt(work)
        passed = list(moments.passed)
    os.write(answer_to, json.dumps({"status": status, "moments": passed}).encode())


def _serve() -> None:
    import tests.support.actions  # noqa: F401 - what the process is for: to have imported this
    from studio.providers import service
    from tests.support.local_web import authority

    # Reading the certificates of authorities takes longer than most attempts.
    service._tls()
    authority()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.close(reading)
                _run(order, writing)
                code = 0
            finally:
                os._exit(code)
        os.close(writing)
        said = b""
        while piece := os.read(reading, 65536):
            said += piece
        os.close(reading)
        _, status = os.waitpid(pid, 0)
        answer = {"code": os.waitstatus_to_exitcode(status), **(json.loads(said) if said else {})}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
