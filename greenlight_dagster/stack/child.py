"""One program that runs for the stack: its process and its log."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from studio.errors import StackError

LOG_LIMIT_BYTES = 8 * 1024 * 1024
LOGS_KEPT = 3
TAIL_LINES = 15
_TAIL_BYTES = 16 * 1024
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Child:
    """A running program. It has its own session, so that a terminal's Ctrl-C does not reach it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path,
        log: Path,
        descriptors: Sequence[int] = (),
    ) -> None:
        """Start `command`; its output is appended to `log`, and it inherits `descriptors` under their numbers.

        Raise `StackError` where it cannot be started.
        """
        self.name = name
        self.log = log
        _rotate(log)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._log_start = os.fstat(descriptor).st_size
            self._process = subprocess.Popen(  # noqa: S603 - our own programs and arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(environment),
                start_new_session=True,
                pass_fds=descriptors,
            )
        except OSError as exc:
            raise StackError(f"{name} cannot be started: {exc}.") from exc
        finally:
            os.close(descriptor)
        self.started_at = time.monotonic()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started_at

    def ending(self) -> str:
        """Say how the process ended: its exit code, or the signal."""
        code = self._process.returncode
        if code is None:
            return "still running"
        if code >= 0:
            return f"exit code {code}"
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Wait until the process has ended; return False where it still runs after `seconds`."""
        try:
            self._process.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End the process at once, without its say, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def tail(self) -> str:
        """Return the last lines that this process, not an earlier one, wrote to its log."""
        with self.log.open("rb") as handle:
            end = handle.seek(0, os.SEEK_END)
            handle.seek(max(self._log_start, end - _TAIL_BYTES))
            lines = _COLOURS.sub("", handle.read().decode(errors="replace")).splitlines()
        return "\n".join(lines[-TAIL_LINES:])


def _rotate(log: Path) -> None:
    if not log.exists() or log.stat().st_size <= LOG_LIMIT_BYTES:
        return
    names = [log, *(log.with_name(f"{log.name}.{number}") for number in range(1, LOGS_KEPT + 1))]
    for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
        if newer.exists():
            newer.replace(older)
