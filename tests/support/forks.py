"""A process that has imported Dagster and the definitions once, and forks commands of `dagster` from there.

Importing takes seconds of processor time, a fork takes milliseconds. What is forked is a process of its own
all the same: it has its own session, environment, log and signals, runs Dagster's own command line, and can
be killed without anybody else noticing.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.waiting import DEFAULT_TIMEOUT_SECONDS, eventually

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0


class Command:
    """A running `dagster` command."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log
        self._code: int | None = None
        self._ended = threading.Event()

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    def wait(self, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> int:
        """Return the exit code, negative for a signal; fail the test after `timeout` seconds."""
        assert self._ended.wait(timeout), f"the command still runs after {timeout} s:\n{self.output()[-4000:]}"
        assert self._code is not None
        return self._code

    def send(self, number: int) -> None:
        """Send a signal, as `kill` does; one that has ended gets none."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process without its say, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.wait()

    def output(self) -> str:
        """Return what the command has written so far, to stdout and stderr."""
        return self.log.read_text(errors="replace")

    def ended(self, code: int) -> None:
        """Note the end; called by whoever sees it."""
        self._code = code
        self._ended.set()


class Forks:
    """The side of the tests: starts the template process, and commands from it. A context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._started: dict[int, int] = {}
        self._commands: dict[int, Command] = {}
        self._codes: dict[int, int] = {}
        self._requests = 0

    def __enter__(self) -> Forks:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        self._listener = threading.Thread(target=self._listen, name="forks", daemon=True)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the template, which ends what it has forked."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(START_SECONDS)
        self._listener.join()
        self._process.stdout.close()

    def dagster(self, *arguments: str, environment: Mapping[str, str], log: Path) -> Command:
        """Run `dagster` with `arguments` in a new process; its output goes to `log`."""
        assert self._process is not None
        assert self._process.stdin is not None
        with self._lock:
            self._requests += 1
            number = self._requests
        request = {"id": number, "arguments": arguments, "environment": dict(environment), "log": str(log)}
        log.touch()
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        pid = eventually(lambda: self._started.get(number), START_SECONDS, "the fork")
        with self._lock:
            command = self._commands[pid] = Command(pid, log)
            if pid in self._codes:
                command.ended(self._codes.pop(pid))
        return command

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._lock:
                if "id" in answer:
                    self._started[answer["id"]] = answer["pid"]
                elif answer["pid"] in self._commands:
                    self._commands.pop(answer["pid"]).ended(answer["code"])
                else:
                    self._codes[answer["pid"]] = answer["code"]


class _Template:
    """The template process: forks on request, and says who ended how."""

    def __init__(self) -> None:
        self._children: set[int] = set()
        self._unread = b""
        self._woken, wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def serve(self) -> Callable[[], Any] | None:
        """Serve until the tests are gone; return None then, and in a forked child what it is to do."""
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self._woken in ready:
                    os.read(self._woken, 4096)
                    self._reap()
                if 0 in ready:
                    received = os.read(0, 65536)
                    if not received:
                        self._end_children()
                        return None
                    *lines, self._unread = (self._unread + received).split(b"\n")
                    for line in lines:
                        if (work := self._fork(json.loads(line))) is not None:
                            return work

    def _fork(self, request: dict[str, Any]) -> Callable[[], Any] | None:
        pid = os.fork()
        if pid == 0:
            return lambda: _run(request)
        self._children.add(pid)
        _say({"id": request["id"], "pid": pid})
        return None

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._children.remove(pid)
                _say({"pid": pid, "code": os.waitstatus_to_exitcode(status)})

    def _end_children(self) -> None:
        for pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _say(answer: dict[str, int]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def _run(request: Mapping[str, Any]) -> None:
    """Become the command: nothing of the template is left but its modules."""
    from dagster._cli import main

    from studio.settings import get_settings

    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # A shell that starts the tests in the background has had it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(request["log"], os.O_WRONLY | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(request["environment"])
    # Loading the definitions has read those of the template.
    get_settings.cache_clear()
    sys.argv = ["dagster", *request["arguments"]]
    main()


def _serve(arguments: Sequence[str]) -> None:
    assert not arguments
    # What the whole template is for: to have imported this.
    importlib.import_module("dagster._cli")
    importlib.import_module("greenlight_dagster.definitions")
    # What their runs import when they are first used.
    importlib.import_module("studio.model.client")

    gc.collect()
    # What the template holds is left alone by the collector of a child, which would copy every page it touches.
    gc.freeze()
    work = _Template().serve()
    if work is not None:
        work()


if __name__ == "__main__":
    _serve(sys.argv[1:])
